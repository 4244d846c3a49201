# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Vision transformers that turn a picture into a grid of features.

``Dinov3Backbone`` (rotary encoding, storage tokens, no key bias) and ``Dinov2Backbone`` (learned
position table) share the blocks and the interface; parameter names are those of the public
weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.model.position import resize_learned_table, rope_angles, rope_periods
from anny_ros.model.transformer_block import Block
import torch
from torch import nn, Tensor


@dataclass(frozen=True)
class BackboneConfig:
    """
    Size and flavour of a backbone.

    Parameters
    ----------
    family : str
        'dinov3' or 'dinov2'.
    width, depth, num_heads, mlp_hidden, patch_size : int
    num_storage_tokens : int
        Extra tokens without a place (also called registers).
    norm_eps : float
        1e-5 in DINOv3, 1e-6 in DINOv2.
    table_side : int
        Side of the learned position table (DINOv2 only).
    table_offset : float
        See ``resize_learned_table`` (DINOv2 only).

    """

    family: str
    width: int
    depth: int
    num_heads: int
    mlp_hidden: int
    patch_size: int
    num_storage_tokens: int = 0
    norm_eps: float = 1e-5
    table_side: int = 37
    table_offset: float = 0.1


class PatchEmbed(nn.Module):
    """One linear map of each square patch of pixels."""

    def __init__(self, *, patch_size: int, width: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(3, width, patch_size, stride=patch_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """
        Cut a picture into tokens.

        Parameters
        ----------
        pixels : Tensor, (B, 3, H, W)

        Returns
        -------
        Tensor, (B, H / patch, W / patch, C), dtype of the weights

        Raises
        ------
        ValueError
            If a side is not a multiple of the patch size.

        """
        height, width = pixels.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f'sides of the picture must be multiples of {self.patch_size}, got '
                f'{width}x{height}; pad it (anny_ros.inference.preprocess does)'
            )
        tokens: Tensor = self.proj(pixels.to(self.proj.weight.dtype))
        return tokens.permute(0, 2, 3, 1)  # (B, rows, columns, C)


class Backbone(nn.Module):
    """
    What both families share: patches, blocks, final norm.

    Parameters
    ----------
    config : BackboneConfig

    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self._make_tokens(config)
        self.patch_embed = PatchEmbed(patch_size=config.patch_size, width=config.width)
        self._make_positions(config)
        self.blocks = nn.ModuleList(
            Block(
                width=config.width,
                num_heads=config.num_heads,
                mlp_hidden=config.mlp_hidden,
                norm_eps=config.norm_eps,
                mask_key_bias=config.family == 'dinov3',
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def _make_tokens(self, config: BackboneConfig) -> None:
        raise NotImplementedError

    def _make_positions(self, config: BackboneConfig) -> None:
        raise NotImplementedError

    def _sequence(self, patches: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Make tokens (B, T, C), places included, from patches (B, rows, columns, C)."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """
        Compute features of a picture.

        Parameters
        ----------
        pixels : Tensor, (B, 3, H, W), normalised
            Sides are multiples of the patch size; not necessarily square.

        Returns
        -------
        features : Tensor, (B, H / patch, W / patch, C)
        cls : Tensor, (B, C)
            Both after the final norm and in its precision (float32 as a rule).

        """
        patches = self.patch_embed(pixels)  # (B, rows, columns, C)
        batch, rows, columns, width = patches.shape
        x, rope = self._sequence(patches.to(self.norm.weight.dtype))  # (B, T, C)
        for block in self.blocks:
            x = block(x, rope)
        x = self.norm(x)
        features = x[:, -rows * columns :].reshape(batch, rows, columns, width)
        return features, x[:, 0]

    def cast_products(self, dtype: torch.dtype) -> None:
        """
        Hold the weights of all matrix products in ``dtype``, in place.

        Norms, layer scales, tokens, position encodings and the residual stream keep their
        precision; a half precision network needs that.
        """
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                module.to(dtype)


class RopeEmbed(nn.Module):
    """Holder of the periods of the rotary encoding."""

    periods: Tensor

    def __init__(self, head_size: int) -> None:
        super().__init__()
        self.register_buffer('periods', rope_periods(head_size))

    def forward(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Give sin and cos of each patch; see ``rope_angles``."""
        return rope_angles(self.periods, rows, columns)


class Dinov3Backbone(Backbone):
    """Tokens are class, storage, patches; places enter by rotating queries and keys."""

    def _make_tokens(self, config: BackboneConfig) -> None:
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.storage_tokens = nn.Parameter(torch.zeros(1, config.num_storage_tokens, config.width))
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # in the file, never used

    def _make_positions(self, config: BackboneConfig) -> None:
        self.rope_embed = RopeEmbed(config.width // config.num_heads)

    def _sequence(self, patches: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        batch, rows, columns, _ = patches.shape
        cls = self.cls_token.expand(batch, -1, -1)
        storage = self.storage_tokens.expand(batch, -1, -1)
        tokens = torch.cat([cls, storage, patches.flatten(1, 2)], dim=1)  # (B, T, C)
        return tokens, self.rope_embed(rows, columns)


class Dinov2Backbone(Backbone):
    """Tokens are class, registers, patches; class and patches have a learned place added."""

    def _make_tokens(self, config: BackboneConfig) -> None:
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.table_side**2, config.width))
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # in the file, never used
        if config.num_storage_tokens:
            self.register_tokens = nn.Parameter(
                torch.zeros(1, config.num_storage_tokens, config.width)
            )

    def _make_positions(self, config: BackboneConfig) -> None:
        pass  # the table is among the tokens

    def _sequence(self, patches: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        batch, rows, columns, _ = patches.shape
        table = resize_learned_table(
            self.pos_embed[:, 1:], rows, columns, self.config.table_offset
        )
        parts = [(self.cls_token + self.pos_embed[:, :1]).expand(batch, -1, -1)]
        if self.config.num_storage_tokens:
            parts.append(self.register_tokens.expand(batch, -1, -1))
        parts.append(patches.flatten(1, 2) + table)
        return torch.cat(parts, dim=1), None  # (B, T, C)


def make_backbone(config: BackboneConfig) -> Backbone:
    """Build the backbone that a config describes; ValueError for an unknown family."""
    families = {'dinov3': Dinov3Backbone, 'dinov2': Dinov2Backbone}
    if config.family not in families:
        raise ValueError(f'backbone family must be one of {sorted(families)}, got {config.family}')
    return families[config.family](config)
