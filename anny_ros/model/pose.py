# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Numbers of the pose head to rotations of our joints.

The network speaks of 163 bones of the MakeHuman rig, of which 68 may turn; the body model has 74
joints: those 68 plus feet, neck and head, which this network never turns.
"""

from __future__ import annotations

from anny_ros.geometry.rotations import rot6d_to_rotmat
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

NUM_BONES = 163
# Bones that the network may turn: no foot, toe, breast, neck, head or anything of the face.
TURNED_BONES = (*range(6), *range(21, 26), *range(41, 45), *range(47, 100))
# Bones that the body model has besides: foot.L, foot.R, neck01, neck02, neck03, head.
FIXED_BONES = (6, 26, 100, 101, 102, 103)
# Bone of each joint of the body model.
JOINT_BONES = tuple(sorted(TURNED_BONES + FIXED_BONES))


def joint_rotations(pose: FloatArray) -> NDArray[np.float32]:
    """
    Rotations of the body model's joints.

    Parameters
    ----------
    pose : ndarray, (N, 978)
        Six numbers for each of 163 bones: the first two columns of its rotation, stored row by
        row (not "first three, last three"), not yet orthonormal.

    Returns
    -------
    ndarray, (N, 74, 3, 3), float32
        Each in its joint's own rest frame; identity for joints that the network never turns.
        NaN where six numbers span no plane.

    Raises
    ------
    ValueError
        If there are not 978 numbers.

    """
    if pose.ndim != 2 or pose.shape[1] != 6 * NUM_BONES:
        raise ValueError(f'pose must be (N, {6 * NUM_BONES}), got {pose.shape}')
    six = pose.reshape(-1, NUM_BONES, 6)[:, TURNED_BONES]  # (N, 68, 6)
    rotations = np.tile(np.eye(3, dtype=np.float32), (len(pose), len(JOINT_BONES), 1, 1))
    rows = np.searchsorted(JOINT_BONES, TURNED_BONES)
    rotations[:, rows] = rot6d_to_rotmat(six)
    return rotations  # (N, 74, 3, 3)
