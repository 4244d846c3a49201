# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Where a patch is: rotary encoding, sine table and learned table.

References: RoPE, Su et al. (arXiv 2104.09864); DINOv3, Siméoni et al. (arXiv 2508.10104);
DINOv2, Oquab et al. (arXiv 2304.07193).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
import torch.nn.functional as F


def rope_periods(head_size: int, base: float = 100.0) -> Tensor:
    """
    Periods of the rotary encoding, from 1 up to nearly ``base``.

    Parameters
    ----------
    head_size : int
        Width of one attention head; a multiple of 4.
    base : float

    Returns
    -------
    Tensor, (head_size / 4,), float32

    """
    count = head_size // 4
    return base ** (torch.arange(count, dtype=torch.float32) / count)


def rope_angles(periods: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """
    Sine and cosine of the rotary encoding of each patch.

    A patch is at its centre, each axis scaled to -1..1 on its own; y comes before x.

    Parameters
    ----------
    periods : Tensor, (P,), float32 or float64
        Taken from the checkpoint, where they are slightly rounded.
    rows, columns : int
        Number of patches.

    Returns
    -------
    sin, cos : Tensor, (rows * columns, 4 P), dtype and device of ``periods``
        Row-major patches; the second half of the last axis repeats the first.

    """
    # Made where it is used: a copy from the host cannot be recorded in a CUDA graph.
    i = torch.arange(rows, device=periods.device).to(periods)
    j = torch.arange(columns, device=periods.device).to(periods)
    y = 2.0 * (i + 0.5) / rows - 1.0
    x = 2.0 * (j + 0.5) / columns - 1.0
    angle_y = (2.0 * math.pi) * y[:, None] / periods  # (rows, P)
    angle_x = (2.0 * math.pi) * x[:, None] / periods  # (columns, P)
    num_periods = periods.shape[0]
    both = torch.cat(
        [
            angle_y[:, None].expand(rows, columns, num_periods),
            angle_x[None].expand(rows, columns, num_periods),
        ],
        dim=-1,
    ).flatten(0, 1)  # (rows * columns, 2 P)
    both = torch.cat([both, both], dim=-1)  # (rows * columns, 4 P)
    return both.sin(), both.cos()


def rotate_patches(tokens: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """
    Apply the rotary encoding to the patch tokens of queries or keys.

    Parameters
    ----------
    tokens : Tensor, (B, heads, T, D)
        The last tokens are the patches; those before them (class, storage) stay as they are.
    sin, cos : Tensor, (N, D), N <= T

    Returns
    -------
    Tensor, (B, heads, T, D), dtype of ``tokens``
        Rotated in the precision of ``sin`` (at least float32).

    """
    num_prefix = tokens.shape[2] - sin.shape[0]
    prefix, patches = tokens[:, :, :num_prefix], tokens[:, :, num_prefix:].to(sin.dtype)
    first, second = patches.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    rotated = (patches * cos + turned * sin).to(tokens.dtype)
    return torch.cat([prefix, rotated], dim=2)  # (B, heads, T, D)


def sine_table(rows: int, columns: int, channels: int) -> Tensor:
    """
    Make the fixed position table of the decoder's context.

    Parameters
    ----------
    rows, columns : int
    channels : int
        A multiple of 4; quarters are sin x, cos x, sin y, cos y (x is the column).

    Returns
    -------
    Tensor, (1, rows, columns, channels), float32
        Computed in float64.

    """
    quarter = channels // 4
    k = torch.arange(quarter, dtype=torch.float64)
    omega = 10000.0 ** (-k / quarter)
    x = torch.arange(columns, dtype=torch.float64)[:, None] * omega  # (columns, quarter)
    y = torch.arange(rows, dtype=torch.float64)[:, None] * omega  # (rows, quarter)
    of_x = torch.cat([x.sin(), x.cos()], dim=-1)[None].expand(rows, columns, 2 * quarter)
    of_y = torch.cat([y.sin(), y.cos()], dim=-1)[:, None].expand(rows, columns, 2 * quarter)
    return torch.cat([of_x, of_y], dim=-1).float()[None]


def resize_learned_table(table: Tensor, rows: int, columns: int, offset: float) -> Tensor:
    """
    Resize a learned square position table to the patches of a picture.

    Parameters
    ----------
    table : Tensor, (1, n * n, C)
    rows, columns : int
    offset : float
        Added to both sizes when the scale is computed; 0.1 in the first DINOv2 weights.

    Returns
    -------
    Tensor, (1, rows * columns, C), dtype of ``table``
        The table itself if the size fits.

    """
    side = math.isqrt(table.shape[1])
    if (rows, columns) == (side, side):
        return table
    grid = table.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, C, n, n)
    if offset:
        # Numbers also while the network is traced, when sizes are tensors.
        scale = (float(rows + offset) / side, float(columns + offset) / side)
        resized = F.interpolate(grid, scale_factor=scale, mode='bicubic')
    else:
        resized = F.interpolate(grid, size=(rows, columns), mode='bicubic', antialias=True)
    return resized.permute(0, 2, 3, 1).flatten(1, 2).to(table.dtype)  # (1, rows * columns, C)
