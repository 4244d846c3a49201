# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sizes of the networks that we know."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.model.backbone import BackboneConfig


@dataclass(frozen=True)
class NetworkConfig:
    """
    Everything that sets the shapes of a single-shot network.

    Parameters
    ----------
    name : str
    backbone : BackboneConfig
    image_size : int, pixels
        Longest side of the picture; also scales the predicted locations.
    decoder_width, decoder_depth, decoder_heads, decoder_head_size, decoder_hidden : int
    num_queries : int
        Most people a picture.
    num_bones, num_shape : int
        Bones of the pose head, outputs of the shape head.
    feature_size : int
        Length of the appearance feature.

    """

    name: str
    backbone: BackboneConfig
    image_size: int
    decoder_width: int
    decoder_depth: int
    decoder_heads: int
    decoder_head_size: int
    decoder_hidden: int
    num_queries: int
    feature_size: int
    num_bones: int = 163
    num_shape: int = 11

    @property
    def canvas_multiple(self) -> int:
        """Both sides of the padded picture are a multiple of this, in pixels."""
        return self.backbone.patch_size

    @property
    def grid(self) -> int:
        """Side of the position table in patches."""
        return self.image_size // self.backbone.patch_size


@dataclass(frozen=True)
class AnnyVitConfig(NetworkConfig):
    """
    Everything that sets the shapes of our own network, ``anny_ros.model.anny_vit``.

    ``num_queries`` is a square number.

    Parameters
    ----------
    window_side : int
        Every query looks at a window of this many points a side.
    window_channels : int
        Numbers that are read at each point.

    """

    window_side: int = 8
    window_channels: int = 32


PRESETS: dict[str, NetworkConfig] = {
    'multihmr2': NetworkConfig(
        name='multihmr2',
        backbone=BackboneConfig(
            family='dinov3',
            width=1024,
            depth=24,
            num_heads=16,
            mlp_hidden=4096,
            patch_size=16,
            num_storage_tokens=4,
        ),
        image_size=768,
        decoder_width=1024,
        decoder_depth=8,
        decoder_heads=16,
        decoder_head_size=32,
        decoder_hidden=2048,
        num_queries=100,
        feature_size=4096,
    ),
    # For tests: every part of the full size network, random weights, a few milliseconds.
    'tiny': NetworkConfig(
        name='tiny',
        backbone=BackboneConfig(
            family='dinov3',
            width=48,
            depth=2,
            num_heads=3,
            mlp_hidden=96,
            patch_size=16,
            num_storage_tokens=4,
        ),
        image_size=160,
        decoder_width=32,
        decoder_depth=2,
        decoder_heads=4,
        decoder_head_size=12,
        decoder_hidden=64,
        num_queries=20,
        feature_size=24,
    ),
    'anny_vit': AnnyVitConfig(
        name='anny_vit',
        backbone=BackboneConfig(
            family='dinov2',
            width=384,
            depth=12,
            num_heads=6,
            mlp_hidden=1536,
            patch_size=14,
            norm_eps=1e-6,
        ),
        image_size=560,
        decoder_width=256,
        decoder_depth=4,
        decoder_heads=8,
        decoder_head_size=32,
        decoder_hidden=768,
        num_queries=64,
        feature_size=64,
        num_shape=6,
    ),
    # For tests, like 'tiny'.
    'anny_vit_tiny': AnnyVitConfig(
        name='anny_vit_tiny',
        backbone=BackboneConfig(
            family='dinov2',
            width=48,
            depth=2,
            num_heads=3,
            mlp_hidden=96,
            patch_size=14,
            norm_eps=1e-6,
            table_side=6,
        ),
        image_size=112,
        decoder_width=32,
        decoder_depth=2,
        decoder_heads=2,
        decoder_head_size=16,
        decoder_hidden=64,
        num_queries=16,
        feature_size=8,
        num_shape=6,
        window_side=4,
        window_channels=8,
    ),
}
