# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning of the 2D network on rendered people."""
