# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Joints and landmarks of posed bodies, without any mesh.

Pose is held in *world-aligned* rotations: ``E_c`` turns joint c relative to its parent, seen in
the axes of the rest body (z up, x to the body's left, y to its back). In that form the skinning
rotation is simply ``G_c = G_parent E_c``, and no rest frame is needed. Anny's own "local-bone"
deltas D relate to it by the rest frames Q: ``E_c = Q_c D_c Q_c^T``, and ``E_root = D_root
Q_root^T``.

Shapes below: N people, J joints, L landmarks, P points fixed to bones, B shape coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anny_ros.body.asset import Asset
from anny_ros.body.phenotype import shape_coefficients
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor


@dataclass(frozen=True)
class RestBody:
    """
    Unposed bodies of given shapes, in rest axes.

    Parameters
    ----------
    coefficients : Tensor, (N, B)
        Of the shape basis.
    heads : Tensor, (N, J, 3), metres
        Joint positions.
    points : Tensor, (N, P, 3), metres
        Weighted points fixed to bones, whose sums are the landmarks.

    """

    coefficients: Tensor
    heads: Tensor
    points: Tensor


@dataclass(frozen=True)
class PosedSkeleton:
    """
    Posed joints and landmarks.

    Parameters
    ----------
    rotations : Tensor, (N, J, 3, 3)
        Skinning rotations G: from rest axes to the space of the root's rotation.
    joint_positions : Tensor, (N, J, 3), metres
    landmarks : Tensor, (N, L, 3), metres
    points : Tensor, (N, P, 3), metres
        Posed weighted points; the landmarks are their sums by ``Skeleton.point_sums``.

    """

    rotations: Tensor
    joint_positions: Tensor
    landmarks: Tensor
    points: Tensor


class Skeleton(torch.nn.Module):
    """
    Anny's skeleton with only some joints that turn; the others follow their parents exactly.

    Parameters
    ----------
    asset : Asset
    turned : sequence of str or None
        Names of the joints that turn, the root among them; None takes all of the asset's.
    dtype : torch.dtype
        Of the arithmetic; float32 is good to a micrometre in this form.

    """

    variations: Tensor
    projection: Tensor
    heads: Tensor
    heads_basis: Tensor
    points: Tensor
    points_basis: Tensor
    point_joint: Tensor
    point_weight: Tensor
    point_sums: Tensor

    def __init__(
        self,
        asset: Asset,
        turned: Sequence[str] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        names = asset.joint_names if turned is None else tuple(turned)
        unknown = sorted(set(names) - set(asset.joint_names))
        if unknown or 'root' not in names:
            raise ValueError(f'joints must hold root and be joints of the body; not: {unknown}')
        index = [i for i, name in enumerate(asset.joint_names) if name in names]
        rank = self._nearest_turned(asset, index)
        self.joint_names = tuple(asset.joint_names[i] for i in index)
        parents = [asset.joint_parents[i] for i in index]
        self.parents = tuple(-1 if p < 0 else rank[p] for p in parents)
        self.landmark_names = asset.landmark_names
        self.levels = self._levels(self.parents)
        self._dtype = dtype
        arrays, keep = asset.arrays, self._keep
        keep('variations', arrays['shape.variations'].astype(np.int64), torch.int64)
        keep('projection', arrays['shape.projection'])
        heads = arrays['skeleton.heads'][index]
        heads_basis = arrays['skeleton.heads_basis'][:, index]
        keep('heads', heads)
        keep('heads_basis', heads_basis.reshape(len(heads_basis), -1))
        self._merge_points(asset, rank)

    @staticmethod
    def _nearest_turned(asset: Asset, index: list[int]) -> list[int]:
        """For each joint of the asset, the rank of its nearest turned ancestor or itself."""
        rank: list[int] = []
        for i, parent in enumerate(asset.joint_parents):
            rank.append(index.index(i) if i in index else rank[parent])
        return rank

    @staticmethod
    def _levels(parents: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Joints by depth, with their parents, for level-wise products."""
        depth: list[int] = []
        for parent in parents:
            depth.append(0 if parent < 0 else depth[parent] + 1)
        levels = []
        for d in range(1, max(depth) + 1):
            joints = [j for j, k in enumerate(depth) if k == d]
            levels.append((torch.tensor(joints), torch.tensor([parents[j] for j in joints])))
        return levels

    def _keep(self, name: str, values: NDArray[Any], dtype: torch.dtype | None = None) -> None:
        tensor = torch.as_tensor(values.copy()).to(dtype or self._dtype)
        self.register_buffer(name, tensor, persistent=False)

    def _merge_points(self, asset: Asset, rank: list[int]) -> None:
        """Sum the points of one landmark that hang on the same turned joint."""
        arrays, keep = asset.arrays, self._keep
        joints = np.array(rank)[arrays['landmark.joint'].astype(np.int64)]
        pairs = np.stack([arrays['landmark.index'].astype(np.int64), joints], 1)
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        weight = np.zeros(len(unique))
        np.add.at(weight, inverse, arrays['landmark.weight'])
        template = np.zeros((len(unique), 3))
        np.add.at(template, inverse, arrays['landmark.template'])
        basis = np.zeros((len(unique), arrays['landmark.basis'].shape[0], 3))
        np.add.at(basis, inverse, arrays['landmark.basis'].transpose(1, 0, 2))
        sums = np.zeros((len(asset.landmark_names), len(unique)))
        sums[unique[:, 0], np.arange(len(unique))] = 1.0
        keep('points', template)
        keep('points_basis', basis.transpose(1, 0, 2).reshape(basis.shape[1], -1))
        keep('point_joint', unique[:, 1], torch.int64)
        keep('point_weight', weight)
        keep('point_sums', sums)

    @property
    def num_joints(self) -> int:
        """Number of joints that turn."""
        return len(self.joint_names)

    def coefficients(self, phenotype: Tensor) -> Tensor:
        """Make the coefficients of the shape basis, (N, B), of phenotypes (N, 6)."""
        return shape_coefficients(phenotype, self.variations, self.projection)

    def rest(self, phenotype: Tensor) -> RestBody:
        """
        Make unposed bodies.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)

        Returns
        -------
        RestBody

        """
        c = self.coefficients(phenotype)
        heads = self.heads + (c @ self.heads_basis).view(len(c), *self.heads.shape)
        points = self.points + (c @ self.points_basis).view(len(c), *self.points.shape)
        return RestBody(c, heads, points)

    def pose(
        self, rest: RestBody, rotations: Tensor, translation: Tensor | None = None
    ) -> PosedSkeleton:
        """
        Pose bodies.

        Parameters
        ----------
        rest : RestBody
        rotations : Tensor, (N, J, 3, 3)
            World-aligned rotations E; row 0 turns the whole body (from rest axes to, say, the
            optical frame).
        translation : Tensor, (N, 3), metres, or None
            Where the root joint goes; None is the origin.

        Returns
        -------
        PosedSkeleton

        """
        offsets = rest.heads.clone()
        parents = list(self.parents)
        offsets[:, 1:] = rest.heads[:, 1:] - rest.heads[:, parents[1:]]
        turned: list[Tensor] = [rotations[:, 0]] + [rotations[:, 0]] * (self.num_joints - 1)
        zero = torch.zeros_like(offsets[:, 0]) if translation is None else translation
        position: list[Tensor] = [zero] * self.num_joints
        for joints, above in self.levels:
            up = torch.stack([turned[p] for p in above.tolist()], 1)  # (N, K, 3, 3)
            base = torch.stack([position[p] for p in above.tolist()], 1)  # (N, K, 3)
            here = base + (up @ offsets[:, joints, :, None])[..., 0]
            g = up @ rotations[:, joints]
            for k, j in enumerate(joints.tolist()):
                turned[j], position[j] = g[:, k], here[:, k]
        G = torch.stack(turned, 1)  # (N, J, 3, 3)
        heads = torch.stack(position, 1)  # (N, J, 3)
        j = self.point_joint
        lever = rest.points - self.point_weight[:, None] * rest.heads[:, j]
        points = (G[:, j] @ lever[..., None])[..., 0] + self.point_weight[:, None] * heads[:, j]
        return PosedSkeleton(G, heads, self.point_sums @ points, points)


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
