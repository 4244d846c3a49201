# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The fused network says the same as the one that is trained and saved."""

from __future__ import annotations

from anny_ros.model import PRESETS
from anny_ros.model.decoder import FusedDecoderStack
from anny_ros.model.network import FullBodyDecoder
import numpy as np
import pytest
import torch


def random_pixels(dtype=torch.float32):
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(2)).to(dtype)


@pytest.mark.parametrize(
    ('dtype', 'bound'), [(torch.float32, 1e-6), (torch.float64, 1e-14)], ids=['f32', 'f64']
)
def test_fused_says_the_same(make_tiny, compare, dtype, bound):
    network = make_tiny(seed=1).to(dtype)
    # A mask that is not 1, 0, 1, so that folding something else would be noticed.
    for block in network.encoder.backbone.blocks:
        block.attn.qkv.bias_mask.copy_(torch.linspace(-1, 2, 144))
    fused = network.fuse()
    output = fused(random_pixels(dtype))
    for name, wanted in network(random_pixels(dtype))._asdict().items():
        scale = float(wanted.abs().max())
        compare(f'{name}, relative', getattr(output, name) / scale, wanted / scale, bound)


@pytest.mark.slow
def test_full_size_fused_decoder_says_the_same(randomise, compare):
    decoder = FullBodyDecoder(PRESETS['multihmr2'])
    randomise(decoder, 3)
    decoder.requires_grad_(False).eval()
    features = torch.randn(1, 27, 48, 1024, generator=torch.Generator().manual_seed(4))
    hfov = torch.ones(1)
    wanted = decoder(features, hfov)
    decoder.fuse()
    assert decoder.decoder.transformer.to_kv.weight.shape == (8192, 1024)
    for name, value in wanted._asdict().items():
        scale = float(value.abs().max())
        met = getattr(decoder(features, hfov), name)
        compare(f'{name}, relative', met / scale, value / scale, 1e-6)


def test_the_network_itself_is_not_changed(make_tiny):
    network = make_tiny()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    wanted = network(random_pixels())
    network.fuse()(random_pixels())
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    for met, value in zip(network(random_pixels()), wanted, strict=True):
        assert torch.equal(met, value)


def test_large_tensors_are_shared(make_tiny):
    network = make_tiny()
    fused = network.fuse()
    own = {p.data_ptr() for p in network.parameters()}
    copied = [name for name, p in fused.named_parameters() if p.data_ptr() not in own]
    blocks = [f'encoder.backbone.blocks.{n}.attn.qkv.bias' for n in range(2)]
    body = 'full_body_decoder'
    pose = [f'{body}.mlp_pose.{part}' for part in ('0.weight', '0.bias', '2.bias')]
    assert sorted(copied) == sorted([*blocks, *pose, f'{body}.decoder.transformer.to_kv.weight'])


def test_fusing_twice_changes_nothing(make_tiny):
    once = make_tiny().fuse()
    twice = once.fuse()
    assert isinstance(twice.full_body_decoder.decoder.transformer, FusedDecoderStack)
    for met, wanted in zip(twice(random_pixels()), once(random_pixels()), strict=True):
        assert torch.equal(met, wanted)


def test_fused_runs_in_half_precision(make_tiny):
    network = make_tiny()
    exact = network(random_pixels())
    fused = network.fuse()
    fused.set_backbone_dtype(torch.bfloat16)
    assert fused.encoder.backbone.blocks[0].attn.qkv.bias.dtype == torch.bfloat16
    assert {p.dtype for p in fused.full_body_decoder.parameters()} == {torch.float32}
    output = fused(random_pixels())
    assert float((output.confidence - exact.confidence).abs().max()) < 0.05


def test_a_dinov2_backbone_has_nothing_to_mask(make_tiny):
    config = {**vars(PRESETS['tiny'].backbone), 'family': 'dinov2', 'num_storage_tokens': 0}
    network = make_tiny(backbone=type(PRESETS['tiny'].backbone)(**config))
    output = network.fuse()(random_pixels())
    for met, wanted in zip(output, network(random_pixels()), strict=True):
        np.testing.assert_allclose(met, wanted, rtol=1e-4, atol=1e-5)
