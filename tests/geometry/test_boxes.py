# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.geometry.boxes import overlap
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

corner = st.floats(-100, 100)


def test_known_overlaps():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 5, 10], [20, 20, 30, 30], [10, 0, 0, 10]])
    expected = [[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(overlap(boxes, boxes), expected)
    assert overlap(boxes[:0], boxes).shape == (0, 4)
    assert overlap(boxes, boxes[:0]).shape == (4, 0)


@given(a=st.tuples(*[corner] * 4), b=st.tuples(*[corner] * 4))
def test_it_is_symmetric_and_a_share(a, b):
    one, other = np.array([a]), np.array([b])
    assert overlap(one, other)[0, 0] == pytest.approx(overlap(other, one)[0, 0], abs=1e-9)
    assert 0 <= overlap(one, other)[0, 0] <= 1 + 1e-9
