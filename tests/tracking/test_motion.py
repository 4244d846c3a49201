# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import project
from anny_ros.tracking import motion
from anny_ros.types import Camera
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest


def some_state(num, seed=0):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(num, 6)) + np.array([0, 0, 8, 0, 0, 0])
    root = rng.normal(size=(num, 6, 6)) * 0.3
    return mean, root @ root.swapaxes(1, 2) + 0.01 * np.eye(6)


def textbook_predict(mean, covariance, dt):
    F = np.eye(6)
    F[:3, 3:] = dt * np.eye(3)
    Q = np.kron([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]], np.eye(3))
    return mean @ F.T, F @ covariance @ F.T + motion.ACCELERATION_DENSITY * Q


@pytest.mark.parametrize('num', [0, 1, 5])
def test_predict_is_the_textbook_constant_velocity(num):
    mean, covariance = some_state(num)
    got = motion.predict(mean, covariance, 0.3, np.zeros(num))
    for a, b in zip(got, textbook_predict(mean, covariance, 0.3), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_predict_over_no_time_changes_nothing():
    mean, covariance = some_state(3)
    for fade in (0.0, 0.5):
        same = motion.predict(mean, covariance, 0.0, np.full(3, fade))
        np.testing.assert_allclose(same[0], mean)
        np.testing.assert_allclose(same[1], covariance)


@given(st.floats(0.001, 5), st.floats(0.001, 5))
def test_two_steps_are_one(first, second):
    mean, covariance = some_state(2)
    fade = np.zeros(2)
    steps = motion.predict(*motion.predict(mean, covariance, first, fade), second, fade)
    once = motion.predict(mean, covariance, first + second, fade)
    for a, b in zip(steps, once, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_fading_walker_stops_after_speed_over_rate():
    mean = np.array([[0.0, 0, 5, 1.0, 0, 0]])
    moved, _ = motion.predict(mean, np.eye(6)[None], 100.0, np.array([0.5]))
    np.testing.assert_allclose(moved[0], [2.0, 0, 5, 0, 0, 0], atol=1e-9)


def test_correct_is_the_textbook_update():
    mean, covariance = some_state(4)
    R = np.broadcast_to(0.2 * np.eye(3), (4, 3, 3))
    z = mean[:, :3] + 0.05
    got_mean, got_covariance = motion.correct(mean, covariance, z, R)
    H = np.eye(3, 6)
    for i in range(4):
        gain = covariance[i] @ H.T @ np.linalg.inv(H @ covariance[i] @ H.T + R[i])
        np.testing.assert_allclose(got_mean[i], mean[i] + gain @ (z[i] - mean[i, :3]))
        expected = (np.eye(6) - gain @ H) @ covariance[i]
        np.testing.assert_allclose(got_covariance[i], expected, atol=1e-10)


def test_a_wild_distance_moves_less_than_a_plausible_one():
    position = np.array([[0.0, 0.0, 10.0]])
    R, _ = motion.measurement_covariance(position, np.diag([1e-4, 1e-4, 0.64])[None])
    mean, covariance = motion.initiate(position, R)
    share = []
    for jump in (1.0, 8.0):
        got, _ = motion.correct(mean, covariance, position + np.array([0, 0, jump]), R)
        share.append((got[0, 2] - 10.0) / jump)
    assert share[1] < 0.6 * share[0]


@pytest.mark.parametrize(
    'covariance',
    [
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
        -np.eye(3),
        np.diag([np.inf] * 3),
        1e9 * np.eye(3),
    ],
    ids=['zero', 'nan', 'negative', 'infinite', 'huge'],
)
def test_measurement_covariance_survives_any_input(covariance):
    position = np.array([[1.0, -0.5, 10.0]])
    R, share = motion.measurement_covariance(position, covariance[None])
    assert np.linalg.eigvalsh(R[0]).min() > 0
    ray = position[0] / np.linalg.norm(position)
    along = ray @ R[0] @ ray
    assert np.sqrt(along) == pytest.approx(share[0] * np.linalg.norm(position))
    across = 0.5 * (np.trace(R[0]) - along)
    assert 0.005 <= np.sqrt(across) <= 0.05


def test_measurement_covariance_keeps_the_distance_of_the_estimator():
    position = np.array([[0.0, 0.0, 10.0]])
    R, share = motion.measurement_covariance(position, np.diag([1e-4, 1e-4, 0.49])[None])
    assert share[0] == pytest.approx(0.07)
    np.testing.assert_allclose(np.sqrt(np.diag(R[0])), [0.01, 0.01, 0.7])


def test_filter_follows_a_walker_in_the_picture_and_smooths_the_distance():
    rng = np.random.default_rng(3)
    K = Camera.from_hfov(1.0, 1280, 720).K
    truth = np.array([[-3.0, 0.2, 12.0]])
    speed = np.array([1.3, 0.0, -0.3])
    mean = covariance = None
    raw, smooth, lateral = [], [], []
    for i in range(120):
        factor = np.exp(0.08 * rng.normal())
        measured = truth * factor
        R, _ = motion.measurement_covariance(measured, 0.64 * np.eye(3)[None])
        if mean is None:
            mean, covariance = motion.initiate(measured, R)
        else:
            mean, covariance = motion.predict(mean, covariance, 1 / 15, np.zeros(1))
            mean, covariance = motion.correct(mean, covariance, measured, R)
        if i > 40:
            raw.append(measured[0, 2] - truth[0, 2])
            smooth.append(mean[0, 2] - truth[0, 2])
            lateral.append(np.linalg.norm(project(mean[0, :3], K) - project(truth[0], K)))
        truth = truth + speed / 15
    assert np.std(smooth) < 0.5 * np.std(raw)
    assert max(lateral) < 4.0  # pixels, of a person 160 px tall
    assert abs(mean[0, 3] - 1.3) < 0.4


def test_transform_moves_position_and_velocity():
    mean, covariance = some_state(2)
    M = np.diag([2.0, 3.0, 0.5])
    got_mean, got_covariance = motion.transform(mean, covariance, M)
    np.testing.assert_allclose(got_mean, mean * [2, 3, 0.5, 2, 3, 0.5])
    np.testing.assert_allclose(got_covariance[:, :3, 3:], M @ covariance[:, :3, 3:] @ M)


def test_projected_covariance_agrees_with_samples():
    rng = np.random.default_rng(0)
    K = Camera.from_hfov(1.0, 1280, 720).K
    mean = np.array([[1.0, -0.5, 10.0, 0, 0, 0]])
    covariance = np.zeros((1, 6, 6))
    covariance[0, :3, :3] = np.diag([0.01, 0.02, 0.04]) + 0.005
    uv, spread = motion.project_uncertain(mean, covariance, K)
    samples = rng.multivariate_normal(mean[0, :3], covariance[0, :3, :3], 20000)
    pixels = project(samples, K)
    np.testing.assert_allclose(uv[0], project(mean[0, :3], K))
    np.testing.assert_allclose(spread[0], np.cov(pixels.T), rtol=0.05, atol=2.0)


def test_distance_alone_does_not_spread_in_the_picture():
    position = np.array([[2.0, 1.0, 10.0]])
    ray = position[0] / np.linalg.norm(position)
    covariance = np.zeros((1, 6, 6))
    covariance[0, :3, :3] = 4.0 * np.outer(ray, ray)
    mean = np.concatenate([position, np.zeros((1, 3))], axis=1)
    _, spread = motion.project_uncertain(mean, covariance, np.diag([900.0, 900.0, 1.0]))
    np.testing.assert_allclose(spread, 0.0, atol=1e-9)


def test_nobody_behind_the_camera_is_projected():
    uv, _ = motion.project_uncertain(np.array([[0, 0, -1.0, 0, 0, 0]]), np.eye(6)[None], np.eye(3))
    assert np.isnan(uv).all()
