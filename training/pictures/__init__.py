# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Rendered pictures and short sequences of dressed people with exact labels."""
