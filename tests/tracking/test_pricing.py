# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import Tracker
from anny_ros.tracking.appearance import normalised
from anny_ros.tracking.measurement import measure
from anny_ros.tracking.pricing import (
    Arrivals,
    at_the_edge,
    ENTERING_COST,
    LOW_SCORE_COST,
    Pricing,
    SHADOW_COST,
)
import numpy as np
import pytest

DT = 1 / 15
PLACE = np.array([[0.0, 0.0, 8.0]])
LOOK = np.eye(4)[:1]


def priced(people_at, people, unseen=0, place=PLACE):
    """Prices of people for the track of somebody who stood somewhere and was then not seen."""
    tracker = Tracker(TrackingParameters(birth_score=0.4, confirm_time=0.2), seed=0)
    for i in range(10):
        tracker.update(people_at(place, i * DT, appearance=LOOK))
    for i in range(10, 10 + unseen):
        tracker.update(people_at(place[:0], i * DT, appearance=LOOK[:0]))
    stamp = tracker._stamp + DT
    people = replace(people, stamp=stamp)
    measured = measure(
        people.position, people.position_covariance, people.stature, people.stature_stddev
    )
    tracks = tracker._predicted(tracker._tracks, people, None)
    return Pricing().price(
        tracks, people, measured, normalised(people.appearance), tracker._stamp, tracker.parameters
    )


def test_looks_and_size_count(people_at):
    same = priced(people_at, people_at(PLACE, appearance=LOOK))
    other = priced(people_at, people_at(PLACE, appearance=np.eye(4)[1:2]))
    assert same.costs[0, 0] < other.costs[0, 0]
    child = priced(people_at, people_at(PLACE, appearance=LOOK, stature=1.1))
    assert same.costs[0, 0] < child.costs[0, 0]
    np.testing.assert_allclose(same.similarity, 1.0, atol=1e-6)


def test_low_scores_cost_and_bring_nobody_back(people_at):
    good, low = (people_at(PLACE, appearance=LOOK, score=s) for s in (0.9, 0.2))
    now = [priced(people_at, people).costs[0, 0] for people in (good, low)]
    assert now[1] - now[0] == pytest.approx(LOW_SCORE_COST)
    later = [priced(people_at, people, unseen=12).costs[0, 0] for people in (good, low)]
    assert np.isfinite(later[0])
    assert np.isinf(later[1])


def test_a_double_costs_and_brings_nobody_back(people_at):
    twice = people_at(
        np.concatenate([PLACE, PLACE]), score=[0.9, 0.5], appearance=np.concatenate([LOOK, LOOK])
    )
    now = priced(people_at, twice)
    assert now.shadow.tolist() == [False, True]
    assert now.costs[0, 1] - now.costs[0, 0] == pytest.approx(SHADOW_COST)
    later = priced(people_at, twice, unseen=3)
    assert np.isfinite(later.costs[0, 0])
    assert np.isinf(later.costs[0, 1])


def test_who_hides_within_the_picture_does_not_come_in_at_its_edge(people_at):
    camera = people_at(PLACE).camera
    boxes = np.array([[100.0, 50, 140, 150], [-3, 50, 40, 150], [0, 0, 1, 1], [0, 0, 1, 1]])
    boxes[2] = [camera.width - 41, 50, camera.width - 1, 150]
    boxes[3] = [4.0, 50, 44, 150]  # a twentieth of the height away
    assert at_the_edge(boxes, camera).tolist() == [False, True, True, True]

    # Somebody whose box ends a little before the edge, found a little wider or less wide.
    box = people_at(PLACE).bbox[0]
    gap = 0.05 * (box[3] - box[1]) + 4
    right = (camera.width - 1 - gap - box[2]) * PLACE[0, 2] / camera.K[0, 0]
    place = PLACE + np.array([right, 0.0, 0.0])
    people = people_at(place, appearance=LOOK)
    costs = {}
    for unseen in (0, 8):
        for by in (-6, 6):
            wider = replace(people, bbox=people.bbox + np.array([0, 0, by, 0], np.float32))
            costs[unseen, by] = priced(people_at, wider, unseen, place).costs[0, 0]
    assert costs[0, 6] - costs[0, -6] == pytest.approx(0.0, abs=0.3)
    assert costs[8, 6] - costs[8, -6] == pytest.approx(ENTERING_COST, abs=0.3)


def test_where_few_strangers_come_somebody_known_is_likelier():
    quiet, busy = Arrivals(), Arrivals()
    assert quiet.bonus() == 0.0
    for i in range(300):
        came = np.full(1, i / 15) if i % 5 == 0 else np.zeros(0)
        quiet.learn(np.zeros(0), i / 15, 1 / 15)
        busy.learn(came, i / 15, 1 / 15)
    assert quiet.bonus() > 1.0
    assert busy.bonus() < -0.5
    assert Arrivals.RANGE[0] <= busy.bonus()
    for i in range(300, 30000):
        busy.learn(np.zeros(0), i / 15, 1 / 15)
    assert busy.bonus() == pytest.approx(Arrivals.RANGE[1])


def test_who_is_there_at_first_and_who_came_unseen_are_no_strangers():
    arrivals, empty = Arrivals(), Arrivals()
    for i in range(30):
        arrivals.learn(np.full(5, 0.1) if i == 4 else np.zeros(0), i / 15, 1 / 15)
        empty.learn(np.zeros(0), i / 15, 1 / 15)
    assert arrivals.bonus() == empty.bonus() > 0
    arrivals.learn(np.zeros(0), 1e6, 1e6)
    assert arrivals.bonus() < empty.bonus() + 0.5
