# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where the files lie that belong to the package but are no Python."""

from __future__ import annotations

import os
from pathlib import Path
import sys

import anny_ros


def share_file(name: str) -> Path | None:
    """
    Find a file of the package's share folder.

    Parameters
    ----------
    name : str
        Such as ``config/fastdds_profile.xml``.

    Returns
    -------
    Path or None
        In the installation (ROS workspace, then virtual environment), else in the checkout.

    """
    prefixes = [p for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    folders = [Path(prefix) / 'share' / 'anny_ros' for prefix in (*prefixes, sys.prefix)]
    folders.append(Path(anny_ros.__file__).resolve().parents[1])
    found = (folder / name for folder in folders)
    return next((path for path in found if path.exists()), None)


def fast_dds_profile() -> Path | None:
    """Find the profile under which large pictures arrive."""
    return share_file('config/fastdds_profile.xml')
