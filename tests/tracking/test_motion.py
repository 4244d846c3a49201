# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.tracking import motion
from anny_ros.types import Camera
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

K = Camera.from_hfov(1.0, 1280, 720).K
FADE = 0.5


def some_state(num, seed=0):
    """Plausible states: mean (num, 6) and covariance (num, 6, 6)."""
    rng = np.random.default_rng(seed)
    mean = 0.2 * rng.normal(size=(num, 6))
    mean[:, 2] += np.log(8.0)
    root = 0.05 * rng.normal(size=(num, 6, 6))
    return mean, root @ root.swapaxes(1, 2) + 1e-4 * np.eye(6)


def cartesian(mean):
    return np.concatenate([motion.positions(mean), np.exp(mean[:, 2:3]) * mean[:, 3:]], axis=1)


def from_cartesian(state):
    z = state[:, 2:3]
    return np.concatenate([state[:, :2] / z, np.log(z), state[:, 3:] / z], axis=1)


def numeric_jacobian(function, mean, step=1e-6):
    columns = []
    for i in range(mean.shape[1]):
        offset = np.zeros(mean.shape[1])
        offset[i] = step
        columns.append((function(mean + offset) - function(mean - offset)) / (2 * step))
    return np.stack(columns, axis=-1)


def constant_velocity(mean, dt):
    state = cartesian(mean)
    state[:, :3] += dt * state[:, 3:]
    return from_cartesian(state)


@pytest.mark.parametrize('num', [0, 1, 5])
def test_predict_is_constant_velocity_in_space(num):
    mean, covariance = some_state(num)
    got, spread = motion.predict(mean, covariance, 0.3, np.zeros(num))
    np.testing.assert_allclose(got, constant_velocity(mean, 0.3), atol=1e-12)
    assert spread.shape == (num, 6, 6)
    if num == 0:
        return
    J = numeric_jacobian(lambda m: constant_velocity(m, 0.3), mean)
    noise = np.kron([[0.3**3 / 3, 0.3**2 / 2], [0.3**2 / 2, 0.3]], np.eye(3))
    B = numeric_jacobian(from_cartesian, cartesian(got))
    expected = J @ covariance @ J.swapaxes(1, 2)
    expected += motion.ACCELERATION_DENSITY * B @ noise @ B.swapaxes(1, 2)
    np.testing.assert_allclose(spread, expected, rtol=1e-4, atol=1e-8)


def test_predict_over_no_time_changes_nothing():
    mean, covariance = some_state(3)
    for fade in (0.0, FADE):
        same = motion.predict(mean, covariance, 0.0, np.full(3, fade))
        np.testing.assert_allclose(same[0], mean)
        np.testing.assert_allclose(same[1], covariance)


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_two_steps_are_one(first, second):
    mean, covariance = some_state(2)
    fade = np.zeros(2)
    steps = motion.predict(*motion.predict(mean, covariance, first, fade), second, fade)
    once = motion.predict(mean, covariance, first + second, fade)
    np.testing.assert_allclose(steps[0], once[0], atol=1e-9)
    np.testing.assert_allclose(steps[1], once[1], rtol=1e-6, atol=1e-9)


def test_a_fading_walker_stops_after_speed_over_rate():
    mean = from_cartesian(np.array([[0.0, 0, 5, 1.0, 0, 0]]))
    moved, _ = motion.predict(mean, 1e-4 * np.eye(6)[None], 100.0, np.array([FADE]))
    np.testing.assert_allclose(cartesian(moved)[0], [1 / FADE, 0, 5, 0, 0, 0], atol=1e-9)


@pytest.mark.parametrize('dt', [1 / 30, 0.5, 3.0])
def test_who_would_pass_the_camera_is_stopped_in_front_of_it(dt):
    mean = from_cartesian(np.array([[0.5, 0, 2.0, 0.3, 0, -1.5]]))
    covariance = 1e-3 * np.eye(6)[None]
    for _ in range(int(5 / dt)):
        mean, covariance = motion.predict(mean, covariance, dt, np.zeros(1))
    assert np.linalg.eigvalsh(covariance[0]).min() > 0
    assert covariance.max() < 1e6
    assert 0.1 < motion.positions(mean)[0, 2] <= 2.0
    np.testing.assert_allclose(mean[0, 3:], 0.0)


def test_the_distance_stays_out_of_directions_and_motion():
    mean, covariance = some_state(1)
    covariance[:, 2, :] = covariance[:, :, 2] = 0.0
    covariance[:, 2, 2] = 1.0
    _, spread = motion.predict(mean, covariance, 1.0, np.zeros(1))
    further, _ = motion.predict(mean + np.eye(6)[2], covariance, 1.0, np.zeros(1))
    moved, _ = motion.predict(mean, covariance, 1.0, np.zeros(1))
    np.testing.assert_allclose(further - moved, np.eye(6)[2][None], atol=1e-12)
    assert spread[0, 2, 2] > 1.0


def measurements(positions, depth=0.08, lateral=0.02):
    positions = np.atleast_2d(positions)
    rays = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    outer = rays[:, :, None] * rays[:, None, :]
    distance = np.linalg.norm(positions, axis=1)[:, None, None]
    covariance = (depth * distance) ** 2 * outer + lateral**2 * (np.eye(3) - outer)
    return motion.measure(positions, covariance)


def test_measure_by_hand():
    measured = measurements([[1.0, -2.0, 4.0]], depth=0.2, lateral=0.02)
    np.testing.assert_allclose(measured.coordinates[0], [0.25, -0.5, np.log(4.0)])
    jitter = motion.MAX_DEPTH_JITTER
    np.testing.assert_allclose(np.sqrt(measured.variances[0]), [0.005, 0.005, jitter])
    assert measured.depth_stddev[0] == pytest.approx(0.2)
    assert measurements([[0, 0, 9.0]], depth=0.03).variances[0, 2] == pytest.approx(0.03**2)


@pytest.mark.parametrize(
    'covariance',
    [np.diag([value] * 3) for value in (0.0, -1.0, np.inf, 1e9)] + [np.full((3, 3), np.nan)],
    ids=['zero', 'negative', 'infinite', 'huge', 'nan'],
)
def test_measure_survives_any_covariance(covariance):
    measured = motion.measure(np.array([[1.0, -0.5, 10.0]]), covariance[None])
    assert (measured.variances > 0).all()
    assert 0.005 <= np.sqrt(measured.variances[0, 0]) * 10.0 <= 0.05
    assert motion.DEPTH_STDDEV_RANGE[0] <= measured.depth_stddev[0]
    assert measured.depth_stddev[0] <= motion.DEPTH_STDDEV_RANGE[1]


def test_measurements_can_be_picked():
    measured = measurements(np.array([[0, 0, 1.0], [0, 0, 2.0], [0, 0, 3.0]]))
    picked = measured[np.array([2, 0])]
    np.testing.assert_allclose(np.exp(picked.coordinates[:, 2]), [3.0, 1.0])
    assert len(measured[np.array([False, True, False])].variances) == 1


def test_correct_is_the_textbook_update():
    mean, covariance = some_state(4)
    z = mean[:, :3] + 0.001
    measured = motion.Measurements(z, np.full((4, 3), 0.002), np.full(4, 0.1))
    got_mean, got_covariance = motion.correct(mean, covariance, measured)
    H = np.eye(3, 6)
    for i in range(4):
        gain = covariance[i] @ H.T @ np.linalg.inv(H @ covariance[i] @ H.T + 0.002 * np.eye(3))
        np.testing.assert_allclose(got_mean[i], mean[i] + gain @ (z[i] - mean[i, :3]))
        expected = (np.eye(6) - gain @ H) @ covariance[i]
        np.testing.assert_allclose(got_covariance[i], expected, atol=1e-12)


def test_a_wild_distance_moves_less_than_a_plausible_one():
    mean, covariance = motion.initiate(measurements([[0.0, 0.0, 10.0]]))
    share = []
    for jump in (0.05, 0.8):
        measured = measurements([[0.0, 0.0, 10.0 * np.exp(jump)]])
        got, _ = motion.correct(mean, covariance, measured)
        share.append((got[0, 2] - mean[0, 2]) / jump)
    assert share[1] < 0.6 * share[0]


def follow(rng, truth, speed, steps, dt, noise):
    """Filter a walker; return log distance errors of input and output, and pixel errors."""
    raw, smooth, lateral, mean = [], [], [], None
    for _ in range(steps):
        point = truth * np.exp(noise * rng.normal())
        pixel = rng.normal(size=2) * point[2] / K[0, 0]
        point[:2] += pixel
        measured = measurements(point, depth=0.28)
        if mean is None:
            mean, covariance = motion.initiate(measured)
        else:
            mean, covariance = motion.predict(mean, covariance, dt, np.zeros(1))
            mean, covariance = motion.correct(mean, covariance, measured)
        raw.append(np.log(point[2] / truth[2]))
        smooth.append(mean[0, 2] - np.log(truth[2]))
        uv, _ = motion.places(mean, covariance, K)
        lateral.append(np.linalg.norm(uv[0] - project(truth, K)))
        truth = truth + np.asarray(speed) * dt
    return np.array(raw[20:]), np.array(smooth[20:]), np.array(lateral[20:]), mean


@pytest.mark.parametrize('dt', [1 / 30, 1 / 10])
@pytest.mark.parametrize('speed', [[1.3, 0, -0.3], [-1.0, 0, 0.8], [0, 0, 0]], ids=str)
def test_filter_follows_the_picture_and_smooths_the_distance_without_bias(speed, dt):
    rng = np.random.default_rng(3)
    truth = np.array([-2.0, 0.2, 12.0])
    raw, smooth, lateral, mean = follow(rng, truth, speed, 120, dt, noise=0.05)
    assert np.std(np.diff(smooth)) < 0.5 * np.std(np.diff(raw))
    assert abs(np.mean(smooth)) < 0.02  # thin ellipsoids in space would pull it by 10 %
    assert lateral.max() < 4.5  # pixels, of a person 160 px tall
    velocity, _ = motion.velocities(mean, np.zeros((1, 6, 6)))
    np.testing.assert_allclose(velocity[0], speed, atol=0.6)


def test_transform_turns_positions_and_velocities():
    mean, covariance = some_state(3)
    R = rotvec_to_rotmat([0.1, -0.2, 0.05])
    turned, spread = motion.transform(mean, covariance, R)
    before, after = cartesian(mean), cartesian(turned)
    np.testing.assert_allclose(after[:, :3], before[:, :3] @ R.T, atol=1e-9)
    np.testing.assert_allclose(after[:, 3:], before[:, 3:] @ R.T, atol=1e-9)
    back, same = motion.transform(turned, spread, R.T)
    np.testing.assert_allclose(back, mean, atol=1e-12)
    np.testing.assert_allclose(same, covariance, atol=1e-12)


def test_covariances_in_space_agree_with_samples():
    rng = np.random.default_rng(0)
    mean, covariance = some_state(1)
    covariance *= 0.05
    samples = rng.multivariate_normal(mean[0], covariance[0], 40000)
    state = cartesian(samples)
    np.testing.assert_allclose(
        motion.position_covariances(mean, covariance)[0],
        np.cov(state[:, :3].T),
        rtol=0.1,
        atol=2e-3,
    )
    velocity, spread = motion.velocities(mean, covariance)
    np.testing.assert_allclose(velocity[0], cartesian(mean)[0, 3:])
    np.testing.assert_allclose(spread[0], np.cov(state[:, 3:].T), rtol=0.1, atol=2e-3)


def test_places_are_projections():
    mean, covariance = some_state(4)
    uv, spread = motion.places(mean, covariance, K)
    np.testing.assert_allclose(uv, project(motion.positions(mean), K))
    linear = K[:2, :2]
    np.testing.assert_allclose(spread[1], linear @ covariance[1, :2, :2] @ linear.T)
