# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Robots' views of posed people, and keypoints as a 2D network would report them."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.body.skeleton import PosedSkeleton, Skeleton
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from training.poses import rotvec_to_rotations

# From a world with z up, seen by a level camera that looks along +y, to its optical frame.
_OPTICAL_FROM_WORLD = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
_SWAPS = (
    (0.03, ((5, 6), (7, 8), (9, 10))),  # arms
    (0.03, ((13, 14), (15, 16))),  # legs
    (0.02, ((11, 12), (13, 14), (15, 16))),  # lower body
    (0.01, ((9, 10),)),
    (0.01, ((15, 16),)),
    (0.015, tuple((i, i + 1) for i in range(1, 16, 2))),  # everything
)
# Error of each COCO keypoint relative to the average one.
_JOINT_FACTOR = np.array(
    [0.5, 0.5, 0.5, 0.6, 0.6, 0.9, 0.9, 1.0, 1.0, 1.1, 1.1, 1.25, 1.25, 1.0, 1.0, 1.1, 1.1]
)
LOWEST_CONFIDENCE = 0.1


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

    """

    rotations: Tensor
    phenotype: Tensor
    keypoints: Tensor
    half_view: NDArray[np.float64]

    def __getitem__(self, rows: Tensor) -> People:
        return People(
            self.rotations[rows],
            self.phenotype[rows],
            self.keypoints[rows],
            self.half_view[rows.numpy()],
        )

    def __len__(self) -> int:
        return len(self.phenotype)


def _rotation_about(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    v = np.zeros((len(angle), 3))
    v[:, axis] = angle
    return np.asarray(rotvec_to_rotations(torch.as_tensor(v)).numpy())


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
        person is in view, fields of view of 35 to 120 degrees, slightly rolled.

    """
    count = len(phenotype)
    with torch.no_grad():
        posed: PosedSkeleton = skeleton.pose(skeleton.rest(phenotype), rotations)
    points = posed.landmarks[:, :23].double().numpy()
    lift = np.where(rng.random(count) < 0.15, rng.uniform(0, 1.0, count), 0.0)
    points[..., 2] += (lift - points[..., 2].min(1))[:, None]
    middle = (points.min(1) + points.max(1)) / 2
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
    keypoints = torch.as_tensor(np.einsum('nij,nkj->nki', R, points[:, :17]), dtype=torch.float32)
    E = rotations.clone()
    E[:, 0] = torch.as_tensor(R, dtype=torch.float32) @ rotations[:, 0]
    people = People(E, phenotype, keypoints, half_view)
    good = (keypoints[..., 2].amin(1) > 0.15).nonzero()[:, 0]
    return people[good]


def observe(people: People, rng: np.random.Generator, noise: float = 1.0) -> tuple[Tensor, Tensor]:
    """
    Simulate what the 2D network reports.

    Parameters
    ----------
    people : People
    rng : Generator
    noise : float
        Strength of errors and dropouts; 0 gives exact, complete keypoints.

    Returns
    -------
    rays : Tensor, (N, 17, 2)
        Tangents x / z, y / z.
    confidences : Tensor, (N, 17)
        0 where a keypoint is missing.

    """
    points = people.keypoints.double().numpy()
    rays = points[..., :2] / points[..., 2:]
    count = len(rays)
    if noise == 0:
        return torch.as_tensor(rays, dtype=torch.float32), torch.ones(count, 17)
    extent = (rays.max(1) - rays.min(1)).max(1)[:, None]
    size_px = np.exp(rng.uniform(np.log(45), np.log(400), (count, 1)))
    person = 0.012 * np.exp(0.5 * rng.normal(size=(count, 1)))
    sigma = np.sqrt(person**2 + (1.0 / size_px) ** 2) * _JOINT_FACTOR
    sigma = sigma * np.exp(0.4 * rng.normal(size=(count, 17)))
    sigma = np.where(rng.random((count, 17)) < 0.05, 4 * sigma, sigma)
    hidden = _occluded(rays, rng)
    sigma = np.where(hidden, 3.0 * sigma, sigma)
    outside = (np.abs(rays) > people.half_view[:, None]).any(-1)
    seen_rays = np.clip(rays, -people.half_view[:, None], people.half_view[:, None])
    seen_rays = seen_rays + noise * (sigma * extent)[..., None] * rng.normal(size=rays.shape)
    logit = 0.6 - 0.9 * np.log(sigma / 0.014) + 0.6 * rng.normal(size=sigma.shape)
    logit = logit - np.where(hidden, 0.7, 0.0) - np.where(outside, 2.0, 0.0)
    confidences = 1 / (1 + np.exp(-logit))
    confidences[outside & (rng.random(outside.shape) < 0.7)] = 0.0
    confidences = _drop(confidences, rng)
    seen_rays, confidences = _swap(seen_rays, confidences, rng)
    confidences[confidences < LOWEST_CONFIDENCE] = 0.0
    # Somebody of whom nearly nothing is left is no detection at all: show the body again.
    lost = (confidences[:, 5:] > 0).sum(1) < 4
    confidences[lost] = np.maximum(confidences[lost], 0.3)
    return (
        torch.as_tensor(seen_rays, dtype=torch.float32),
        torch.as_tensor(confidences, dtype=torch.float32),
    )


def _occluded(rays: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Hide a part of a quarter of the people behind a half plane, and single joints of others."""
    count = len(rays)
    angle = np.where(
        rng.random(count) < 0.6, -np.pi / 2, rng.uniform(-np.pi, np.pi, count)
    )  # mostly from below
    along = rays[..., 0] * np.cos(angle)[:, None] - rays[..., 1] * np.sin(angle)[:, None]
    low, high = along.min(1), along.max(1)
    cut = low + (high - low) * rng.uniform(0.4, 0.95, count)
    plane = (along > cut[:, None]) & (rng.random((count, 1)) < 0.22)
    single = rng.random((count, 17)) < rng.choice([0.03, 0.12, 0.3], size=(count, 1))
    return np.asarray(plane | single)


def _drop(confidences: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    count = len(confidences)
    share = np.where(rng.random((count, 1)) < 0.5, rng.uniform(0, 0.3, (count, 1)), 0.0)
    confidences[rng.random(confidences.shape) < share] = 0.0
    no_face = rng.random(count) < 0.1
    confidences[no_face, :5] = 0.0
    return confidences


def _swap(
    rays: NDArray[np.float64], confidences: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for probability, pairs in _SWAPS:
        rows = np.flatnonzero(rng.random(len(rays)) < probability)[:, None]
        left, right = np.array(pairs).T
        to, source = np.concatenate([left, right]), np.concatenate([right, left])
        rays[rows, to] = rays[rows, source]
        confidences[rows, to] = confidences[rows, source]
    return rays, confidences
