# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Training of anny-vit, the single-shot network of our own, on rendered pictures."""
