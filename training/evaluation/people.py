# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What an estimator says about the people of a picture, and whom of the truth it met."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from anny_ros.geometry.boxes import overlap
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from training.pictures.labels import KeypointState, Labels

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

# Who counts: tall enough in the picture (pixels), and less than half hidden or cut off.
LEAST_SIZE, LEAST_SHARE = 80.0, 0.5
# A find is somebody's if the boxes overlap this much (intersection over union), or half of the
# keypoints that can be seen are no farther off than this share of the person's size.
LEAST_IOU, LARGEST_DISTANCE = 0.3, 0.15
_LEAST_KEYPOINTS = 4


@dataclass(frozen=True)
class Estimates:
    """
    N people of one picture, from any estimator.

    Parameters
    ----------
    bbox : ndarray, (N, 4), pixels
    keypoints_2d : ndarray, (N, 17, 2), pixels
    joints : ndarray, (N, 17, 3), metres
        COCO, along the axes of the optical frame, about any origin.
    position : ndarray, (N, 3), metres
        Middle of the hips in the optical frame; NaN if the estimator does not say.
    stature : ndarray, (N,), metres
        NaN if the estimator does not say.

    """

    bbox: FloatArray
    keypoints_2d: FloatArray
    joints: FloatArray
    position: FloatArray
    stature: FloatArray

    def __len__(self) -> int:
        return len(self.bbox)

    def __getitem__(self, rows: Any) -> Estimates:
        """Take rows by a slice, an index array or a mask."""
        return Estimates(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def of(people: Detections) -> Estimates:
        """Take what is compared from detections."""
        return Estimates(
            people.bbox, people.keypoints_2d, people.keypoints_3d, people.position, people.stature
        )


def sizes(boxes: FloatArray) -> FloatArray:
    """Longer sides (N,) of boxes (N, 4)."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0))


def counting(labels: Labels) -> NDArray[np.bool_]:
    """Who (N,) counts for recall and errors."""
    large = sizes(labels.bbox) >= LEAST_SIZE
    seen = np.minimum(labels.visible_share, labels.inside_share) >= LEAST_SHARE
    return np.asarray(large & seen)


def affinity(labels: Labels, found: Estimates) -> FloatArray:
    """
    How well finds fit people: 0 (not that person) to 2.

    Returns
    -------
    ndarray, (N, M)

    """
    shared = overlap(labels.bbox.astype(np.float64), found.bbox.astype(np.float64))
    shared = np.nan_to_num(shared)
    result = np.where(shared >= LEAST_IOU, shared, 0.0)
    size = sizes(labels.bbox)
    for i in range(len(labels)):
        seen = labels.keypoint_state[i] >= KeypointState.SELF_HIDDEN
        if np.count_nonzero(seen) < _LEAST_KEYPOINTS:
            continue
        apart = np.linalg.norm(found.keypoints_2d[:, seen] - labels.keypoints_2d[i, seen], axis=-1)
        near = np.nan_to_num(np.median(apart, axis=1) / size[i], nan=np.inf) / LARGEST_DISTANCE
        result[i] = np.where(near <= 1.0, np.maximum(shared[i] + 1.0 - near, 1e-6), result[i])
    return result


def match(labels: Labels, found: Estimates) -> tuple[IntArray, NDArray[np.bool_]]:
    """
    Match finds to people, each to one at most; those who count choose first.

    Returns
    -------
    rows : ndarray, (N,), int64
        The find of each person, -1 for none.
    false : ndarray, (M,), bool
        Finds that are nobody.

    """
    fits = affinity(labels, found)
    rows = np.full(len(labels), -1, np.int64)
    free = np.ones(len(found), bool)
    counts = counting(labels)
    for people in (np.flatnonzero(counts), np.flatnonzero(~counts)):
        columns = np.flatnonzero(free)
        pairs = linear_sum_assignment(fits[np.ix_(people, columns)], maximize=True)
        for i, j in zip(people[pairs[0]], columns[pairs[1]], strict=True):
            if fits[i, j] > 0:
                rows[i] = j
                free[j] = False
    return rows, free
