# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import project
from anny_ros.tracking import motion, readout
from anny_ros.tracking.correction import correct
from anny_ros.tracking.measurement import measure, WANDER_SHARE
from anny_ros.types import Camera
import numpy as np
import pytest

K = Camera.from_hfov(1.0, 1280, 720).K


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


def test_correct_is_the_textbook_update():
    state = some_state(3)
    measured = measured_at(1.003 * readout.positions(state) + 0.01, stature=1.72)
    got = correct(state, measured, np.full(3, 1e9))
    for i in range(3):
        H = np.zeros((4, 8))
        H[[0, 1, 2, 3], [0, 1, 2, motion.SEEN_STATURE]] = 1.0
        H[2, motion.BIAS] = measured.coupling[i]
        H[3, motion.BIAS] = measured.coupling[i] - 1
        local = state.axes[i] @ measured.position[i]
        seen = np.array([*(local[:2] / local[2]), np.log(local[2]), np.log(1.72)])
        P = state.covariance[i]
        gain = P @ H.T @ np.linalg.inv(H @ P @ H.T + measured.variance[i])
        expected = state.mean[i] + gain @ (seen - H @ state.mean[i])
        np.testing.assert_allclose(got.mean[i], expected, atol=1e-9)
        np.testing.assert_allclose(got.covariance[i], (np.eye(8) - gain @ H) @ P, atol=1e-9)


def test_a_second_look_at_the_same_moment_says_nothing_new():
    state = motion.initiate(measured_at([[0.0, 0.0, 8.0]]))
    again = correct(state, measured_at([[0.0, 0.0, 8.4]]), np.zeros(1))
    assert abs(again.mean[0, 2] - state.mean[0, 2]) < 1e-3
    np.testing.assert_allclose(again.covariance, state.covariance, rtol=1e-3, atol=1e-9)


def test_a_wild_distance_moves_less_than_a_plausible_one():
    start = motion.initiate(measured_at([[0.0, 0.0, 10.0]]))
    share = []
    for jump in (0.03, 0.8):
        measured = measured_at([[0.0, 0.0, 10.0 * np.exp(jump)]], stature=1.7)
        got = correct(start, measured, np.full(1, 1e9))
        share.append((got.mean[0, 2] - start.mean[0, 2]) / jump)
    assert share[1] < 0.6 * share[0]


def test_a_bias_stays_in_the_covariance_however_often_one_looks():
    rng = np.random.default_rng(0)
    state, seen = None, []
    for _ in range(300):
        factor = np.exp(0.06 + 0.03 * rng.normal())
        measured = measured_at([[0.0, 0.0, 8.0 * factor]], stature=1.7 * factor)
        if state is None:
            state = motion.initiate(measured)
        else:
            state = motion.predict(state, 0.1, np.zeros(1))
            state = correct(state, measured, np.full(1, 0.1))
        seen.append(1.7 * factor)
    bias = np.sqrt(1 - WANDER_SHARE) * 0.08
    assert bias < np.sqrt(state.covariance[0, 2, 2]) < 1.25 * bias
    log_stature, variance = readout.statures(state)
    assert np.exp(log_stature[0]) == pytest.approx(np.mean(seen), rel=0.02)
    assert bias < np.sqrt(variance[0]) < 1.1 * bias


@pytest.mark.parametrize('first', ['guessed', 'measured'])
def test_a_measured_distance_teaches_the_stature(first):
    guess = {'positions': [[0.0, 0.0, 8.6]], 'stature': 1.82}
    # Where a distance is measured, the body is scaled to it.
    known = {'positions': [[0.0, 0.0, 8.0]], 'stature': 1.82 * 8.0 / 8.6, 'depth': 0.01,
             'stature_stddev': 0.085}  # fmt: skip
    state = motion.initiate(measured_at(**(guess if first == 'guessed' else known)))
    for _ in range(30):
        for look in (known, guess):
            state = correct(state, measured_at(**look), np.ones(1))
    assert readout.positions(state)[0, 2] == pytest.approx(8.0, rel=0.02)
    assert np.exp(readout.statures(state)[0][0]) == pytest.approx(1.82 * 8.0 / 8.6, rel=0.02)
    assert state.mean[0, motion.BIAS] == pytest.approx(np.log(8.6 / 8.0), abs=0.02)
    for _ in range(10):  # the depth camera loses them: the bias is remembered
        state = correct(state, measured_at(**guess), np.ones(1))
    assert readout.positions(state)[0, 2] == pytest.approx(8.0, rel=0.02)


def test_a_seen_stature_moves_the_distance_with_it():
    state = motion.initiate(measured_at([[0.0, 0.0, 8.0]]))
    for _ in range(20):
        state = correct(state, measured_at([[0.0, 0.0, 8.0]]), np.ones(1))
    taller = measured_at([[0.0, 0.0, 8.8]], stature=1.7 * 1.1)
    after = correct(state, taller, np.ones(1))
    moved = np.log(readout.positions(after)[0, 2] / 8.0)
    assert abs(moved) < 0.02  # it was the stature's error, not a step of a tenth


def follow(rng, truth, speed, steps, dt, noise):
    """Filter a walker; return log distance errors of input and output, and pixel errors."""
    raw, smooth, lateral, state = [], [], [], None
    for _ in range(steps):
        point = truth * np.exp(noise * rng.normal())
        point[:2] += rng.normal(size=2) * point[2] / K[0, 0]
        measured = measured_at(point, depth=0.08, stature=np.nan)
        if state is None:
            state = motion.initiate(measured)
        else:
            state = motion.predict(state, dt, np.zeros(1))
            state = correct(state, measured, np.full(1, dt))
        raw.append(np.log(point[2] / truth[2]))
        smooth.append(np.log(readout.positions(state)[0, 2] / truth[2]))
        lateral.append(np.linalg.norm(readout.places(state, K)[0] - project(truth, K)))
        truth = truth + np.asarray(speed) * dt
    return np.array(raw[40:]), np.array(smooth[40:]), np.array(lateral[40:]), state


@pytest.mark.parametrize('dt', [1 / 30, 1 / 10])
@pytest.mark.parametrize('speed', [[1.3, 0, -0.3], [-1.0, 0, 0.8], [0, 0, 0]], ids=str)
def test_filter_follows_the_picture_and_smooths_the_distance_without_bias(speed, dt):
    rng = np.random.default_rng(3)
    truth = np.array([-2.0, 0.2, 12.0])
    raw, smooth, lateral, state = follow(rng, truth, speed, 150, dt, noise=0.05)
    assert np.std(np.diff(smooth)) < 0.5 * np.std(np.diff(raw))
    assert abs(np.mean(smooth)) < 0.03  # thin ellipsoids in space would pull it by 10 %
    assert lateral.max() < 10.0  # pixels, of a person 160 px tall
    np.testing.assert_allclose(readout.velocities(state)[0][0], speed, atol=0.6)


def test_somebody_who_turns_on_the_spot_is_followed_at_once():
    def turn(share_of_looks):
        state = motion.initiate(measured_at([[-2.0, 0.0, 8.0]]))
        place, speed = np.array([-2.0, 0.0, 8.0]), 1.3
        for i in range(30 + share_of_looks):
            place[0] += 0.1 * (speed if i < 30 else -2.0)
            state = motion.predict(state, 0.1, np.zeros(1))
            state = correct(state, measured_at(place), np.full(1, 0.1))
        return state, place

    state, place = turn(0)
    assert readout.velocities(state)[0][0, 0] == pytest.approx(1.3, abs=0.15)
    state, place = turn(4)
    assert readout.velocities(state)[0][0, 0] == pytest.approx(-2.0, abs=0.5)
    assert readout.positions(state)[0, 0] == pytest.approx(place[0], abs=0.1)


def turning_back(coming, away, speed=1.2, dt=0.125):
    """Distances of somebody who comes straight nearer for so many looks, then goes away."""
    steps = np.r_[np.full(coming, -speed * dt), np.full(away, speed * dt)]
    return 6.0 + np.cumsum(steps)


@pytest.mark.parametrize(
    ('depth', 'most'), [(0.01, 0.003), (0.045, 0.032)], ids=['depth', 'floor']
)
def test_somebody_who_comes_nearer_and_turns_back_is_followed(depth, most):
    state, errors = None, []
    for distance in turning_back(16, 8):
        # What a floor or depth gave: a distance that is sure up to a share, a stature of 4 % more.
        measured = measured_at(
            [[0.0, 0.0, distance]], depth=depth, stature_stddev=1.7 * np.hypot(depth, 0.04)
        )
        if state is None:
            state = motion.initiate(measured)
        else:
            state = motion.predict(state, 0.125, np.zeros(1))
            state = correct(state, measured, np.full(1, 0.125))
        errors.append(np.log(readout.positions(state)[0, 2] / distance))
    errors = np.abs(errors)
    assert errors[:16].max() < 0.02
    assert errors[20:].max() < most, 'half a second after the turn'


def test_the_fit_of_a_body_is_new_in_each_look_and_a_wandering_stature_is_not():
    state = motion.initiate(measured_at([[0.0, 0.0, 8.0]]))
    wandering = measured_at([[0.0, 0.0, 8.4]], stature=1.7 * 1.05)
    moved = measured_at([[0.0, 0.0, 8.4]])

    def share(measured):
        after = correct(state, measured, np.full(1, 0.1))
        return np.log(readout.positions(after)[0, 2] / 8.0) / np.log(1.05)

    assert share(moved) > 1.5 * share(wandering)
