# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Both backbones against a slow reference in float64 that shares no code with them."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.model.backbone import BackboneConfig, make_backbone
import numpy as np
import pytest
from scipy.special import erf
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


def reference(weights: dict, config: BackboneConfig, picture, table=None):
    """One picture (3, H, W); rotary encoding as complex numbers, heads in a loop."""

    def linear(name, x):
        return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

    def norm(name, x):
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + config.norm_eps)
        return centred / spread * weights[f'{name}.weight'] + weights[f'{name}.bias']

    p, width = config.patch_size, config.width
    rows, columns = picture.shape[1] // p, picture.shape[2] // p
    kernel = weights['patch_embed.proj.weight'].reshape(width, -1)
    patches = [
        kernel @ picture[:, p * i : p * (i + 1), p * j : p * (j + 1)].reshape(-1)
        + weights['patch_embed.proj.bias']
        for i in range(rows)
        for j in range(columns)
    ]
    x = np.stack(patches)
    cls = weights['cls_token'][0]
    if config.family == 'dinov3':
        x = np.concatenate([cls, weights['storage_tokens'][0], x])
    else:
        cls = cls + weights['pos_embed'][0, :1]
        registers = weights.get('register_tokens', np.zeros((1, 0, width)))[0]
        x = np.concatenate([cls, registers, x + table])
    size = width // config.num_heads
    for block in range(config.depth):
        b = f'blocks.{block}'
        normed = norm(f'{b}.norm1', x)
        projection = weights[f'{b}.attn.qkv.weight']
        bias = weights[f'{b}.attn.qkv.bias'].copy()
        if config.family == 'dinov3':
            bias[width : 2 * width] = 0.0
        q, k, v = np.split(normed @ projection.T + bias, 3, axis=1)
        heads = []
        for head in range(config.num_heads):
            part = slice(head * size, (head + 1) * size)
            qh, kh, vh = q[:, part], k[:, part], v[:, part]
            if config.family == 'dinov3':
                periods = weights['rope_embed.periods']
                qh, kh = (rotate(z, periods, rows, columns) for z in (qh, kh))
            scores = qh @ kh.T / np.sqrt(size)
            scores = np.exp(scores - scores.max(1, keepdims=True))
            heads.append(scores / scores.sum(1, keepdims=True) @ vh)
        attended = linear(f'{b}.attn.proj', np.concatenate(heads, axis=1))
        x = x + weights[f'{b}.ls1.gamma'] * attended
        hidden = linear(f'{b}.mlp.fc1', norm(f'{b}.norm2', x))
        hidden = 0.5 * hidden * (1 + erf(hidden / np.sqrt(2)))
        x = x + weights[f'{b}.ls2.gamma'] * linear(f'{b}.mlp.fc2', hidden)
    x = norm('norm', x)
    return x[-rows * columns :].reshape(rows, columns, width), x[0]


def rotate(z, periods, rows, columns):
    """Channel c and channel c + D/2 are the real and imaginary part of one number."""
    half = z.shape[1] // 2
    z = z[:, :half] + 1j * z[:, half:]
    first = len(z) - rows * columns
    for n in range(rows * columns):
        y = 2 * (n // columns + 0.5) / rows - 1
        x = 2 * (n % columns + 0.5) / columns - 1
        angles = 2 * np.pi * np.concatenate([y / periods, x / periods])
        z[first + n] *= np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], axis=1)


@pytest.mark.parametrize(('dtype', 'atol'), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_dinov3_equals_the_reference(dtype, atol):
    backbone = make(DINOV3).to(dtype)
    pixels = torch.randn(2, 3, 12, 20, dtype=dtype, generator=torch.Generator().manual_seed(1))
    features, cls = backbone(pixels)
    assert features.shape == (2, 3, 5, 48)
    assert cls.shape == (2, 48)
    weights = {n: t.double().numpy() for n, t in backbone.state_dict().items()}
    for row in range(2):
        wanted = reference(weights, DINOV3, pixels[row].double().numpy())
        np.testing.assert_allclose(features[row], wanted[0], atol=atol)
        np.testing.assert_allclose(cls[row], wanted[1], atol=atol)


@pytest.mark.parametrize('name', ['dinov2', 'dinov2-registers'])
@pytest.mark.parametrize(('dtype', 'atol'), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_dinov2_equals_the_reference_where_its_table_fits(name, dtype, atol):
    config = CONFIGS[name]
    backbone = make(config).to(dtype)
    pixels = torch.randn(1, 3, 20, 20, dtype=dtype, generator=torch.Generator().manual_seed(1))
    features, cls = backbone(pixels)
    weights = {n: t.double().numpy() for n, t in backbone.state_dict().items()}
    table = weights['pos_embed'][0, 1:]
    wanted = reference(weights, config, pixels[0].double().numpy(), table)
    np.testing.assert_allclose(features[0], wanted[0], atol=atol)
    np.testing.assert_allclose(cls[0], wanted[1], atol=atol)


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


def test_dinov2_resizes_its_table_with_the_known_offset():
    backbone = make(DINOV2).double()
    pixels = torch.randn(
        1, 3, 12, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    features, _ = backbone(pixels)
    weights = {n: t.numpy() for n, t in backbone.state_dict().items()}
    table = resize_by_hand(weights['pos_embed'][0, 1:].reshape(5, 5, 48), 3, 7, 0.1)
    wanted, _ = reference(weights, DINOV2, pixels[0].numpy(), table.reshape(21, 48))
    # The table is resized in float32.
    np.testing.assert_allclose(features[0], wanted, atol=2e-5)


@pytest.mark.parametrize('name', CONFIGS)
def test_a_batch_is_its_pictures(name):
    backbone = make(CONFIGS[name])
    pixels = torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(3))
    together = backbone(pixels)
    for row in range(2):
        alone = backbone(pixels[row : row + 1])
        for part in range(2):
            torch.testing.assert_close(together[part][row], alone[part][0], atol=1e-5, rtol=1e-5)


def test_the_key_bias_has_no_effect_but_query_and_value_bias_have():
    pixels = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    for part, matters in ((0, True), (1, False), (2, True)):
        backbone = make(DINOV3)
        before, _ = backbone(pixels)
        backbone.blocks[0].attn.qkv.bias[48 * part : 48 * (part + 1)] += 1.0
        after, _ = backbone(pixels)
        assert torch.equal(before, after) != matters


def test_the_mask_token_has_no_effect():
    backbone = make(DINOV3)
    pixels = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    before, _ = backbone(pixels)
    backbone.mask_token += 1.0
    assert torch.equal(backbone(pixels)[0], before)


def test_periods_come_from_the_weights():
    backbone = make(DINOV3)
    pixels = torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(6))
    before, _ = backbone(pixels)
    backbone.rope_embed.periods *= 1.004
    assert not torch.equal(backbone(pixels)[0], before)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['dinov3', 'dinov2'])
def test_half_precision_products_keep_the_stream_in_float32(name, dtype):
    backbone = make(CONFIGS[name])
    pixels = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(7))
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
