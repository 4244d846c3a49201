# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Linear blend skinning of one surface for several people at once."""

from __future__ import annotations

from anny_ros.body.asset import Surface
import numpy as np
import torch
from torch import Tensor


class Skinning(torch.nn.Module):
    """
    A surface over the shape basis, skinned to J joints.

    Vertices are held as planes (3, V): each person costs one product (12, J)(J, V) and three
    multiply-adds over contiguous rows.

    Parameters
    ----------
    surface : Surface
    num_joints : int

    """

    template: Tensor
    basis: Tensor
    weights: Tensor

    def __init__(self, surface: Surface, num_joints: int) -> None:
        super().__init__()
        num_vertices = surface.template.shape[1]
        weights = np.zeros((num_vertices, num_joints), np.float32)
        np.put_along_axis(weights, surface.bone_indices, surface.bone_weights, 1)
        self.register_buffer('template', torch.as_tensor(surface.template.copy()), False)
        self.register_buffer('basis', torch.as_tensor(surface.basis), False)
        self.register_buffer('weights', torch.as_tensor(weights.T.copy()), False)  # (J, V)

    def forward(self, coefficients: Tensor, rotations: Tensor, offsets: Tensor) -> Tensor:
        """
        Skin bodies.

        Parameters
        ----------
        coefficients : Tensor, (N, B), float32
        rotations : Tensor, (N, J, 3, 3), float32
            Skinning rotations G.
        offsets : Tensor, (N, J, 3), float32, metres
            Skinning translations: a rest point x on joint j goes to G_j x + offset_j.

        Returns
        -------
        Tensor, (N, V, 3), float32, metres
            A view of planes (N, 3, V): not contiguous.

        """
        num_people, num_vertices = len(coefficients), self.template.shape[1]
        rest = torch.addmm(self.template.reshape(1, -1), coefficients, self.basis)
        rest = rest.view(num_people, 3, num_vertices)
        T = torch.cat([rotations, offsets[..., None]], -1)  # (N, J, 3, 4)
        T = T.permute(0, 2, 3, 1).reshape(num_people * 12, len(self.weights))
        blended = (T @ self.weights).view(num_people, 3, 4, num_vertices)  # (N, 3, 4, V)
        out = blended[:, :, 3]
        for axis in range(3):
            out = torch.addcmul(out, blended[:, :, axis], rest[:, None, axis])
        return out.transpose(1, 2)
