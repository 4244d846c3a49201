# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Making of the shipped assets and their measured figures; not installed on a robot."""
