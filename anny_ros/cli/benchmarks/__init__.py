# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What ``anny-ros bench`` measures, one subject a file."""
