# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The surfaces of the body asset.

A surface is cut into parts of consecutive vertices, each with a shape basis of its own: a hand
knows far fewer shapes than the whole body. Most of the right half is the mirror image of the left
one, and is not held at all. Together that leaves a quarter of all numbers, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import hashlib
from typing import Any

from anny_ros.body.asset import Asset, dequantise, quantise
from anny_ros.errors import ModelError
import numpy as np
from numpy.typing import NDArray

RESOLUTIONS = ('full', 'coarse')


@dataclass(frozen=True)
class Part:
    """
    Some vertices of a surface, and their mirror images.

    Parameters
    ----------
    basis : (R, 3 U), float32, metres
        Rest shapes of U points, as planes, the smallest shape first; the last is their mean.
    mixing : (B, R), float32
        From the shared coefficients less ``Surface.centre`` to those of the part; nothing comes
        to the last, which is 1.
    start, count : int
        The first ``count`` points are the vertices from ``start`` on.
    mirror_start : int
    mirror : (M,), int64
        These points, with x negated, are the vertices from ``mirror_start`` on.

    """

    basis: NDArray[np.float32]
    mixing: NDArray[np.float32]
    start: int
    count: int
    mirror_start: int
    mirror: NDArray[np.int64]

    @property
    def planes(self) -> NDArray[np.float32]:
        """The basis by axis, (R, 3, U)."""
        return self.basis.reshape(len(self.basis), 3, -1)


@dataclass(frozen=True)
class Surface:
    """
    One mesh over the shared shape basis of B vectors.

    Parameters
    ----------
    parts : tuple of Part
        Together they have every vertex once.
    centre : (B,), float64
        Mean of the shared coefficients over the corners of the phenotypes.
    triangles : (F, 3), int32
    bone_indices : (V, K), int64; bone_weights : (V, K), float32
        Skinning, indices into the joints; rows sum to 1.
    sha256 : str
        Of the triangles and the names of the joints.

    """

    parts: tuple[Part, ...]
    centre: NDArray[np.float64]
    triangles: NDArray[np.int32]
    bone_indices: NDArray[np.int64]
    bone_weights: NDArray[np.float32]
    sha256: str

    @property
    def num_vertices(self) -> int:
        """Number of vertices of all parts."""
        return len(self.bone_indices)

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean of the rest vertices over all corners of the phenotypes, (V, 3), metres."""
        (whole,) = join_parts(self).parts
        return np.ascontiguousarray(whole.planes[-1].T)


def join_parts(surface: Surface) -> Surface:
    """Make one part of all, over the shared coefficients themselves; the surface is the same."""
    num_shapes = len(surface.centre)
    planes = np.empty((num_shapes + 1, 3, surface.num_vertices), np.float32)
    for part in surface.parts:
        shapes = np.einsum('br,rau->bau', part.mixing, part.planes, dtype=float, optimize=True)
        shapes = np.concatenate([shapes, part.planes[-1:]])
        planes[:, :, part.start : part.start + part.count] = shapes[:, :, : part.count]
        mirrored = shapes[:, :, part.mirror] * np.array([-1, 1, 1])[:, None]
        planes[:, :, part.mirror_start : part.mirror_start + len(part.mirror)] = mirrored
    whole = Part(
        basis=planes.reshape(len(planes), -1),
        mixing=np.eye(num_shapes, num_shapes + 1, dtype=np.float32),
        start=0,
        count=surface.num_vertices,
        mirror_start=0,
        mirror=np.zeros(0, np.int64),
    )
    return replace(surface, parts=(whole,))


def pack_parts(parts: Sequence[Part]) -> dict[str, NDArray[np.generic]]:
    """Store the parts of a surface end to end, bases in fixed point."""
    packed = [quantise(part.basis.astype(np.float64)) for part in parts]
    joined = {key: np.concatenate([p[key].reshape(-1) for p in packed]) for key in packed[0]}
    sizes = [(*p.basis.shape, p.start, p.count, p.mirror_start, len(p.mirror)) for p in parts]
    return {
        **joined,
        'parts': np.array(sizes, np.int32),
        'mixing': np.concatenate([part.mixing for part in parts], 1),
        'mirror': np.concatenate([part.mirror for part in parts]).astype(np.int32),
    }


def unpack_parts(arrays: Mapping[str, NDArray[Any]]) -> tuple[Part, ...]:
    """Undo ``pack_parts``."""
    parts = []
    row = number = image = 0
    for rank, width, start, count, mirror_start, num_mirror in arrays['parts'].tolist():
        rows, numbers = slice(row, row + rank), slice(number, number + rank * width)
        high, low = (
            arrays[f'basis_{key}'][numbers].reshape(rank, width) for key in ('high', 'low')
        )
        parts.append(
            Part(
                basis=dequantise(high, low, arrays['basis_scale'][rows, None]),
                mixing=arrays['mixing'][:, rows],
                start=start,
                count=count,
                mirror_start=mirror_start,
                mirror=arrays['mirror'][image : image + num_mirror].astype(np.int64),
            )
        )
        row, number, image = rows.stop, numbers.stop, image + num_mirror
    return tuple(parts)


def load_surface(asset: Asset, resolution: str) -> Surface:
    """
    Unpack one surface.

    Raises
    ------
    ModelError
        If there is no such resolution, or if the file is of another version.

    """
    if resolution not in RESOLUTIONS:
        raise ModelError(
            f'there is no mesh resolution {resolution!r}; choose {" or ".join(RESOLUTIONS)}'
        )
    arrays = {
        key.split('.', 1)[1]: value
        for key, value in asset.arrays.items()
        if key.startswith(f'{resolution}.')
    }
    if 'mirror' not in arrays:
        raise ModelError(f'{asset.path} is of another version of anny_ros; reinstall anny_ros')
    triangles = arrays['triangles'].astype(np.int32)
    digest = hashlib.sha256(triangles.tobytes() + ','.join(asset.joint_names).encode())
    return Surface(
        parts=unpack_parts(arrays),
        centre=asset.arrays['shape.centre'],
        triangles=triangles,
        bone_indices=arrays['bone_indices'].astype(np.int64),
        bone_weights=arrays['bone_weights'].astype(np.float32),
        sha256=digest.hexdigest(),
    )
