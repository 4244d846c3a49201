# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What viewers draw as lines: the bones of a body, and the ways that people came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from anny_ros.body import BodyModel
from anny_ros.types import FloatArray, Scene
import numpy as np
from numpy.typing import NDArray

_SECONDS = 5.0
_POINTS = 150
_HAND_BONES = ('finger', 'metacarpal')


def bone_ends(body: BodyModel) -> NDArray[np.intp]:
    """Joints at both ends of each bone to draw, two after two; fingers are left out."""
    pairs = [
        (int(parent), joint)
        for joint, parent in enumerate(body.joint_parents)
        if parent >= 0 and not body.joint_names[joint].startswith(_HAND_BONES)
    ]
    return np.array(pairs, np.intp).ravel()


class Trails:
    """Where the pelvis of each person was in the last five seconds, by track number."""

    def __init__(self) -> None:
        self._points: dict[int, deque[tuple[float, FloatArray]]] = {}

    def extend(self, scene: Scene, rows: Iterable[int]) -> None:
        """Append the places of these rows of a scene; all begins anew when time jumped back."""
        if scene.reset:
            self._points.clear()
        for row in rows:
            trail = self._points.setdefault(int(scene.track_numbers[row]), deque(maxlen=_POINTS))
            trail.append((scene.stamp, scene.humans.position[row]))
            while trail[0][0] < scene.stamp - _SECONDS:
                trail.popleft()

    def __getitem__(self, track_number: int) -> FloatArray:
        """(K, 3) metres, from old to new."""
        return np.array([position for _, position in self._points[track_number]])

    def forget(self, track_number: int) -> None:
        """Drop the trail of somebody."""
        self._points.pop(track_number, None)

    def clear(self) -> None:
        """Drop all trails."""
        self._points.clear()
