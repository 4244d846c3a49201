# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The full-size DINOv3 backbone against the implementation in the package transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import warnings

from anny_ros.model import PRESETS
from anny_ros.model.backbone import Backbone, BackboneConfig, make_backbone
import pytest
import torch
from torch import Tensor

VITL16 = PRESETS['multihmr2'].backbone
# Of parts of a block, theirs and ours; q, k and v come apart below.
PARTS = {
    'norm1': 'norm1',
    'attention.o_proj': 'attn.proj',
    'norm2': 'norm2',
    'mlp.up_proj': 'mlp.fc1',
    'mlp.down_proj': 'mlp.fc2',
}


def their_names(state: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Our tensors under their names; the periods are a buffer that they do not store."""
    theirs = {
        'embeddings.cls_token': state['cls_token'],
        'embeddings.mask_token': state['mask_token'][None],
        'embeddings.register_tokens': state['storage_tokens'],
        'embeddings.patch_embeddings.weight': state['patch_embed.proj.weight'],
        'embeddings.patch_embeddings.bias': state['patch_embed.proj.bias'],
        'norm.weight': state['norm.weight'],
        'norm.bias': state['norm.bias'],
    }
    for n in range(depth):
        here, there = f'blocks.{n}', f'model.layer.{n}'
        for their, our in PARTS.items():
            for kind in ('weight', 'bias'):
                theirs[f'{there}.{their}.{kind}'] = state[f'{here}.{our}.{kind}']
        for number in (1, 2):
            theirs[f'{there}.layer_scale{number}.lambda1'] = state[f'{here}.ls{number}.gamma']
        for kind in ('weight', 'bias'):
            q, k, v = state[f'{here}.attn.qkv.{kind}'].chunk(3)
            theirs[f'{there}.attention.q_proj.{kind}'] = q
            theirs[f'{there}.attention.v_proj.{kind}'] = v
            if kind == 'weight':  # theirs has no bias on keys
                theirs[f'{there}.attention.k_proj.weight'] = k
    return theirs


def their_network(backbone: Backbone):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        transformers = pytest.importorskip(
            'transformers', reason='needs the development package transformers==5.20.2'
        )
        config = backbone.config
        with torch.device('meta'):
            theirs = transformers.DINOv3ViTModel(
                transformers.DINOv3ViTConfig(
                    patch_size=config.patch_size,
                    hidden_size=config.width,
                    intermediate_size=config.mlp_hidden,
                    num_hidden_layers=config.depth,
                    num_attention_heads=config.num_heads,
                    num_register_tokens=config.num_storage_tokens,
                )
            )
    assert theirs.config.layer_norm_eps == 1e-5
    assert theirs.config.key_bias is False
    theirs.load_state_dict(
        their_names(backbone.state_dict(), config.depth), strict=True, assign=True
    )
    theirs.rope_embeddings.inv_freq = 1 / backbone.rope_embed.periods
    return theirs.eval()


def our_network(config: BackboneConfig, randomise: Callable[..., None], seed: int) -> Backbone:
    """Random weights; layer scales keep the stream near 1 through 24 blocks, as in real ones."""
    backbone = make_backbone(config)
    randomise(backbone, seed)
    with torch.no_grad():
        # As in the published file, whose periods were once bfloat16.
        backbone.rope_embed.periods.copy_(backbone.rope_embed.periods.bfloat16())
    return backbone.requires_grad_(False).eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('rows', 'columns', 'depth'), [(20, 20, 4), (48, 27, 2), (27, 48, 24)], ids=str
)
@torch.inference_mode()
def test_equals_the_implementation_of_transformers(randomise, compare, rows, columns, depth):
    backbone = our_network(replace(VITL16, depth=depth), randomise, seed=rows)
    theirs = their_network(backbone)
    pixels = torch.randn(
        1, 3, 16 * rows, 16 * columns, generator=torch.Generator().manual_seed(columns)
    )
    features, cls = backbone(pixels)
    wanted = theirs(pixels).last_hidden_state[0]
    assert wanted.shape == (1 + 4 + rows * columns, 1024)
    size = f'{columns}x{rows} patches, {depth} blocks'
    compare(f'{size}: features', features[0].flatten(0, 1), wanted[5:], 1e-4)
    compare(f'{size}: class vector', cls[0], wanted[0], 1e-4)
    assert 0.3 < float(wanted.abs().mean()) < 3


@torch.inference_mode()
def test_the_comparison_notices_what_is_easily_forgotten(randomise, compare):
    config = replace(VITL16, depth=2)
    pixels = torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(0))

    def change_epsilon(backbone):
        for module in backbone.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = 1e-6

    def unmask_key_bias(backbone):
        for block in backbone.blocks:
            block.attn.qkv.bias_mask.fill_(1.0)

    def compute_periods(backbone):
        count = torch.arange(16, dtype=torch.float32)
        backbone.rope_embed.periods.copy_(100.0 ** (count / 16))

    def forget_storage_tokens(backbone):
        backbone.storage_tokens.zero_()

    for mistake in (None, change_epsilon, unmask_key_bias, compute_periods, forget_storage_tokens):
        backbone = our_network(config, randomise, seed=1)
        wanted = their_network(our_network(config, randomise, seed=1))(pixels)
        if mistake:
            mistake(backbone)
        name = mistake.__name__ if mistake else 'no mistake'
        features = backbone(pixels)[0][0].flatten(0, 1)
        apart = compare(name, features, wanted.last_hidden_state[0, 5:])
        assert (apart > 1e-3) if mistake else (apart < 1e-5), name
