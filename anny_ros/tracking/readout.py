# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a filter's state says in metres, in pixels, and in what an estimator would report."""

from __future__ import annotations

from anny_ros.tracking.correction import looks
from anny_ros.tracking.motion import BIAS, directions, SEEN_STATURE, SIZE, State
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


def positions(state: State) -> Float64Array:
    """Pelvises (T, 3) in metres, optical frame."""
    offset = np.exp(state.mean[:, 2:3]) * directions(state.mean)
    return np.einsum('nji,nj->ni', state.axes, offset)


def position_covariances(state: State) -> Float64Array:
    """Covariances (T, 3, 3) of ``positions``, square metres, first order."""
    jacobian = np.zeros((len(state), 3, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = 1.0
    jacobian[:, :, 2] = directions(state.mean)
    jacobian *= np.exp(state.mean[:, 2])[:, None, None]
    jacobian = state.axes.swapaxes(1, 2) @ jacobian
    return np.asarray(jacobian @ state.covariance[:, :3, :3] @ jacobian.swapaxes(1, 2))


def velocities(state: State) -> tuple[Float64Array, Float64Array]:
    """Velocities (T, 3) in metres per second, optical axes, and covariances (T, 3, 3)."""
    z = np.exp(state.mean[:, 2])
    jacobian = np.zeros((len(state), 3, 6))
    jacobian[:, :, 2] = state.mean[:, 3:6]
    jacobian[:, :, 3:] = np.eye(3)
    jacobian *= z[:, None, None]
    back = state.axes.swapaxes(1, 2)
    jacobian = back @ jacobian
    velocity = z[:, None] * np.einsum('nij,nj->ni', back, state.mean[:, 3:6])
    return velocity, jacobian @ state.covariance[:, :6, :6] @ jacobian.swapaxes(1, 2)


def places(state: State, K: FloatArray) -> tuple[Float64Array, Float64Array]:
    """Pelvises in the picture of intrinsics K: pixels (T, 2), covariances; NaN if behind it."""
    point = np.einsum('nji,nj->ni', state.axes, directions(state.mean))
    point[point[:, 2] < 0.05] = np.nan
    plane = point[:, :2] / point[:, 2:]
    slope = np.zeros((len(state), 2, 3))  # of the plane by the point
    slope[:, 0, 0] = slope[:, 1, 1] = 1.0
    slope[:, :, 2] = -plane
    slope /= point[:, 2, None, None]
    linear = np.asarray(K[:2, :2], np.float64)
    jacobian = linear @ slope @ state.axes.swapaxes(1, 2)[:, :, :2]
    spread = jacobian @ state.covariance[:, :2, :2] @ jacobian.swapaxes(1, 2)
    return plane @ linear.T + K[:2, 2], spread


def expected_sizes(state: State) -> tuple[Float64Array, Float64Array]:
    """Expect (ln distance, ln stature) (T, 2) as an estimator sees them, covariances (T, 2, 2)."""
    H = looks(np.ones(len(state)))[:, 2:]
    return np.einsum('nij,nj->ni', H, state.mean), H @ state.covariance @ H.swapaxes(1, 2)


def statures(state: State) -> tuple[Float64Array, Float64Array]:
    """Logarithms of true statures (T,) and their variances (T,)."""
    weight = np.zeros(SIZE)
    weight[[SEEN_STATURE, BIAS]] = 1.0, -1.0
    return state.mean @ weight, np.einsum('i,nij,j->n', weight, state.covariance, weight)
