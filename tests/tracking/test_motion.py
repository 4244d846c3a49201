# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.tracking import motion, readout
from anny_ros.tracking.measurement import measure
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

FADE = 0.5


def measured_at(positions, depth=0.08, lateral=0.01, stature=1.7, stature_stddev=None):
    """Measurements whose distance rests on the stature, unless its stddev says otherwise."""
    positions = np.atleast_2d(np.asarray(positions, np.float64))
    rays = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    outer = rays[:, :, None] * rays[:, None, :]
    distance = np.linalg.norm(positions, axis=1)[:, None, None]
    covariance = (depth * distance) ** 2 * outer + lateral**2 * (np.eye(3) - outer)
    stature = np.broadcast_to(np.asarray(stature, np.float64), (len(positions),))
    stddev = depth * stature if stature_stddev is None else np.full(len(positions), stature_stddev)
    return measure(positions, covariance, stature, stddev)


def some_state(num, seed=0):
    """Plausible states of people in front of the camera."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform([-3, -0.5, 4], [3, 0.5, 12], (num, 3))
    state = motion.initiate(measured_at(positions) if num else measured_at(np.zeros((0, 3))))
    state.mean[:, 3:6] = 0.2 * rng.normal(size=(num, 3))
    state.mean[:, motion.BIAS] = 0.02 * rng.normal(size=num)
    root = 0.03 * rng.normal(size=(num, 8, 8))
    return motion.State(state.mean, root @ root.swapaxes(1, 2) + 1e-4 * np.eye(8), state.axes)


def cartesian(state):
    return np.concatenate([readout.positions(state), readout.velocities(state)[0]], axis=1)


def cartesian_covariance(state, samples=200000, seed=0):
    """Covariance of position and velocity of one person, by samples of the state."""
    rng = np.random.default_rng(seed)
    mean = rng.multivariate_normal(state.mean[0], state.covariance[0], samples)
    axes = np.broadcast_to(state.axes[0], (samples, 3, 3))
    return np.cov(cartesian(motion.State(mean, state.covariance[:1], axes)).T)


@pytest.mark.parametrize('num', [0, 1, 5])
def test_predict_is_constant_velocity_in_space(num):
    state = some_state(num)
    moved = cartesian(motion.predict(state, 0.3, np.zeros(num)))
    before = cartesian(state)
    np.testing.assert_allclose(moved[:, :3], before[:, :3] + 0.3 * before[:, 3:], atol=1e-9)
    np.testing.assert_allclose(moved[:, 3:], before[:, 3:], atol=1e-9)


def pose(rotvec, offset):
    result = np.eye(4)
    result[:3, :3] = rotvec_to_rotmat(rotvec)
    result[:3, 3] = offset
    return result


@pytest.mark.parametrize(
    ('rotvec', 'offset'),
    [([0, 0.3, 0], [0, 0, 0]), ([0, 0, 0], [0.3, 0, -0.5]), ([0.1, -1, 0.2], [1, 0, 0.5])],
    ids=['turn', 'drive', 'both'],
)
def test_predict_moves_people_against_the_camera(rotvec, offset):
    camera_motion = pose(rotvec, offset)
    state = some_state(4)
    before = cartesian(state)
    after = cartesian(motion.predict(state, 0.2, np.zeros(4), camera_motion))
    R, offset = camera_motion[:3, :3], camera_motion[:3, 3]
    walked = before[:, :3] + 0.2 * before[:, 3:]
    np.testing.assert_allclose(after[:, :3], walked @ R.T + offset, atol=1e-9)
    np.testing.assert_allclose(after[:, 3:], before[:, 3:] @ R.T, atol=1e-9)


def along_axes(state, across, along):
    """Matrix (3, 3) in the optical frame of something across and along the ray to somebody."""
    return state.axes[0].T @ np.diag([across, across, along]) @ state.axes[0]


def test_covariances_move_as_samples_do():
    state = some_state(1)
    state.covariance *= 0.02
    camera_motion = pose([0.1, -0.4, 0.05], [0.8, 0.1, -0.6])
    moved = motion.predict(state, 0.2, np.zeros(1), camera_motion)
    noise = np.kron(
        [[0.2**3 / 3, 0.2**2 / 2], [0.2**2 / 2, 0.2]],
        along_axes(moved, motion.ACCELERATION_DENSITY, motion.ALONG_RAY_DENSITY),
    )
    before = cartesian_covariance(state)
    F = np.kron([[1.0, 0.2], [0.0, 1.0]], np.eye(3))
    R = np.kron(np.eye(2), camera_motion[:3, :3])
    expected = R @ F @ before @ F.T @ R.T + noise
    angle = np.linalg.norm([0.1, -0.4, 0.05])
    distance = np.exp(state.mean[0, 2])
    way = np.linalg.norm(camera_motion[:3, 3])
    turn = (motion.TURN_ERROR * angle * distance) ** 2 + (motion.WAY_ERROR * way) ** 2
    expected[:3, :3] += turn * np.eye(3)
    np.testing.assert_allclose(cartesian_covariance(moved), expected, rtol=0.1, atol=4e-3)


def test_predict_over_no_time_moves_nobody():
    state = some_state(3)
    for fade in (0.0, FADE):
        same = motion.predict(state, 0.0, np.full(3, fade))
        np.testing.assert_allclose(cartesian(same), cartesian(state), atol=1e-12)
        np.testing.assert_allclose(
            readout.position_covariances(same), readout.position_covariances(state), atol=1e-9
        )


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_two_steps_are_one(first, second):
    # With a density that is the same in all directions; else it turns with the ray.
    state, how = some_state(2), (np.zeros(2), None, motion.UNSEEN_DENSITY)
    steps = motion.predict(motion.predict(state, first, *how), second, *how)
    once = motion.predict(state, first + second, *how)
    np.testing.assert_allclose(cartesian(steps), cartesian(once), atol=1e-9)
    np.testing.assert_allclose(
        readout.position_covariances(steps), readout.position_covariances(once), rtol=1e-3
    )


@given(st.floats(-3.1, 3.1), st.floats(-1.2, 1.2))
def test_a_robot_that_turns_away_and_back_loses_nobody(yaw, pitch):
    state = some_state(3)
    there = pose([0.0, yaw, 0.0], [0.4, 0, -0.2]) @ pose([pitch, 0, 0], [0, 0, 0])
    away = motion.predict(state, 0.0, np.zeros(3), there)
    assert np.isfinite(away.covariance).all()
    back = motion.predict(away, 0.0, np.zeros(3), np.linalg.inv(there))
    np.testing.assert_allclose(cartesian(back), cartesian(state), atol=1e-9)


def test_a_fading_walker_stops_after_speed_over_rate():
    state = some_state(1)
    before = cartesian(state)
    after = cartesian(motion.predict(state, 100.0, np.array([FADE])))
    np.testing.assert_allclose(after[0, :3], before[0, :3] + before[0, 3:] / FADE, atol=1e-9)
    np.testing.assert_allclose(after[0, 3:], 0.0, atol=1e-9)


@pytest.mark.parametrize('dt', [1 / 30, 0.5, 3.0])
def test_who_would_pass_the_camera_is_stopped_in_front_of_it(dt):
    state = motion.initiate(measured_at([[0.0, 0.0, 2.0]]))
    state.mean[:, 5] = -0.75
    for _ in range(int(5 / dt)):
        state = motion.predict(state, dt, np.zeros(1))
    assert np.linalg.eigvalsh(state.covariance[0]).min() > 0
    assert state.covariance.max() < 1e6
    assert 0.1 < readout.positions(state)[0, 2] <= 2.0
    np.testing.assert_allclose(state.mean[0, 3:6], 0.0)


def test_transform_turns_positions_and_velocities():
    state = some_state(3)
    R = rotvec_to_rotmat([0.1, -0.2, 0.05])
    turned = motion.transform(state, R)
    before, after = cartesian(state), cartesian(turned)
    np.testing.assert_allclose(after[:, :3], before[:, :3] @ R.T, atol=1e-9)
    np.testing.assert_allclose(after[:, 3:], before[:, 3:] @ R.T, atol=1e-9)
    back = motion.transform(turned, R.T)
    np.testing.assert_allclose(cartesian(back), before, atol=1e-9)
    np.testing.assert_allclose(
        readout.velocities(back)[1], readout.velocities(state)[1], atol=1e-9
    )


def test_who_is_out_of_sight_is_lost_from_view_faster():
    state = some_state(1)
    seen = motion.predict(state, 0.5, np.zeros(1))
    unseen = motion.predict(state, 0.5, np.zeros(1), None, np.array([motion.UNSEEN_DENSITY]))
    np.testing.assert_allclose(seen.mean, unseen.mean)
    grown = readout.position_covariances(unseen) - readout.position_covariances(seen)
    density = along_axes(
        seen,
        motion.UNSEEN_DENSITY - motion.ACCELERATION_DENSITY,
        motion.UNSEEN_DENSITY - motion.ALONG_RAY_DENSITY,
    )
    np.testing.assert_allclose(grown[0], density * 0.5**3 / 3, rtol=0.1, atol=2e-3)


def test_doubt_is_about_velocities_alone():
    state = some_state(2)
    doubted = motion.doubted(state)
    np.testing.assert_allclose(cartesian(doubted), cartesian(state))
    grown = readout.velocities(doubted)[1] - readout.velocities(state)[1]
    speed = motion.INITIAL_SPEED_STDDEV
    np.testing.assert_allclose(grown, np.tile(speed**2 * np.eye(3), (2, 1, 1)), atol=1e-9)
