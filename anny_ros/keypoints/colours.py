# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What people wear, as a feature whose cosine tells them apart.

Colours are read at points between keypoints (head, shoulders, trunk, hips, thighs, shins, upper
arms). A random Fourier map turns distances of colours into cosines: the cosine of two features
is close to exp(-d^2 / 2) of the distance d, whatever tracker compares them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURE_SIZE = 128
# Parts, each a list of pairs of keypoints (COCO) whose segments are sampled.
_PARTS: tuple[tuple[tuple[int, int], ...], ...] = (
    ((3, 4), (1, 2)),  # head
    ((5, 6), (5, 12), (6, 11)),  # upper trunk
    ((5, 11), (6, 12), (11, 12)),  # trunk and hips
    ((11, 13), (12, 14)),  # thighs
    ((13, 15), (14, 16)),  # shins
    ((5, 7), (6, 8)),  # upper arms
)
_SHARES = np.linspace(0.2, 0.8, 5)
# Differences of Lab values (8-bit scale) that light alone makes between two looks at a person.
_LAB_SPREAD = np.array([45.0, 14.0, 14.0])
_LEAST_CONFIDENCE = 0.2
_rng = np.random.default_rng(0)
_FREQUENCIES = _rng.normal(size=(3 * len(_PARTS), FEATURE_SIZE // 2)).astype(np.float32)
_FREQUENCIES /= np.sqrt(len(_PARTS))


def clothing_features(
    rgb: NDArray[np.uint8], keypoints: NDArray[np.float32], confidences: NDArray[np.float32]
) -> NDArray[np.float32]:
    """
    Describe the colours of people.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
    keypoints : ndarray, (N, 17, 2), pixels
    confidences : ndarray, (N, 17)

    Returns
    -------
    ndarray, (N, FEATURE_SIZE), float32
        Of length 1. A part that is not seen counts as the mean of the person's other parts.

    Notes
    -----
    Random Fourier features of a Gaussian kernel: Rahimi & Recht (2007).

    """
    num_people = len(keypoints)
    if num_people == 0:
        return np.zeros((0, FEATURE_SIZE), np.float32)
    colours = np.zeros((num_people, len(_PARTS), 3), np.float32)
    seen = np.zeros((num_people, len(_PARTS)), bool)
    for part, segments in enumerate(_PARTS):
        a, b = np.array(segments).T
        points = keypoints[:, a, None] + _SHARES[:, None] * (
            keypoints[:, b, None] - keypoints[:, a, None]
        )  # (N, S, 5, 2)
        trusted = np.minimum(confidences[:, a], confidences[:, b]) > _LEAST_CONFIDENCE
        inside = (points >= 0).all(-1) & (points[..., 0] < rgb.shape[1])
        inside &= points[..., 1] < rgb.shape[0]
        weight = (inside & trusted[..., None]).astype(np.float32).reshape(num_people, -1)
        u, v = np.nan_to_num(points).reshape(num_people, -1, 2).transpose(2, 0, 1)
        u = u.round().astype(int).clip(0, rgb.shape[1] - 1)
        v = v.round().astype(int).clip(0, rgb.shape[0] - 1)
        sampled = rgb[v, u]  # (N, S * 5, 3)
        lab = cv2.cvtColor(sampled, cv2.COLOR_RGB2LAB).astype(np.float32)
        total = weight.sum(1)
        seen[:, part] = total > 0
        colours[:, part] = (lab * weight[..., None]).sum(1) / np.maximum(total, 1)[:, None]
    count = np.maximum(seen.sum(1), 1)[:, None]
    mean = (colours * seen[..., None]).sum(1) / count
    colours = np.where(seen[..., None], colours, mean[:, None])
    phase = (colours / _LAB_SPREAD).reshape(num_people, -1).astype(np.float32) @ _FREQUENCIES
    feature = np.concatenate([np.cos(phase), np.sin(phase)], 1)
    return (feature / np.sqrt(FEATURE_SIZE / 2)).astype(np.float32)
