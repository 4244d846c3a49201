# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Heads: small networks that read one vector each; all run in float32."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn, Tensor
import torch.nn.functional as F


def make_head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, ReLU, Linear; the checkpoint numbers the linear layers 0 and 2."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def run_offset_head(head: nn.Sequential, x: Tensor, constant: Tensor) -> Tensor:
    """
    Run a head on [x, constant] and add the constant to its result.

    The constant's share of the first layer is one bias vector, the same for all rows.

    Parameters
    ----------
    head : Sequential
        From ``make_head(C + P, hidden, P)``, or that head fused.
    x : Tensor, (..., C)
    constant : Tensor, (1, P)

    Returns
    -------
    Tensor, (..., P)

    """
    first, second = cast(nn.Linear, head[0]), cast(nn.Linear, head[2])
    width = x.shape[-1]
    if first.in_features == width:  # fused: the constant is in the biases
        out: Tensor = head(x)
        return out
    bias = first.bias + first.weight[:, width:] @ constant[0]  # (hidden,)
    hidden = F.relu(F.linear(x, first.weight[:, :width], bias))
    return constant[0] + F.linear(hidden, second.weight, second.bias)


def fuse_offset_head(head: nn.Sequential, constant: Tensor) -> nn.Sequential:
    """
    Fold the constant of ``run_offset_head`` into the biases.

    Parameters
    ----------
    head : Sequential
        From ``make_head(C + P, hidden, P)``.
    constant : Tensor, (1, P)

    Returns
    -------
    Sequential
        As from ``make_head(C, hidden, P)``, for inference; shares the second weight.

    """
    first, second = cast(nn.Linear, head[0]), cast(nn.Linear, head[2])
    width = first.in_features - constant.shape[1]
    with torch.device('meta'):
        fused = make_head(width, first.out_features, second.out_features)
    values = {
        '0.weight': first.weight[:, :width].detach().contiguous(),
        '0.bias': (first.bias + first.weight[:, width:] @ constant[0]).detach(),
        '2.weight': second.weight.detach(),
        '2.bias': (second.bias + constant[0]).detach(),
    }
    fused.load_state_dict(values, assign=True)
    return fused.requires_grad_(False)


class TrackFeatureHead(nn.Module):
    """Appearance of a person, for telling people apart; raw, not normalised."""

    def __init__(self, *, width: int, feature_size: int) -> None:
        super().__init__()
        self.trackfeat_model = make_head(width, feature_size, feature_size)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., A)."""
        out: Tensor = self.trackfeat_model(x)
        return out


def initial_body_pose(num_bones: int) -> Tensor:
    """
    Pose that the pose head's output is added to.

    Parameters
    ----------
    num_bones : int

    Returns
    -------
    Tensor, (1, 6 * num_bones), float32
        Six numbers a bone, see ``anny_ros.model.pose``: the root turned by +90 degrees about x,
        the others not at all.

    """
    root = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    other = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    return torch.cat([root, other.repeat(num_bones - 1)])[None]


FOV_MAX = math.pi
