# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Numbers of the pose head to rotations of our joints.

A network speaks of 163 bones of the MakeHuman rig; the body model has 74 joints: the 68 that
Multi-HMR 2 may turn, plus feet, neck and head, which the other networks turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anny_ros.geometry.rotations import rot6d_to_rotmat
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

NUM_BONES = 163
# Bones that Multi-HMR 2 may turn: no foot, toe, breast, neck, head or anything of the face.
TURNED_BONES = (*range(6), *range(21, 26), *range(41, 45), *range(47, 100))
# Bones that the body model has besides: foot.L, foot.R, neck01, neck02, neck03, head.
FIXED_BONES = (6, 26, 100, 101, 102, 103)
# Bones that anny-vit turns: those of anny_ros.keypoints.lifter.LIFTED_JOINTS.
LIFTED_BONES = (
    0, 2, 4, 6, 22, 24, 26, 41, 42, 43, 44, 47, 48, 50, 51, 52, 53, 54, 74, 76, 77, 78, 79, 80,
    100, 101, 102, 103,
)  # fmt: skip
# Bone of each joint of the body model.
JOINT_BONES = tuple(sorted(TURNED_BONES + FIXED_BONES))


@dataclass(frozen=True)
class PersonConvention:
    """
    How a network's numbers speak of a person; the defaults are those of Multi-HMR 2.

    Parameters
    ----------
    anchor : str
        Landmark or joint of the body model that location and distance belong to.
    turned_bones : tuple of int
        Bones whose rotations count; the others stay at rest.
    world_aligned_root : bool
        Whether the root's rotation turns the whole rest body (axes x left, y back, z up), not the
        root bone's own frame.
    world_aligned_joints : bool
        Whether the other joints' rotations are seen in the axes of the rest body too, not in
        their own rest frames.
    root_along_ray : bool
        Whether the root's rotation is relative to the viewing ray to the anchor: to the optical
        frame turned by the smallest rotation that takes its z axis to the ray.
    threshold : float
        Confidence above which it was published to call something a person.

    """

    anchor: str = 'face_centre'
    turned_bones: tuple[int, ...] = TURNED_BONES
    world_aligned_root: bool = False
    world_aligned_joints: bool = False
    root_along_ray: bool = False
    threshold: float = 0.4


MULTIHMR2 = PersonConvention()
_ANNY_VIT = PersonConvention(
    turned_bones=LIFTED_BONES,
    world_aligned_root=True,
    world_aligned_joints=True,
    root_along_ray=True,
)
_CONVENTIONS = {
    'multihmr1_anny': PersonConvention(
        'head', JOINT_BONES, world_aligned_root=True, threshold=0.3
    ),
    'anny_vit': _ANNY_VIT,
    'anny_vit_tiny': _ANNY_VIT,
}


def person_convention(model: str) -> PersonConvention:
    """Convention of a network by its name (``NetworkConfig.name``), on whichever runtime."""
    return _CONVENTIONS.get(model, MULTIHMR2)


def joint_rotations(
    pose: FloatArray, turned_bones: Sequence[int] = TURNED_BONES
) -> NDArray[np.float32]:
    """
    Rotations of the body model's joints.

    Parameters
    ----------
    pose : ndarray, (N, 978)
        Six numbers for each of 163 bones: the first two columns of its rotation, stored row by
        row (not "first three, last three"), not yet orthonormal.
    turned_bones : sequence of int
        Rising, from ``JOINT_BONES``.

    Returns
    -------
    ndarray, (N, 74, 3, 3), float32
        Each in its joint's own rest frame; identity for joints that are not to turn.
        NaN where six numbers span no plane.

    Raises
    ------
    ValueError
        If there are not 978 numbers.

    """
    if pose.ndim != 2 or pose.shape[1] != 6 * NUM_BONES:
        raise ValueError(f'pose must be (N, {6 * NUM_BONES}), got {pose.shape}')
    six = pose.reshape(-1, NUM_BONES, 6)[:, turned_bones]  # (N, T, 6)
    rotations = np.tile(np.eye(3, dtype=np.float32), (len(pose), len(JOINT_BONES), 1, 1))
    rows = np.searchsorted(JOINT_BONES, turned_bones)
    rotations[:, rows] = rot6d_to_rotmat(six)
    return rotations  # (N, 74, 3, 3)
