# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sizes of Multi-HMR v1 for Anny bodies, as published or as a file of weights has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math

from anny_ros.model.backbone import BackboneConfig
from anny_ros.model.presets import NetworkConfig
from torch import Tensor

_BACKBONE_HEAD_SIZE = 64
_DECODER_HEAD_SIZE = 32


@dataclass(frozen=True)
class Multihmr1Config(NetworkConfig):
    """
    Everything that sets the shapes of a network of the first generation.

    Parameters
    ----------
    head_hidden : int
        Width inside the heads.

    """

    head_hidden: int = 512

    @property
    def canvas_multiple(self) -> int:
        """Both sides of the padded picture, in pixels: it is square."""
        return self.image_size


MULTIHMR1_ANNY = Multihmr1Config(
    name='multihmr1_anny',
    backbone=BackboneConfig(
        family='dinov2',
        width=1024,
        depth=24,
        num_heads=16,
        mlp_hidden=4096,
        patch_size=14,
        norm_eps=1e-6,
    ),
    image_size=672,
    decoder_width=512,
    decoder_depth=8,
    decoder_heads=16,
    decoder_head_size=_DECODER_HEAD_SIZE,
    decoder_hidden=1024,
    num_queries=100,
    feature_size=0,
)


def multihmr1_config(state: Mapping[str, Tensor]) -> Multihmr1Config:
    """
    Read the sizes of a network from its weights.

    Sizes of attention heads (64 in the backbone, 32 in the decoder) and the number of queries
    cannot be read and are the published ones.

    Parameters
    ----------
    state : mapping of str to Tensor

    Returns
    -------
    Multihmr1Config
        ``MULTIHMR1_ANNY`` if tensors are missing or their sizes make no sense; comparing with it
        then names what is wrong.

    """
    layers = 'full_body_decoder.decoder.transformer.layers'
    try:
        width, _, patch_size, _ = state['encoder.backbone.patch_embed.proj.weight'].shape
        decoder_width = state['full_body_decoder.dec_to_token.weight'].shape[0]
        inner = state[f'{layers}.0.0.fn.to_qkv.weight'].shape[0] // 3
        grid = math.isqrt(state['full_body_decoder.dec_pos_emb'].shape[0])
        if width % _BACKBONE_HEAD_SIZE or inner % _DECODER_HEAD_SIZE or decoder_width % 4:
            return MULTIHMR1_ANNY
        backbone = BackboneConfig(
            family='dinov2',
            width=width,
            depth=_count(state, 'encoder.backbone.blocks'),
            num_heads=width // _BACKBONE_HEAD_SIZE,
            mlp_hidden=state['encoder.backbone.blocks.0.mlp.fc1.weight'].shape[0],
            patch_size=patch_size,
            norm_eps=MULTIHMR1_ANNY.backbone.norm_eps,
            table_side=math.isqrt(state['encoder.backbone.pos_embed'].shape[1] - 1),
        )
        return Multihmr1Config(
            name=MULTIHMR1_ANNY.name,
            backbone=backbone,
            image_size=grid * patch_size,
            decoder_width=decoder_width,
            decoder_depth=_count(state, layers),
            decoder_heads=inner // _DECODER_HEAD_SIZE,
            decoder_head_size=_DECODER_HEAD_SIZE,
            decoder_hidden=state[f'{layers}.0.2.fn.net.0.weight'].shape[0],
            num_queries=MULTIHMR1_ANNY.num_queries,
            feature_size=0,
            head_hidden=state['full_body_decoder.mlp_dist.0.weight'].shape[0],
        )
    except (LookupError, ValueError):
        return MULTIHMR1_ANNY


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Count the items of a numbered list of modules."""
    depth = prefix.count('.') + 1
    return len({name.split('.')[depth] for name in state if name.startswith(f'{prefix}.')})
