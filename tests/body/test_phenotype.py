# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body.phenotype import corners, shape_coefficients, ShapeSpace
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def definition(body):
    """Anny's own formula of the coefficients."""
    arrays = body.asset.arrays
    variations = torch.as_tensor(arrays['shape.variations'].astype(np.int64))
    projection = torch.as_tensor(arrays['shape.projection'])
    return lambda phenotype: shape_coefficients(phenotype, variations, projection)


@settings(max_examples=200, deadline=None)
@given(phenotype=st.lists(st.floats(-0.5, 1.5), min_size=6, max_size=6))
def test_interpolation_between_corners_is_the_definition(body, definition, phenotype):
    p = torch.tensor([phenotype], dtype=torch.float64)
    expected = definition(p.clamp(0.0, 1.0))
    torch.testing.assert_close(body.skeleton.coefficients(p), expected, rtol=0, atol=1e-13)


def test_corners_are_themselves(body, definition):
    found = body.skeleton.coefficients(corners())
    torch.testing.assert_close(found, definition(corners()), rtol=0, atol=1e-13)
    assert len(corners().unique(dim=0)) == 288


def test_single_precision_and_gradients(body):
    single = ShapeSpace(
        torch.as_tensor(body.asset.arrays['shape.variations'].astype(np.int64)),
        torch.as_tensor(body.asset.arrays['shape.projection']),
        torch.float32,
    )
    p = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    c = single(p)
    double = body.skeleton.coefficients(p.detach().double())
    torch.testing.assert_close(c.detach().double(), double, rtol=0, atol=1e-6)
    (slope,) = torch.autograd.grad(c.square().sum(), p)
    assert slope.isfinite().all()
    assert (slope.abs().sum(0) > 0).all()
