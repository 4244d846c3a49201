# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.hints import (
    AGE,
    DEPTHS,
    middle_weights,
    mirror_hints,
    MIRRORED_KEYPOINTS,
    normalise_hints,
    NUM_HINTS,
    pool_hints,
    STATURE,
    TURN,
)
from anny_ros.keypoints.refine import rotations_from_rotvec
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

_SIDE = st.integers(1, 9)
_ANGLE = st.floats(-3.0, 3.0)


def random_hints(count=5, seed=0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.normal(size=(count, NUM_HINTS)), dtype=torch.float32)


def test_every_hint_has_its_columns():
    columns = np.arange(NUM_HINTS)
    parts = [columns[TURN], columns[DEPTHS], [STATURE], [AGE]]
    np.testing.assert_array_equal(np.concatenate(parts), columns)
    assert [len(part) for part in parts] == [6, 17, 1, 1]


@settings(max_examples=30, deadline=None)
@given(_SIDE, _SIDE)
def test_cells_count_one_in_all_the_middle_most_and_both_sides_alike(rows, columns):
    weight = middle_weights(rows, columns)
    assert weight.shape == (rows, columns)
    assert weight.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(weight, weight[::-1], rtol=1e-5)
    np.testing.assert_allclose(weight, weight[:, ::-1], rtol=1e-5)
    middle = weight[rows // 2, columns // 2]
    assert middle == pytest.approx(weight.max())
    assert (middle > 1.5 * weight[0, 0]) == (max(rows, columns) > 2)


def test_a_constant_map_gives_the_constant():
    hints = random_hints(3).numpy()
    maps = np.repeat(np.repeat(hints[..., None, None], 7, 2), 4, 3)
    np.testing.assert_allclose(pool_hints(maps), hints, atol=1e-6)


def test_each_crop_is_read_by_itself_and_its_middle_counts_most():
    maps = np.zeros((3, NUM_HINTS, 7, 5), np.float32)
    maps[0, 3, 3, 2] = 1.0  # in the middle
    maps[1, 3, 0, 0] = 1.0
    maps[2, 3, 0, 4] = 1.0
    pooled = pool_hints(maps)
    assert pooled.shape == (3, NUM_HINTS)
    assert pooled.dtype == np.float32
    assert pooled[0, 3] > 5 * pooled[1, 3] > 0
    assert pooled[1, 3] == pytest.approx(pooled[2, 3])
    assert (np.delete(pooled, 3, axis=1) == 0).all()


def test_nobody_has_no_hints():
    assert pool_hints(np.zeros((0, NUM_HINTS, 7, 4), np.float32)).shape == (0, NUM_HINTS)


def test_mirrored_twice_is_as_it_was():
    hints = random_hints()
    hints[2] = torch.nan
    np.testing.assert_array_equal(mirror_hints(mirror_hints(hints)), hints)


@settings(max_examples=50, deadline=None)
@given(_ANGLE, _ANGLE, _ANGLE)
def test_a_mirrored_turn_is_that_of_the_mirrored_body(x, y, z):
    T = rotations_from_rotvec(torch.tensor([[x, y, z]], dtype=torch.float32))[0].numpy()
    hints = torch.zeros(1, NUM_HINTS)
    hints[0, TURN] = torch.as_tensor(T[:, :2].T.ravel())
    M = np.diag([-1.0, 1.0, 1.0])
    mirrored = mirror_hints(hints)[0, TURN].reshape(2, 3).numpy()
    np.testing.assert_allclose(mirrored, (M @ T @ M)[:, :2].T, atol=1e-6)


def test_a_mirrored_body_has_its_left_depths_right_and_its_size_as_before():
    hints = random_hints(1)
    mirrored = mirror_hints(hints)
    depths, others = hints[0, DEPTHS], mirrored[0, DEPTHS]
    assert others[0] == depths[0]
    np.testing.assert_array_equal(others[1::2], depths[2::2])
    np.testing.assert_array_equal(others[2::2], depths[1::2])
    np.testing.assert_array_equal(mirrored[0, STATURE:], hints[0, STATURE:])
    assert MIRRORED_KEYPOINTS[0] == 0
    assert [MIRRORED_KEYPOINTS[k] for k in MIRRORED_KEYPOINTS] == list(range(17))


def test_an_adult_of_one_and_a_half_metres_is_near_zero():
    hints = torch.zeros(4, NUM_HINTS)
    hints[:, STATURE] = torch.tensor([0.8, 1.5, 1.5, 2.0]).log()
    hints[2, TURN] = torch.tensor([1.0, 0, 0, 0, 0, -1])
    hints[2, DEPTHS.start] = -0.15
    hints[2, AGE] = 0.7
    found = normalise_hints(hints)
    assert found.shape == (4, NUM_HINTS + 1)
    assert found[1, STATURE].abs() < 0.05
    assert -3.5 < found[0, STATURE] < -1.5
    assert 0.7 < found[3, STATURE] < 1.5
    np.testing.assert_array_equal(found[2, TURN], hints[2, TURN])
    assert found[2, DEPTHS.start] == pytest.approx(-1.0)
    assert found[2, AGE] == pytest.approx(0.7)
    np.testing.assert_array_equal(found[:, -1], 1.0)


@pytest.mark.parametrize('column', [0, DEPTHS.start, STATURE, AGE], ids=str)
def test_whoever_lacks_one_hint_is_flagged_and_nothing_is_left_without_a_number(column):
    hints = random_hints()
    hints[1, column] = torch.nan
    found = normalise_hints(hints)
    assert found.isfinite().all()
    np.testing.assert_array_equal(found[:, -1], [1, 0, 1, 1, 1])
    assert found[1, column] == 0
    np.testing.assert_array_equal(found[[0, 2, 3, 4]], normalise_hints(hints[[0, 2, 3, 4]]))


def test_unknown_people_are_zeros():
    hints = random_hints()
    hints[3] = torch.nan
    found = normalise_hints(hints)
    assert (found[3] == 0).all()
    assert (found[[0, 1, 2, 4], -1] == 1).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_normalising_commutes_with_mirroring(seed):
    hints = random_hints(seed=seed)
    here = normalise_hints(mirror_hints(hints))
    there = normalise_hints(hints)
    np.testing.assert_allclose(here[:, :NUM_HINTS], mirror_hints(there[:, :NUM_HINTS]), atol=1e-6)
