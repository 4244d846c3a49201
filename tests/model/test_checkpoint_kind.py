# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import resources

from anny_ros.model.checkpoint_kind import describe_kind, RECORDED_SHA256
import pytest
from safetensors import safe_open


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (['full_body_decoder.x', 'encoder.backbone.y'], 'Multi-HMR 2'),
        (['encoder.mlp_det.0.weight', 'encoder.backbone.pos_embed'], 'v1 for Anny'),
        (['smpl_layer.betas', 'backbone.cls_token', 'encoder.mlp_det.0.weight'], 'SMPL-X'),
        (['encoder.backbone.cls_token'], 'encoder alone'),
        (['full_body_decoder.queries.weight'], 'decoder alone'),
        (['cls_token', 'pos_embed', 'blocks.0.norm1.weight'], 'DINOv2 backbone alone'),
        (['cls_token', 'storage_tokens', 'blocks.0.norm1.weight'], 'DINOv3 backbone alone'),
        (['embeddings.cls_token', 'embeddings.position_embeddings'], 'DINOv2 backbone alone'),
        (['embeddings.cls_token', 'embeddings.register_tokens'], 'DINOv3 backbone alone'),
        (['conv1.weight'], 'another model'),
        ([], 'another model'),
    ],
)
def test_models_are_named(names, words):
    assert words in describe_kind(names)


@pytest.mark.parametrize(
    ('asset', 'words'), [('lifter', 'lifter of anny-lite'), ('anny_body', 'body model')]
)
def test_our_own_files_are_named(asset, words):
    path = resources.files('anny_ros') / 'assets' / f'{asset}.safetensors'
    with safe_open(str(path), 'pt') as file:
        assert words in describe_kind(file.keys())


def test_recorded_digests_are_whole():
    assert all(len(bytes.fromhex(digest)) == 32 for digest in RECORDED_SHA256.values())
