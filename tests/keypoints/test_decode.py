# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.keypoints.decode import decode_people, Heads, People
from anny_ros.keypoints.hints import NUM_HINTS
import numpy as np
import pytest

ROWS, COLUMNS = 24, 32


def empty_heads(batch=1):
    def zeros(channels):
        return np.zeros((batch, channels, ROWS, COLUMNS), np.float32)

    hints = np.zeros((batch, NUM_HINTS, ROWS // 8, COLUMNS // 8), np.float32)
    return Heads(zeros(1), zeros(2), zeros(2), zeros(34), zeros(17), zeros(34), hints)


def add_person(heads, picture, row, column, heat, size=(12.0, 5.0)):
    """A person whose keypoint k is regressed to (k - 8, k % 3 - 1) cells from the centre."""
    heads.centre_heat[picture, 0, row, column] = heat
    heads.box_size[picture, :, row, column] = size
    for k in range(17):
        heads.regressed[picture, 2 * k : 2 * k + 2, row, column] = ((k - 8) / 2, k % 3 - 1)


def test_nobody():
    people = decode_people(empty_heads(), 0.1)
    assert len(people) == 0
    assert people.keypoints.shape == (0, 17, 2)
    assert people.box.shape == (0, 4)
    assert people.hints.shape == People.nobody().hints.shape == (0, NUM_HINTS)


def test_a_person_by_hand():
    heads = empty_heads()
    add_person(heads, 0, 10, 12, 0.8)
    heads.centre_offset[0, :, 10, 12] = (0.5, -0.25)
    # The nose is warm one cell right of where it is regressed (6, 11), and half a cell lower.
    heads.keypoint_heat[0, 0, 6, 12] = 0.9
    heads.keypoint_offset[0, 0:2, 6, 12] = (0.5, 0.0)
    people = decode_people(heads, 0.1)
    assert len(people) == 1
    assert people.centre_heat[0] == pytest.approx(0.8)
    # Cells of 4 pixels; the first one is a quarter pixel before the first pixel's centre.
    np.testing.assert_allclose(people.keypoints[0, 0], [12 * 4 - 0.25, 6.5 * 4 - 0.25])
    middle = np.array([(12 - 0.25) * 4 - 0.25, (10 + 0.5) * 4 - 0.25])
    np.testing.assert_allclose(people.box[0, :2], middle - [10, 24])
    np.testing.assert_allclose(people.box[0, 2:], [middle[0] + 10, middle[1] + 24])
    # Spread: the least, 1.5 cells; one cell away.
    assert people.confidences[0, 0] == pytest.approx(0.9 * np.exp(-0.5 / 1.5**2), rel=1e-5)


def test_a_keypoint_without_heat_stays_where_it_is_regressed():
    heads = empty_heads()
    add_person(heads, 0, 10, 12, 0.8)
    people = decode_people(heads, 0.1)
    assert (people.confidences == 0).all()
    expected = [[(12 + k % 3 - 1) * 4 - 0.25, (10 + (k - 8) / 2) * 4 - 0.25] for k in range(17)]
    np.testing.assert_allclose(people.keypoints[0], expected)


def test_each_person_takes_the_near_peak():
    heads = empty_heads()
    add_person(heads, 0, 10, 6, 0.9)
    add_person(heads, 0, 10, 16, 0.7)
    heads.keypoint_heat[0, 0, 6, 5] = 0.5
    heads.keypoint_heat[0, 0, 6, 15] = 0.9
    people = decode_people(heads, 0.1)
    np.testing.assert_allclose(people.keypoints[:, 0, 0], [5 * 4 - 0.25, 15 * 4 - 0.25])
    np.testing.assert_allclose(people.confidences[:, 0], [0.5, 0.9], rtol=1e-5)


def test_more_than_six_and_a_batch():
    heads = empty_heads(batch=3)
    for index in range(9):
        add_person(heads, 0, 3 + 9 * (index // 5), 3 + 6 * (index % 5), 0.3 + 0.05 * index)
    add_person(heads, 2, 12, 12, 0.5)
    people = decode_people(heads, 0.1)
    np.testing.assert_array_equal(people.picture, [0] * 9 + [2])
    assert (np.diff(people.centre_heat[:9]) < 0).all()


def test_only_the_highest_of_neighbours_counts():
    heads = empty_heads()
    add_person(heads, 0, 10, 10, 0.8)
    add_person(heads, 0, 11, 12, 0.7)
    assert len(decode_people(heads, 0.1)) == 1


@pytest.mark.parametrize('place', [(0, 0), (ROWS - 1, COLUMNS - 1), (0, COLUMNS - 1)], ids=str)
def test_people_at_the_border_reach_beyond_it(place):
    heads = empty_heads()
    heads.keypoint_heat[:] = 0.5
    add_person(heads, 0, *place, 0.8)
    people = decode_people(heads, 0.1)
    assert len(people) == 1
    assert np.isfinite(people.keypoints).all()
    assert (people.confidences <= 0.5).all()


def test_mapping_and_rows():
    heads = empty_heads()
    add_person(heads, 0, 10, 6, 0.9)
    add_person(heads, 0, 10, 16, 0.7)
    people = decode_people(heads, 0.1)
    moved = people.mapped(np.array([2.0, 3.0]), np.array([10.0, -5.0]))
    np.testing.assert_allclose(moved.keypoints, people.keypoints * [2, 3] + [10, -5], rtol=1e-5)
    np.testing.assert_allclose(moved.box, people.box * [2, 3, 2, 3] + [10, -5, 10, -5], rtol=1e-5)
    each = people.mapped(np.array([[1.0, 1.0], [2.0, 2.0]]), np.zeros((2, 2)))
    np.testing.assert_allclose(each.keypoints[1], people.keypoints[1] * 2)
    np.testing.assert_allclose(each.keypoints[0], people.keypoints[0])
    assert len(people[people.centre_heat > 0.8]) == 1
    both = People.concatenate([people[:1], People.nobody(), people[1:]])
    np.testing.assert_array_equal(both.keypoints, people.keypoints)


def test_hints_are_unknown_until_somebody_looks_and_stay_with_their_person():
    heads = empty_heads()
    add_person(heads, 0, 10, 6, 0.9)
    add_person(heads, 0, 10, 16, 0.7)
    people = decode_people(heads, 0.1)
    assert people.hints.shape == (2, NUM_HINTS)
    assert np.isnan(people.hints).all()
    hints = np.arange(2 * NUM_HINTS, dtype=np.float32).reshape(2, -1)
    people = replace(people, hints=hints)
    moved = people.mapped(np.array([2.0, 3.0]), np.array([10.0, -5.0]))
    np.testing.assert_array_equal(moved.hints, hints)
    back = People.concatenate([people[1:], People.nobody(), people[:1]])
    np.testing.assert_array_equal(back.hints, hints[::-1])
