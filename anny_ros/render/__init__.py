# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A small CPU rasteriser: overlays of people as shaded meshes, depth and index maps."""

from __future__ import annotations

from anny_ros.render.colours import track_colour
from anny_ros.render.overlay import draw_scene
from anny_ros.render.rasterise import rasterise

__all__ = ['draw_scene', 'rasterise', 'track_colour']
