# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Tracked whole-body people for robots.

``from anny_ros import Estimator, Tracker, Frame, Camera``. The generated messages live in
``anny_ros.msg`` and ``anny_ros.srv``. Importing this package needs neither torch nor ROS.
"""

from __future__ import annotations

import importlib
from pkgutil import extend_path
from typing import Any

# A source checkout ahead of the installed messages on the path must not hide anny_ros.msg.
__path__ = extend_path(__path__, __name__)

__version__ = '0.1.0'

_LAZY = {
    'Camera': 'anny_ros.types',
    'CameraSource': 'anny_ros.types',
    'Detections': 'anny_ros.types',
    'Frame': 'anny_ros.types',
    'Scene': 'anny_ros.types',
    'TrackState': 'anny_ros.types',
    'AnnyError': 'anny_ros.errors',
    'Parameters': 'anny_ros.parameters',
    'BodyModel': 'anny_ros.body',
    'Estimator': 'anny_ros.inference',
    'Tracker': 'anny_ros.tracking',
    'Perception': 'anny_ros.perception',
    'Surroundings': 'anny_ros.perception',
}
__all__ = ['__version__', *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
