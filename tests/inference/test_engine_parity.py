# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Comparing answers, and the bounds of an engine."""

from __future__ import annotations

import math

from anny_ros.errors import ModelError
from anny_ros.inference.parity import check_parity, differences
import numpy as np
import pytest


def answer(**changes):
    fields = {
        'hfov': np.ones(1, np.float32),
        'confidence': np.full((1, 3), 0.5, np.float32),
        'location': np.full((1, 3, 2), 300, np.float32),
        'appearance': np.full((1, 3, 4), -20, np.float32),
    }
    return fields | changes


def test_equal_answers():
    found = differences([answer()] * 2, [answer()] * 2, 768)
    assert found == dict.fromkeys(answer(), 0.0)


@pytest.mark.parametrize(
    ('field', 'value', 'wanted'),
    [
        ('hfov', np.full(1, 1.25), 0.25),
        ('confidence', np.array([[0.5, 0.4, 0.5]]), 0.1),
        ('location', np.full((1, 3, 2), 300 - 7.68), 0.01),  # of the picture's size
        ('appearance', np.full((1, 3, 4), -19), 0.05),  # of its own largest value
        ('confidence', np.array([[0.5, np.nan, 0.5]]), math.inf),
        ('location', np.full((1, 3, 2), np.inf), math.inf),
        ('confidence', np.full((1, 2), 0.5), math.inf),
        ('confidence', None, math.inf),
    ],
    ids=str,
)
def test_units_of_differences(field, value, wanted):
    """In the second of two pictures."""
    met = answer(**{field: value})
    if value is None:
        del met[field]
    found = differences([answer(), met], [answer(), answer()], 768)
    assert found.pop(field) == pytest.approx(wanted, rel=1e-4)
    assert set(found.values()) == {0.0}


def test_as_far_off_as_allowed():
    check_parity({'pose': 1e-4, 'hfov': 0.0}, 1e-4)
    check_parity({'pose': 1e-3 + 2 * 0.01}, 1e-3, {'pose': 0.01})


@pytest.mark.parametrize(
    ('found', 'half'),
    [
        ({'hfov': 0.0, 'pose': 1.01e-4}, None),
        ({'hfov': 0.0, 'pose': 2.2e-4}, {'hfov': 1.0, 'pose': 5e-5}),
        ({'hfov': 0.0, 'pose': math.inf}, None),
        ({'hfov': 0.0, 'pose': math.inf}, {'hfov': 0.0, 'pose': math.inf}),  # PyTorch too
        ({'hfov': 0.0, 'pose': 0.5}, {'hfov': 0.0, 'pose': math.nan}),
    ],
)
def test_further_off_than_allowed(found, half):
    with pytest.raises(ModelError, match=r'pose differs .* was not installed'):
        check_parity(found, 1e-4, half)
