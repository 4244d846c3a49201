# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Boxes in a picture."""

from __future__ import annotations

from anny_ros.types import FloatArray
import numpy as np


def overlap(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """
    Intersection over union of every pair.

    Parameters
    ----------
    boxes : ndarray, (N, 4)
        x0, y0, x1, y1; a box whose ends are exchanged is empty.
    others : ndarray, (M, 4)

    Returns
    -------
    ndarray, (N, M)

    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=-1)
    area, other_area = (
        np.maximum(b[:, 2:] - b[:, :2], 0.0).prod(axis=-1) for b in (boxes, others)
    )
    union = area[:, None] + other_area[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
