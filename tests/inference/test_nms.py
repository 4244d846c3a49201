# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.inference.nms import body_nms, distance_nms, merge_views
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest


def at(*x):
    return np.stack([x, np.zeros(len(x)), np.full(len(x), 3.0)], axis=1).astype(np.float32)


def test_nobody():
    assert distance_nms(np.zeros((0, 3)), np.zeros(0), 0.25).tolist() == []
    nobody = (np.zeros((0, 3)), np.zeros((0, 17, 2)), np.zeros((0, 4)), np.zeros(0))
    for empty in (body_nms(*nobody, 0.25), merge_views(*nobody, np.zeros(0, int), np.zeros(0))):
        assert empty.tolist() == []
        assert empty.dtype == np.intp


def test_one_person_stays():
    assert distance_nms(at(0), np.array([0.5]), 0.25).tolist() == [0]


def test_the_more_certain_of_two_stays():
    assert distance_nms(at(0, 0.2), np.array([0.5, 0.9]), 0.25).tolist() == [1]


def test_exactly_the_distance_is_far_enough():
    assert distance_nms(at(0, 0.25), np.array([0.9, 0.5]), 0.25).tolist() == [0, 1]


def test_order_is_falling_score_and_ties_keep_theirs():
    score = np.array([0.5, 0.9, 0.5, 0.7])
    assert distance_nms(at(0, 1, 2, 3), score, 0.25).tolist() == [1, 3, 0, 2]


def test_a_dropped_person_drops_nobody():
    """A chain: the middle one goes, so its neighbour on the far side stays."""
    assert distance_nms(at(0, 0.2, 0.4), np.array([0.9, 0.8, 0.7]), 0.25).tolist() == [0, 2]


def test_distance_counts_all_three_axes():
    positions = np.float32([[0, 0, 3], [0.2, 0.0, 3.2], [0.1, 0.1, 3.1]])
    assert distance_nms(positions, np.array([0.9, 0.8, 0.1]), 0.25).tolist() == [0, 1]


def test_distance_zero_keeps_all():
    assert distance_nms(at(0, 0, 0), np.array([0.9, 0.8, 0.7]), 0.0).tolist() == [0, 1, 2]


def slow_nms(positions, score, distance):
    kept = []
    for row in sorted(range(len(score)), key=lambda r: (-score[r], r)):
        near = [np.sqrt(sum((positions[row] - positions[k]) ** 2)) < distance for k in kept]
        if not any(near):
            kept.append(row)
    return kept


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_equals_the_plain_loop(num_people, seed):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 1, (num_people, 3))
    score = rng.integers(0, 5, num_people) / 5
    met = distance_nms(positions, score, 0.4).tolist()
    assert met == slow_nms(positions, score, 0.4)


@pytest.fixture
def body():
    """Keypoints (17, 2) of somebody 200 pixels tall, and the box."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform((0, 0), (80, 200), (17, 2))
    return keypoints, np.concatenate([keypoints.min(0), keypoints.max(0)])


def pair(body, shift=(0.0, 0.0), noise=0.0, depth=3.5):
    """Positions, keypoints, boxes and scores of two people, one 3 m away."""
    keypoints, box = body
    rng = np.random.default_rng(1)
    other = keypoints + shift + rng.normal(0, noise, (17, 2)) if noise else keypoints + shift
    return (
        np.array([[0, 0, 3.0], [0, 0, depth]]),
        np.stack([keypoints, other]),
        np.stack([box, box + np.tile(shift, 2)]),
        np.array([0.6, 0.8]),
    )


def test_doubles_along_a_ray_are_one(body):
    """Half a metre apart in depth passes the distance test; the picture tells."""
    assert body_nms(*pair(body, noise=4.0), 0.25).tolist() == [1]


def test_neighbours_are_two(body):
    assert body_nms(*pair(body, shift=(40.0, 0.0)), 0.25).tolist() == [1, 0]


def test_a_child_before_an_adult_is_two(body):
    assert body_nms(*pair(body, noise=2.0, depth=5.0), 0.25).tolist() == [1, 0]


def test_at_one_place_doubles_may_differ_more(body):
    assert body_nms(*pair(body, noise=12.0), 0.25).tolist() == [1, 0]
    assert body_nms(*pair(body, noise=12.0, depth=3.2), 0.25).tolist() == [1]


def test_at_one_place_different_bodies_are_two(body):
    """As the published rule has it, they would be one."""
    positions, keypoints, boxes, score = pair(body, depth=3.2)
    keypoints[1, :, 0] = 80 - keypoints[1, :, 0]  # turned around
    assert body_nms(positions, keypoints, boxes, score, 0.25).tolist() == [1, 0]
    assert distance_nms(positions, score, 0.25).tolist() == [1]


@pytest.mark.parametrize('scale', [0.1, 1.0, 5.0])
def test_the_bound_scales_with_the_person(body, scale):
    positions, keypoints, boxes, score = pair(body, shift=(8.0, 8.0))
    assert body_nms(positions, scale * keypoints, scale * boxes, score, 0.25).tolist() == [1]
    positions, keypoints, boxes, score = pair(body, shift=(14.0, 14.0))
    assert body_nms(positions, scale * keypoints, scale * boxes, score, 0.25).tolist() == [1, 0]


def test_without_a_projection_the_place_decides(body):
    positions, keypoints, boxes, score = pair(body)
    keypoints[1] = np.nan
    assert body_nms(positions, keypoints, boxes, score, 0.25).tolist() == [1, 0]
    positions[1, 2] = 3.2
    assert body_nms(positions, keypoints, boxes, score, 0.25).tolist() == [1]


def seen_twice(body, shifts, scores, views, blur=3.0):
    """People 3 m away, each shifted in the picture, in one of some views."""
    keypoints, box = body
    shifts = np.stack([shifts, np.zeros(len(shifts))], 1)
    return (
        np.tile([0, 0, 3.0], (len(shifts), 1)),
        keypoints + shifts[:, None],
        box + np.tile(shifts, 2),
        np.array(scores),
        np.array(views),
        np.full(len(shifts), blur),
    )


def test_one_person_in_two_views_is_the_one_of_the_earlier(body):
    assert merge_views(*seen_twice(body, [0, 5], [0.6, 0.8], [0, 1])).tolist() == [0]
    assert merge_views(*seen_twice(body, [0, 5], [0.8, 0.6], [1, 0])).tolist() == [1]
    assert merge_views(*seen_twice(body, [0, 5], [0.6, 0.8], [1, 2])).tolist() == [0]
    assert merge_views(*seen_twice(body, [0, 40], [0.6, 0.8], [0, 1])).tolist() == [1, 0]


def test_what_blurs_may_be_farther_apart(body):
    assert merge_views(*seen_twice(body, [0, 25], [0.6, 0.8], [0, 1])).tolist() == [1, 0]
    assert merge_views(*seen_twice(body, [0, 25], [0.6, 0.8], [0, 1], blur=12)).tolist() == [0]


def test_within_a_view_everybody_is_somebody_else(body):
    assert merge_views(*seen_twice(body, [0, 5], [0.6, 0.8], [1, 1])).tolist() == [1, 0]


@pytest.mark.parametrize('scores', [[0.9, 0.8, 0.7, 0.6], [0.6, 0.7, 0.8, 0.9]])
@pytest.mark.parametrize('views', [[0, 0, 1, 1], [1, 1, 2, 2]])
def test_two_close_people_in_two_views_are_two(body, scores, views):
    """Each is nearer to the other in the other view than the bound; the nearest is taken."""
    rows = merge_views(*seen_twice(body, [0, 9, 1, 10], scores, views))
    assert rows.tolist() == ([0, 1] if scores[0] == 0.9 else [1, 0])


def test_somebody_whom_one_view_missed_is_added(body):
    rows = merge_views(*seen_twice(body, [0, 1, 10], [0.7, 0.8, 0.9], [0, 1, 1]))
    assert rows.tolist() == [2, 0]


def test_three_views_of_one_person_are_one(body):
    rows = merge_views(*seen_twice(body, [0, 2, 4], [0.7, 0.9, 0.8], [1, 2, 3]))
    assert rows.tolist() == [0]


def test_faces_at_one_place_are_one_person_at_whatever_distance(body):
    """Whoever is cut off by a window's edge may be taken for somebody small and far."""
    positions, keypoints, boxes, score, view, blur = seen_twice(body, [0, 0], [0.6, 0.9], [0, 1])
    face = keypoints[1, :5].mean(axis=0)
    keypoints[1] = face + 0.4 * (keypoints[1] - face)
    positions[1, 2] = 8.0
    assert merge_views(positions, keypoints, boxes, score, view, blur).tolist() == [0]
    keypoints[1] += 40
    assert merge_views(positions, keypoints, boxes, score, view, blur).tolist() == [1, 0]
