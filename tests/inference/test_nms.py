# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.inference.nms import distance_nms, image_nms
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest


def at(*x):
    return np.stack([x, np.zeros(len(x)), np.full(len(x), 3.0)], axis=1).astype(np.float32)


def test_nobody():
    assert distance_nms(np.zeros((0, 3)), np.zeros(0), 0.25).tolist() == []
    empty = image_nms(np.zeros((0, 17, 2)), np.zeros((0, 4)), np.zeros(0), np.zeros(0))
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


def pair(body, shift=(0.0, 0.0), noise=0.0, depth=3.0):
    keypoints, box = body
    rng = np.random.default_rng(1)
    other = keypoints + shift + rng.normal(0, noise, (17, 2)) if noise else keypoints + shift
    return (
        np.stack([keypoints, other]),
        np.stack([box, box + np.tile(shift, 2)]),
        np.array([3.0, depth]),
        np.array([0.6, 0.8]),
    )


def test_doubles_along_a_ray_are_one(body):
    """Half a metre apart in depth passes the distance test; the picture tells."""
    assert image_nms(*pair(body, noise=4.0, depth=3.5)).tolist() == [1]


def test_neighbours_are_two(body):
    assert image_nms(*pair(body, shift=(40.0, 0.0))).tolist() == [1, 0]


def test_a_child_before_an_adult_is_two(body):
    assert image_nms(*pair(body, noise=2.0, depth=5.0)).tolist() == [1, 0]


@pytest.mark.parametrize('scale', [0.1, 1.0, 5.0])
def test_the_bound_scales_with_the_person(body, scale):
    keypoints, boxes, depth, score = pair(body, shift=(8.0, 8.0))
    assert image_nms(scale * keypoints, scale * boxes, depth, score).tolist() == [1]
    keypoints, boxes, depth, score = pair(body, shift=(14.0, 14.0))
    assert image_nms(scale * keypoints, scale * boxes, depth, score).tolist() == [1, 0]


def test_people_without_a_projection_stay(body):
    keypoints, boxes, depth, score = pair(body)
    keypoints[1] = np.nan
    assert image_nms(keypoints, boxes, depth, score).tolist() == [1, 0]
