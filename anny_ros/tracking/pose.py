# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How the camera moved between two pictures."""

from __future__ import annotations

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def checked_pose(world_from_camera: FloatArray) -> Float64Array:
    """Return a pose as float64; ValueError unless it is a rigid motion, (4, 4)."""
    pose = np.array(world_from_camera, np.float64)
    if pose.shape != (4, 4):
        raise ValueError(f'a pose of the camera must be (4, 4), got {pose.shape}')
    R = pose[:3, :3]
    proper = np.isfinite(pose).all() and np.allclose(pose[3], [0, 0, 0, 1], atol=1e-6)
    if not proper or not np.allclose(R @ R.T, np.eye(3), atol=1e-3) or np.linalg.det(R) < 0:
        raise ValueError(
            'a pose of the camera must be a rotation and a translation of finite numbers; '
            'pass the (4, 4) matrix that takes points of the optical frame to the world'
        )
    return pose


def camera_motion(before: Float64Array | None, after: Float64Array | None) -> Float64Array | None:
    """Coordinates in the optical frame after from those before, (4, 4); None if not known."""
    if before is None or after is None:
        return None
    R, t = after[:3, :3], after[:3, 3]
    motion = np.eye(4)
    motion[:3, :3] = R.T @ before[:3, :3]
    motion[:3, 3] = R.T @ (before[:3, 3] - t)
    return motion
