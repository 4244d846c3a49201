# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What a look at people changes in the filter of ``motion``.

What wanders stays wrong for a while (``CORRELATION_TIME``), so that looking twice within it says
little new; the variance of a look is raised by (1 + k) / (1 - k), k = exp(-dt / time), which gives
the mean of many looks the variance that it has for a first-order Gauss-Markov error. How well a
body of a given stature fits the picture is nearly new in each (``FIT_CORRELATION_TIME``): that is
what shows somebody who turns and comes nearer.
"""

from __future__ import annotations

from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.motion import BIAS, SEEN_STATURE, SIZE, State
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

CORRELATION_TIME = 0.25
FIT_CORRELATION_TIME = 0.09
MAX_CORRELATION = 1e4
# Squared Mahalanobis distance (2 degrees of freedom) of a direction that startles, and how fast
# somebody may move then, in m/s per axis.
STARTLING = 11.0
TURN_SPEED = 1.5
# Innovations of distance and stature above this many standard deviations are trusted less.
OUTLIER = 2.0
MAX_INFLATION = 25.0


def correct(state: State, measured: Measurements, since: Float64Array) -> State:
    """
    Take in one measurement for each person.

    An innovation of the distance or of the stature of more than ``OUTLIER`` standard deviations
    gets a larger variance (up to ``MAX_INFLATION`` times): single wild ones do little, a lasting
    change still comes through.

    Parameters
    ----------
    state : State
        Predicted to the time of the measurement.
    measured : Measurements
        T rows.
    since : ndarray, (T,), seconds
        Since the last measurement of each; one of the same moment says nothing new.

    Returns
    -------
    State

    """
    mean = state.mean
    local = np.einsum('nij,nj->ni', state.axes, measured.position)
    z = np.maximum(local[:, 2], 0.1 * np.linalg.norm(local, axis=1))
    seen = np.column_stack([local[:, :2] / z[:, None], np.log(z), measured.log_stature])
    H = looks(measured.coupling)
    less = _repetition(since, CORRELATION_TIME)
    noise = measured.variance * less[:, None, None]
    # Of the distance, what it has not in common with the stature.
    fit = measured.variance[:, 2, 2] - measured.variance[:, 2, 3]
    noise[:, 2, 2] += fit * (_repetition(since, FIT_CORRELATION_TIME) - less)
    innovation = seen - np.einsum('nij,nj->ni', H, mean)
    covariance = _startled(state, innovation, measured.variance, since)
    shared = H @ covariance  # (T, 4, 8)
    S = shared @ H.swapaxes(1, 2) + noise
    once = np.einsum('nii->ni', S - noise + measured.variance)[:, 2:]
    wild = np.clip(innovation[:, 2:] ** 2 / (once * OUTLIER**2), 1.0, MAX_INFLATION)
    S[:, [2, 3], [2, 3]] += (wild - 1) * noise[:, [2, 3], [2, 3]]
    gain = np.linalg.solve(S, shared).swapaxes(1, 2)  # (T, 8, 4)
    corrected = mean + np.einsum('nij,nj->ni', gain, innovation)
    result = covariance - gain @ S @ gain.swapaxes(1, 2)
    return State(corrected, 0.5 * (result + result.swapaxes(1, 2)), state.axes)


def looks(coupling: Float64Array) -> Float64Array:
    """
    Measurement matrices (T, 4, 8).

    A guessed stature is the seen one, and the distance shares its bias; where the distance was
    measured, it shows the true stature, without the bias.
    """
    H = np.zeros((len(coupling), 4, SIZE))
    H[:, [0, 1, 2], [0, 1, 2]] = 1.0
    H[:, 2, BIAS] = coupling
    H[:, 3, SEEN_STATURE] = 1.0
    H[:, 3, BIAS] = coupling - 1.0
    return H


def _repetition(since: Float64Array, time: float) -> Float64Array:
    """By what to multiply the variances (T,) of looks whose errors last for a time."""
    kept = np.exp(-since / time)
    return np.asarray(np.minimum((1 + kept) / np.maximum(1 - kept, 1e-9), MAX_CORRELATION))


def _startled(
    state: State, innovation: Float64Array, variance: Float64Array, since: Float64Array
) -> Float64Array:
    """
    Widen the covariances (T, 8, 8) of people who are not where they were expected to be.

    Somebody turned on the spot or began to run, which constant velocity follows too late; what
    was known of their motion is forgotten in part.
    """
    spread = state.covariance[:, :2, :2] + variance[:, :2, :2]
    x, y = innovation[:, 0], innovation[:, 1]
    xx, xy, yy = spread[:, 0, 0], spread[:, 0, 1], spread[:, 1, 1]
    squared = (yy * x * x - 2 * xy * x * y + xx * y * y) / (xx * yy - xy * xy)
    rows = np.flatnonzero(squared > STARTLING)
    if not len(rows):
        return state.covariance
    speed = TURN_SPEED * np.exp(-state.mean[rows, 2])
    step = np.minimum(since[rows], 0.5)
    covariance = state.covariance.copy()
    for axis in range(3):
        covariance[rows, 3 + axis, 3 + axis] += speed**2
        covariance[rows, axis, axis] += (speed * step) ** 2
        covariance[rows, axis, 3 + axis] += speed**2 * step
        covariance[rows, 3 + axis, axis] += speed**2 * step
    return covariance
