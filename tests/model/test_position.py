# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.model.position import (
    resize_learned_table,
    rope_angles,
    rope_periods,
    rotate_patches,
    sine_table,
)
import numpy as np
import pytest
import torch


def test_periods_are_geometric():
    periods = rope_periods(64)
    assert periods.shape == (16,)
    assert periods.dtype == torch.float32
    assert periods[0] == 1.0
    assert float(periods[-1]) == pytest.approx(74.99, abs=0.01)
    for k in range(16):
        assert float(periods[k]) == pytest.approx(100 ** (k / 16), rel=1e-6)


def test_angles_have_the_known_values():
    sin, cos = rope_angles(rope_periods(64), 27, 48)
    assert sin.shape == cos.shape == (27 * 48, 64)
    assert float(cos.double().sum()) == pytest.approx(54598.254, abs=0.01)
    assert float(sin.double().sum()) == pytest.approx(0.0, abs=0.01)
    known = [
        (sin[0, :4], [0.230615, 0.984696, 0.257892, -0.556468]),
        (sin[0, 16:20], [0.130526, 0.995121, 0.312755, -0.520294]),
        (sin[100, :4], [0.918216, 0.642373, -0.259604, -0.831977]),
        (cos[100, 16:20], [0.382684, -0.773353, -0.963560, -0.549697]),
    ]
    for met, wanted in known:
        np.testing.assert_allclose(met, wanted, atol=3e-6)
    assert torch.equal(sin[:, :32], sin[:, 32:])
    assert torch.equal(cos[:, :32], cos[:, 32:])


def test_rotation_leaves_the_tokens_before_the_patches():
    tokens = torch.randn(2, 3, 5 + 6, 16, generator=torch.Generator().manual_seed(0))
    sin, cos = rope_angles(rope_periods(16), 2, 3)
    rotated = rotate_patches(tokens, sin, cos)
    assert torch.equal(rotated[:, :, :5], tokens[:, :, :5])
    assert not torch.allclose(rotated[:, :, 5:], tokens[:, :, 5:])
    torch.testing.assert_close(rotated.norm(dim=-1), tokens.norm(dim=-1))


def test_rotated_products_depend_on_the_offset_only():
    """One axis has equal spacing, so equal steps along it give equal products."""
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(1))
    sin, cos = rope_angles(rope_periods(16).double(), 1, 8)
    turned_q = rotate_patches(q.double().expand(1, 1, 8, 16), sin, cos)[0, 0]
    turned_k = rotate_patches(k.double().expand(1, 1, 8, 16), sin, cos)[0, 0]
    products = turned_q @ turned_k.T
    for step in range(-3, 4):
        diagonal = products.diagonal(step)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


def test_half_precision_tokens_are_rotated_in_float32():
    tokens = torch.randn(1, 2, 6, 16, generator=torch.Generator().manual_seed(2)).half()
    sin, cos = rope_angles(rope_periods(16), 2, 3)
    rotated = rotate_patches(tokens, sin, cos)
    assert rotated.dtype == torch.float16
    exact = rotate_patches(tokens.double(), sin.double(), cos.double())
    # Rounded once at the end: half a step of float16.
    torch.testing.assert_close(rotated.double(), exact, rtol=2.0**-11, atol=1e-6)


def test_sine_table_has_the_known_values():
    table = sine_table(48, 48, 1024)
    assert table.shape == (1, 48, 48, 1024)
    assert table.dtype == torch.float32
    assert float(table.double().sum()) == pytest.approx(937648.035, abs=0.05)
    met = table[0, 3, 5, [0, 1, 256, 512, 768]]
    wanted = [-0.958924, -0.993855, 0.283662, 0.141120, -0.989992]
    np.testing.assert_allclose(met, wanted, atol=1e-6)


def test_learned_table_that_fits_is_taken_as_it_is():
    table = torch.randn(1, 25, 4, generator=torch.Generator().manual_seed(3))
    assert resize_learned_table(table, 5, 5, 0.1) is table


@pytest.mark.parametrize('offset', [0.0, 0.1])
@pytest.mark.parametrize('size', [(3, 7), (8, 5), (9, 9)])
def test_learned_table_is_resized_smoothly(size, offset):
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing='ij')
    table = torch.stack([torch.ones(5, 5), y, x], dim=-1).reshape(1, 25, 3)
    resized = resize_learned_table(table, *size, offset).reshape(*size, 3)
    torch.testing.assert_close(resized[..., 0], torch.ones(size))
    assert (resized[1:, :, 1] > resized[:-1, :, 1]).all()  # rows stay rows
    assert (resized[:, 1:, 2] > resized[:, :-1, 2]).all()
