# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Orientations of the bones of unposed bodies."""

from __future__ import annotations

from anny_ros.body.asset import Asset
import torch
from torch import Tensor


class RestFrames(torch.nn.Module):
    """
    Rest orientation Q of each joint, which depends on the shape.

    Notes
    -----
    The bone's direction y is turned to by the smallest rotation from (0, 1, 0), then the roll
    follows (Anny). With k = 1 / (1 + y_y) that rotation is closed; for bones that point down
    (y_y < 0) the equal form k = (1 - y_y) / (y_x^2 + y_z^2) does not cancel. Runs in float64.

    """

    bones: Tensor
    basis: Tensor
    rolls: Tensor

    def __init__(self, asset: Asset) -> None:
        super().__init__()
        arrays = asset.arrays
        bones = arrays['skeleton.tails'] - arrays['skeleton.heads']
        basis = arrays['skeleton.tails_basis'] - arrays['skeleton.heads_basis']
        self.register_buffer('bones', torch.as_tensor(bones), False)
        self.register_buffer('basis', torch.as_tensor(basis.reshape(len(basis), -1)), False)
        self.register_buffer('rolls', torch.as_tensor(arrays['skeleton.rolls'].copy()), False)

    def forward(self, coefficients: Tensor) -> Tensor:
        """
        Make rest orientations.

        Parameters
        ----------
        coefficients : Tensor, (N, B), float64
            Of the shape basis.

        Returns
        -------
        Tensor, (N, J, 3, 3), float64
            Columns are the axes of the bone's frame in rest axes.

        """
        along = (coefficients @ self.basis).view(len(coefficients), *self.bones.shape)
        bones = self.bones + along
        x, y, z = (bones / bones.norm(dim=-1, keepdim=True)).unbind(-1)
        side = (x * x + z * z).clamp_min(torch.finfo(torch.float64).tiny)
        k = torch.where(y < 0, (1 - y) / side, 1 / (1 + y).clamp_min(0.5))
        rows = (1 - x * x * k, x, -x * z * k, -x, y, -z, -x * z * k, z, 1 - z * z * k)
        return torch.stack(rows, -1).unflatten(-1, (3, 3)) @ self.rolls
