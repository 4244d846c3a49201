# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body.surface import join_parts, pack_parts, Surface, unpack_parts
import numpy as np
import pytest

from training import body_parts

NUM_SHAPES, HALF, MIDDLE, ODD = 6, 20, 3, 2


@pytest.fixture
def shapes():
    """Coefficients at some corners (C, B), and (C, V, 3) of a body with two halves."""
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=(40, NUM_SHAPES))
    basis = rng.normal(size=(NUM_SHAPES, HALF + MIDDLE, 3))
    basis[3:, : HALF // 2] = 0.0  # half of this side knows only three shapes
    middle = rng.permutation(HALF + MIDDLE)[:MIDDLE]
    basis[:, middle, 0] = 0.0
    left = np.tensordot(coefficients, basis, 1)
    left += 10 * rng.random((HALF + MIDDLE, 3)) + [20.0, 0.0, 0.0]
    left[:, middle, 0] = 0.0
    right = np.delete(left, middle, 1) * [-1.0, 1.0, 1.0]
    right[:, :ODD] += 1e-4 * coefficients[:, :1, None]  # nearly, but no mirror images
    return coefficients, np.concatenate([left, right], 1)


def rebuilt(parts, coefficients):
    """Rest vertices (C, V, 3) from parts that were packed and unpacked."""
    parts = unpack_parts(pack_parts(parts))
    vertices = sum(part.count + len(part.mirror) for part in parts)
    empty = np.zeros((vertices, 1))
    centre = coefficients.mean(0)
    surface = Surface(parts, centre, np.zeros((0, 3), np.int32), empty.astype(int), empty, '')
    (whole,) = join_parts(surface).parts
    weights = np.pad(coefficients - centre, ((0, 0), (0, 1)), constant_values=1.0)
    return np.tensordot(weights, whole.planes, 1).transpose(0, 2, 1)


@pytest.mark.parametrize('largest', [5, 8, 1000])
def test_parts_hold_every_shape(shapes, monkeypatch, largest):
    monkeypatch.setattr(body_parts, '_LARGEST', largest)
    coefficients, rest = shapes
    parts = body_parts.cut(coefficients, rest)
    assert max(part.count for part in parts) <= largest
    assert sum(len(part.mirror) for part in parts) == HALF
    assert sum(part.planes.shape[2] for part in parts) == HALF + MIDDLE + ODD
    np.testing.assert_allclose(rebuilt(parts, coefficients), rest, atol=2e-5)  # of 30 m, float32
    if largest == 5:
        assert min(len(part.basis) for part in parts) <= 5, 'three shapes, an odd one, the mean'


def test_halves_in_another_order_are_held_whole(shapes):
    coefficients, rest = shapes
    order = np.random.default_rng(1).permutation(rest.shape[1])
    parts = body_parts.cut(coefficients, rest[:, order])
    assert all(len(part.mirror) == 0 for part in parts)
    np.testing.assert_allclose(rebuilt(parts, coefficients), rest[:, order], atol=2e-5)
