# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How ``anny-ros anonymize`` works: scan every picture, then write them anew without people."""
