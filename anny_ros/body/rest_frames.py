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
    The bone's direction (x, y, z) is turned to by the smallest rotation from (0, 1, 0), then the
    roll follows (Anny). With k = 1 / (1 + y) that rotation is closed; for bones that point down
    (y < 0) the equal form k = (1 - y) / (x^2 + z^2) does not cancel. Runs in float64.

    """

    bones: Tensor
    basis: Tensor
    rolls: Tensor

    def __init__(self, asset: Asset) -> None:
        super().__init__()
        arrays = asset.arrays
        bones = arrays['skeleton.tails'] - arrays['skeleton.heads']
        basis = arrays['skeleton.tails_basis'] - arrays['skeleton.heads_basis']
        bones, basis = bones.T.reshape(-1), basis.transpose(0, 2, 1).reshape(len(basis), -1)
        self.register_buffer('bones', torch.as_tensor(bones), False)  # planes (3 J)
        self.register_buffer('basis', torch.as_tensor(basis), False)
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
        N, J = len(coefficients), len(self.rolls)
        bones = torch.addmm(self.bones, coefficients, self.basis).view(N, 3, J)
        x, y, z = bones.transpose(0, 1).contiguous()  # vectors of equal length are fast
        length = (x * x + y * y + z * z).sqrt()
        x, y, z = x / length, y / length, z / length
        side = (x * x + z * z).clamp_min(torch.finfo(torch.float64).tiny)
        above = 1 + y.abs()
        k = torch.where(y < 0, above / side, 1 / above)
        kx, kz = k * x, k * z
        xz = kx * z
        rows = (1 - kx * x, x, -xz, -x, y, -z, -xz, z, 1 - kz * z)
        return torch.stack(rows, -1).view(N, J, 3, 3) @ self.rolls
