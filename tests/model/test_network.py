# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Decoder, heads and camera head against the slow reference in float64."""

from __future__ import annotations

from anny_ros.model import PRESETS
from anny_ros.model.network import FullBodyDecoder, normalise
import numpy as np
import pytest
import torch

TINY = PRESETS['tiny']


BOUNDS = pytest.mark.parametrize(
    ('dtype', 'bound'), [(torch.float32, 1e-5), (torch.float64, 1e-9)], ids=['f32', 'f64']
)
SIZES = {'head_size': TINY.decoder_head_size}


def random_features(dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 7, TINY.backbone.width, generator=generator).to(dtype)


def body_weights(reference, network):
    return reference.part(reference.doubles(network), 'full_body_decoder.')


@BOUNDS
def test_decoder_equals_the_reference(make_tiny, reference, compare, dtype, bound):
    network = make_tiny().to(dtype)
    features = random_features(dtype)
    state = network.full_body_decoder.decode(features)
    assert state.shape == (2, TINY.num_queries, TINY.decoder_width)
    weights = body_weights(reference, network)
    for row in range(2):
        wanted = reference.decoder(weights, features[row].double().numpy(), **SIZES)
        compare('query states', state[row], wanted, bound)


@BOUNDS
def test_heads_equal_the_reference(make_tiny, reference, compare, dtype, bound):
    network = make_tiny(seed=3).to(dtype)
    features = random_features(dtype, seed=4)
    output = network.full_body_decoder(features, torch.ones(2, dtype=dtype))
    weights = body_weights(reference, network)
    for row in range(2):
        state = reference.decoder(weights, features[row].double().numpy(), **SIZES)
        wanted = reference.heads(weights, state, image_size=160)
        assert set(wanted) | {'hfov'} == set(output._fields)
        for name, value in wanted.items():
            met = getattr(output, name)[row]
            assert met.dtype == dtype
            compare(name, met, value, bound * max(1.0, np.abs(value).max()))


@BOUNDS
def test_camera_head_equals_the_reference(make_tiny, reference, compare, dtype, bound):
    network = make_tiny(seed=5).to(dtype)
    pixels = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(6)).to(dtype)
    _, hfov = network.encoder(pixels)
    weights = reference.doubles(network.encoder)
    for row in range(2):
        _, cls = reference.backbone(
            reference.part(weights, 'backbone.'), pixels[row].double().numpy(), num_heads=3
        )
        # fov_max is pi rounded to float32 in the file.
        wanted = reference.field_of_view(weights, cls) * float(np.float32(np.pi)) / np.pi
        compare('field of view', hfov[row], wanted, bound)
    assert float(hfov.min()) > 0
    assert float(hfov.max()) < np.pi


def test_every_mistake_in_the_decoder_is_noticed(make_tiny, reference, compare):
    network = make_tiny()
    features = random_features()
    met = network.full_body_decoder.decode(features)[0]
    weights = body_weights(reference, network)
    for mistake in ('', *reference.DECODER_MISTAKES):
        wrong = reference.decoder(weights, features[0].double().numpy(), **SIZES, mistake=mistake)
        apart = compare(f'query states, {mistake or "no mistake"}', met, wrong)
        assert (apart < 1e-5) if not mistake else (apart > 1e-4), mistake


def test_every_mistake_in_a_head_is_noticed(make_tiny, reference, compare):
    network = make_tiny(seed=3)
    features = random_features()
    output = network.full_body_decoder(features, torch.ones(2))
    weights = body_weights(reference, network)
    # Like the product's own state, so that only the heads differ.
    state = network.full_body_decoder.decode(features)[0].double().numpy()
    for mistake in ('', *reference.HEAD_MISTAKES):
        wrong = reference.heads(weights, state, image_size=160, mistake=mistake)
        apart = max(
            compare(f'{name}, {mistake or "no mistake"}', getattr(output, name)[0], value)
            for name, value in wrong.items()
        )
        assert (apart < 2e-4) if not mistake else (apart > 2e-3), mistake


@pytest.mark.slow
def test_full_size_decoder_and_heads_equal_the_reference(randomise, reference, compare):
    """All 8 layers at width 1024, 100 queries, 27x48 patches: the sizes of the published one."""
    config = PRESETS['multihmr2']
    decoder = FullBodyDecoder(config)
    randomise(decoder, 9)
    decoder.requires_grad_(False).eval()
    generator = torch.Generator().manual_seed(10)
    features = torch.randn(1, 27, 48, 1024, generator=generator)
    output = decoder(features, torch.ones(1))
    state = decoder.decode(features)[0]
    weights = reference.doubles(decoder)
    wanted = reference.decoder(weights, features[0].double().numpy(), head_size=32)
    compare('query states', state, wanted, 1e-5 * np.abs(wanted).max())
    for name, value in reference.heads(weights, wanted, image_size=768).items():
        scale = max(1.0, np.abs(value).max())
        compare(name, getattr(output, name)[0], value, 1e-5 * scale)


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
