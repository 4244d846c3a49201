# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Both backbones against the slow reference in float64."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.model.backbone import BackboneConfig, make_backbone
import numpy as np
import pytest
import torch

DINOV3 = BackboneConfig(
    family='dinov3',
    width=48,
    depth=3,
    num_heads=3,
    mlp_hidden=80,
    patch_size=4,
    num_storage_tokens=2,
)
DINOV2 = replace(DINOV3, family='dinov2', num_storage_tokens=0, norm_eps=1e-6, table_side=5)
CONFIGS = {
    'dinov3': DINOV3,
    'dinov2': DINOV2,
    'dinov2-registers': replace(DINOV2, num_storage_tokens=3, table_offset=0.0),
}


def make(config: BackboneConfig, seed: int = 0):
    backbone = make_backbone(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in backbone.parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.5
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    for name, parameter in backbone.named_parameters():
        if 'norm' in name and name.endswith('weight'):
            parameter.data += 1.0
    return backbone.requires_grad_(False).eval()


BOUNDS = pytest.mark.parametrize(
    ('dtype', 'bound'), [(torch.float32, 1e-5), (torch.float64, 1e-9)], ids=['f32', 'f64']
)


def random_pixels(shape, seed, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@BOUNDS
def test_dinov3_equals_the_reference(reference, compare, dtype, bound):
    backbone = make(DINOV3).to(dtype)
    pixels = random_pixels((2, 3, 12, 20), 1, dtype)
    features, cls = backbone(pixels)
    assert features.shape == (2, 3, 5, 48)
    assert cls.shape == (2, 48)
    weights = reference.doubles(backbone)
    for row in range(2):
        wanted = reference.backbone(weights, pixels[row].double().numpy(), num_heads=3)
        compare('features', features[row], wanted[0], bound)
        compare('class vector', cls[row], wanted[1], bound)


@pytest.mark.parametrize('name', ['dinov2', 'dinov2-registers'])
@BOUNDS
def test_dinov2_equals_the_reference_where_its_table_fits(reference, compare, name, dtype, bound):
    backbone = make(CONFIGS[name]).to(dtype)
    pixels = random_pixels((1, 3, 20, 20), 1, dtype)
    features, cls = backbone(pixels)
    weights = reference.doubles(backbone)
    wanted = reference.backbone(
        weights,
        pixels[0].double().numpy(),
        num_heads=3,
        epsilon=1e-6,
        table=weights['pos_embed'][0, 1:],
    )
    compare('features', features[0], wanted[0], bound)
    compare('class vector', cls[0], wanted[1], bound)


def test_every_mistake_in_the_backbone_is_noticed(reference, compare):
    """The comparison above, with a reference that is wrong in one way, fails by far."""
    backbone = make(DINOV3)
    backbone.rope_embed.periods.copy_(backbone.rope_embed.periods.bfloat16())  # as published
    pixels = random_pixels((1, 3, 12, 20), 1)
    features, cls = backbone(pixels)
    weights = reference.doubles(backbone)
    picture = pixels[0].double().numpy()
    for mistake in ('', *reference.BACKBONE_MISTAKES):
        wrong = reference.backbone(weights, picture, num_heads=3, mistake=mistake)
        apart = compare(f'features, {mistake or "no mistake"}', features[0], wrong[0])
        if mistake == 'class token before the norm':
            apart = compare(f'class vector, {mistake}', cls[0], wrong[1])
        assert (apart < 1e-5) if not mistake else (apart > 1e-4), mistake


def cubic(t):
    t = abs(t)
    if t <= 1:
        return 1.25 * t**3 - 2.25 * t**2 + 1
    return -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3 if t < 2 else 0.0


def resize_by_hand(table, rows, columns, offset):
    """Bicubic (a = -0.75) without antialiasing, clamped at the border, sample by sample."""
    side = table.shape[0]

    def weights(count):
        matrix = np.zeros((count, side))
        for i in range(count):
            source = (i + 0.5) * side / (count + offset) - 0.5
            for tap in range(int(np.floor(source)) - 1, int(np.floor(source)) + 3):
                matrix[i, min(max(tap, 0), side - 1)] += cubic(source - tap)
        return matrix

    return np.einsum('ia,jb,abc->ijc', weights(rows), weights(columns), table)


def test_dinov2_resizes_its_table_with_the_known_offset(reference, compare):
    backbone = make(DINOV2).double()
    pixels = random_pixels((1, 3, 12, 28), 2, torch.float64)
    features, _ = backbone(pixels)
    weights = reference.doubles(backbone)
    table = resize_by_hand(weights['pos_embed'][0, 1:].reshape(5, 5, 48), 3, 7, 0.1)
    wanted, _ = reference.backbone(
        weights, pixels[0].numpy(), num_heads=3, epsilon=1e-6, table=table.reshape(21, 48)
    )
    compare('features', features[0], wanted, 2e-5)  # the table is resized in float32


@pytest.mark.parametrize('name', CONFIGS)
def test_a_batch_is_its_pictures(name):
    backbone = make(CONFIGS[name])
    pixels = random_pixels((2, 3, 16, 24), 3)
    together = backbone(pixels)
    for row in range(2):
        alone = backbone(pixels[row : row + 1])
        for part in range(2):
            torch.testing.assert_close(together[part][row], alone[part][0], atol=1e-5, rtol=1e-5)


def test_the_key_bias_has_no_effect_but_query_and_value_bias_have():
    pixels = random_pixels((1, 3, 8, 8), 4)
    for part, matters in ((0, True), (1, False), (2, True)):
        backbone = make(DINOV3)
        before, _ = backbone(pixels)
        backbone.blocks[0].attn.qkv.bias[48 * part : 48 * (part + 1)] += 1.0
        after, _ = backbone(pixels)
        assert torch.equal(before, after) != matters


def test_the_mask_token_has_no_effect():
    backbone = make(DINOV3)
    pixels = random_pixels((1, 3, 8, 8), 5)
    before, _ = backbone(pixels)
    backbone.mask_token += 1.0
    assert torch.equal(backbone(pixels)[0], before)


def test_periods_come_from_the_weights():
    backbone = make(DINOV3)
    pixels = random_pixels((1, 3, 8, 12), 6)
    before, _ = backbone(pixels)
    backbone.rope_embed.periods *= 1.004
    assert not torch.equal(backbone(pixels)[0], before)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['dinov3', 'dinov2'])
def test_half_precision_products_keep_the_stream_in_float32(name, dtype):
    backbone = make(CONFIGS[name])
    pixels = random_pixels((1, 3, 16, 24), 7)
    exact, exact_cls = backbone(pixels)
    backbone.cast_products(dtype)
    features, cls = backbone(pixels)
    assert features.dtype == cls.dtype == torch.float32
    assert backbone.norm.weight.dtype == torch.float32
    assert backbone.blocks[0].mlp.fc1.weight.dtype == dtype
    bound = 0.02 if dtype == torch.float16 else 0.15
    assert 0 < float((features - exact).abs().max()) < bound
    assert float((cls - exact_cls).abs().max()) < bound


def test_periods_stay_float32_when_the_products_do_not():
    backbone = make(DINOV3)
    backbone.cast_products(torch.bfloat16)
    assert backbone.rope_embed.periods.dtype == torch.float32
    assert set(backbone.blocks[0].attn.qkv.bias_mask.unique().tolist()) == {0.0, 1.0}


def test_sides_must_be_multiples_of_the_patch():
    with pytest.raises(ValueError, match='multiples of 4, got 10x8'):
        make(DINOV3)(torch.zeros(1, 3, 8, 10))


def test_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r'dinov2.*got resnet'):
        make_backbone(replace(DINOV3, family='resnet'))
