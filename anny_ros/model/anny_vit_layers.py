# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Parts of anny-vit's decoder: places as numbers, windows of the picture, heads in float32.

Legend of shapes: B batch, Q queries, C width; lengths are in patches, counted from the corner of
the picture's first patch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

OCTAVES = 6
PLACE_FEATURES = 4 * OCTAVES
_LEAST_HALF = 0.5  # patches


class Window(NamedTuple):
    """
    Where a query looks.

    Parameters
    ----------
    centre : Tensor, (B, Q, 2), patches
        Column, row.
    half : Tensor, (B, Q, 2), patches
        Half of the width and of the height.

    """

    centre: Tensor
    half: Tensor

    @property
    def reach(self) -> Tensor:
        """The larger half (B, Q, 1): the unit of what is predicted relative to the window."""
        return self.half.amax(-1, keepdim=True)

    def moved(self, numbers: Tensor) -> Window:
        """
        Move and resize.

        Parameters
        ----------
        numbers : Tensor, (B, Q, 4)
            Shift over ``reach``, logarithm of the growth.

        Returns
        -------
        Window

        """
        growth = numbers[..., 2:].clamp(-3.0, 3.0).exp()
        return Window(
            self.centre + self.reach * numbers[..., :2],
            (self.half * growth).clamp(_LEAST_HALF, 1e3),
        )

    def detach(self) -> Window:
        """Pass no gradients on."""
        return Window(self.centre.detach(), self.half.detach())


def start_windows(like: Tensor, side: int) -> Window:
    """
    Spread windows evenly over a picture, each somewhat larger than its share.

    Parameters
    ----------
    like : Tensor, (B, rows, columns, C)
    side : int
        ``side * side`` windows, row by row.

    Returns
    -------
    Window
        B = 1.

    """
    rows, columns = (int(n) for n in like.shape[1:3])
    # Made where it is used: a copy from the host cannot be recorded in a CUDA graph.
    step = (torch.arange(side, device=like.device).to(like.dtype) + 0.5) / side
    x, y = (columns * step).repeat(side), (rows * step)[:, None].expand(side, side).flatten()
    centre = torch.stack([x, y], -1)[None]  # (1, side * side, 2)
    half = torch.stack([torch.full_like(x, columns), torch.full_like(y, rows)], -1)[None] / side
    return Window(centre, (1.25 * half).clamp_min(_LEAST_HALF))


def encode_place(xy: Tensor, rows: int, columns: int) -> Tensor:
    """
    Encode places relative to the middle of the picture, in units of its longer side.

    Parameters
    ----------
    xy : Tensor, (..., 2), patches

    Returns
    -------
    Tensor, (..., PLACE_FEATURES)
        Sine and cosine of wave lengths from two longer sides to a sixteenth of one.

    """
    longest = max(rows, columns)
    octave = torch.arange(OCTAVES, device=xy.device).to(xy.dtype)
    wave = math.pi * torch.exp2(octave)  # (OCTAVES,)
    x = (xy[..., :1] - 0.5 * columns) / longest * wave
    y = (xy[..., 1:] - 0.5 * rows) / longest * wave
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=-1)


def patch_centres(like: Tensor) -> Tensor:
    """Centres of the patches of ``like`` (B, rows, columns, C): (rows, columns, 2), patches."""
    rows, columns = (int(n) for n in like.shape[1:3])
    x = torch.arange(columns, device=like.device).to(like.dtype) + 0.5
    y = torch.arange(rows, device=like.device).to(like.dtype) + 0.5
    return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)], dim=-1)


class WindowLook(nn.Module):
    """
    Read a window of the picture, with weights of its own for every point of the window.

    Parameters
    ----------
    width : int
    side, channels : int
        Points a side, numbers read at each.

    """

    def __init__(self, *, width: int, side: int, channels: int) -> None:
        super().__init__()
        self.side = side
        self.value = nn.Linear(width, channels)
        self.to_out = nn.Linear(side * side * channels, width)

    def forward(self, context: Tensor, window: Window) -> Tensor:
        """
        Look.

        Parameters
        ----------
        context : Tensor, (B, rows, columns, C)
        window : Window
            Outside of the picture there are zeros.

        Returns
        -------
        Tensor, (B, Q, C)

        """
        batch, rows, columns, _ = context.shape
        values = self.value(context).permute(0, 3, 1, 2)  # (B, channels, rows, columns)
        step = torch.arange(self.side, device=context.device).to(window.half.dtype)
        step = (2 * step + 1) / self.side - 1  # (side,), -1..1 over the window
        x = window.centre[..., :1] + window.half[..., :1] * step  # (B, Q, side)
        y = window.centre[..., 1:] + window.half[..., 1:] * step
        queries, side = x.shape[1], self.side
        wide = (batch, queries, side, side)
        grid = torch.stack(
            [
                (2 * x / columns - 1)[:, :, None, :].expand(wide),
                (2 * y / rows - 1)[..., None].expand(wide),
            ],
            dim=-1,
        )  # (B, Q, side, side, 2)
        seen = F.grid_sample(
            values,
            grid.reshape(batch, queries * side, side, 2).to(values.dtype),
            align_corners=False,
        )  # (B, channels, Q * side, side)
        seen = seen.unflatten(2, (queries, side)).permute(0, 2, 3, 4, 1)
        out: Tensor = self.to_out(seen.flatten(2))
        return out
