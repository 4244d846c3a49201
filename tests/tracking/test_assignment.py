# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
import itertools

from anny_ros.tracking.assignment import (
    assign,
    assign_in_turn,
    geometric_costs,
    LIMIT,
    newness,
    overlap,
    pair_confidence,
    PLACE_STDDEV,
    SizeScale,
    squared_size_distances,
)
from anny_ros.tracking.candidates import Candidates, NOWHERE
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest


def candidates(places, height=100.0, stddev=3.0, distance=10.0, stature=1.7, unseen=0.0):
    places = np.asarray(places, np.float64).reshape(-1, 2)
    num = len(places)
    half = np.array([15.0, 50.0]) * height / 100.0
    return Candidates(
        place=places,
        place_covariance=np.tile(stddev**2 * np.eye(2), (num, 1, 1)),
        box=np.concatenate([places - half, places + half], axis=1),
        sizes=np.tile(np.log([distance, stature]), (num, 1)),
        size_covariance=np.tile(np.diag([0.05**2, 0.05**2]), (num, 1, 1)),
        unseen=np.full(num, unseen),
    )


def cost(track, person):
    return geometric_costs(track, person)[0, 0]


HERE = [[300.0, 200.0]]


def test_a_perfect_pair_is_well_below_the_limit():
    assert cost(candidates(HERE), candidates(HERE)) < LIMIT - 5


def test_the_place_in_the_picture_rejects():
    track = candidates(HERE)
    costs = geometric_costs(track, candidates([[300 + d, 200] for d in (0, 10, 20, 80)]))[0]
    assert (np.diff(costs[:3]) > 0).all()
    assert costs[2] < LIMIT
    assert np.isinf(costs[3])


def test_distance_and_stature_alone_never_reject():
    wild = squared_size_distances(candidates(HERE), candidates(HERE, distance=30.0, stature=1.0))
    alone = cost(candidates(HERE), candidates(HERE))
    assert alone < alone + SizeScale().costs(wild)[0, 0] < LIMIT


def test_the_gate_grows_with_uncertainty_and_person():
    far, farther = [[340.0, 200.0]], [[400.0, 200.0]]
    assert cost(candidates(HERE), candidates(far)) > LIMIT
    assert np.isinf(cost(candidates(HERE), candidates(farther)))
    assert np.isfinite(cost(candidates(HERE, stddev=30.0), candidates(farther)))
    tall = candidates(HERE, height=300.0)
    assert cost(tall, candidates(far, height=300.0)) < LIMIT


def test_somebody_who_turns_on_the_spot_is_not_lost():
    track = candidates(HERE)
    moved = [cost(track, candidates([[300.0 + d, 200.0]])) for d in (0.0, 10.0, 20.0, 30.0)]
    assert (np.diff(moved) > 0).all()
    spread = 2 * 3.0**2 + (PLACE_STDDEV * 100.0) ** 2
    assert moved[3] - moved[0] < 0.5 * 30.0**2 / spread  # what a Gaussian alone would take
    assert moved[3] < LIMIT


def test_a_vague_track_does_not_outbid_a_sharp_one():
    sharp, vague = candidates(HERE), candidates(HERE, stddev=60.0, unseen=1.0)
    assert cost(sharp, candidates([[305.0, 200.0]])) < cost(vague, candidates([[305.0, 200.0]]))


def test_who_is_behind_the_picture_is_not_found_in_it():
    gone = candidates([[NOWHERE, NOWHERE]])
    assert np.isinf(cost(gone, candidates(HERE)))


def test_squared_size_distances_by_hand():
    track, person = candidates(HERE), candidates(HERE, distance=10.5, stature=1.65)
    squared = (np.log(1.05) ** 2 + np.log(1.65 / 1.7) ** 2) / (2 * 0.05**2)
    assert squared_size_distances(track, person)[0, 0] == pytest.approx(squared)
    oblique = np.array([[0.01, 0.004], [0.004, 0.02]])
    track = replace(track, size_covariance=oblique[None])
    person = replace(person, size_covariance=oblique[None])
    offset = np.log([1.05, 1.65 / 1.7])
    expected = offset @ np.linalg.inv(2 * oblique) @ offset
    assert squared_size_distances(track, person)[0, 0] == pytest.approx(expected)


def test_sizes_cost_what_is_typical_nothing_and_are_bounded():
    scale = SizeScale()
    costs = scale.costs(np.array([[0.0, 2.0, 8.0, 1e6]]))[0]
    assert costs[1] == pytest.approx(0.0)
    assert (np.diff(costs) > 0).all()
    assert costs[3] == SizeScale.WEIGHT * (0.5 * SizeScale.CAP - 1)


def test_an_estimator_that_jitters_more_than_it_says_is_believed_less():
    rng = np.random.default_rng(0)
    scale = SizeScale()
    for _ in range(100):
        scale.learn(3.0**2 * rng.chisquare(2, size=5))
    assert scale.costs(np.array([[18.0]]))[0, 0] < 1.0
    for _ in range(400):
        scale.learn(rng.chisquare(2, size=5))
    assert scale.costs(np.array([[18.0]]))[0, 0] > 4.0
    scale.learn(np.zeros(0))


@pytest.mark.parametrize(('num_tracks', 'num_people'), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_any_numbers(num_tracks, num_people):
    costs = geometric_costs(
        candidates(np.zeros((num_tracks, 2))), candidates(np.zeros((num_people, 2)))
    )
    assert costs.shape == (num_tracks, num_people)
    rows, columns = assign(costs)
    assert len(rows) == len(columns) == min(num_tracks, num_people)
    assert newness(costs).shape == (num_people,)


def test_overlap_by_hand():
    boxes = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [1, 1, 1, 1]])
    expected = [[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(overlap(boxes, boxes), expected)


def brute_force(costs, limit):
    num_tracks, num_people = costs.shape
    best = 0.0
    for size in range(1, min(num_tracks, num_people) + 1):
        for rows in itertools.combinations(range(num_tracks), size):
            for columns in itertools.permutations(range(num_people), size):
                best = min(
                    best, sum(costs[r, c] - limit for r, c in zip(rows, columns, strict=True))
                )
    return best


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.one_of(st.floats(-5, 20), st.just(np.inf)),
    )
)
def test_assign_is_optimal(costs):
    rows, columns = assign(costs, 8.0)
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    assert (costs[rows, columns] < 8.0).all()
    total = (costs[rows, columns] - 8.0).sum()
    assert total == pytest.approx(brute_force(costs, 8.0), abs=1e-9)


def test_confidence_against_rivals():
    rows = columns = np.array([0])
    alone = pair_confidence(np.array([[0.0]]), rows, columns)
    assert alone[0] > 0.999
    rival_track = pair_confidence(np.array([[0.0], [0.0]]), rows, columns)
    rival_person = pair_confidence(np.array([[0.0, 0.0]]), rows, columns)
    assert rival_track[0] == pytest.approx(0.5, abs=1e-3)
    assert rival_person[0] == pytest.approx(0.5, abs=1e-3)
    assert pair_confidence(np.array([[LIMIT]]), rows, columns)[0] == pytest.approx(0.5)


def test_newness():
    assert newness(np.full((2, 1), np.inf))[0] == pytest.approx(1.0)
    assert newness(np.array([[LIMIT]]))[0] == pytest.approx(0.5)
    np.testing.assert_allclose(newness(np.zeros((0, 2))), 1.0)


def test_a_double_takes_what_is_left():
    costs = np.array([[1.0, 0.5], [np.inf, 2.0]])
    later = np.array([False, True])
    rows, columns = assign_in_turn(costs, later)
    assert rows.tolist() == [0, 1]
    assert columns.tolist() == [0, 1]
    # Without its own track the surer find comes first, though the double costs less.
    rows, columns = assign_in_turn(costs[:1], later)
    assert (rows.tolist(), columns.tolist()) == ([0], [0])
    rows, columns = assign_in_turn(costs, np.array([False, False]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [0, 1])
