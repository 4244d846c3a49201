# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Identities: ``Tracker`` turns the Detections of each picture into a Scene."""

from anny_ros.tracking.tracker import Tracker

__all__ = ['Tracker']
