# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the commands write: tracks as JSON lines, an overlay video, rerun and ROS recordings."""
