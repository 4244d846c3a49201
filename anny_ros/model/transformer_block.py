# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
One block of a vision transformer, as DINOv2 and DINOv3 share it.

Linear layers may hold half precision weights; norms, scales and the residual stream stay in the
precision of the input.
"""

from __future__ import annotations

from anny_ros.model.position import rotate_patches
import torch
from torch import nn, Tensor
import torch.nn.functional as F


class MaskedKeyBiasLinear(nn.Linear):
    """Projection to queries, keys and values whose key bias is masked out (DINOv3)."""

    bias_mask: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width, 3 * width)
        mask = torch.cat([torch.ones(width), torch.zeros(width), torch.ones(width)])
        self.register_buffer('bias_mask', mask)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., 3 width): queries, keys, values."""
        return F.linear(x, self.weight, self.bias * self.bias_mask)

    def fused(self) -> nn.Linear:
        """Return the same map with the mask multiplied into the bias; shares the weight."""
        linear = nn.Linear(self.in_features, self.out_features, device='meta')
        linear.weight = self.weight
        linear.bias = nn.Parameter(self.bias.detach() * self.bias_mask, requires_grad=False)
        return linear


class Attention(nn.Module):
    """
    Multi-head self-attention.

    Parameters
    ----------
    width : int
    num_heads : int
    mask_key_bias : bool
        Whether keys have no bias (DINOv3).

    """

    def __init__(self, *, width: int, num_heads: int, mask_key_bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = MaskedKeyBiasLinear(width) if mask_key_bias else nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        """
        Attend.

        Parameters
        ----------
        x : Tensor, (B, T, C)
        rope : sin and cos, each (N, C / num_heads), or None
            Rotation of the last N tokens.

        Returns
        -------
        Tensor, (B, T, C), dtype of the weights

        """
        batch, num_tokens, width = x.shape
        head_size = width // self.num_heads
        qkv = self.qkv(x.to(self.qkv.weight.dtype))  # (B, T, 3 C)
        qkv = qkv.reshape(batch, num_tokens, 3, self.num_heads, head_size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, T, C / heads) each
        if rope is not None:
            q = rotate_patches(q, *rope)
            k = rotate_patches(k, *rope)
        y = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(batch, num_tokens, width))
        return out


class LayerScale(nn.Module):
    """A learned factor a channel."""

    def __init__(self, width: int, initial: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), initial))

    def forward(self, x: Tensor) -> Tensor:
        """Scale the last axis; the result has at least the precision of the factor."""
        return x * self.gamma


class Mlp(nn.Module):
    """Two linear layers with an exact (erf) GELU between."""

    def __init__(self, *, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x.to(self.fc1.weight.dtype))))
        return out


class Block(nn.Module):
    """
    Pre-norm attention and MLP, each scaled and added to the stream.

    Parameters
    ----------
    width, num_heads, mlp_hidden : int
    norm_eps : float
    mask_key_bias : bool

    """

    def __init__(
        self,
        *,
        width: int,
        num_heads: int,
        mlp_hidden: int,
        norm_eps: float,
        mask_key_bias: bool,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width=width, num_heads=num_heads, mask_key_bias=mask_key_bias)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width=width, hidden=mlp_hidden)
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        """Map the stream (B, T, C) to the next one; ``rope`` as in Attention."""
        x = x + self.ls1(self.attn(self.norm1(x), rope))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out
