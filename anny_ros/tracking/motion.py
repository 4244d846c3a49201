# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A constant-velocity Kalman filter for many people at once, in float64.

The state of a person is (x/z, y/z, ln z, vx/z, vy/z, vz/z): where the pelvis is in the picture,
how far it is, and the velocity in distances per second. A camera measures directions far better
than distances. In Cartesian coordinates that makes long thin ellipsoids which all point at
the camera, and a filter that crosses them pulls everybody towards it. Here the distance is
a coordinate of its own, which neither the measured directions nor the motion touch: the filter
follows the picture at once and smooths the distance.

The motion itself is that of constant Cartesian velocity (the linear map ``G`` of ``_moved``), so a
known rotation of the camera fits in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

# Spectral density of the acceleration of walking people: starts, stops and turns of about
# 1 m/s² that last half a second. m²/s³.
ACCELERATION_DENSITY = 1.0
# Of a person who is seen for the first time, m/s per axis.
INITIAL_SPEED_STDDEV = 1.2
# Rate at which the assumed velocity of someone out of sight fades, 1/s.
FADE_RATE = 0.5
# Assumed when an estimator gives no usable covariance: share of the distance.
DEFAULT_DEPTH_STDDEV = 0.08
DEPTH_STDDEV_RANGE = (0.005, 1.0)
# What of it changes from picture to picture; the rest is a bias that no filter removes.
MAX_DEPTH_JITTER = 0.06
# Across the ray, metres plus metres per metre of distance.
LATERAL_STDDEV_MIN = (0.005, 0.0005)
LATERAL_STDDEV_MAX = (0.02, 0.002)
# Innovations of the distance above this many standard deviations are trusted less.
DEPTH_OUTLIER = 2.0
MAX_INFLATION = 4.0
# Whoever would come nearer than this in a step, as a share of the distance or in metres, is about
# to pass the camera, where none of this makes sense; they are stopped.
LEAST_APPROACH = 0.2
NEAREST = 0.2


@dataclass(frozen=True)
class Measurements:
    """
    Positions in the coordinates of the filter.

    Parameters
    ----------
    coordinates : ndarray, (N, 3)
        (x/z, y/z, ln z).
    variances : ndarray, (N, 3)
        Of what changes from picture to picture.
    depth_stddev : ndarray, (N,)
        Of the distance in all, bias included, as a share of it.

    """

    coordinates: Float64Array
    variances: Float64Array
    depth_stddev: Float64Array

    def __getitem__(self, rows: NDArray[Any]) -> Measurements:
        """Take rows by an index array or a mask."""
        return Measurements(self.coordinates[rows], self.variances[rows], self.depth_stddev[rows])


def measure(position: ArrayLike, covariance: ArrayLike) -> Measurements:
    """
    Express measured positions in the coordinates of the filter.

    Parameters
    ----------
    position : array, (N, 3), metres
        In the optical frame, z > 0.
    covariance : array, (N, 3, 3), square metres
        As the estimator gives it; what is not finite or not positive is replaced by a default,
        and the standard deviations are kept in a plausible range (the lateral one small, so
        that the filter does not lag in the picture).

    Returns
    -------
    Measurements

    """
    position = np.asarray(position, np.float64)
    covariance = np.array(covariance, np.float64)
    covariance[~np.isfinite(covariance).all(axis=(1, 2))] = 0.0
    distance = np.linalg.norm(position, axis=-1)
    rays = position / distance[:, None]
    along = np.einsum('ni,nij,nj->n', rays, covariance, rays)
    across = 0.5 * (np.trace(covariance, axis1=1, axis2=2) - along)
    stddev = np.sqrt(np.where(along > 0, along, (DEFAULT_DEPTH_STDDEV * distance) ** 2))
    share = np.clip(stddev / distance, *DEPTH_STDDEV_RANGE)
    (low, low_slope), (high, high_slope) = LATERAL_STDDEV_MIN, LATERAL_STDDEV_MAX
    lateral = np.sqrt(np.maximum(across, 0.0))
    lateral = np.clip(lateral, low + low_slope * distance, high + high_slope * distance)
    z = position[:, 2]
    coordinates = np.column_stack([position[:, :2] / z[:, None], np.log(z)])
    jitter = np.minimum(share, MAX_DEPTH_JITTER)
    variances = np.column_stack([lateral / z, lateral / z, jitter]) ** 2
    return Measurements(coordinates, variances, share)


def initiate(measured: Measurements) -> tuple[Float64Array, Float64Array]:
    """Return mean (N, 6) and covariance (N, 6, 6) of people who are seen for the first time."""
    num = len(measured.coordinates)
    mean = np.concatenate([measured.coordinates, np.zeros((num, 3))], axis=1)
    speed = INITIAL_SPEED_STDDEV * np.exp(-mean[:, 2])
    covariance = np.zeros((num, 6, 6))
    diagonal = np.arange(6)
    covariance[:, diagonal[:3], diagonal[:3]] = measured.variances
    covariance[:, diagonal[3:], diagonal[3:]] = speed[:, None] ** 2
    return mean, covariance


def predict(
    mean: Float64Array, covariance: Float64Array, dt: float, fade_rate: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """
    Move people on by ``dt`` seconds.

    Parameters
    ----------
    mean, covariance : ndarray, (T, 6) and (T, 6, 6)
    dt : float, seconds
        0 changes nothing.
    fade_rate : ndarray, (T,), 1/s
        Rate at which the velocity fades; 0 keeps it (constant velocity).

    Returns
    -------
    mean, covariance
        New arrays.

    """
    fading = fade_rate > 0
    kept = np.exp(-fade_rate * dt)
    reach = np.where(fading, (1 - kept) / np.where(fading, fade_rate, 1.0), dt)
    G = np.zeros((len(mean), 6, 6))
    for axis in range(3):
        G[:, axis, axis] = 1.0
        G[:, axis, 3 + axis] = reach
        G[:, 3 + axis, 3 + axis] = kept
    nearest = np.maximum(LEAST_APPROACH, NEAREST * np.exp(-mean[:, 2]))
    passing = (mean[:, 5] < 0) & (1.0 + reach * mean[:, 5] < nearest)
    mean = np.where(passing[:, None] & (np.arange(6) >= 3), 0.0, mean)
    density = ACCELERATION_DENSITY * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    scale = np.exp(-2 * mean[:, 2])[:, None, None]
    noise = np.asarray(scale * np.kron(density, np.eye(3)), np.float64)
    return _moved(mean, covariance, G, noise)


def transform(
    mean: Float64Array, covariance: Float64Array, M: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Apply the linear map M (3, 3) of space to positions and velocities."""
    G = np.broadcast_to(np.kron(np.eye(2), M), (len(mean), 6, 6))
    return _moved(mean, covariance, G, np.zeros((len(mean), 6, 6)))


def correct(
    mean: Float64Array, covariance: Float64Array, measured: Measurements
) -> tuple[Float64Array, Float64Array]:
    """
    Take in one measurement for each person.

    An innovation of the distance of more than ``DEPTH_OUTLIER`` standard deviations gets a
    larger variance (up to ``MAX_INFLATION`` times): single wild distances do little, a lasting
    change still comes through.

    Parameters
    ----------
    mean, covariance : ndarray, (T, 6) and (T, 6, 6)
        Predicted to the time of the measurement.
    measured : Measurements
        T rows.

    Returns
    -------
    mean, covariance
        New arrays.

    """
    innovation = measured.coordinates - mean[:, :3]
    S = covariance[:, :3, :3] + measured.variances[:, :, None] * np.eye(3)
    inflation = innovation[:, 2] ** 2 / (S[:, 2, 2] * DEPTH_OUTLIER**2)
    S[:, 2, 2] *= np.clip(inflation, 1.0, MAX_INFLATION)
    gain = np.linalg.solve(S, covariance[:, :3, :]).swapaxes(1, 2)  # (T, 6, 3)
    corrected = mean + np.einsum('nij,nj->ni', gain, innovation)
    result = covariance - gain @ S @ gain.swapaxes(1, 2)
    return corrected, 0.5 * (result + result.swapaxes(1, 2))


def positions(mean: Float64Array) -> Float64Array:
    """Pelvises (T, 3) in metres, optical frame."""
    return np.exp(mean[:, 2:3]) * _directions(mean)


def position_covariances(mean: Float64Array, covariance: Float64Array) -> Float64Array:
    """Covariances (T, 3, 3) of ``positions``, square metres, first order."""
    jacobian = np.zeros((len(mean), 3, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = 1.0
    jacobian[:, :, 2] = _directions(mean)
    jacobian *= np.exp(mean[:, 2])[:, None, None]
    return np.asarray(jacobian @ covariance[:, :3, :3] @ jacobian.swapaxes(1, 2))


def velocities(mean: Float64Array, covariance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Velocities (T, 3) in metres per second, optical frame, and covariances (T, 3, 3)."""
    z = np.exp(mean[:, 2])
    jacobian = np.zeros((len(mean), 3, 6))
    jacobian[:, :, 2] = mean[:, 3:]
    jacobian[:, :, 3:] = np.eye(3)
    jacobian *= z[:, None, None]
    return z[:, None] * mean[:, 3:], jacobian @ covariance @ jacobian.swapaxes(1, 2)


def places(
    mean: Float64Array, covariance: Float64Array, K: FloatArray
) -> tuple[Float64Array, Float64Array]:
    """Pelvises in the picture of intrinsics K: pixels (T, 2) and covariances (T, 2, 2)."""
    linear = np.asarray(K[:2, :2], np.float64)
    return mean[:, :2] @ linear.T + K[:2, 2], linear @ covariance[:, :2, :2] @ linear.T


def _directions(mean: Float64Array) -> Float64Array:
    """Positions divided by z, (T, 3)."""
    return np.concatenate([mean[:, :2], np.ones((len(mean), 1))], axis=1)


def _moved(
    mean: Float64Array, covariance: Float64Array, G: Float64Array, noise: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """
    Apply G (T, 6, 6) to (position, velocity), both divided by z, and divide by the new z.

    ``noise`` (T, 6, 6) is added to them in between. None of this depends on ln z, which only
    grows by the logarithm of the new z over the old.
    """
    num = len(mean)
    inputs = np.zeros((num, 6, 6))  # of (position, velocity) / z by the state
    inputs[:, 0, 0] = inputs[:, 1, 1] = 1.0
    inputs[:, 3:, 3:] = np.eye(3)
    moved = np.einsum('nij,nj->ni', G, np.concatenate([_directions(mean), mean[:, 3:]], axis=1))
    scale = np.maximum(moved[:, 2], LEAST_APPROACH)
    moved /= scale[:, None]
    outputs = np.zeros((num, 6, 6))  # of the new state by them
    outputs[:] = np.eye(6)
    outputs[:, :, 2] -= moved
    outputs[:, 2, 2] = 1.0
    outputs /= scale[:, None, None]
    jacobian = outputs @ G @ inputs
    jacobian[:, 2, 2] += 1.0
    result = jacobian @ covariance @ jacobian.swapaxes(1, 2)
    result += outputs @ noise @ outputs.swapaxes(1, 2)
    moved[:, 2] = mean[:, 2] + np.log(scale)
    return moved, result
