# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The Anny body model over a compact asset of our own."""

from anny_ros.body.model import BodyModel, PosedBody

__all__ = ['BodyModel', 'PosedBody']
