# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: nodes, publishers and conversions; the only place that imports rclpy."""
