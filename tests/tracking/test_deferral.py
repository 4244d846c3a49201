# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

from anny_ros.tracking import Tracker
from anny_ros.tracking.deferral import LONGEST, MOST
import numpy as np

DT = 1 / 15
TALL, SHORT = 1.9, 1.6


def met(people_at, *, deceived, after, steps=30, look=None):
    """
    Two people walk towards each other, are hidden for a third of a second and come out again.

    They turned back, while whoever walked on would have passed. The first ``deceived`` pictures
    do not show who is tall; the ``after`` next ones do.
    """
    tracker = Tracker(seed=0)
    statures = np.array([TALL, SHORT])
    for i in range(steps):
        x = 0.3 * (i - steps) * DT
        scene = tracker.update(people_at([[x, 0, 9], [-x, 0, 9]], i * DT, stature=statures))
    start = steps * DT
    for i in range(5):
        tracker.update(people_at(np.zeros((0, 3)), start + i * DT))
    start += 5 * DT
    scenes = [scene]
    for i in range(deceived + after):
        shown = np.full(2, statures.mean()) if i < deceived else statures
        x = 0.12 + 0.3 * i * DT
        scenes.append(
            tracker.update(people_at([[-x, 0, 9], [x, 0, 9]], start + i * DT, stature=shown))
        )
    return tracker, scenes


def left_and_right(scene):
    order = np.argsort(scene.humans.position[:, 0])
    return scene.track_numbers[order].tolist()


def test_two_who_are_taken_for_each_other_are_told_apart_by_what_follows(people_at):
    _, scenes = met(people_at, deceived=1, after=25)
    assert left_and_right(scenes[0]) == [1, 2]
    assert left_and_right(scenes[1]) == [2, 1]  # deceived
    assert left_and_right(scenes[-1]) == [1, 2]
    last = scenes[-1].humans
    statures = last.stature[np.argsort(last.position[:, 0])]
    np.testing.assert_allclose(statures, [TALL, SHORT], atol=0.05)
    seen = [left_and_right(scene) for scene in scenes[1:]]
    assert sum(a != b for a, b in pairwise(seen)) == 1


def test_evidence_that_does_not_turn_changes_nothing(people_at):
    _, scenes = met(people_at, deceived=26, after=0)
    assert {tuple(left_and_right(scene)) for scene in scenes[1:]} == {(2, 1)}


def test_readings_are_kept_until_it_is_clear_and_no_longer(people_at):
    tracker, _ = met(people_at, deceived=1, after=0)
    assert tracker._deferral.tracks.numbers.tolist() == [1, 2]
    tracker, _ = met(people_at, deceived=2 + round(LONGEST / DT), after=0)
    assert len(tracker._deferral.tracks) == 0
    tracker, _ = met(people_at, deceived=1, after=0)
    stamp = tracker._stamp
    for i in range(5):  # who is not seen is no evidence
        tracker.update(people_at(np.zeros((0, 3)), stamp + i * DT))
    assert tracker._deferral.tracks.numbers.tolist() == [1, 2]
    tracker.update(people_at(np.zeros((0, 3)), stamp + 60.0))
    assert len(tracker._deferral.tracks) == 0


def test_no_more_readings_than_fit_and_each_person_in_one(people_at):
    tracker = Tracker(seed=0)
    places = np.array([[0.9 * i - 5.4 + 0.12 * (-1) ** i, 0, 12] for i in range(12)])
    for i in range(20):
        x = 0.33 * (20 - i) * DT * np.tile([-1, 1], 6)[:, None] * [1, 0, 0]
        tracker.update(people_at(places + x, i * DT))
    for i in range(20, 26):
        tracker.update(people_at(places[:0], i * DT))
    middle = places.reshape(6, 2, 3).mean(axis=1).repeat(2, axis=0)
    tracker.update(people_at(middle + np.tile([[-0.07, 0, 0], [0.07, 0, 0]], (6, 1)), 26 * DT))
    numbers = tracker._deferral.tracks.numbers.tolist()
    assert len(numbers) == 2 * MOST
    assert len(set(numbers)) == len(numbers)
