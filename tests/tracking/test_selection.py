# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

from anny_ros.tracking import Tracker
from anny_ros.tracking.selection import Selection, SelectionMode
from anny_ros.types import TrackState
import numpy as np
import pytest

NO_HANDS = np.zeros(9, np.uint8)


@pytest.fixture
def scene(people_at):
    tracker = Tracker()
    for i in range(10):
        scene = tracker.update(people_at([(-1, 0, 3), (0, 0, 4), (1, 0, 5)], stamp=0.1 * i))
    assert (scene.states == TrackState.TRACKED).all()
    return scene


def distance_of(scene):
    return np.linalg.norm(scene.humans.position, axis=1)


def follow(selection, scene, hands=None):
    hands = NO_HANDS[: len(scene)] if hands is None else np.array(hands, np.uint8)
    row = selection.update(scene, distance_of(scene), hands)
    return None if row is None else scene.ids[row]


def only(scene, keep):
    """Take the scene with some of its people."""
    rows = [row for row, name in enumerate(scene.ids) if name in keep]
    arrays = ('track_numbers', 'states', 'identity_confidence', 'age', 'time_since_observed')
    arrays += ('velocity', 'velocity_covariance')
    return replace(
        scene,
        humans=scene.humans[rows],
        ids=tuple(scene.ids[r] for r in rows),
        **{name: getattr(scene, name)[rows] for name in arrays},
    )


def test_nobody_is_followed_at_first(scene):
    assert follow(Selection(), scene) is None


def test_by_id_follows_nobody_else(scene):
    selection = Selection()
    far = scene.ids[int(np.argmax(distance_of(scene)))]
    selection.select(SelectionMode.BY_ID, far)
    assert follow(selection, scene) == far
    others = only(scene, set(scene.ids) - {far})
    assert follow(selection, others) is None
    assert follow(selection, scene) == far


def test_the_nearest_is_kept_when_another_comes_nearer_or_they_are_hidden(scene):
    selection = Selection()
    selection.select(SelectionMode.NEAREST)
    order = [scene.ids[row] for row in np.argsort(distance_of(scene))]
    assert follow(selection, scene) == order[0]
    swapped = replace(scene, humans=scene.humans.moved(np.array([[0, 0, 9.0]] * 3)
                      * (np.array(scene.ids) == order[0])[:, None]))  # fmt: skip
    assert follow(selection, swapped) == order[0]
    hidden = replace(swapped, states=np.full(3, TrackState.OCCLUDED, np.uint8))
    assert follow(selection, hidden) == order[0]
    assert follow(selection, only(scene, set(order[1:]))) == order[1]
    # Whoever comes back does not take it again.
    assert follow(selection, scene) == order[1]


def test_only_somebody_in_view_is_chosen(scene):
    selection = Selection()
    selection.select(SelectionMode.NEAREST)
    states = np.full(3, TrackState.OCCLUDED, np.uint8)
    assert follow(selection, replace(scene, states=states)) is None
    assert follow(selection, replace(scene, states=states * 0)) is None
    states[2] = TrackState.TRACKED
    assert follow(selection, replace(scene, states=states)) == scene.ids[2]


def test_a_raised_hand_is_waited_for_and_need_not_stay_up(scene):
    selection = Selection()
    selection.select(SelectionMode.RAISED_HAND)
    assert follow(selection, scene) is None
    assert follow(selection, scene, [0, 2, 0]) == scene.ids[1]
    assert follow(selection, scene, [1, 0, 0]) == scene.ids[1]
    assert follow(selection, only(scene, {scene.ids[0], scene.ids[2]})) is None
    selection.select(SelectionMode.NOBODY)
    assert follow(selection, scene, [1, 1, 1]) is None
