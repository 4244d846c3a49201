# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Linear blend skinning of one surface for several people at once."""

from __future__ import annotations

from anny_ros.body.asset import Surface
import numpy as np
import torch
from torch import Tensor


class Skinning:
    """
    A surface over the shape basis, skinned to J joints.

    The surface is worked off part by part. A part has a shape basis of its own and needs only the
    few joints that move it, and whatever lies between its shape and the result stays in a core's
    cache. Vertices are planes (3, V): two products of matrices, then multiply-adds over
    contiguous rows.

    Parameters
    ----------
    surface : Surface
    num_joints : int
    device : torch.device

    """

    def __init__(self, surface: Surface, num_joints: int, device: torch.device) -> None:
        bases = surface.bases
        self._ranks = [len(basis) for basis in bases]
        self._sizes = [basis.shape[1] // 3 for basis in bases]
        weights = np.zeros((surface.num_vertices, num_joints), np.float32)
        np.put_along_axis(weights, surface.bone_indices, surface.bone_weights, 1)
        by_part = np.split(weights, np.cumsum(self._sizes)[:-1])
        joints = [np.flatnonzero(part.any(0)) for part in by_part]
        self._num_joints = [len(j) for j in joints]
        self._centre = torch.as_tensor(surface.centre).to(device)
        self._mixing = torch.as_tensor(np.concatenate(surface.mixing, 1)).to(device)
        last = torch.zeros(sum(self._ranks))
        last[np.cumsum(self._ranks) - 1] = 1.0
        self._last = last.to(device)
        self._joints = torch.as_tensor(np.concatenate(joints)).to(device)
        self._bases = [torch.as_tensor(basis).to(device) for basis in bases]  # (R, 3 V)
        self._weights = [
            torch.as_tensor(np.ascontiguousarray(part[:, moved_by].T)).to(device)  # (J', V)
            for part, moved_by in zip(by_part, joints, strict=True)
        ]

    def __call__(self, coefficients: Tensor, transforms: Tensor) -> Tensor:
        """
        Skin bodies.

        Parameters
        ----------
        coefficients : Tensor, (N, B), float64
        transforms : Tensor, (N, J, 3, 4), float32
            Rotation and translation: a rest point x on joint j goes to R_j x + t_j (metres).

        Returns
        -------
        Tensor, (N, V, 3), float32, metres, contiguous

        """
        N = len(coefficients)
        own = torch.addmm(self._last, (coefficients - self._centre).float(), self._mixing)
        T = transforms.permute(3, 0, 2, 1).flatten(0, 2)  # (4 N 3, J)
        T = T.index_select(1, self._joints)
        out = transforms.new_empty(N, sum(self._sizes), 3)
        parts = zip(
            own.split(self._ranks, 1),
            T.split(self._num_joints, 1),
            self._bases,
            self._weights,
            out.transpose(1, 2).split(self._sizes, 2),
            strict=True,
        )
        for c, T_part, basis, weights, planes in parts:
            size = planes.shape[2]
            rest = torch.mm(c, basis).view(N, 3, 1, size)
            blended = torch.mm(T_part, weights).view(4, N, 3, size)
            x, y, z = rest.unbind(1)
            by_x, by_y, by_z, moved = blended.unbind()
            planes.copy_(moved.addcmul_(by_x, x).addcmul_(by_y, y).addcmul_(by_z, z))
        return out
