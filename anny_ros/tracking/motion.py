# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A constant-velocity Kalman filter for many people at once, on metric positions, in float64.

The state of a person is (position, velocity), 6 numbers, in one Cartesian frame: today the
camera's optical frame, later any frame in which the camera's pose is known. A camera measures
directions far better than distances, so the measurement covariance is a long thin ellipsoid
along the viewing ray: the filter follows the picture at once and smooths the distance.
"""

from __future__ import annotations

from anny_ros.geometry.camera import project
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
DEPTH_STDDEV_RANGE = (0.005, 0.5)
# Across the ray, metres plus metres per metre of distance.
LATERAL_STDDEV_MIN = (0.005, 0.0005)
LATERAL_STDDEV_MAX = (0.02, 0.002)
# Innovations along the ray above this many standard deviations are trusted less.
DEPTH_OUTLIER = 2.0
MAX_INFLATION = 4.0


def unit_rays(position: Float64Array) -> Float64Array:
    """Directions (N, 3) from the camera, the origin, to positions (N, 3)."""
    rays: Float64Array = position / np.linalg.norm(position, axis=-1, keepdims=True)
    return rays


def measurement_covariance(
    position: Float64Array, covariance: ArrayLike
) -> tuple[Float64Array, Float64Array]:
    """
    Shape an estimator's covariance into one along and one across the viewing ray.

    Parameters
    ----------
    position : ndarray, (N, 3), metres
        Measured, from the camera.
    covariance : array, (N, 3, 3), square metres
        As the estimator gives it; what is not finite or not positive is replaced by a default,
        and both standard deviations are kept in a plausible range (the lateral one small, so
        that the filter does not lag in the picture).

    Returns
    -------
    R : ndarray, (N, 3, 3), square metres
    depth_stddev : ndarray, (N,)
        Along the ray, as a share of the distance.

    """
    covariance = np.array(covariance, np.float64)
    covariance[~np.isfinite(covariance).all(axis=(1, 2))] = 0.0
    rays = unit_rays(position)
    distance = np.linalg.norm(position, axis=-1)
    along = np.einsum('ni,nij,nj->n', rays, covariance, rays)
    across = 0.5 * (np.trace(covariance, axis1=1, axis2=2) - along)
    usable = np.isfinite(along) & (along > 0)
    share = np.where(
        usable, np.sqrt(np.where(usable, along, 1.0)) / distance, DEFAULT_DEPTH_STDDEV
    )
    share = np.clip(share, *DEPTH_STDDEV_RANGE)
    lateral = np.sqrt(np.maximum(across, 0.0))
    (low, low_slope), (high, high_slope) = LATERAL_STDDEV_MIN, LATERAL_STDDEV_MAX
    lateral = np.clip(lateral, low + low_slope * distance, high + high_slope * distance)
    outer = rays[:, :, None] * rays[:, None, :]
    R = lateral[:, None, None] ** 2 * (np.eye(3) - outer)
    R += ((share * distance) ** 2)[:, None, None] * outer
    return R, share


def initiate(position: Float64Array, R: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return mean (N, 6) and covariance (N, 6, 6) of people who are seen for the first time."""
    num = len(position)
    mean = np.concatenate([position, np.zeros((num, 3))], axis=1)
    covariance = np.zeros((num, 6, 6))
    covariance[:, :3, :3] = R
    covariance[:, 3:, 3:] = INITIAL_SPEED_STDDEV**2 * np.eye(3)
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
    a, b = reach[:, None, None], kept[:, None, None]
    PP, PV, VV = covariance[:, :3, :3], covariance[:, :3, 3:], covariance[:, 3:, 3:]
    noise = ACCELERATION_DENSITY * np.eye(3)
    moved = np.empty_like(mean)
    moved[:, :3] = mean[:, :3] + reach[:, None] * mean[:, 3:]
    moved[:, 3:] = kept[:, None] * mean[:, 3:]
    result = np.empty_like(covariance)
    result[:, :3, :3] = PP + a * (PV + PV.swapaxes(1, 2)) + a * a * VV + noise * dt**3 / 3
    result[:, :3, 3:] = b * (PV + a * VV) + noise * dt**2 / 2
    result[:, 3:, :3] = result[:, :3, 3:].swapaxes(1, 2)
    result[:, 3:, 3:] = b * b * VV + noise * dt
    return moved, result


def correct(
    mean: Float64Array, covariance: Float64Array, position: Float64Array, R: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """
    Take in one measured position for each person.

    An innovation along the measured ray of more than ``DEPTH_OUTLIER`` standard deviations gets
    a larger covariance there (up to ``MAX_INFLATION`` times): single wild distances do little, a
    lasting change still comes through.

    Parameters
    ----------
    mean, covariance : ndarray, (T, 6) and (T, 6, 6)
        Predicted to the time of the measurement.
    position, R : ndarray, (T, 3) and (T, 3, 3)

    Returns
    -------
    mean, covariance
        New arrays.

    """
    rays = unit_rays(position)
    innovation = position - mean[:, :3]
    S = covariance[:, :3, :3] + R
    along = np.einsum('ni,nij,nj->n', rays, S, rays)
    squared = np.einsum('ni,ni->n', rays, innovation) ** 2 / along
    inflation = np.clip(squared / DEPTH_OUTLIER**2, 1.0, MAX_INFLATION) - 1.0
    S = S + (inflation * along)[:, None, None] * rays[:, :, None] * rays[:, None, :]
    gain = np.linalg.solve(S, covariance[:, :3, :]).swapaxes(1, 2)  # (T, 6, 3)
    corrected = mean + np.einsum('nij,nj->ni', gain, innovation)
    result = covariance - gain @ S @ gain.swapaxes(1, 2)
    return corrected, 0.5 * (result + result.swapaxes(1, 2))


def transform(
    mean: Float64Array, covariance: Float64Array, M: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Apply the linear map M (3, 3) to positions and velocities."""
    both = np.kron(np.eye(2), M)
    return mean @ both.T, both @ covariance @ both.T


def project_uncertain(
    mean: Float64Array, covariance: Float64Array, K: FloatArray
) -> tuple[Float64Array, Float64Array]:
    """
    Project predicted positions into the picture.

    Parameters
    ----------
    mean, covariance : ndarray, (T, 6) and (T, 6, 6)
        In the optical frame.
    K : ndarray, (3, 3), pixels

    Returns
    -------
    uv : ndarray, (T, 2), pixels
        NaN for people who are not in front of the camera.
    covariance : ndarray, (T, 2, 2), square pixels
        First order.

    """
    uv = project(mean[:, :3], K)
    z = np.where(np.isfinite(uv[:, 0]), mean[:, 2], 1.0)
    plane = mean[:, :2] / z[:, None]
    jacobian = np.zeros((len(mean), 2, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = 1.0
    jacobian[:, :, 2] = -plane
    jacobian = K[:2, :2] @ jacobian / z[:, None, None]
    return uv, jacobian @ covariance[:, :3, :3] @ jacobian.swapaxes(1, 2)
