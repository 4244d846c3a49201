# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.tracking import Tracker
from anny_ros.tracking.prediction import predicted
import numpy as np
import pytest

DT = 1 / 15
SPEED = np.array([0.9, 0.0, -0.4])


def walker(people_at, steps=40):
    tracker = Tracker(seed=0)
    for i in range(steps):
        scene = tracker.update(people_at([[-1.0, 0.1, 8.0] + SPEED * i * DT], i * DT))
    return scene


@pytest.mark.parametrize('horizon', [0.05, 0.3, 1.0])
def test_people_are_where_they_will_be(people_at, horizon):
    scene = walker(people_at)
    later = predicted(scene, scene.stamp + horizon)
    truth = np.array([-1.0, 0.1, 8.0]) + SPEED * (scene.stamp + horizon)
    np.testing.assert_allclose(later.humans.position[0], truth, atol=0.05 + 0.15 * horizon)
    shift = later.humans.position - scene.humans.position
    for name in ('translation', 'head_position', 'ground_position'):
        moved = getattr(later.humans, name) - getattr(scene.humans, name)
        np.testing.assert_allclose(moved, shift, atol=1e-5)
    assert later.stamp == later.humans.stamp == scene.stamp + horizon
    assert later.age[0] == pytest.approx(scene.age[0] + horizon)
    assert later.time_since_observed[0] == pytest.approx(horizon)
    assert later.ids == scene.ids


def test_what_is_farther_ahead_is_less_sure(people_at):
    scene = walker(people_at)
    near, far = (predicted(scene, scene.stamp + h) for h in (0.1, 0.5))
    spreads = [s.humans.position_covariance[0] for s in (scene, near, far)]
    for first, second in ((0, 1), (1, 2)):
        assert (np.linalg.eigvalsh(spreads[second] - spreads[first]) > 0).all()
    grown = far.velocity_covariance[0] - scene.velocity_covariance[0]
    assert (np.linalg.eigvalsh(grown) > 0).all()


def test_no_time_changes_nothing_and_the_past_is_refused(people_at):
    scene = walker(people_at)
    same = predicted(scene, scene.stamp)
    np.testing.assert_array_equal(same.humans.position, scene.humans.position)
    np.testing.assert_array_equal(same.velocity_covariance, scene.velocity_covariance)
    for stamp in (scene.stamp - 0.01, np.nan):
        with pytest.raises(ValueError, match='before'):
            predicted(scene, stamp)


def test_an_empty_scene(people_at):
    scene = Tracker(seed=0).update(people_at([]))
    assert len(predicted(scene, 1.0)) == 0
