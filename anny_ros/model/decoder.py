# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Transformer decoder: queries look at each other, then at the picture.

Pre-norm layers without a final norm; the context is not normed and the same for all layers.
Legend of shapes: B batch, Q queries, S context tokens, C width, D width of a head.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn, Tensor
import torch.nn.functional as F


def _split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(B, T, heads * D) to (B, heads, T, D)."""
    batch, num_tokens, inner = x.shape
    return x.reshape(batch, num_tokens, num_heads, inner // num_heads).transpose(1, 2)


def _merge_heads(x: Tensor) -> Tensor:
    """(B, heads, T, D) to (B, T, heads * D)."""
    return x.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Queries attend to queries; q, k, v without bias, output with."""

    def __init__(self, *, width: int, num_heads: int, head_size: int) -> None:
        super().__init__()
        inner = num_heads * head_size
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (B, Q, C) to (B, Q, C); ``mask`` (B, 1, Q, Q) is true where a query may look."""
        q, k, v = (_split_heads(part, self.num_heads) for part in self.to_qkv(x).chunk(3, dim=-1))
        out: Tensor = self.to_out(_merge_heads(F.scaled_dot_product_attention(q, k, v, mask)))
        return out


class CrossAttention(nn.Module):
    """Queries attend to the context; q, k, v without bias, output with."""

    to_kv: nn.Linear | nn.Identity  # the latter if the context is keys and values already

    def __init__(self, *, width: int, num_heads: int, head_size: int) -> None:
        super().__init__()
        inner = num_heads * head_size
        self.num_heads = num_heads
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map (B, Q, C) to (B, Q, C), looking at ``context`` (B, S, C)."""
        q = _split_heads(self.to_q(x), self.num_heads)  # (B, heads, Q, D)
        k, v = (_split_heads(p, self.num_heads) for p in self.to_kv(context).chunk(2, dim=-1))
        out: Tensor = self.to_out(_merge_heads(F.scaled_dot_product_attention(q, k, v)))
        return out


class FeedForward(nn.Module):
    """Two linear layers with an exact (erf) GELU between."""

    def __init__(self, *, width: int, hidden: int) -> None:
        super().__init__()
        # The checkpoint numbers the second linear layer 3; place 2 held a dropout of rate 0.
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map (B, Q, C) to (B, Q, C); ``context`` is not used."""
        out: Tensor = self.net(x)
        return out


class PreNorm(nn.Module):
    """x + fn(norm(x))."""

    def __init__(self, width: int, fn: nn.Module, norm_eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self.fn = fn

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map (B, Q, C) to (B, Q, C)."""
        out: Tensor = x + self.fn(self.norm(x), context)
        return out


class DecoderStack(nn.Module):
    """
    All layers of the decoder.

    Parameters
    ----------
    width, depth, num_heads, head_size, mlp_hidden : int
        ``num_heads * head_size`` may differ from ``width``.

    """

    def __init__(
        self, *, width: int, depth: int, num_heads: int, head_size: int, mlp_hidden: int
    ) -> None:
        super().__init__()
        sizes = {'width': width, 'num_heads': num_heads, 'head_size': head_size}
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PreNorm(width, SelfAttention(**sizes)),
                    PreNorm(width, CrossAttention(**sizes)),
                    PreNorm(width, FeedForward(width=width, hidden=mlp_hidden)),
                ]
            )
            for _ in range(depth)
        )

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """
        Let the queries find their people.

        Parameters
        ----------
        queries : Tensor, (B, Q, C)
        context : Tensor, (B, S, C)

        Returns
        -------
        Tensor, (B, Q, C)
            The raw residual stream.

        """
        x = queries
        for layer in self.layers:
            for step in layer.children():
                x = step(x, context)
        return x


class FusedDecoderStack(nn.Module):
    """
    The same stack for inference: keys and values of all layers are one product of the context.

    Parameters
    ----------
    stack : DecoderStack
        Is taken apart; its tensors are shared, but for the projections to keys and values.

    """

    def __init__(self, stack: DecoderStack) -> None:
        super().__init__()
        self.layers = stack.layers
        looking = [module for module in stack.modules() if isinstance(module, CrossAttention)]
        weight = torch.cat([cast(Tensor, attention.to_kv.weight) for attention in looking])
        self.to_kv = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device='meta')
        self.to_kv.weight = nn.Parameter(weight.detach(), requires_grad=False)
        for attention in looking:
            attention.to_kv = nn.Identity()  # its context is its keys and values from now on

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """See ``DecoderStack``."""
        x = queries
        parts = self.to_kv(context).chunk(len(self.layers), dim=-1)  # (B, S, 2 * heads * D) each
        for layer, keys_values in zip(self.layers, parts, strict=True):
            for step in layer.children():
                x = step(x, keys_values)
        return x


class QueryDecoder(nn.Module):
    """Holder of the stack; the checkpoint has this level."""

    transformer: DecoderStack | FusedDecoderStack

    def __init__(self, stack: DecoderStack) -> None:
        super().__init__()
        self.transformer = stack

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        """See ``DecoderStack``."""
        out: Tensor = self.transformer(queries, context)
        return out
