# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From a picture to everybody in it: estimators and what they share."""

from anny_ros.inference.assemble import assemble_detections
from anny_ros.inference.estimator import Estimator

__all__ = ['Estimator', 'assemble_detections']
