# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Several finds of the same person, from several looks: keep the best of each."""

from __future__ import annotations

from anny_ros.geometry.boxes import overlap
from anny_ros.keypoints.decode import FloatArray
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS
import numpy as np
from numpy.typing import NDArray

# Two finds whose keypoints lie closer than this share of their size are one person.
_SAME_DISTANCE = 0.09
# A much weaker find within this distance, nearly all of whose box is inside of the stronger one's,
# is its shadow: a thin second skeleton along the same body.
_SHADOW_DISTANCE = 0.17
_SHADOW_INSIDE = 0.85
_SHADOW_SCORE = 0.7
# Boxes that overlap this much are one person, whatever their keypoints say.
_SAME_OVERLAP = 0.8


def keypoint_distance(
    keypoints: FloatArray, confidences: FloatArray, size: FloatArray
) -> FloatArray:
    """
    How far apart two finds are: the weighed median over joints, as a share of the larger size.

    Parameters
    ----------
    keypoints : ndarray, (N, 17, 2), pixels
    confidences : ndarray, (N, 17)
    size : ndarray, (N,), pixels
        Longer side of each one's box.

    Returns
    -------
    ndarray, (N, N)
        Symmetric; of the direct and the mirrored pairing the smaller counts.

    """
    weight = np.sqrt(confidences[:, None] * confidences[None]) + 1e-6  # (N, N, 17)
    half = weight.sum(axis=-1, keepdims=True) / 2
    medians = []
    # The same person seen from behind by mistake is still the same person.
    for paired in (keypoints, keypoints[:, list(MIRRORED_KEYPOINTS)]):
        apart = np.linalg.norm(keypoints[:, None] - paired[None], axis=-1)  # (N, N, 17)
        order = apart.argsort(axis=-1)
        below = np.take_along_axis(weight, order, axis=-1).cumsum(axis=-1) < half
        middle = np.minimum(below.sum(axis=-1, keepdims=True), 16)
        ordered = np.take_along_axis(apart, order, axis=-1)
        medians.append(np.take_along_axis(ordered, middle, axis=-1)[..., 0])
    return np.asarray(np.minimum(*medians) / np.maximum(size[:, None], size[None]))


def distinct_people(
    score: FloatArray, keypoints: FloatArray, confidences: FloatArray, boxes: FloatArray
) -> NDArray[np.intp]:
    """
    Keep the best find of each person.

    Parameters
    ----------
    score : ndarray, (N,)
        Higher is better; positive.
    keypoints : ndarray, (N, 17, 2), pixels
    confidences : ndarray, (N, 17)
    boxes : ndarray, (N, 4), pixels

    Returns
    -------
    ndarray, (M,), intp
        Rows to keep, by falling score.

    """
    if len(score) == 0:
        return np.zeros(0, np.intp)
    size = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-3)
    apart = keypoint_distance(keypoints, confidences, size)
    same = (apart < _SAME_DISTANCE) | (overlap(boxes, boxes) > _SAME_OVERLAP)
    shadow = (apart < _SHADOW_DISTANCE) & (_share_within(boxes) > _SHADOW_INSIDE)
    shadow &= score[:, None] < _SHADOW_SCORE * score[None]
    same |= shadow
    kept: list[int] = []
    for row in np.argsort(-score, kind='stable'):
        if not same[row, kept].any():
            kept.append(int(row))
    return np.array(kept, np.intp)


def _share_within(boxes: FloatArray) -> FloatArray:
    """Share of the area of each box (rows) that lies in each other one (columns), (N, N)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=-1)
    area = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=-1), 1e-9)
    return np.asarray(shared / area[:, None])
