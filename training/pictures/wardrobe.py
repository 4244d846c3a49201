# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Clothes fitted to an unposed body: meshes of the data pack, and cuts of helper surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.pictures.base_mesh import BaseMesh
from training.pictures.pack import Garment

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Part:
    """
    One piece of a dressed person, unposed.

    Parameters
    ----------
    vertices : ndarray, (n, 3), float32, metres
    weights : ndarray, (n, J), float32
        Skinning.
    faces : ndarray, (m, 3), int64
    face_uv : ndarray, (m, 3, 2), float32
        Texture coordinates of the corners, 0..1, v down.
    slot : str
        Where its picture is in the atlas.
    two_sided : bool
        Seen from both sides.
    cut_out : bool
        The picture's alpha cuts holes.

    """

    vertices: NDArray[np.float32]
    weights: NDArray[np.float32]
    faces: NDArray[np.int64]
    face_uv: NDArray[np.float32]
    slot: str
    two_sided: bool
    cut_out: bool


@dataclass(frozen=True)
class PlainCut:
    """
    How plain clothes are cut.

    Parameters
    ----------
    sleeve : float
        0 at the shoulder, 1 elbow, 2 wrist; negative has no sleeves.
    hem : float
        Lower end of the top on the trunk, 0 hips to 1 neck; lower than the legs' start hides it.
    collar : float
        Upper end, about 1 at the neck.
    leg : float
        End of the trousers, 0 hip, 1 knee, 2 ankle.
    waist : float
        Upper end of trousers or skirt on the trunk.
    skirt : float or None
        End of a skirt, 0 waist to 1 hem near the ankles; None wears trousers.
    looseness : tuple of float, metres
        Distance of top and bottom from the helper surface, for an adult.

    """

    sleeve: float
    hem: float
    collar: float
    leg: float
    waist: float
    skirt: float | None
    looseness: tuple[float, float]


class BodyFields:
    """
    Continuous measures along trunk, arms and legs, for each base vertex, to cut clothes by.

    Parameters
    ----------
    regions : dict of str to ndarray
        ``body_regions.npz``.

    """

    def __init__(self, regions: dict[str, NDArray[Any]]) -> None:
        names = [str(n) for n in regions['region_names']]
        parts = [str(n) for n in regions['part_names']]
        region = regions['region']
        along = np.nan_to_num(regions['along'].astype(np.float32))
        where = {name: region == i for i, name in enumerate(names)}
        self.trunk = np.full(len(region), -0.5, np.float32)
        for name in ('torso', 'pelvis'):
            self.trunk[where[name]] = along[where[name]]
        for name, value in (('neck', 1.1), ('head', 1.5), ('upper_arm', 0.9), ('forearm', 0.9),
                            ('hand', 0.9)):  # fmt: skip
            self.trunk[where[name]] = value
        self.arm = np.full(len(region), -1.0, np.float32)
        self.leg = np.full(len(region), -1.0, np.float32)
        for field, first, second, end in (
            (self.arm, 'upper_arm', 'forearm', 'hand'),
            (self.leg, 'thigh', 'shin', 'foot'),
        ):
            field[where[first]] = np.clip(along[where[first]], -0.5, 0.99)
            field[where[second]] = 1.0 + np.clip(along[where[second]], 0.0, 1.0)
            field[where[end]] = 2.1
        self.skirt = along
        self.is_body = regions['part'] == parts.index('body')
        self.is_eye = np.isin(
            regions['part'], [parts.index(n) for n in ('eyes', 'eyelashes', 'genital')]
        )
        self.tights: NDArray[np.int64] = regions['tights_faces'].astype(np.int64)
        self.skirt_faces: NDArray[np.int64] = regions['skirt_faces'].astype(np.int64)


def vertex_normals(vertices: FloatArray, faces: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Make unit normals (V, 3), float32, weighted by area; zero where no face is."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    index = faces.T.reshape(-1)
    total = np.stack(
        [np.bincount(index, np.tile(normal[:, k], 3), len(vertices)) for k in range(3)], 1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.maximum(length, 1e-12)).astype(np.float32)


def fit_garment(mesh: BaseMesh, rest: NDArray[np.float32], garment: Garment) -> Part:
    """
    Fit a garment of the data pack to an unposed body.

    Parameters
    ----------
    mesh : BaseMesh
    rest : ndarray, (V, 3), float32, metres
        Rest vertices of the body that wears it.
    garment : Garment

    Returns
    -------
    Part

    """
    axes = np.arange(3)
    ends = rest[garment.scale_ref, axes[:, None]]  # (3, 2)
    scale = np.abs(ends[:, 0] - ends[:, 1]) / garment.scale_den
    vertices = np.einsum('nk,nkc->nc', garment.weight, rest[garment.base])
    vertices = (vertices + garment.offset * scale).astype(np.float32)
    share = np.clip(garment.weight, 0.0, None)
    share /= share.sum(1, keepdims=True)
    weights = np.einsum('nk,nkj->nj', share, mesh.weights[garment.base], optimize=True)
    uv = garment.uv[garment.face_uv].astype(np.float32)  # (m, 3, 2)
    uv[..., 1] = 1.0 - uv[..., 1]
    cut_out = garment.kind in ('hair', 'eyebrows', 'eyelashes')
    slot = 'top' if garment.kind == 'suit' else garment.kind
    two_sided = garment.kind != 'eyes'
    return Part(vertices, weights, garment.faces, uv, slot, two_sided, cut_out)


def skin_part(mesh: BaseMesh, rest: NDArray[np.float32], hidden: NDArray[np.bool_]) -> Part:
    """
    Take the skin that clothes leave bare.

    Parameters
    ----------
    mesh : BaseMesh
    rest : ndarray, (V, 3), float32, metres
    hidden : ndarray, (V,), bool
        Base vertices under clothes; a face goes when all its vertices are.

    Returns
    -------
    Part

    """
    kept = ~hidden[mesh.faces].all(1)
    uv = mesh.uv[mesh.face_uv[kept]]
    uv = np.stack([uv[..., 0], 1.0 - uv[..., 1]], -1)
    used, faces = np.unique(mesh.faces[kept], return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int64)
    return Part(rest[used], mesh.weights[used], faces, uv, 'skin', False, False)


def _clip(
    attributes: NDArray[np.float32], faces: NDArray[np.int64], field: FloatArray, upper: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut a mesh where a field exceeds ``upper``; the edge runs through faces, not along them."""
    inside = field[faces] <= upper
    count = inside.sum(1)
    parts = [faces[count == 3]]
    added = [attributes]
    first = len(attributes)
    for lone in (1, 2):
        rows = faces[count == lone]
        if not len(rows):
            continue
        odd = np.argmax(inside[count == lone] == (lone == 1), 1)
        a, b, c = np.take_along_axis(rows, (odd[:, None] + np.arange(3)) % 3, 1).T
        new = []
        for other in (b, c):
            gap = field[other] - field[a]
            t = (upper - field[a]) / np.where(np.abs(gap) < 1e-9, 1.0, gap)
            t = np.clip(t, 0.0, 1.0)[:, None].astype(np.float32)
            added.append(attributes[a] * (1 - t) + attributes[other] * t)
            new.append(first + np.arange(len(a)))
            first += len(a)
        ab, ac = new
        if lone == 1:
            parts.append(np.stack([a, ab, ac], 1))
        else:
            parts += [np.stack([ab, b, c], 1), np.stack([ab, c, ac], 1)]
    return np.concatenate(added), np.concatenate(parts)


def _surface_part(
    mesh: BaseMesh,
    rest: NDArray[np.float32],
    faces: NDArray[np.int64],
    looseness: float,
    cuts: list[tuple[NDArray[np.float32], float]],
    slot: str,
) -> Part:
    """Push a helper surface out, cut it, and give it front-and-back texture coordinates."""
    used, local = np.unique(faces, return_inverse=True)
    local = local.reshape(-1, 3).astype(np.int64)
    vertices = rest[used]
    vertices = vertices + looseness * vertex_normals(vertices, local)
    fields = [field[used][:, None] for field, _ in cuts]
    attributes = np.concatenate([vertices, mesh.weights[used], *fields], 1).astype(np.float32)
    num = 3 + mesh.weights.shape[1]
    for k, (_, upper) in enumerate(cuts):
        attributes, local = _clip(attributes, local, attributes[:, num + k], upper)
    kept, local = np.unique(local, return_inverse=True)
    local = local.reshape(-1, 3)
    attributes = attributes[kept]
    vertices, weights = attributes[:, :3], attributes[:, 3:num]
    low, high = rest.min(0), rest.max(0)
    span = float(high[2] - low[2])
    uv = np.stack([0.5 + vertices[:, 0] / span, (high[2] - vertices[:, 2]) / span], 1)
    return Part(
        np.ascontiguousarray(vertices),
        np.ascontiguousarray(weights),
        local.astype(np.int64),
        np.clip(uv, 0.0, 1.0)[local].astype(np.float32),
        slot,
        True,
        False,
    )


def plain_clothes(
    mesh: BaseMesh, rest: NDArray[np.float32], fields: BodyFields, cut: PlainCut
) -> tuple[list[Part], NDArray[np.bool_]]:
    """
    Cut a top and trousers or a skirt out of the helper surfaces.

    Parameters
    ----------
    mesh : BaseMesh
    rest : ndarray, (V, 3), float32, metres
    fields : BodyFields
    cut : PlainCut

    Returns
    -------
    parts : list of Part
    hidden : ndarray, (V,), bool
        Base vertices under them.

    """
    size = float(np.ptp(rest[:, 2])) / 1.7
    loose_top, loose_bottom = (size * x for x in cut.looseness)
    top = _surface_part(
        mesh, rest, fields.tights, loose_top,
        [(fields.arm, cut.sleeve), (-fields.trunk, -cut.hem), (fields.trunk, cut.collar)], 'top',
    )  # fmt: skip
    not_arm = (fields.arm, -0.9)
    if cut.skirt is None:
        bottom = _surface_part(
            mesh, rest, fields.tights, loose_bottom,
            [(fields.leg, cut.leg), (fields.trunk, cut.waist), not_arm], 'bottom',
        )  # fmt: skip
        under_bottom = (fields.leg > -0.9) & (fields.leg < cut.leg - 0.08)
    else:
        bottom = _surface_part(
            mesh, rest, fields.skirt_faces, loose_bottom, [(fields.skirt, cut.skirt)], 'bottom'
        )
        under_bottom = (fields.leg > -0.9) & (fields.leg < 1.2 * cut.skirt - 0.1)
    under_bottom |= (fields.leg < -0.9) & (fields.trunk < cut.waist - 0.06) & (fields.arm < -0.9)
    on_arm = fields.arm > -0.9
    under_top = np.where(
        on_arm, fields.arm < cut.sleeve - 0.1,
        (fields.trunk > cut.hem + 0.05) & (fields.trunk < cut.collar - 0.05),
    )  # fmt: skip
    return [top, bottom], fields.is_body & (under_top | under_bottom)
