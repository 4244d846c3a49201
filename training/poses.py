# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Poses and shapes of people: sampling of the openly licensed pose data, and growth curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.body.phenotype import age_value
from anny_ros.errors import InputError
from anny_ros.keypoints.lifter import LIFTED_JOINTS, mirror_rotations
from anny_ros.keypoints.refine import rotations_from_rotvec
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

# Everyday poses come up more often than their share of the recordings.
_CATEGORY_BOOST = {
    'standing_idle': 3.0, 'walk': 3.5, 'conversation': 2.5, 'gesture': 2.0, 'sit': 2.0,
    'run': 1.5, 'carry': 1.5, 'playground': 0.6, 'strike': 0.6,
}  # fmt: skip
_UPPER = [
    i
    for i, name in enumerate(LIFTED_JOINTS)
    if name != 'root' and 'leg' not in name and 'foot' not in name
]
# Median statures in metres by years of age (boys, girls): WHO child growth standards to 5 years,
# WHO reference 2007 to 18, then adults; rounded to the centimetre.
_YEARS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 60, 90)
_MALE = (
    0.68, 0.76, 0.88, 0.96, 1.03, 1.10, 1.16, 1.27, 1.38, 1.49, 1.63, 1.73, 1.76, 1.75, 1.70,
)  # fmt: skip
_FEMALE = (
    0.66, 0.74, 0.86, 0.95, 1.03, 1.09, 1.15, 1.27, 1.39, 1.51, 1.60, 1.62, 1.63, 1.62, 1.57,
)  # fmt: skip
_STATURE_SPREAD = 0.042  # standard deviation over mean, about the same at all ages


@dataclass(frozen=True)
class PoseData:
    """
    World-aligned rotations of the lifted joints, frame by frame.

    Parameters
    ----------
    rotations : Tensor, (F, 28, 3, 3), float32
    clip : ndarray, (F,), int
        Clip of each frame.
    weight : ndarray, (F,)
        Probability of drawing each frame.

    """

    rotations: Tensor
    clip: NDArray[np.int64]
    weight: NDArray[np.float64]

    def subset(self, clips: NDArray[np.int64]) -> PoseData:
        """Keep some clips only."""
        rows = np.flatnonzero(np.isin(self.clip, clips))
        weight = self.weight[rows] / self.weight[rows].sum()
        return PoseData(self.rotations[torch.as_tensor(rows)], self.clip[rows], weight)


def _rotations_from_xyzw(q: Tensor) -> Tensor:
    x, y, z, w = torch.nn.functional.normalize(q, dim=-1).unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def load_poses(data: Path, seed: int = 0) -> tuple[PoseData, PoseData]:
    """
    Load ``poses.npz`` and split it by clip.

    Parameters
    ----------
    data : Path
        The data folder.
    seed : int
        Of the split: a tenth of the clips of each category with at least five clips is held out.

    Returns
    -------
    tuple of PoseData
        For training, and held out.

    Raises
    ------
    InputError
        If the file is not there.

    """
    path = data / 'poses.npz'
    if not path.is_file():
        raise InputError(f'there is no {path}; pass the folder that holds poses.npz')
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    names = arrays['bone_names'].tolist()
    columns = [names.index(name) for name in LIFTED_JOINTS]
    q = torch.as_tensor(arrays['quat_xyzw_i16'][:, columns].astype(np.float32))
    starts = arrays['clip_start']
    clip = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    category = arrays['clip_category'][clip]
    weight = np.where(arrays['diverse'], 1.0, 0.05)
    # Every clip counts with the square root of its frames, so does every category.
    for groups in (clip, category):
        _, group, total = np.unique(groups, return_inverse=True, return_counts=True)
        sums = np.zeros(len(total))
        np.add.at(sums, group, weight)
        weight = weight / np.sqrt(sums)[group]
    weight = weight * np.array([_CATEGORY_BOOST.get(c, 1.0) for c in category])
    poses = PoseData(_rotations_from_xyzw(q), clip, weight / weight.sum())
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for name in np.unique(arrays['clip_category']):
        clips = np.flatnonzero(arrays['clip_category'] == name)
        if len(clips) >= 5:
            held.extend(rng.permutation(clips)[: max(1, round(len(clips) / 10))])
    held_out = np.array(sorted(held))
    return poses.subset(np.setdiff1d(np.arange(len(starts) - 1), held_out)), poses.subset(held_out)


def sample_rotations(
    poses: PoseData, count: int, rng: np.random.Generator, augment: bool
) -> Tensor:
    """
    Draw body poses with a random heading.

    Parameters
    ----------
    poses : PoseData
    count : int
    rng : Generator
    augment : bool
        Mirror half, mix upper and lower bodies, jitter each joint, tilt a few.

    Returns
    -------
    Tensor, (count, 28, 3, 3)
        World-aligned; the root's from rest axes to a world with z up.

    """
    frames = rng.choice(len(poses.weight), size=count, p=poses.weight)
    E = poses.rotations[torch.as_tensor(frames)].clone()
    if augment:
        others = rng.choice(len(poses.weight), size=count, p=poses.weight)
        mixed = torch.as_tensor(rng.random(count) < 0.3)
        other = poses.rotations[torch.as_tensor(others)]
        rows = mixed.nonzero()[:, 0]
        E[rows[:, None], torch.tensor(_UPPER)] = other[rows][:, _UPPER]
        jitter = rng.normal(scale=np.deg2rad(3.5), size=(count, E.shape[1], 3))
        E = rotations_from_rotvec(torch.as_tensor(jitter, dtype=torch.float32)) @ E
        mirrored = torch.as_tensor(rng.random(count) < 0.5)
        E = torch.where(mirrored[:, None, None, None], mirror_rotations(E), E)
        tilt = np.where(rng.random((count, 1)) < 0.04, rng.normal(size=(count, 3)), 0.0)
        E[:, 0] = rotations_from_rotvec(torch.as_tensor(tilt, dtype=torch.float32)) @ E[:, 0]
    yaw = np.zeros((count, 3))
    yaw[:, 2] = rng.uniform(-np.pi, np.pi, count)
    E[:, 0] = rotations_from_rotvec(torch.as_tensor(yaw, dtype=torch.float32)) @ E[:, 0]
    return E


def sample_phenotypes(body: BodyModel, count: int, rng: np.random.Generator) -> Tensor:
    """
    Draw shapes of people of all ages whose statures follow growth curves.

    Parameters
    ----------
    body : BodyModel
    count : int
    rng : Generator

    Returns
    -------
    Tensor, (count, 6), float32
        12 % under 3 years, 20 % under 12, 10 % under 18, 48 % under 64, 10 % older.

    """
    bands = np.array([[0.6, 3], [3, 12], [12, 18], [18, 64], [64, 95]])
    band = bands[rng.choice(5, size=count, p=(0.12, 0.20, 0.10, 0.48, 0.10))]
    years = rng.uniform(band[:, 0], band[:, 1])
    p = np.zeros((count, 6))
    p[:, 0] = rng.beta(0.25, 0.25, count)
    p[:, 1] = age_value(years)
    p[:, 2] = rng.normal(0.5, 0.17, count)
    p[:, 3] = rng.normal(0.5, 0.2, count)
    p[:, 5] = rng.beta(2.0, 2.0, count)
    male, female = np.interp(years, _YEARS, _MALE), np.interp(years, _YEARS, _FEMALE)
    wanted = male + (female - male) * p[:, 0]
    wanted = wanted * (1 + _STATURE_SPREAD * rng.normal(size=count))
    p = p.clip(0.0, 1.0)
    # Stature is linear in the phenotype "height" to a millimetre, so solve for it.
    p[:, 4] = 0.0
    low = body.stature(p)
    p[:, 4] = 1.0
    high = body.stature(p)
    p[:, 4] = ((wanted - low) / (high - low)).clip(0.0, 1.0)
    return torch.as_tensor(p, dtype=torch.float32)
