# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pure functions on cameras and rotations; numpy only."""
