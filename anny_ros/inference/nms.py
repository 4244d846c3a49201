# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Drop the less certain of two detections of the same person (non-maximum suppression).

Greedy from the most certain person on; a person who was dropped drops nobody. ``distance_nms`` is
the published test, a distance in space. ``body_nms`` looks at the picture too: doubles along a
viewing ray are farther apart than that distance because depth is uncertain, and people who hug,
or carry a child, are closer. ``merge_views`` is for the same people seen in several windows of a
picture. The bounds of the last two are not tuned on real weights.
"""

from __future__ import annotations

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]

# Size is the square root of a box's area. Mean distance of keypoints, over the smaller size, of
# one person found twice: where nothing but the picture speaks for it; and where their places are
# the same, if besides the ratio of their sizes is less than a bound. Two adults who hug are 0.3
# apart or more; a child of 1.1 m before an adult 0.2 or more, with sizes in a ratio of 1.5.
IMAGE_DISTANCE = 0.1
SAME_PLACE_DISTANCE = 0.25
SAME_PLACE_SIZE_RATIO = 1.3
# Ratio of depths beyond which two people are different (a child in front of an adult).
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
    return _greedy(_same_place(positions, distance), score)


def body_nms(
    positions: FloatArray,
    keypoints: FloatArray,
    bbox: FloatArray,
    score: FloatArray,
    distance: float,
) -> NDArray[np.intp]:
    """
    Keep one of several people whose bodies cover each other joint by joint in the picture.

    Parameters
    ----------
    positions : ndarray, (N, 3), metres
        Optical frame.
    keypoints : ndarray, (N, 17, 2), pixels
        Each person's own points, projected. Where they are not finite the places decide alone.
    bbox : ndarray, (N, 4), pixels
        x0, y0, x1, y1; sets what is near.
    score : ndarray, (N,)
    distance : float, metres
        At places closer than this, bodies need not cover each other as well.

    Returns
    -------
    ndarray, (K,)
        Rows to keep, the most certain first.

    """
    apart, size = _apart(keypoints), _sizes(bbox)
    smaller = np.minimum(size[:, None], size[None])
    in_space = _same_place(positions, distance) & ~(apart >= SAME_PLACE_DISTANCE * smaller)
    in_space &= np.maximum(size[:, None], size[None]) < SAME_PLACE_SIZE_RATIO * smaller
    in_picture = (apart < IMAGE_DISTANCE * smaller) & _similar_depth(positions)
    return _greedy(in_space | in_picture, score)


def merge_views(
    positions: FloatArray,
    keypoints: FloatArray,
    bbox: FloatArray,
    score: FloatArray,
    view: NDArray[np.intp],
    blur: FloatArray,
) -> NDArray[np.intp]:
    """
    Keep one of each person who was found in several views of a picture.

    Within a view everybody is somebody else, so a person stands for at most one of each other
    view, the nearest.

    Parameters
    ----------
    positions, keypoints, bbox, score
        See ``body_nms``; all in the picture.
    view : ndarray, (N,)
        Which view each was found in.
    blur : ndarray, (N,), pixels
        Standard deviation of a person's place in the picture, which is larger in a view that
        shows it smaller.

    Returns
    -------
    ndarray, (K,)
        Rows to keep, the most certain first.

    """
    apart, size = _apart(keypoints), _sizes(bbox)
    near = IMAGE_DISTANCE * np.minimum(size[:, None], size[None])
    near = near + np.hypot(blur[:, None], blur[None])
    same = (apart < near) & _similar_depth(positions) & (view[:, None] != view[None])
    kept: list[int] = []
    taken: set[tuple[int, int]] = set()  # kept row, and a view that it stands for
    for row in _by_score(score):
        found_in = int(view[row])
        free = [k for k in kept if same[row, k] and (k, found_in) not in taken]
        if free:
            taken.add((min(free, key=lambda k: apart[row, k]), found_in))
        else:
            kept.append(int(row))
    return np.array(kept, np.intp)


def _apart(keypoints: FloatArray) -> FloatArray:
    """Mean distance (N, N) of the keypoints of each two people, pixels."""
    offsets = keypoints[:, None] - keypoints[None]  # (N, N, 17, 2)
    apart: FloatArray = np.linalg.norm(offsets, axis=-1).mean(axis=-1)
    return apart


def _sizes(bbox: FloatArray) -> FloatArray:
    """Square roots of the areas of boxes, (N,), pixels."""
    size: FloatArray = np.sqrt(np.clip(np.prod(bbox[:, 2:] - bbox[:, :2], axis=1), 1.0, None))
    return size


def _same_place(positions: FloatArray, distance: float) -> BoolArray:
    near: BoolArray = np.linalg.norm(positions[:, None] - positions[None], axis=-1) < distance
    return near


def _similar_depth(positions: FloatArray) -> BoolArray:
    depth = np.log(np.maximum(positions[:, 2], 1e-6))
    similar: BoolArray = np.abs(depth[:, None] - depth[None]) < np.log(IMAGE_DEPTH_RATIO)
    return similar


def _by_score(score: FloatArray) -> NDArray[np.intp]:
    """Rows by falling score; equal ones in the order given."""
    return np.argsort(-np.asarray(score, np.float64), kind='stable')


def _greedy(same: BoolArray, score: FloatArray) -> NDArray[np.intp]:
    """Rows to keep, the most certain first, given which rows (N, N) are the same person."""
    kept: list[int] = []
    for row in _by_score(score):
        if not same[row, kept].any():
            kept.append(int(row))
    return np.array(kept, np.intp)
