# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Decoder, heads and camera head against a slow reference in float64."""

from __future__ import annotations

from anny_ros.model import PRESETS
from anny_ros.model.network import normalise
import numpy as np
import pytest
from scipy.special import erf
import torch

TINY = PRESETS['tiny']


def reference_decoder(weights, features):
    """States (Q, C) of one picture's features (rows, columns, C), head by head."""
    w = {
        name.removeprefix('full_body_decoder.'): value
        for name, value in weights.items()
        if name.startswith('full_body_decoder.')
    }

    def norm(name, x):
        mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        return (x - mean) / np.sqrt(variance + 1e-5) * w[name + '.weight'] + w[name + '.bias']

    def attend(q, k, v):
        size = TINY.decoder_head_size
        outputs = []
        for start in range(0, q.shape[1], size):
            part = slice(start, start + size)
            scores = np.exp(q[:, part] @ k[:, part].T * size**-0.5)
            outputs.append(scores @ v[:, part] / scores.sum(1, keepdims=True))
        return np.concatenate(outputs, axis=1)

    def out(name, x):
        return x @ w[name + '.weight'].T + w[name + '.bias']

    rows, columns, _ = features.shape
    quarter = TINY.decoder_width // 4
    context = np.zeros((rows * columns, TINY.decoder_width))
    for i in range(rows):
        for j in range(columns):
            omega = 10000.0 ** (-np.arange(quarter) / quarter)
            place = [np.sin(j * omega), np.cos(j * omega), np.sin(i * omega), np.cos(i * omega)]
            token = out('dec_to_token', features[i, j])
            context[i * columns + j] = token + np.concatenate(place).astype(np.float32)
    x = w['queries.weight']
    inner = TINY.decoder_heads * TINY.decoder_head_size
    for layer in range(TINY.decoder_depth):
        name = f'decoder.transformer.layers.{layer}'
        qkv = norm(f'{name}.0.norm', x) @ w[f'{name}.0.fn.to_qkv.weight'].T
        q, k, v = qkv[:, :inner], qkv[:, inner : 2 * inner], qkv[:, 2 * inner :]
        x = x + out(f'{name}.0.fn.to_out.0', attend(q, k, v))
        q = norm(f'{name}.1.norm', x) @ w[f'{name}.1.fn.to_q.weight'].T
        kv = context @ w[f'{name}.1.fn.to_kv.weight'].T
        x = x + out(f'{name}.1.fn.to_out.0', attend(q, kv[:, :inner], kv[:, inner:]))
        hidden = out(f'{name}.2.fn.net.0', norm(f'{name}.2.norm', x))
        hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
        x = x + out(f'{name}.2.fn.net.3', hidden)
    return x


def head(weights, name, x):
    hidden = np.maximum(x @ weights[f'{name}.0.weight'].T + weights[f'{name}.0.bias'], 0)
    return hidden @ weights[f'{name}.2.weight'].T + weights[f'{name}.2.bias']


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def doubles(network):
    return {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}


def random_features(dtype, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 7, TINY.backbone.width, generator=generator).to(dtype)


BOUNDS = pytest.mark.parametrize(
    ('dtype', 'atol'), [(torch.float32, 1e-5), (torch.float64, 1e-9)], ids=['f32', 'f64']
)


@BOUNDS
def test_decoder_equals_the_reference(make_tiny, dtype, atol):
    network = make_tiny().to(dtype)
    features = random_features(dtype)
    state = network.full_body_decoder.decode(features)
    assert state.shape == (2, TINY.num_queries, TINY.decoder_width)
    for row in range(2):
        wanted = reference_decoder(doubles(network), features[row].double().numpy())
        np.testing.assert_allclose(state[row], wanted, atol=atol)


@BOUNDS
def test_heads_equal_the_reference(make_tiny, dtype, atol):
    network = make_tiny(seed=3).to(dtype)
    features = random_features(dtype, seed=4)
    output = network.full_body_decoder(features, torch.ones(2, dtype=dtype))
    weights = doubles(network)
    p = 'full_body_decoder.'
    for row in range(2):
        y = reference_decoder(weights, features[row].double().numpy())
        start = np.tile(weights[p + 'init_body_pose'], (len(y), 1))
        wanted = {
            'confidence': sigmoid(head(weights, p + 'mlp_conf', y))[:, 0],
            'location': 1.2 * 160 * sigmoid(head(weights, p + 'mlp_loc', y)),
            'log_pixels_per_metre': head(weights, p + 'mlp_dist', y)[:, 0],
            'shape': sigmoid(head(weights, p + 'mlp_shape', y)),
            'pose': start + head(weights, p + 'mlp_pose', np.concatenate([y, start], 1)),
            'appearance': head(weights, p + 'trackfeat_regressor.trackfeat_model', y),
        }
        for name, value in wanted.items():
            met = getattr(output, name)[row]
            assert met.dtype == dtype
            scale = max(1.0, np.abs(value).max())
            np.testing.assert_allclose(met, value, atol=atol * scale, err_msg=name)


@BOUNDS
def test_camera_head_equals_the_reference(make_tiny, dtype, atol):
    network = make_tiny(seed=5).to(dtype)
    pixels = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(6)).to(dtype)
    _, hfov = network.encoder(pixels)
    _, cls = network.encoder.backbone(pixels)
    raw = head(doubles(network), 'encoder.mlp_fov_unique', cls.double().numpy())
    wanted = np.float64(network.encoder.fov_max) * sigmoid(raw)[:, 0]
    np.testing.assert_allclose(hfov, wanted, atol=atol)
    assert float(hfov.min()) > 0
    assert float(hfov.max()) < np.pi


@pytest.mark.parametrize('size', [(32, 48), (160, 160), (96, 160)], ids=str)
def test_shapes_are_as_documented(make_tiny, size):
    output = make_tiny()(torch.zeros(2, 3, *size))
    q = TINY.num_queries
    wanted = {
        'hfov': (2,),
        'confidence': (2, q),
        'location': (2, q, 2),
        'log_pixels_per_metre': (2, q),
        'shape': (2, q, 11),
        'pose': (2, q, 978),
        'appearance': (2, q, TINY.feature_size),
    }
    assert {name: tuple(t.shape) for name, t in output._asdict().items()} == wanted
    assert all(t.dtype == torch.float32 for t in output)


def test_a_batch_is_its_pictures(make_tiny):
    network = make_tiny()
    pixels = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(7))
    together = network(pixels)
    for row in range(2):
        alone = network(pixels[row : row + 1])
        for met, wanted in zip(together, alone, strict=True):
            torch.testing.assert_close(met[row], wanted[0], atol=2e-4, rtol=1e-5)


def test_position_table_is_cropped_at_the_top_left(make_tiny):
    decoder = make_tiny().full_body_decoder
    decoder.dec_to_token.weight.zero_()
    decoder.dec_to_token.bias.zero_()
    context = decoder.context(torch.zeros(1, 3, 5, TINY.backbone.width))
    assert torch.equal(context.reshape(3, 5, -1), decoder.dec_pos_emb[0, :3, :5])


def test_too_large_a_picture_is_refused(make_tiny):
    with pytest.raises(ValueError, match=r'at most 10 patches.*got 11x3.*160 pixels'):
        make_tiny()(torch.zeros(1, 3, 48, 176))


def test_after_the_backbone_all_is_float32(make_tiny):
    network = make_tiny()
    pixels = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(8))
    exact = network(pixels)
    network.set_backbone_dtype(torch.bfloat16)
    assert {p.dtype for p in network.full_body_decoder.parameters()} == {torch.float32}
    assert {p.dtype for p in network.encoder.mlp_fov_unique.parameters()} == {torch.float32}
    output = network(pixels)
    assert all(t.dtype == torch.float32 for t in output)
    assert float((output.confidence - exact.confidence).abs().max()) < 0.05


def test_normalised_colours_are_those_of_imagenet():
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    picture[0, 0, 0] = (255, 128, 64)
    pixels = normalise(torch.from_numpy(picture))
    assert pixels.shape == (1, 3, 2, 2)
    mean, stddev = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = (np.array([255, 128, 64]) / 255 - mean) / stddev
    np.testing.assert_allclose(pixels[0, :, 0, 0], wanted, rtol=1e-6)
    np.testing.assert_allclose(pixels[0, :, 1, 1], -mean / stddev, rtol=1e-6)
