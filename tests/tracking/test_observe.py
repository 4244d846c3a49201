# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.tracking.observe import picture_weights, resized
import numpy as np
import pytest

TWO = [[0.5, 0.2, 5.0], [-1.0, 0.1, 9.0]]


def test_another_stature_covers_the_same_pixels(people_at):
    people = people_at(TWO, stature=[1.5, 1.8])
    taller = resized(people, np.log([1.65, 1.8]))
    np.testing.assert_allclose(taller.position[0], 1.1 * people.position[0], rtol=1e-5)
    np.testing.assert_array_equal(taller.position[1], people.position[1])
    np.testing.assert_allclose(
        taller.joint_positions[0], 1.1 * people.joint_positions[0], rtol=1e-5
    )
    np.testing.assert_array_equal(taller.keypoints_2d, people.keypoints_2d)
    np.testing.assert_array_equal(taller.bbox, people.bbox)


@pytest.mark.parametrize('stature', [np.nan, 0.0, -1.0])
def test_bodies_of_unknown_stature_stay(people_at, stature):
    people = people_at(TWO, stature=stature)
    np.testing.assert_array_equal(resized(people, np.zeros(2)).position, people.position)


def test_who_is_hidden_says_little_about_the_shape(people_at):
    people = people_at(TWO, score=0.8)
    hidden = np.ones((2, 17))
    hidden[1, 5:] = 0.0
    weights = picture_weights(replace(people, keypoint_confidences=hidden))
    np.testing.assert_allclose(weights, [0.8, 0.01], rtol=1e-5)
    broken = np.full((2, 17), np.nan)
    weights = picture_weights(replace(people, keypoint_confidences=broken))
    np.testing.assert_allclose(weights, 0.01)
