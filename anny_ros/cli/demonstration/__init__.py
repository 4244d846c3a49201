# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What ``anny-ros demo`` is made of: processes, a recorder, a bag, and what is read from it."""
