# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The floor as people's feet show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Ankles are off a common plane by this share of the camera's height, because distances are off by
# it, and at least by this (metres); more counts less and less.
_SHARE, _LEAST_SPREAD = 0.1, 0.06
# The tilt of the floor against the mean upright direction of people (tangent): with a guessed
# focal length both are off.
_TILT_STDDEV = 0.15
_FEWEST = 20
_ROUNDS = 30


def common_floor(
    ankles: Float64Array, upright: Float64Array, cameras: Float64Array
) -> tuple[Float64Array, float] | None:
    """
    Fit a plane to where people stand.

    Parameters
    ----------
    ankles : ndarray, (M, 2, 3), metres
        Both ankles of somebody at some time, in a frame that stands still.
    upright : ndarray, (M, 3)
        From the knees to the shoulders; its mean is nearly upright.
    cameras : ndarray, (M, 3), metres
        Where the camera was.

    Returns
    -------
    up : ndarray, (3,)
        Of length 1.
    height : float, metres
        Of the frame's origin above the ankles: they are where ``up . x = -height``.
        None instead of both if there are too few feet, or most of them are on no common plane.

    """
    if len(ankles) < _FEWEST:
        return None
    mean = np.median(upright / np.linalg.norm(upright, axis=1, keepdims=True), axis=0)
    mean /= np.linalg.norm(mean)
    across = np.linalg.svd(mean[None])[2][1:]
    lower = np.take_along_axis(
        ankles, (ankles @ mean).argmin(axis=1)[:, None, None], axis=1
    )[:, 0]  # fmt: skip
    above = np.median(np.abs((cameras - lower) @ mean))
    spread = max(_SHARE * float(above), _LEAST_SPREAD)
    level, centre = lower @ mean, np.median(lower, axis=0)
    design = np.column_stack([(lower - centre) @ across.T, np.ones(len(lower))])
    plane = np.array([0.0, 0.0, float(np.median(level))])
    prior = np.diag([_TILT_STDDEV**-2, _TILT_STDDEV**-2, 0.0])
    for _ in range(_ROUNDS):
        off = (level - design @ plane) / spread
        weight = 1 / (1 + off**2) ** 2 / spread**2
        plane = np.linalg.solve(
            (design * weight[:, None]).T @ design + prior, design.T @ (weight * level)
        )
    if np.median(np.abs(level - design @ plane)) > spread:
        return None
    up = mean - plane[:2] @ across
    length = float(np.linalg.norm(up))
    height = -(plane[2] - plane[:2] @ across @ centre) / length
    return up / length, float(height)
