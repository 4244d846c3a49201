# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What people who stand and walk on one floor say about the lens that sees them.

Each of them is a stick that stands on the floor. Where sticks lean in the picture shows where
verticals meet, how their lengths change with the row of their feet shows where the horizon is, and
both together show the focal length, if the camera does not look level: for a level camera every
focal length explains the picture equally well, and then the prior is all that is left.

Unknowns are the focal length, which way is up, the camera's height, and for each person how much
taller than supposed and how much to one side all looks at them are. Everything has a Gaussian
prior; looks that do not fit (somebody who sits, a step) lose their weight.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Priors of what is not the lens: tilt to the side and forwards (tangents), logarithm of the height
# of the camera above the ankles (metres).
TILT_MEAN = np.array([0.0, -0.08])
TILT_STDDEV = np.array([0.04, 0.2])
HEIGHT_MEAN, HEIGHT_STDDEV = np.log(1.1), 0.5
# How far from upright a person is all along, and from look to look (tangents to the side).
_LEAN_STDDEV, _LEAN_JITTER = 0.035, 0.05
# From look to look, share of the length of a body, and share by which its foot is off.
_LENGTH_JITTER, _FOOT_JITTER = 0.06, 0.025
# Residuals of so many standard deviations count half (Geman-McClure).
_OUTLIER = 2.5
_FARTHEST = 80.0  # camera heights; a foot at the horizon is put there
# Where a first fit starts from: tangents of the tilt forwards.
_FIRST_TILTS = (-0.05, -0.35)
_CONVERGED = 1e-4  # share of the cost
_STEP = 1e-4
_NUM_SHARED = 4
# Cost, Hessian, gradient, misfit of each look.
_Linearised = tuple[float, Float64Array, Float64Array, Float64Array]


@dataclass(frozen=True)
class Looks:
    """
    M looks at people who stand on the floor.

    Parameters
    ----------
    foot, head, knee, shoulder : ndarray, (M, 2)
        Middle of the ankles, ears, knees and shoulders, in the picture: pixels from the principal
        point over the supposed focal lengths.
    length : ndarray, (M,), metres
        From foot to head, as the body is posed.
    person : ndarray, (M,), int64
        Row of the person in ``length_stddev``.
    length_stddev : ndarray, (P,)
        Of the logarithm of the length, for each person: how well the stature is known.

    """

    foot: Float64Array
    head: Float64Array
    knee: Float64Array
    shoulder: Float64Array
    length: Float64Array
    person: NDArray[np.int64]
    length_stddev: Float64Array


@dataclass(frozen=True)
class Lens:
    """
    Most likely lens and camera.

    Parameters
    ----------
    log_focal, stddev : float
        Logarithm of true over supposed focal length, and its standard deviation.
    up : ndarray, (3,)
        Against gravity in the optical frame, of length 1.
    height : float, metres
        Of the camera above the ankles.
    misfit : ndarray, (M,)
        How far off each look is, in standard deviations.

    """

    log_focal: float
    stddev: float
    up: Float64Array
    height: float
    misfit: Float64Array


def fit_lens(
    looks: Looks,
    focal_mean: float,
    focal_stddev: float,
    start: Lens | None = None,
    iterations: int = 12,
) -> Lens:
    """
    Fit by damped Gauss-Newton (Levenberg-Marquardt) with Geman-McClure weights.

    Parameters
    ----------
    looks : Looks
        At least one.
    focal_mean, focal_stddev : float
        Prior of ``Lens.log_focal``.
    start : Lens or None
        An earlier fit of nearly the same; None starts from the priors.
    iterations : int

    Returns
    -------
    Lens
        Its standard deviation is never above that of the prior.

    """
    num_people = len(looks.length_stddev)
    mean = np.zeros(_NUM_SHARED + 2 * num_people)
    mean[:_NUM_SHARED] = focal_mean, *TILT_MEAN, HEIGHT_MEAN
    stddev = np.concatenate(
        [
            [focal_stddev, *TILT_STDDEV, HEIGHT_STDDEV],
            looks.length_stddev,
            np.full(num_people, _LEAN_STDDEV),
        ]
    )
    if start is None:
        starts = [np.concatenate([[mean[0], 0.0, tilt], mean[3:]]) for tilt in _FIRST_TILTS]
    else:
        up = start.up
        tilt = -up[[0, 2]] / up[1]
        shared = np.array([start.log_focal, *tilt, np.log(start.height)])
        starts = [np.concatenate([shared, mean[_NUM_SHARED:]])]
    results = [_descend(looks, state, mean, stddev, iterations) for state in starts]
    state, (_, H, _, misfit) = min(results, key=lambda result: result[1][0])
    covariance = np.linalg.inv(H)
    up = np.array([state[1], -1.0, state[2]])
    return Lens(
        log_focal=float(state[0]),
        stddev=float(min(np.sqrt(covariance[0, 0]), focal_stddev)),
        up=up / np.linalg.norm(up),
        height=float(np.exp(state[3])),
        misfit=misfit,
    )


def _descend(
    looks: Looks,
    state: Float64Array,
    mean: Float64Array,
    stddev: Float64Array,
    iterations: int,
) -> tuple[Float64Array, _Linearised]:
    """Go down from a start; where that ends, linearised there."""
    damping = 1e-2
    here = _linearised(looks, state, mean, stddev)
    for _ in range(iterations):
        cost, H, gradient, _ = here
        step = np.linalg.solve(H + damping * np.diag(np.diag(H)), -gradient)
        tried = state + np.clip(step, -3 * stddev, 3 * stddev)
        there = _linearised(looks, tried, mean, stddev)
        if there[0] < cost:
            state, here, damping = tried, there, 0.2 * damping
            if cost - there[0] < _CONVERGED * cost:
                break
        else:
            damping *= 10.0
    return state, here


def _linearised(
    looks: Looks, state: Float64Array, mean: Float64Array, stddev: Float64Array
) -> _Linearised:
    """Cost, Hessian, gradient, and the misfit of each look."""
    num_people = len(looks.length_stddev)
    shared, taller, leaning = np.split(state, [_NUM_SHARED, _NUM_SHARED + num_people])
    own = np.stack([taller[looks.person], leaning[looks.person]], 1)
    sigma = _spread(looks, shared)
    residual = _residual(looks, shared, own, sigma)
    J = np.zeros((*residual.shape, len(state)))
    for k in range(_NUM_SHARED):
        moved = shared.copy()
        moved[k] += _STEP
        J[..., k] = (_residual(looks, moved, own, sigma) - residual) / _STEP
    rows = np.arange(len(residual))
    for k in range(2):
        moved = own.copy()
        moved[:, k] += _STEP
        column = _NUM_SHARED + k * num_people + looks.person
        J[rows, :, column] = (_residual(looks, shared, moved, sigma) - residual) / _STEP
    squared = (residual**2).sum(1)
    weight = 1 / (1 + squared / _OUTLIER**2) ** 2
    off = (state - mean) / stddev
    A = J.reshape(-1, len(state))
    weighed = (J * weight[:, None, None]).reshape(-1, len(state))
    cost = float((squared / (1 + squared / _OUTLIER**2)).sum() + off @ off)
    H = weighed.T @ A + np.diag(stddev**-2)
    return cost, H, weighed.T @ residual.reshape(-1) + off / stddev, np.sqrt(squared)


def _spread(looks: Looks, shared: Float64Array) -> Float64Array:
    """Return standard deviations (M, 2) of the residuals: along the body and to the side."""
    foot = _FOOT_JITTER * looks.length * np.exp(-shared[3])
    lean = np.full(len(foot), _LEAN_JITTER)
    return np.stack([np.hypot(_LENGTH_JITTER, foot), lean], 1)


def _residual(
    looks: Looks, shared: Float64Array, own: Float64Array, sigma: Float64Array
) -> Float64Array:
    """
    Compare with what is predicted, (M, 2): lengths, and directions from knees to shoulders.

    A foot on ray r stands at X = -h r / (up . r), its head is at X + L up. At the point m of the
    picture a line along the direction d in space runs along (dx, dy) - m dz. Of a walking person
    the line from knees to shoulders is twice as near to upright as that from ankles to ears.
    """
    log_focal, *tilt, log_height = shared
    up = np.array([tilt[0], -1.0, tilt[1]])
    up /= np.linalg.norm(up)
    zoom, height = np.exp(log_focal), np.exp(log_height)
    rays = np.ones((len(looks.foot), 3))
    rays[:, :2] = looks.foot / zoom
    foot = rays * (height / np.maximum(-(rays @ up), 1 / _FARTHEST))[:, None]
    head = foot + (looks.length * np.exp(own[:, 0]))[:, None] * up
    image: FloatArray = head[:, :2] / np.maximum(head[:, 2:], 0.1) * zoom
    axis = looks.head - looks.foot
    size = np.linalg.norm(axis, axis=1)
    along = ((image - looks.head) * axis).sum(1) / size**2
    trunk = looks.shoulder - looks.knee
    middle = 0.5 * (looks.shoulder + looks.knee) / zoom
    side = np.array([1.0, tilt[0], 0.0]) / np.hypot(1.0, tilt[0])
    leaning = up + own[:, 1:] * side
    line = leaning[:, :2] - middle * leaning[:, 2:]
    across = line[:, 0] * trunk[:, 1] - line[:, 1] * trunk[:, 0]
    across /= np.linalg.norm(line, axis=1) * np.linalg.norm(trunk, axis=1)
    return np.stack([along, across], 1) / sigma
