# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.people import affinity, counting, Estimates, match, sizes


def perfect(labels):
    return Estimates(
        labels.bbox,
        labels.keypoints_2d,
        labels.keypoints_3d,
        labels.keypoints_3d[:, 11:13].mean(axis=1),
        labels.stature,
    )


def test_who_counts(make_labels):
    near, far = [0, 0.3, 3.5], [0, 0, 20.0]
    people = make_labels([near, far, near, near], [1, 1, 0.49, 1], [1, 1, 1, 0.4])
    assert sizes(people.bbox)[0] > 80 > sizes(people.bbox)[1]
    assert counting(people).tolist() == [True, False, False, False]


def test_a_box_behind_the_camera_does_not_count(labels):
    boxes = labels.bbox.copy()
    boxes[1] = np.nan
    hidden = replace(labels, bbox=boxes, keypoint_state=np.zeros_like(labels.keypoint_state))
    assert counting(hidden).tolist() == [True, False, True]
    rows, false = match(hidden, perfect(labels))
    assert rows.tolist() == [0, -1, 2]
    assert false.tolist() == [False, True, False]


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_everybody_is_met_in_any_order(labels, order):
    rows, false = match(labels, perfect(labels)[order])
    assert [order[r] for r in rows] == [0, 1, 2]
    assert not false.any()


def test_nobody_found_and_nobody_there(labels):
    rows, false = match(labels, perfect(labels)[:0])
    assert rows.tolist() == [-1, -1, -1]
    assert len(false) == 0
    rows, false = match(labels[:0], perfect(labels))
    assert len(rows) == 0
    assert false.all()


def test_a_double_and_a_find_elsewhere_are_false(labels):
    found = perfect(labels)[[0, 0, 1, 2, 2]]
    found.keypoints_2d[4] += 300
    found.bbox[4] += 300
    rows, false = match(labels, found)
    assert (rows >= 0).all()
    assert false.sum() == 2
    assert false[4]


def test_keypoints_meet_where_boxes_do_not(labels):
    found = perfect(labels)
    thin = replace(found, bbox=np.zeros_like(found.bbox))
    assert (match(labels, thin)[0] == [0, 1, 2]).all()
    off = 0.2 * sizes(labels.bbox)[:, None, None]
    far = replace(thin, keypoints_2d=found.keypoints_2d + np.array([1.0, 0.0]) * off)
    assert (match(labels, far)[0] == -1).all()


def test_boxes_meet_where_keypoints_do_not(labels):
    found = perfect(labels)
    astray = replace(found, keypoints_2d=found.keypoints_2d + 1000)
    assert (match(labels, astray)[0] == [0, 1, 2]).all()
    assert affinity(labels, astray)[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_who_counts_chooses_before_who_is_hidden(make_labels):
    # The hidden one fits the only find better, but must not take it.
    people = make_labels([[0, 0.3, 3.5], [0.05, 0.3, 3.5]], [1.0, 0.1])
    rows, false = match(people, perfect(people)[1:])
    assert rows.tolist() == [0, -1]
    assert not false.any()
    # With a find for each, the hidden one's is not false.
    rows, false = match(people, perfect(people))
    assert (rows >= 0).all()
    assert not false.any()
