# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Drop the less certain of two detections of the same person (non-maximum suppression).

Greedy from the most certain person on; a person who was dropped drops nobody. Two tests: closer
than a distance in space (as published), and on top of each other in the picture (ours, because
an error of depth along the viewing ray easily exceeds that distance).
"""

from __future__ import annotations

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

# Doubles in the picture: mean distance of keypoints over the square root of the box's area, and
# the ratio of depths beyond which two people are different (a child in front of an adult).
# Neither is tuned on real weights.
IMAGE_DISTANCE = 0.1
IMAGE_DEPTH_RATIO = 1.5


def distance_nms(positions: FloatArray, score: FloatArray, distance: float) -> NDArray[np.intp]:
    """
    Keep one of several people at the same place in space.

    Parameters
    ----------
    positions : ndarray, (N, 3), metres
    score : ndarray, (N,)
    distance : float, metres
        Closer than this (strictly) is the same person; 0 keeps all.

    Returns
    -------
    ndarray, (K,)
        Rows to keep, the most certain first; equal scores in the order given.

    """
    offsets = positions[:, None] - positions[None]  # (N, N, 3)
    return _greedy(np.linalg.norm(offsets, axis=-1) < distance, score)


def image_nms(
    keypoints: FloatArray, bbox: FloatArray, depth: FloatArray, score: FloatArray
) -> NDArray[np.intp]:
    """
    Keep one of several people whose bodies cover each other joint by joint in the picture.

    Parameters
    ----------
    keypoints : ndarray, (N, 17, 2), pixels
        Each person's own points, projected; not finite where they are behind the camera.
    bbox : ndarray, (N, 4), pixels
        x0, y0, x1, y1; sets what is near.
    depth : ndarray, (N,), metres
    score : ndarray, (N,)

    Returns
    -------
    ndarray, (K,)
        Rows to keep, the most certain first.

    """
    size = np.sqrt(np.clip(np.prod(bbox[:, 2:] - bbox[:, :2], axis=1), 1.0, None))  # (N,)
    offsets = keypoints[:, None] - keypoints[None]  # (N, N, 17, 2)
    apart = np.linalg.norm(offsets, axis=-1).mean(axis=-1)  # (N, N)
    near = apart < IMAGE_DISTANCE * np.minimum(size[:, None], size[None])
    depth = np.maximum(depth, 1e-6)
    alike = np.abs(np.log(depth[:, None] / depth[None])) < np.log(IMAGE_DEPTH_RATIO)
    return _greedy(near & alike, score)


def _greedy(same: NDArray[np.bool_], score: FloatArray) -> NDArray[np.intp]:
    """Rows to keep, descending score, given which rows (N, N) are the same person."""
    order = np.argsort(-np.asarray(score, np.float64), kind='stable')
    kept: list[int] = []
    for row in order:
        if not same[row, kept].any():
            kept.append(int(row))
    return np.array(kept, np.intp)
