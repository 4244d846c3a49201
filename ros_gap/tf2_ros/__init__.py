# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Stand-in for tf2_ros where ROS itself is not installed: the calls that anny_ros makes.

Broadcasting on /tf, and listening with look-up at a time (interpolated) or at the latest one.
"""

from tf2_ros.buffer import Buffer
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_ros.transform_broadcaster import TransformBroadcaster
from tf2_ros.transform_listener import TransformListener

__all__ = [
    'Buffer',
    'ConnectivityException',
    'ExtrapolationException',
    'InvalidArgumentException',
    'LookupException',
    'TransformBroadcaster',
    'TransformException',
    'TransformListener',
]
