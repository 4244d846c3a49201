# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The page that ``anny-ros report`` makes of a run."""
