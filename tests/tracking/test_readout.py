# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import project
from anny_ros.tracking import motion, readout
from anny_ros.tracking.measurement import measure
from anny_ros.types import Camera
import numpy as np

K = Camera.from_hfov(1.0, 1280, 720).K


def one_state(position=(-1.5, 0.4, 6.0), seed=0):
    """One person with a small covariance of everything with everything."""
    rng = np.random.default_rng(seed)
    state = motion.initiate(measure([position], [0.1 * np.eye(3)], [1.7], [0.1]))
    state.mean[:, 3:6] = 0.1 * rng.normal(size=3)
    state.mean[:, :2] += 0.02
    root = 0.008 * rng.normal(size=(1, 8, 8))
    return motion.State(state.mean, root @ root.swapaxes(1, 2) + 1e-6 * np.eye(8), state.axes)


def sampled(state, count=60000):
    rng = np.random.default_rng(1)
    mean = rng.multivariate_normal(state.mean[0], state.covariance[0], count)
    axes = np.broadcast_to(state.axes[0], (count, 3, 3))
    return motion.State(mean, np.zeros((count, 8, 8)), axes)


def assert_like(covariance, samples):
    expected = np.cov(samples.T)
    np.testing.assert_allclose(covariance, expected, atol=0.03 * np.abs(expected).max())


def test_covariances_agree_with_samples():
    state = one_state()
    many = sampled(state)
    assert_like(readout.position_covariances(state)[0], readout.positions(many))
    velocity, covariance = readout.velocities(state)
    assert_like(covariance[0], readout.velocities(many)[0])
    np.testing.assert_allclose(velocity[0], readout.velocities(many)[0].mean(axis=0), atol=0.01)
    assert_like(readout.places(state, K)[1][0], readout.places(many, K)[0])
    assert_like(readout.expected_sizes(state)[1][0], readout.expected_sizes(many)[0])
    log_stature, variance = readout.statures(state)
    assert_like(variance[0], readout.statures(many)[0])
    np.testing.assert_allclose(log_stature, state.mean[:, 7] - state.mean[:, 6])


def test_places_are_projections_and_unknown_behind_the_picture():
    front, back = one_state(), one_state((0.5, 0.1, -4.0))
    state = front.joined(back)
    place, spread = readout.places(state, K)
    np.testing.assert_allclose(place[0], project(readout.positions(state)[0], K))
    assert np.isnan(place[1]).all()
    assert np.isfinite(spread[0]).all()


def test_states_can_be_picked_replaced_and_joined():
    state = one_state().joined(one_state((1.0, 0, 9.0)))
    picked = state[np.array([1])]
    np.testing.assert_allclose(readout.positions(picked), readout.positions(state)[1:])
    state[np.array([0])] = picked
    np.testing.assert_allclose(readout.positions(state)[0], readout.positions(state)[1])
    assert len(state) == 2
