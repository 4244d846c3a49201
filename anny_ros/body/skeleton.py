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
import itertools
from typing import Any

from anny_ros.body.asset import Asset
from anny_ros.body.phenotype import ShapeSpace
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

    """

    coefficients: Tensor
    heads: Tensor


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

    heads: Tensor
    heads_basis: Tensor
    points: Tensor
    points_basis: Tensor
    above: Tensor
    by_depth: Tensor
    from_depth: Tensor
    parent: Tensor
    last_row: Tensor
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
        self._dtype = dtype
        keep = self._keep
        self._order_by_depth()
        keep('last_row', np.array([0.0, 0.0, 0.0, 1.0]))
        arrays = asset.arrays
        self.shape_space = ShapeSpace(
            torch.as_tensor(arrays['shape.variations'].astype(np.int64)),
            torch.as_tensor(arrays['shape.projection'].copy()),
            dtype,
        )
        heads_basis = arrays['skeleton.heads_basis'][:, index]
        keep('heads', arrays['skeleton.heads'][index].reshape(-1))
        keep('heads_basis', heads_basis.reshape(len(heads_basis), -1))
        self._merge_points(asset, rank)

    @staticmethod
    def _nearest_turned(asset: Asset, index: list[int]) -> list[int]:
        """For each joint of the asset, the rank of its nearest turned ancestor or itself."""
        rank: list[int] = []
        for i, parent in enumerate(asset.joint_parents):
            rank.append(index.index(i) if i in index else rank[parent])
        return rank

    def _order_by_depth(self) -> None:
        """Sort joints by depth: a level is then a slice, its parents are in the one before."""
        depth: list[int] = []
        for parent in self.parents:
            depth.append(0 if parent < 0 else depth[parent] + 1)
        order = sorted(range(self.num_joints), key=lambda j: depth[j])
        place = np.argsort(order)
        self._levels = [depth.count(d) for d in range(max(depth) + 1)]
        starts = np.cumsum([0, *self._levels])
        above = [0 if d == 0 else place[self.parents[j]] - starts[d - 1] for d, j in
                 ((depth[j], j) for j in order)]  # fmt: skip
        by_level = np.split(np.array(above), starts[1:-1])
        self._straight = [  # whether each joint of the level before goes on in one
            len(there) == len(here) and np.array_equal(here, np.arange(len(here)))
            for there, here in itertools.pairwise(by_level)
        ]
        self._keep('above', np.array(above), torch.int64)
        self._keep('by_depth', np.array(order), torch.int64)
        self._keep('from_depth', place, torch.int64)
        self._keep('parent', np.maximum(self.parents, 0), torch.int64)

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
        keep('point_joint', unique[:, 1], torch.int64)
        keep('point_weight', weight)
        keep('point_sums', sums)
        keep('points', template.reshape(-1))
        keep('points_basis', basis.transpose(1, 0, 2).reshape(basis.shape[1], -1))

    @property
    def num_joints(self) -> int:
        """Number of joints that turn."""
        return len(self.joint_names)

    def coefficients(self, phenotype: Tensor) -> Tensor:
        """Make the coefficients of the shape basis, (N, B), of phenotypes (N, 6)."""
        coefficients: Tensor = self.shape_space(phenotype)
        return coefficients

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
        heads = torch.addmm(self.heads, c, self.heads_basis)
        return RestBody(c, heads.view(len(c), self.num_joints, 3))

    def joint_poses(
        self, rest: RestBody, rotations: Tensor, translation: Tensor | None = None
    ) -> Tensor:
        """
        Pose joints alone.

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
        Tensor, (N, J, 3, 4)
            Skinning rotation G and position of each joint.

        """
        N, J = rotations.shape[:2]
        root = torch.zeros_like(rest.heads[:, 0]) if translation is None else translation
        bones = rest.heads[:, 1:] - rest.heads.index_select(1, self.parent[1:])
        offsets = torch.cat([root[:, None], bones], 1)
        last_row = self.last_row.expand(N, J, 1, 4)
        local = torch.cat([torch.cat([rotations, offsets[..., None]], -1), last_row], -2)
        local = local.transpose(0, 1).index_select(0, self.by_depth).flatten(0, 1)  # (J N, 4, 4)
        level, *levels = local.split([count * N for count in self._levels])
        posed = [level[:, :3].view(1, N, 3, 4)]  # (K, N, 3, 4): a level of K joints
        aboves = self.above.split(self._levels)[1:]
        for level, above, straight in zip(levels, aboves, self._straight, strict=True):
            up = posed[-1] if straight else posed[-1].index_select(0, above)
            posed.append(torch.bmm(up.view(len(level), 3, 4), level).view(len(above), N, 3, 4))
        return torch.cat(posed).transpose(0, 1).index_select(1, self.from_depth)

    def pose(
        self, rest: RestBody, rotations: Tensor, translation: Tensor | None = None
    ) -> PosedSkeleton:
        """
        Pose bodies: their joints and landmarks.

        Parameters
        ----------
        rest : RestBody
        rotations : Tensor, (N, J, 3, 3)
        translation : Tensor, (N, 3), metres, or None
            As in ``joint_poses``.

        Returns
        -------
        PosedSkeleton

        """
        poses = self.joint_poses(rest, rotations, translation)
        j, weight = self.point_joint, self.point_weight[:, None]
        N, P = len(poses), len(j)
        at_rest = torch.addmm(self.points, rest.coefficients, self.points_basis).view(N, P, 3)
        lever = at_rest - weight * rest.heads.index_select(1, j)
        lever = torch.cat([lever, weight.expand(N, P, 1)], -1)
        on = poses.index_select(1, j)  # (N, P, 3, 4)
        points = torch.bmm(on.view(N * P, 3, 4), lever.view(N * P, 4, 1)).view(N, P, 3)
        sums = self.point_sums @ points.transpose(0, 1).reshape(P, N * 3)
        landmarks = sums.view(len(sums), N, 3).transpose(0, 1)
        return PosedSkeleton(poses[..., :3], poses[..., 3], landmarks, points)
