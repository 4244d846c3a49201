# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The tracker that was published with Multi-HMR 2, as described, for comparison.

Written from a description of its behaviour, with its constants and its faults: time is the number
of the picture, features vote by distance, a place is (u, v) over the picture's longer side,
and pictures without people are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Float64Array = NDArray[np.float64]

NEIGHBOURS, TEMPERATURE = 35, 15.0
PLACE_SCALE, DEPTH_SCALE, ANGLE_SCALE = 1.0, 3.0, 20.0
APPEARANCE_WEIGHT, PELVIS_WEIGHT = 1.0, 8.0
MAX_COST = 0.31
BANK_FRAMES = 50
HISTORY, SLOPE_PENALTY = 8, 20.0


@dataclass
class _History:
    """The last places (place and log inverse depth, then a quaternion) of an identity."""

    frames: list[int] = field(default_factory=list)
    values: list[Float64Array] = field(default_factory=list)

    def append(self, frame: int, value: Float64Array) -> None:
        self.frames = [*self.frames, frame][-HISTORY:]
        self.values = [*self.values, value][-HISTORY:]

    def predict(self, frame: int) -> Float64Array:
        """Ridge regression on time; the closed form, without the drift of the published one."""
        t, y = np.array(self.frames, np.float64), np.stack(self.values)
        centred = t - t.mean()
        slope = centred @ (y - y.mean(axis=0)) / (centred @ centred + SLOPE_PENALTY)
        return np.asarray(y.mean(axis=0) + slope * (frame - t.mean()))


class ReferenceTracker:
    """Gives each detection a number; the same number means the same person."""

    def __init__(self) -> None:
        self._features: Float64Array | None = None
        self._ids = np.zeros(0, np.int64)
        self._frames = np.zeros(0, np.int64)
        self._histories: dict[int, _History] = {}
        self._next = 0

    def update(self, detections: Detections, frame: int) -> NDArray[np.int64]:
        """
        Identify the people of a picture.

        Parameters
        ----------
        detections : Detections
        frame : int
            Number of the picture.

        Returns
        -------
        ndarray, (N,), int64
            The identity of each row.

        """
        num = len(detections)
        if num == 0:
            return np.zeros(0, np.int64)
        features = _normalised(detections.appearance)
        places = _places(detections)
        ids = np.full(num, -1)
        if len(self._ids):
            known = np.unique(self._ids)
            appearance = self._appearance(features, known)
            predicted = np.stack([self._histories[i].predict(frame) for i in known])
            score = APPEARANCE_WEIGHT * appearance + PELVIS_WEIGHT * _pelvis(places, predicted)
            cost = 1 - score / (APPEARANCE_WEIGHT + PELVIS_WEIGHT)
            size = max(cost.shape)
            padded = np.full((size, size), MAX_COST + 1e-5)
            padded[:num, : len(known)] = np.where(cost > MAX_COST, MAX_COST + 1e-5, cost)
            rows, columns = linear_sum_assignment(padded)
            made = padded[rows, columns] <= MAX_COST
            ids[rows[made]] = known[columns[made]]
        for row in np.flatnonzero(ids < 0):
            ids[row], self._next = self._next, self._next + 1
        self._store(features, ids, places, frame)
        return ids

    def _appearance(self, features: Float64Array, known: NDArray[np.int64]) -> Float64Array:
        """Share (N, I) of the votes of the nearest rows of the bank."""
        assert self._features is not None
        squared = 2.0 - 2.0 * features @ self._features.T
        squared += np.sum(features**2, axis=1)[:, None] - 1 + np.sum(self._features**2, axis=1) - 1
        distance = np.sqrt(np.maximum(squared, 0.0))
        count = min(NEIGHBOURS, len(self._ids))
        nearest = np.argsort(distance, axis=1, kind='stable')[:, :count]
        weight = np.exp(-np.take_along_axis(distance, nearest, axis=1) / TEMPERATURE)
        weight /= weight.sum(axis=1, keepdims=True)
        owner = self._ids[nearest]
        return np.stack([(weight * (owner == i)).sum(axis=1) for i in known], axis=1)

    def _store(
        self, features: Float64Array, ids: NDArray[np.int64], places: Float64Array, frame: int
    ) -> None:
        keep = self._frames > frame + 1 - BANK_FRAMES
        bank = features[:0] if self._features is None else self._features[keep]
        self._features = np.concatenate([bank, features])
        self._ids = np.concatenate([self._ids[keep], ids])
        self._frames = np.concatenate([self._frames[keep], np.full(len(ids), frame)])
        for row, number in enumerate(ids.tolist()):
            self._histories.setdefault(number, _History()).append(frame, places[row])


def _normalised(features: NDArray[np.floating]) -> Float64Array:
    result = features.astype(np.float64)
    length = np.linalg.norm(result, axis=1, keepdims=True)
    return np.asarray(result / np.where(length > 0, length, 1.0))


def _places(detections: Detections) -> Float64Array:
    """Root (u, v) over the longer side, log inverse depth, and quaternion with w >= 0, (N, 7)."""
    root = detections.translation.astype(np.float64)
    longest = max(detections.camera.width, detections.camera.height)
    uv = project(root, detections.camera.K) / longest
    log_inverse = np.log(1.0 / np.maximum(root[:, 2:], 1e-5))
    quaternion = rotmat_to_quat_xyzw(detections.rotations[:, 0])
    return np.concatenate([uv, log_inverse, quaternion], axis=1)


def _pelvis(places: Float64Array, predicted: Float64Array) -> Float64Array:
    """Similarity (N, I) of places with predictions."""
    offset = places[:, None] - predicted[None]
    apart = np.linalg.norm(offset[..., :2], axis=-1)
    similarity = np.exp(-apart / PLACE_SCALE) * np.exp(-np.abs(offset[..., 2]) / DEPTH_SCALE)
    q, p = places[:, 3:], predicted[:, 3:]
    p = p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1e-12)
    angle = 2 * np.arccos(np.clip(np.abs(q @ p.T), 0.0, 1.0))
    return np.asarray(similarity * np.exp(-angle / ANGLE_SCALE))
