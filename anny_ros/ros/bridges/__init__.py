# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Nodes that say the same in the messages of others: ROS4HRI, and social costmaps."""
