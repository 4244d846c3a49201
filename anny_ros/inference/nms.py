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

    Whoever an earlier view shows is taken from there; later ones are for whom it missed. Within a
    view everybody is somebody else, so each person is at most one of another view, the nearest.
    Besides bodies that cover each other, faces at one place are one person whatever their
    distance: of two people, the nearer one would hide the other's.

    Parameters
    ----------
    positions, keypoints, bbox, score
        See ``body_nms``; all in the picture.
    view : ndarray, (N,)
        Which view each was found in, from 0.
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
    same = (apart < near) & _similar_depth(positions)
    same |= _apart(keypoints[:, :5].mean(axis=1, keepdims=True)) < near
    same &= view[:, None] != view[None]
    kept = np.flatnonzero(view == 0)
    for later in range(1, int(view.max(initial=0)) + 1):
        here = np.flatnonzero(view == later)
        offer = np.where(same[np.ix_(here, kept)], apart[np.ix_(here, kept)], np.inf)
        new = np.ones(len(here), bool)
        for pair in np.argsort(offer, axis=None, kind='stable'):  # the nearest pairs first
            row, column = np.unravel_index(pair, offer.shape)
            if offer[row, column] < np.inf:
                new[row] = False
                offer[row] = offer[:, column] = np.inf
        kept = np.concatenate([kept, here[new]])
    return kept[_by_score(score[kept])]


def _apart(keypoints: FloatArray) -> FloatArray:
    """Mean distance (N, N) of the keypoints (N, K, 2) of each two people, pixels."""
    offsets = keypoints[:, None] - keypoints[None]  # (N, N, K, 2)
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
