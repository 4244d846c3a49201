# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What a picture shows of a person beside keypoints: turn, depth, size.

A person's hints are ``NUM_HINTS`` numbers. 0 to 5: first two columns of the rotation from the
body's rest axes to the view frame, shorter the less sure the network is. 6 to 22: depth of each
keypoint from the mean of all, over the metric longer side of what the picture holds of the
person's box. 23: logarithm of the stature in metres. 24: the phenotype's age. All NaN where nobody
looked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

TURN, DEPTHS, STATURE, AGE = slice(0, 6), slice(6, 23), 23, 24
NUM_HINTS = 25
MIRRORED_KEYPOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
# Means and spreads that bring hints near 0 and 1.
_STATURE_MEAN, _STATURE_SPREAD = 0.4, 0.3
_DEPTH_SPREAD = 0.15
# How fast a crop's cells count less away from its middle, where the person is.
_MIDDLE = 8.0


def pool_hints(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Read the hints of the person in the middle of each crop.

    Parameters
    ----------
    maps : ndarray, (B, NUM_HINTS, R, C)
        Head of the 2D network.

    Returns
    -------
    ndarray, (B, NUM_HINTS)

    """
    weight = middle_weights(*maps.shape[2:])
    return np.asarray(np.einsum('bkrc,rc->bk', maps, weight), np.float32)


def middle_weights(rows: int, columns: int) -> NDArray[np.float32]:
    """How much each cell (R, C) of a crop counts; 1 in all."""
    y, x = ((np.arange(n) + 0.5) / n - 0.5 for n in (rows, columns))
    weight = np.exp(-_MIDDLE * (y[:, None] ** 2 + x**2))
    return np.asarray(weight / weight.sum(), np.float32)


def mirror_hints(hints: Tensor) -> Tensor:
    """Mirror hints (N, NUM_HINTS) left to right; of ``normalised`` ones too."""
    turn = hints[:, TURN] * hints.new_tensor([1.0, -1, -1, -1, 1, 1])
    depths = hints[:, DEPTHS][:, list(MIRRORED_KEYPOINTS)]
    return torch.cat([turn, depths, hints[:, STATURE:]], 1)


def normalise_hints(hints: Tensor) -> Tensor:
    """Scale hints (N, NUM_HINTS) to about 1, unknown ones to 0; the last column tells which."""
    shift, scale = hints.new_zeros(NUM_HINTS), hints.new_ones(NUM_HINTS)
    shift[STATURE], scale[STATURE] = _STATURE_MEAN, _STATURE_SPREAD
    scale[DEPTHS] = _DEPTH_SPREAD
    known = ~hints.isnan().any(1, keepdim=True)
    return torch.cat([torch.nan_to_num((hints - shift) / scale), known.to(hints.dtype)], 1)
