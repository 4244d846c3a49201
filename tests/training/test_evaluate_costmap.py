# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

pytest.importorskip('rclpy')

from training.evaluate_costmap import marked_cells, Marks


def test_points_mark_cells_between_floor_and_ceiling_within_range():
    points = np.array(
        [[1.01, 2.02, 1.0], [1.03, 2.04, 0.5], [1.0, 0, 0.01], [1, 0, 2.5], [20, 0, 1]]
    )
    cells = marked_cells(points, np.zeros(3))
    np.testing.assert_allclose(cells, [[1.025, 2.025]])


def test_people_and_cells_are_as_far_apart_as_they_are():
    marks = Marks()
    truth = np.array([[0.0, 0.0], [5.0, 0.0]])
    marks.add(truth, np.array([True, False]), np.array([[0.1, 0.0], [3.0, 0.0]]))
    assert marks.people == pytest.approx([0.1])
    assert marks.cells == pytest.approx([0.1, 2.0])
    assert '100.0 % with a cell' in marks.line()
    assert '50.0 % within' in marks.line()


def test_somebody_whom_no_cell_marks_is_missed():
    marks = Marks()
    marks.add(np.zeros((1, 2)), np.array([True]), np.zeros((0, 2)))
    assert marks.people == [np.inf]
    assert ' 0.0 % with a cell' in marks.line()
