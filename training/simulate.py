# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Robots' views of posed people."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.body.skeleton import PosedSkeleton, Skeleton
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.keypoints.reported import ReportedPoints
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

# From a world with z up, seen by a level camera that looks along +y, to its optical frame.
_OPTICAL_FROM_WORLD = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
# A hand over a forearm.
_HAND = 0.7
# How wide the pictures of robots' cameras are, and how often; people smaller than this in them
# are seldom found.
_WIDTHS = {640: 0.35, 848: 0.15, 1280: 0.35, 1920: 0.15}
_SMALLEST_PX = 40.0
# Of the 12 joints from shoulders to ankles.
_LEAST_IN_VIEW = 5


@dataclass(frozen=True)
class People:
    """
    Posed people in front of cameras.

    Parameters
    ----------
    rotations : Tensor, (N, 28, 3, 3)
        World-aligned; the root's to the optical frame.
    phenotype : Tensor, (N, 6)
    keypoints : Tensor, (N, 17, 3), metres
        COCO keypoints, optical frame.
    half_view : ndarray, (N, 2)
        Tangents of half the horizontal and vertical field of view.
    size_px : ndarray, (N,), pixels
        Longer side of the person's box in the camera's picture.
    reported : Tensor, (N, 17, 3), metres
        Where the 2D network puts the keypoints but for its errors.
    top : Tensor, (N,)
        Tangent y / z of the body's highest point in the picture, without hair.

    """

    rotations: Tensor
    phenotype: Tensor
    keypoints: Tensor
    half_view: NDArray[np.float64]
    size_px: NDArray[np.float64]
    reported: Tensor
    top: Tensor

    def __getitem__(self, rows: Tensor) -> People:
        return People(
            self.rotations[rows],
            self.phenotype[rows],
            self.keypoints[rows],
            self.half_view[rows.numpy()],
            self.size_px[rows.numpy()],
            self.reported[rows],
            self.top[rows],
        )

    def __len__(self) -> int:
        return len(self.phenotype)

    def edges(self) -> Tensor:
        """Edges of the pictures (N, 4) as tangents: left, right, upper, lower."""
        half = torch.as_tensor(self.half_view, dtype=torch.float32)
        return torch.stack([-half[:, 0], half[:, 0], -half[:, 1], half[:, 1]], 1)


def _rotation_about(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    v = np.zeros((len(angle), 3))
    v[:, axis] = angle
    return np.asarray(rotations_from_rotvec(torch.as_tensor(v)).numpy())


def place(
    skeleton: Skeleton, rotations: Tensor, phenotype: Tensor, rng: np.random.Generator
) -> People:
    """
    Stand people on the floor before cameras as robots (and a few buildings) carry them.

    Parameters
    ----------
    skeleton : Skeleton
        Of the lifted joints.
    rotations : Tensor, (N, 28, 3, 3)
        World with z up.
    phenotype : Tensor, (N, 6)
    rng : Generator

    Returns
    -------
    People
        Cameras 0.2 to 2.5 m high (a fifth of them higher), 0.5 to 25 m away, pitched so that the
        person is in view, fields of view of 35 to 120 degrees, 640 to 1920 pixels wide, slightly
        rolled. Who would not be reported is left out: too small, or with too few joints in view.

    """
    count = len(phenotype)
    with torch.no_grad():
        posed: PosedSkeleton = skeleton.pose(skeleton.rest(phenotype), rotations)
    reported = ReportedPoints(skeleton.joint_names)(posed)
    points = torch.cat([outline(posed), reported], 1).double().numpy()
    lift = np.where(rng.random(count) < 0.15, rng.uniform(0, 1.0, count), 0.0)
    points[..., 2] += (lift - points[:, :23, 2].min(1))[:, None]
    middle = (points[:, :23].min(1) + points[:, :23].max(1)) / 2
    distance = np.exp(rng.uniform(np.log(0.5), np.log(25.0), count))
    height = rng.uniform(0.2, 2.5, count)
    high = rng.random(count) < 0.2
    height = np.where(high, rng.uniform(2.0, 2.5 + 0.4 * distance), height)
    points -= (middle * [1, 1, 0])[:, None]
    points += np.stack([0 * distance, distance, -height], 1)[:, None]

    half_x = np.tan(np.deg2rad(rng.uniform(35, 120, count)) / 2)
    aspect = rng.choice([9 / 16, 3 / 4, 1.0, 4 / 3], size=count, p=(0.45, 0.35, 0.1, 0.1))
    half_view = np.stack([half_x, half_x * aspect], 1)
    yaw = rng.uniform(-0.9, 0.9, count) * np.arctan(half_view[:, 0])
    direction = np.einsum(
        'nij,jk,nk->ni',
        _rotation_about(1, -yaw),
        _OPTICAL_FROM_WORLD,
        np.stack([0 * distance, distance, middle[:, 2] - height], 1),
    )
    elevation = np.arctan2(direction[:, 1], direction[:, 2])
    limit = 0.75 * np.arctan(half_view[:, 1])
    wanted = rng.normal(0.05, 0.2, count)
    pitch = elevation - np.clip(elevation - wanted, -limit, limit)
    roll = np.where(
        rng.random(count) < 0.06, rng.normal(0, 0.4, count), rng.normal(0, 0.04, count)
    )
    R = _rotation_about(2, roll) @ _rotation_about(0, pitch) @ _rotation_about(1, -yaw)
    R = R @ _OPTICAL_FROM_WORLD
    points = np.einsum('nij,nkj->nki', R, points)
    keypoints = torch.as_tensor(points[:, :17], dtype=torch.float32)
    seen_at = torch.as_tensor(points[:, -17:], dtype=torch.float32)
    top = top_of(torch.as_tensor(points[:, :-17], dtype=torch.float32))
    E = rotations.clone()
    E[:, 0] = torch.as_tensor(R, dtype=torch.float32) @ rotations[:, 0]
    width = rng.choice(list(_WIDTHS), size=count, p=list(_WIDTHS.values()))
    rays = keypoints[..., :2].double().numpy() / keypoints[..., 2:].double().numpy()
    in_view = (np.abs(rays[:, 5:]) < half_view[:, None]).all(-1).sum(1)
    size_px = extent_of_points(keypoints) * width / (2 * half_view[:, 0])
    good = (keypoints[..., 2].amin(1).numpy() > 0.15) & (in_view >= _LEAST_IN_VIEW)
    people = People(E, phenotype, keypoints, half_view, size_px, seen_at, top)
    return people[torch.as_tensor(np.flatnonzero(good & (size_px > _SMALLEST_PX)))]


def outline(posed: PosedSkeleton) -> Tensor:
    """Landmarks and fingertips (N, L + 2, 3) of posed bodies, for how far they reach."""
    wrists, elbows = posed.landmarks[:, 9:11], posed.landmarks[:, 7:9]
    return torch.cat([posed.landmarks, wrists + _HAND * (wrists - elbows)], 1)


def top_of(points: Tensor) -> Tensor:
    """Tangents y / z (N,) of the highest of points (N, K, 3) in the optical frame."""
    return (points[..., 1] / points[..., 2].clamp_min(0.05)).amin(1)


def extent_of(rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longer side (N,) of the boxes of points (N, K, 2)."""
    return np.asarray(np.ptp(rays, axis=1).max(1))


def extent_of_points(keypoints: Tensor) -> NDArray[np.float64]:
    """Longer side (N,) of the boxes of keypoints (N, 17, 3), in ray tangents."""
    points = keypoints.double().numpy()
    return extent_of(points[..., :2] / np.maximum(points[..., 2:], 1e-3))
