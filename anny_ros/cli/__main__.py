# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``python -m anny_ros.cli`` is the same as ``anny-ros``."""

from __future__ import annotations

import sys

from anny_ros.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
