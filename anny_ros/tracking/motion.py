# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A Kalman filter for many people at once, in float64.

The state of a person is (x/z, y/z, ln z, vx/z, vy/z, vz/z, b, m): direction and distance of the
pelvis, the velocity in distances per second, the bias b of the logarithm of the stature as the
estimator sees this person, and the logarithm m of the stature as seen (the true one is m - b). Its
axes (``State.axes``) have their origin in the camera and z towards the person, wherever that is:
somebody behind a robot that turned away stays a person of finite coordinates. The velocity is
relative to the world when the camera's motion is known (``predict``), else to the camera.

A camera measures directions far better than distances. In Cartesian coordinates that makes long
thin ellipsoids which all point at the camera, and a filter that crosses them pulls everybody
towards it. Here the distance is a coordinate of its own, which neither the measured directions
nor the motion touch: the filter follows the picture at once and smooths the distance.

Motion is constant velocity in the world. A moving camera is a rotation and an offset, so standing
people stand while the robot turns and drives. Wherever a distance is known that does not rest on
the stature, from a depth camera for instance, the bias shows and is learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anny_ros.tracking.measurement import Measurements
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

SIZE = 8
BIAS, SEEN_STATURE = 6, 7
# Spectral density of the acceleration of walking people, m²/s³: of who is being seen, and of who
# has been out of sight for a while and may have stopped or turned meanwhile.
ACCELERATION_DENSITY = 0.22
UNSEEN_DENSITY = 1.0
UNSEEN_AFTER = 0.3  # seconds
# Who turns to the side startles (``correction``), but distances are too vague for that: along the
# ray anybody must be expected to turn at any time, and the density is at least this.
ALONG_RAY_DENSITY = 0.4
# Of a person who is seen for the first time, m/s per axis.
INITIAL_SPEED_STDDEV = 1.0
# Rate at which the assumed velocity of someone out of sight fades, 1/s.
FADE_RATE = 0.5
# Random walks of the bias and of the seen stature, 1/s.
BIAS_DRIFT, STATURE_DRIFT = 2e-6, 1e-5
# Errors of the known motion of the camera, as shares of a step's angle and way.
TURN_ERROR, WAY_ERROR = 0.02, 0.03
# Whoever would come nearer than this in a step, as a share of the distance or in metres, is about
# to pass the camera, where none of this makes sense; they are stopped.
LEAST_APPROACH = 0.2
NEAREST = 0.2


@dataclass
class State:
    """
    What is known of T people.

    Parameters
    ----------
    mean, covariance : ndarray, (T, 8) and (T, 8, 8)
    axes : ndarray, (T, 3, 3)
        Rotation from the optical frame to the axes of each person's state.

    """

    mean: Float64Array
    covariance: Float64Array
    axes: Float64Array

    def __getitem__(self, rows: NDArray[Any]) -> State:
        """Take people by an index array or a mask."""
        return State(self.mean[rows], self.covariance[rows], self.axes[rows])

    def __setitem__(self, rows: NDArray[Any], other: State) -> None:
        """Replace people by an index array or a mask."""
        self.mean[rows] = other.mean
        self.covariance[rows] = other.covariance
        self.axes[rows] = other.axes

    def __len__(self) -> int:
        return len(self.mean)

    def joined(self, other: State) -> State:
        """Return these people followed by others."""
        return State(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.covariance, other.covariance]),
            np.concatenate([self.axes, other.axes]),
        )


def initiate(measured: Measurements) -> State:
    """Make the states of N people who are seen for the first time."""
    axes = _towards(measured.position)
    num = len(axes)
    mean = np.zeros((num, SIZE))
    mean[:, 2] = np.log(np.linalg.norm(measured.position, axis=1))
    mean[:, SEEN_STATURE] = measured.log_stature
    covariance = np.zeros((num, SIZE, SIZE))
    rows = np.array([0, 1, 2, SEEN_STATURE])
    covariance[:, rows[:, None], rows] = measured.variance
    speed = INITIAL_SPEED_STDDEV * np.exp(-mean[:, 2])
    covariance[:, [3, 4, 5], [3, 4, 5]] = speed[:, None] ** 2
    bias = measured.bias_variance
    covariance[:, BIAS, BIAS] = bias
    covariance[:, 2, 2] += measured.coupling**2 * bias
    covariance[:, 2, BIAS] = covariance[:, BIAS, 2] = -measured.coupling * bias
    # What is seen of the stature beside a measured distance is the true one: m is that and b.
    unbiased = (1 - measured.coupling) * bias
    covariance[:, SEEN_STATURE, SEEN_STATURE] += unbiased
    covariance[:, SEEN_STATURE, BIAS] = covariance[:, BIAS, SEEN_STATURE] = unbiased
    return State(mean, covariance, axes)


def predict(
    state: State,
    dt: float,
    fade_rate: Float64Array,
    camera_motion: Float64Array | None = None,
    density: Float64Array | float = ACCELERATION_DENSITY,
) -> State:
    """
    Move people on by ``dt`` seconds, and the camera.

    Parameters
    ----------
    state : State
    dt : float, seconds
        0 moves nobody.
    fade_rate : ndarray, (T,), 1/s
        Rate at which the velocity fades; 0 keeps it (constant velocity).
    camera_motion : ndarray, (4, 4), optional
        Coordinates in the new optical frame from those in the old one, of what stands still; None
        for a camera that stands still, or whose motion is not known.
    density : ndarray, (T,), or float, m²/s³
        Spectral density of the acceleration across the ray.

    Returns
    -------
    State

    """
    mean = state.mean
    fading = fade_rate > 0
    kept = np.exp(-fade_rate * dt)
    reach = np.where(fading, (1 - kept) / np.where(fading, fade_rate, 1.0), dt)
    nearest = np.maximum(LEAST_APPROACH, NEAREST * np.exp(-mean[:, 2]))
    passing = (mean[:, 5] < 0) & (1.0 + reach * mean[:, 5] < nearest)
    if passing.any():
        mean = mean.copy()
        mean[passing, 3:6] = 0.0
        state = State(mean, state.covariance, state.axes)
    pose = np.eye(4) if camera_motion is None else camera_motion
    scale = np.exp(-2 * mean[:, 2])
    across = np.broadcast_to(density, len(mean))
    along = np.maximum(across, ALONG_RAY_DENSITY)
    strength = scale[:, None] * np.stack([across, across, along], axis=1)
    noise = np.zeros((len(mean), 6, 6))
    at = np.arange(3)
    noise[:, at, at] = strength * (dt**3 / 3)
    noise[:, at, at + 3] = noise[:, at + 3, at] = strength * (dt**2 / 2)
    noise[:, at + 3, at + 3] = strength * dt
    if camera_motion is not None:
        noise[:, :3, :3] += _camera_noise(pose, scale[:, None, None])
    result = _moved(state, pose[:3, :3], pose[:3, 3], reach, kept, noise)
    result.covariance[:, BIAS, BIAS] += BIAS_DRIFT * dt
    result.covariance[:, SEEN_STATURE, SEEN_STATURE] += STATURE_DRIFT * dt
    return result


def transform(state: State, M: Float64Array) -> State:
    """Apply the linear map M (3, 3) of space to positions and velocities."""
    num = len(state)
    return _moved(state, M, np.zeros(3), np.zeros(num), np.ones(num), np.zeros((num, 6, 6)))


def doubted(state: State) -> State:
    """Forget how people move, because velocities now mean something else."""
    speed = (INITIAL_SPEED_STDDEV * np.exp(-state.mean[:, 2])) ** 2
    covariance = state.covariance.copy()
    covariance[:, [3, 4, 5], [3, 4, 5]] += speed[:, None]
    return State(state.mean, covariance, state.axes)


def _camera_noise(pose: Float64Array, scale: Float64Array) -> Float64Array:
    """Covariance (T, 3, 3) of position over z from errors of the camera's motion."""
    angle = np.arccos(np.clip(0.5 * (np.trace(pose[:3, :3]) - 1), -1.0, 1.0))
    way = WAY_ERROR**2 * float(pose[:3, 3] @ pose[:3, 3])
    return np.asarray(((TURN_ERROR * angle) ** 2 + way * scale) * np.eye(3))


def directions(mean: Float64Array) -> Float64Array:
    """Positions divided by z, (T, 3)."""
    return np.concatenate([mean[:, :2], np.ones((len(mean), 1))], axis=1)


def _towards(points: Float64Array) -> Float64Array:
    """Rotations (N, 3, 3) to axes whose z points to each of the points, x level or so."""
    z = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    steep = np.abs(z[:, 1]) > 0.99
    axes = np.zeros((len(z), 3, 3))
    x, y = axes[:, 0], axes[:, 1]
    axes[:, 2] = z
    # The cross product of z and what is level: y of the picture, or its z for who is above.
    x[:, 0] = np.where(steep, -z[:, 1], z[:, 2])
    x[:, 1] = np.where(steep, z[:, 0], 0.0)
    x[:, 2] = np.where(steep, 0.0, -z[:, 0])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        y[:, i] = z[:, j] * x[:, k] - z[:, k] * x[:, j]
    return axes


def _moved(
    state: State,
    M: Float64Array,
    offset: Float64Array,
    reach: Float64Array,
    kept: Float64Array,
    noise: Float64Array,
) -> State:
    """
    Let people walk, then map space by M (3, 3) and an offset, and turn axes to where they are.

    The position gains ``reach`` (T,) times the velocity, of which ``kept`` (T,) is left. All is
    divided by the old z first and by the new z last; ``noise`` (T, 6, 6), along the new axes, is
    added to position and velocity in between. But for the offset none of this depends on ln z,
    which only grows by the logarithm of the new z over the old.
    """
    num = len(state)
    mean, old = state.mean, state.axes.swapaxes(1, 2)
    inverse = np.exp(-mean[:, 2])[:, None]
    walked = directions(mean) + reach[:, None] * mean[:, 3:6]
    point = np.einsum('ij,njk,nk->ni', M, old, walked) + inverse * offset
    axes = _towards(point)
    turn = axes @ M @ old  # (T, 3, 3), old axes to new ones
    G = np.zeros((num, 6, 6))
    G[:, :3, :3] = turn
    G[:, :3, 3:] = reach[:, None, None] * turn
    G[:, 3:, 3:] = kept[:, None, None] * turn
    inner = G.copy()  # of (position, velocity) by the state; both over the old z
    inner[:, :3, 2] = -inverse * np.einsum('nij,j->ni', axes, offset)
    inner[:, 3:, 2] = 0.0
    scale = np.maximum(np.linalg.norm(point, axis=1), LEAST_APPROACH)
    velocity = kept[:, None] * np.einsum('nij,nj->ni', turn, mean[:, 3:6]) / scale[:, None]
    moved = np.concatenate([np.tile([0.0, 0.0, 1.0], (num, 1)), velocity], axis=1)
    outputs = np.zeros((num, 6, 6))  # of the new state by them
    outputs[:] = np.eye(6)
    outputs[:, :, 2] -= moved
    outputs[:, 2, 2] = 1.0
    outputs /= scale[:, None, None]
    jacobian = np.zeros((num, SIZE, SIZE))
    jacobian[:, :6, :6] = outputs @ inner
    jacobian[:, 2, 2] += 1.0
    jacobian[:, BIAS, BIAS] = jacobian[:, SEEN_STATURE, SEEN_STATURE] = 1.0
    result = jacobian @ state.covariance @ jacobian.swapaxes(1, 2)
    result[:, :6, :6] += outputs @ noise @ outputs.swapaxes(1, 2)
    moved[:, 2] = mean[:, 2] + np.log(scale)
    return State(np.concatenate([moved, mean[:, 6:]], axis=1), result, axes)
