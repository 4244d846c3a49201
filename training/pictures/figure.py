# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Dressed people, ready to be posed: who they are, what they wear, their mesh and its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch

from training.pictures import textures
from training.pictures.base_mesh import BaseMesh
from training.pictures.outfit import Outfit
from training.pictures.pack import Garment
from training.pictures.wardrobe import (
    BodyFields,
    fit_garment,
    Part,
    plain_clothes,
    skin_part,
    vertex_normals,
)

# Side in metres of the cells that vertices of each level of detail are merged in.
_CELLS = (0.0, 0.004, 0.009, 0.018, 0.04)


@dataclass(frozen=True)
class Level:
    """
    A mesh of a dressed person at one level of detail, unposed.

    Parameters
    ----------
    homogeneous : Tensor, (4, V), float32
        Vertices in metres and a row of ones.
    normals : Tensor, (3, V), float32
    weights : Tensor, (J, V), float32
    faces : ndarray, (F, 3), int64
    face_uv : ndarray, (F, 3, 2), float32
        Atlas coordinates 0..1, v down.
    num_one_sided : int
        The first so many faces are seen from their outside only.
    cut_out : ndarray, (F,), bool
        Faces with holes where alpha is low.
    cell : float, metres
        Details up to this size are gone.

    """

    homogeneous: torch.Tensor
    normals: torch.Tensor
    weights: torch.Tensor
    faces: NDArray[np.int64]
    face_uv: NDArray[np.float32]
    num_one_sided: int
    cut_out: NDArray[np.bool_]
    cell: float

    @torch.inference_mode()
    def pose(
        self, rotations: torch.Tensor, offsets: torch.Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Pose the mesh by linear blend skinning.

        Parameters
        ----------
        rotations : Tensor, (J, 3, 3), float32
            Skinning rotations.
        offsets : Tensor, (J, 3), float32, metres
            A rest point x on joint j goes to rotations_j x + offsets_j.

        Returns
        -------
        vertices, normals : ndarray, (V, 3), float32
            Normals are not normalised.

        """
        T = torch.cat([rotations, offsets[..., None]], -1).permute(1, 2, 0).reshape(12, -1)
        blended = (T @ self.weights).view(3, 4, -1)
        vertices = (blended * self.homogeneous).sum(1)
        normals = (blended[:, :3] * self.normals).sum(1)
        return vertices.T.contiguous().numpy(), normals.T.contiguous().numpy()


@dataclass(frozen=True)
class Figure:
    """
    A dressed person.

    Parameters
    ----------
    phenotype : ndarray, (6,), float32
    clothes : str
        What is worn, in words; equal for people who wear the same.
    levels : tuple of Level
        From fine to coarse.
    atlas : list of ndarray, (S, S, 4), uint8
        Pictures, from fine to coarse.
    texel : float, metres
        About the size of a texel of the finest atlas on the body.

    """

    phenotype: NDArray[np.float32]
    clothes: str
    levels: tuple[Level, ...]
    atlas: list[NDArray[np.uint8]]
    texel: float

    def level(self, pixel: float) -> Level:
        """Choose a level whose errors (half a cell) stay below a pixel of ``pixel`` metres."""
        fitting = [level for level in self.levels if level.cell <= 1.5 * pixel]
        return fitting[-1]


def _merge(parts: list[Part]) -> Level:
    """Join parts into one mesh of the finest level."""
    first = np.cumsum([0] + [len(p.vertices) for p in parts])
    vertices = np.concatenate([p.vertices for p in parts])
    normals = np.concatenate([vertex_normals(p.vertices, p.faces) for p in parts])
    weights = np.concatenate([p.weights for p in parts])
    ones = np.ones((1, len(vertices)), np.float32)
    return Level(
        homogeneous=torch.as_tensor(np.concatenate([vertices.T, ones]).astype(np.float32)),
        normals=torch.as_tensor(np.ascontiguousarray(normals.T)),
        weights=torch.as_tensor(np.ascontiguousarray(weights.T)),
        faces=np.concatenate([p.faces + n for p, n in zip(parts, first[:-1], strict=True)]),
        face_uv=np.concatenate([textures.to_atlas(p.face_uv, p.slot) for p in parts]),
        num_one_sided=sum(len(p.faces) for p in parts if not p.two_sided),
        cut_out=np.concatenate([np.full(len(p.faces), p.cut_out) for p in parts]),
        cell=0.0,
    )


def _coarsen(
    level: Level, part: NDArray[np.int64], cell: float
) -> tuple[Level, NDArray[np.int64]]:
    """Merge the vertices of each part that share a cell; keep one of them for all."""
    vertices = level.homogeneous[:3].numpy().T
    grid = np.floor(vertices / cell).astype(np.int64)
    grid -= grid.min(0)
    size = grid.max(0) + 1
    key = ((part * size[0] + grid[:, 0]) * size[1] + grid[:, 1]) * size[2] + grid[:, 2]
    _, kept, inverse = np.unique(key, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1)[level.faces]
    a, b, c = faces.T
    alive = (a != b) & (b != c) & (c != a)
    coarse = Level(
        homogeneous=level.homogeneous[:, kept].contiguous(),
        normals=level.normals[:, kept].contiguous(),
        weights=level.weights[:, kept].contiguous(),
        faces=faces[alive],
        face_uv=level.face_uv[alive],
        num_one_sided=int(alive[: level.num_one_sided].sum()),
        cut_out=level.cut_out[alive],
        cell=cell,
    )
    return coarse, part[kept]


def dress(
    mesh: BaseMesh,
    fields: BodyFields,
    eyes: Garment,
    phenotype: NDArray[np.float32],
    outfit: Outfit,
) -> Figure:
    """
    Fit an outfit to a body.

    Parameters
    ----------
    mesh : BaseMesh
    fields : BodyFields
    eyes : Garment
    phenotype : ndarray, (6,)
    outfit : Outfit

    Returns
    -------
    Figure

    """
    rest = mesh.rest(phenotype)
    hidden = fields.is_eye.copy()
    worn: list[Part] = []
    if outfit.suit is not None:
        hidden[outfit.suit.hide] = True
        worn.append(fit_garment(mesh, rest, outfit.suit))
    elif outfit.plain is not None:
        parts, under = plain_clothes(mesh, rest, fields, outfit.plain)
        hidden |= under
        worn += parts
    if outfit.shoes is not None:
        hidden[outfit.shoes.hide] = True
    rest_of_it = (outfit.shoes, outfit.hair, outfit.hat, outfit.eyebrows, outfit.eyelashes, eyes)
    worn += [fit_garment(mesh, rest, g) for g in rest_of_it if g is not None]
    parts = sorted([skin_part(mesh, rest, hidden), *worn], key=lambda p: p.two_sided)
    finest = _merge(parts)
    part = np.repeat(np.arange(len(parts)), [len(p.vertices) for p in parts])
    levels = [finest]
    for cell in _CELLS[1:]:
        coarse, part = _coarsen(levels[-1], part, cell)
        levels.append(coarse)
    stature = float(np.ptp(rest[mesh.faces].reshape(-1, 3)[:, 2]))
    return Figure(
        phenotype=np.asarray(phenotype, np.float32),
        clothes=outfit.name,
        levels=tuple(levels),
        atlas=textures.make_atlas(outfit.pictures),
        texel=stature / 450,
    )
