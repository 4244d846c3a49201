# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Captured poses of one split: single ones with their hands, and clips to play."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
import re
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.geometry.rotations import quat_xyzw_to_rotmat, rotvec_to_rotmat
import numpy as np
from numpy.typing import NDArray

from training.pictures.pack import DataPack, in_split, read_arrays

Float64Array = NDArray[np.float64]

# Everyday poses come up more often than their share of the recordings.
_CATEGORY_BOOST = {
    'standing_idle': 4.0, 'walk': 5.0, 'conversation': 3.0, 'gesture': 2.5, 'sit': 3.0,
    'run': 1.5, 'carry': 3.0, 'wave': 1.5, 'playground': 0.5, 'strike': 0.4, 'swim': 0.3,
    'point_aim': 0.4,
}  # fmt: skip
# Row of a quaternion that mirrors left and right.
_MIRROR = np.array([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Motions:
    """
    Frames of ``poses.npz``.

    Parameters
    ----------
    joints : ndarray, (C,), int64
        Joint of the body for each column; -1 is left out (toes, which the body does not turn).
    mirrored : ndarray, (C,), int64
        Column of the other side.
    quat : ndarray, (F, C, 4), int16
        World-aligned rotations.
    root : ndarray, (F, 3), float32
        Middle of the hips, in lengths of a leg, z above the ground.
    start : ndarray, (K + 1,), int64
        First frame of each clip.
    clips : ndarray, (M,), int64
        The clips of this split.
    name, category : ndarray, (K,), str
    fps : ndarray, (K,), float32
    frames : ndarray, (D,), int64; weight : ndarray, (D,)
        Frames for single pictures, and the probability of drawing each.

    """

    joints: NDArray[np.int64]
    mirrored: NDArray[np.int64]
    quat: NDArray[np.int16]
    root: NDArray[np.float32]
    start: NDArray[np.int64]
    clips: NDArray[np.int64]
    name: NDArray[np.str_]
    category: NDArray[np.str_]
    fps: NDArray[np.float32]
    frames: NDArray[np.int64]
    weight: Float64Array

    def rotations(
        self, frames: NDArray[np.integer[Any]], num_joints: int, mirror: bool = False
    ) -> Float64Array:
        """
        World-aligned rotations of some frames.

        Parameters
        ----------
        frames : ndarray, (T,)
        num_joints : int
            J, of the body.
        mirror : bool
            Swap left and right.

        Returns
        -------
        ndarray, (T, J, 3, 3)
            Joints without data do not turn; the root stands on a floor with z up, as captured.

        """
        quat = self.quat[frames].astype(np.float64)
        if mirror:
            quat = quat[:, self.mirrored] * _MIRROR
        E = np.tile(np.eye(3), (len(quat), num_joints, 1, 1))
        kept = self.joints >= 0
        E[:, self.joints[kept]] = quat_xyzw_to_rotmat(quat[:, kept])
        return E

    def clip_frames(self, clip: int) -> NDArray[np.int64]:
        """Frames of a clip, in order of time."""
        return np.arange(self.start[clip], self.start[clip + 1])


def recording(name: str, text: str) -> str:
    """Name of the recording that a procedural clip was made from, else the clip's own."""
    found = re.search(r'from (\S+?)\[', text)
    return found.group(1) if found else name


@lru_cache(maxsize=4)
def load_motions(folder: Path, split: str) -> Motions:
    """
    Load the pose data; a clip is in the split that its recording's name is in.

    Raises
    ------
    InputError
        If ``poses.npz`` is not there.

    """
    a = read_arrays(folder / 'poses.npz')
    body = BodyModel.load()
    names = [str(n) for n in a['bone_names']]
    joints = [body.joint_names.index(n) if n in body.joint_names else -1 for n in names]
    other = [n[:-1] + {'L': 'R', 'R': 'L'}[n[-1]] if n[-2] == '.' else n for n in names]
    start = a['clip_start'].astype(np.int64)
    origins = map(recording, a['clip_name'], a['clip_text'])
    clips = np.flatnonzero([in_split(o, split) for o in origins])
    clip = np.repeat(np.arange(len(start) - 1), np.diff(start))
    weight = np.where(a['diverse'], 1.0, 0.05) * np.isin(clip, clips)
    # Every clip counts with the square root of its frames, so does every category.
    for groups in (clip, a['clip_category'][clip]):
        _, group, total = np.unique(groups, return_inverse=True, return_counts=True)
        sums = np.bincount(group.reshape(-1), weight, len(total))
        weight = weight / np.sqrt(np.maximum(sums, 1e-9))[group.reshape(-1)]
    weight = (
        weight * np.array([_CATEGORY_BOOST.get(str(c), 1.0) for c in a['clip_category']])[clip]
    )
    frames = np.flatnonzero(weight)
    return Motions(
        joints=np.array(joints),
        mirrored=np.array([names.index(n) for n in other]),
        quat=a['quat_xyzw_i16'],
        root=a['root_position'],
        start=start,
        clips=clips,
        name=a['clip_name'],
        category=a['clip_category'],
        fps=a['clip_fps'],
        frames=frames,
        weight=weight[frames] / weight[frames].sum(),
    )


def pose_hands(
    E: Float64Array,
    pack: DataPack,
    joint_names: tuple[str, ...],
    rng: np.random.Generator,
    relaxed: float = 0.5,
) -> None:
    """
    Give both hands finger poses.

    Parameters
    ----------
    E : ndarray, (T, J, 3, 3)
        World-aligned rotations of frames that share their finger poses; changed in place.
    pack : DataPack
    joint_names : tuple of J str
    rng : Generator
    relaxed : float
        Probability of a relaxed hand.

    """
    for side in 'LR':
        pool = (
            np.flatnonzero(pack.relaxed) if rng.random() < relaxed else np.arange(len(pack.hands))
        )
        quat = pack.hands[rng.choice(pool)]
        if side == 'R':
            quat = quat * _MIRROR
        strength = rng.uniform(0.5, 1.05)
        sign = np.where(quat[:, 3:] < 0, -1.0, 1.0)
        half = np.arccos(np.clip(quat[:, 3:] * sign, -1, 1))
        axis = quat[:, :3] * sign / np.maximum(np.sin(half), 1e-6)
        turned = rotvec_to_rotmat(axis * 2 * half * strength)
        rows = [joint_names.index(f'{n}.{side}') for n in pack.hand_joints]
        E[:, rows] = turned


def sample_pose(
    motions: Motions, pack: DataPack, joint_names: tuple[str, ...], rng: np.random.Generator
) -> tuple[Float64Array, str]:
    """
    Draw one pose with a random heading.

    Parameters
    ----------
    motions : Motions
    pack : DataPack
    joint_names : tuple of J str
    rng : Generator

    Returns
    -------
    E : ndarray, (J, 3, 3)
        World-aligned; a quarter of them with another's upper body, all with a little jitter, a
        few in any orientation.
    category : str

    """
    num = len(joint_names)
    frame = int(rng.choice(motions.frames, p=motions.weight))
    clip = int(np.searchsorted(motions.start, frame, side='right')) - 1
    category = str(motions.category[clip])
    E = motions.rotations(np.array([frame]), num, mirror=bool(rng.random() < 0.5))
    if rng.random() < 0.25:
        other = motions.rotations(rng.choice(motions.frames, 1, p=motions.weight), num)
        upper = [
            i
            for i, n in enumerate(joint_names)
            if n != 'root' and 'leg' not in n and 'foot' not in n
        ]
        E[:, upper] = other[:, upper]
    pose_hands(E, pack, joint_names, rng)
    jitter = np.zeros((num, 3))
    moved = motions.joints[motions.joints > 0]
    jitter[moved] = rng.normal(0, np.deg2rad(3.0), (len(moved), 3))
    E[0] = rotvec_to_rotmat(jitter) @ E[0]
    if rng.random() < 0.03:
        E[0, 0] = rotvec_to_rotmat(rng.normal(size=3)) @ E[0, 0]
    E[0, 0] = rotvec_to_rotmat(np.array([0, 0, rng.uniform(-np.pi, np.pi)])) @ E[0, 0]
    return E[0], category
