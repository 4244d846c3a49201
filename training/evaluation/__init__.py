# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How well a model does on rendered people and on real clips, beside MediaPipe."""
