# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Linear blend skinning of one surface for several people at once."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.body.surface import Surface
import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class _Block:
    """Vertices from ``start`` on: points of a part, the first (None) or others, and weights."""

    start: int
    count: int
    points: Tensor | None  # (V',), int64
    weights: Tensor  # (J', V')


class Skinning:
    """
    A surface over the shape basis, skinned to J joints.

    The surface is worked off part by part: each has a shape basis of its own, only few joints move
    it or its mirror image, and whatever lies between its shape and the result stays in a core's
    cache. Vertices are planes (3, V): two products of matrices, then multiply-adds over
    contiguous rows.

    Parameters
    ----------
    surface : Surface
    num_joints : int
    device : torch.device

    """

    def __init__(self, surface: Surface, num_joints: int, device: torch.device) -> None:
        weights = np.zeros((surface.num_vertices, num_joints), np.float32)
        np.put_along_axis(weights, surface.bone_indices, surface.bone_weights, 1)
        self._num_vertices = surface.num_vertices
        self._parts = []
        joints, signs = [], []
        for part in surface.parts:
            blocks = []
            for start, points, sign in (
                (part.start, None, 1.0),
                (part.mirror_start, torch.as_tensor(part.mirror).to(device), -1.0),
            ):
                count = part.count if points is None else len(points)
                if count:
                    rows = weights[start : start + count]
                    moved_by = np.flatnonzero(rows.any(0))
                    columns = torch.as_tensor(np.ascontiguousarray(rows[:, moved_by].T))
                    blocks.append(_Block(start, count, points, columns.to(device)))
                    joints.append(moved_by)
                    signs.append(np.full(len(moved_by), sign, np.float32))
            self._parts.append((torch.as_tensor(part.basis).to(device), blocks))
        mixing = np.concatenate([part.mixing for part in surface.parts], 1)
        self._mixing = torch.as_tensor(mixing).to(device)
        self._ranks = [len(part.basis) for part in surface.parts]
        last = torch.zeros(sum(self._ranks))
        last[np.cumsum(self._ranks) - 1] = 1.0
        self._last = last.to(device)
        self._centre = torch.as_tensor(surface.centre).to(device)
        self._joints = torch.as_tensor(np.concatenate(joints)).to(device)
        self._signs = torch.as_tensor(np.concatenate(signs)).to(device)
        self._num_joints = [len(j) for j in joints]

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
        T = transforms.permute(3, 0, 2, 1).flatten(0, 2).index_select(1, self._joints)
        T[: 3 * N].mul_(self._signs)  # (4 N 3, sum of J'); the x of mirror images is negative
        by_block = iter(T.split(self._num_joints, 1))
        out = transforms.new_empty(N, self._num_vertices, 3)
        out_planes = out.transpose(1, 2)
        for c, (basis, blocks) in zip(own.split(self._ranks, 1), self._parts, strict=True):
            rest = torch.mm(c, basis).view(3 * N, basis.shape[1] // 3)
            for block in blocks:
                count, points = block.count, block.points
                chosen = rest[:, :count] if points is None else rest.index_select(1, points)
                x, y, z = chosen.view(N, 3, 1, count).unbind(1)  # (N, 1, V')
                blended = torch.mm(next(by_block), block.weights).view(4, N, 3, count)
                by_x, by_y, by_z, moved = blended.unbind()
                moved.addcmul_(by_x, x).addcmul_(by_y, y).addcmul_(by_z, z)
                out_planes.narrow(2, block.start, count).copy_(moved)
        return out
