# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The body asset: Anny's shape basis, skeleton and surfaces in one safetensors file.

A surface is cut into parts of consecutive vertices, each with a shape basis of its own: a hand or
a foot knows far fewer shapes than the whole body, so that half of all numbers go, exactly. They
are stored as 24-bit fixed point, a scale for each vector: a third smaller than float32 and, with
errors below a tenth of a micrometre, just as exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import hashlib
from importlib import resources
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import ModelError
import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open, SafetensorError
from safetensors.numpy import save_file

ASSET_NAME = 'anny_body.safetensors'
RESOLUTIONS = ('full', 'coarse')
_STEPS = 2**23 - 1


@dataclass(frozen=True)
class Surface:
    """
    One mesh over the shared shape basis of B vectors.

    Parameters
    ----------
    bases : for each part (R, 3 V), float32, metres
        Shapes of V consecutive vertices, as planes, the smallest first; the last is their mean.
    mixing : for each part (B, R), float32
        From the shared coefficients less ``centre`` to those of the part; nothing comes to the
        last, which is 1.
    centre : (B,), float64
        Mean of the shared coefficients over the corners of the phenotypes.
    triangles : (F, 3), int32
    bone_indices : (V, K), int64; bone_weights : (V, K), float32
        Skinning, indices into the joints; rows sum to 1.
    sha256 : str
        Of the triangles and the names of the joints.

    """

    bases: tuple[NDArray[np.float32], ...]
    mixing: tuple[NDArray[np.float32], ...]
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
        return np.concatenate([basis[-1].reshape(3, -1).T for basis in self.bases])


@dataclass(frozen=True)
class Asset:
    """Everything the forward pass needs; see ``training/build_body_asset.py`` for its making."""

    joint_names: tuple[str, ...]
    joint_parents: NDArray[np.int64]
    landmark_names: tuple[str, ...]
    arrays: Mapping[str, NDArray[Any]]
    path: Path


def default_path() -> Path:
    """Path of the asset that ships with the package."""
    return Path(str(resources.files('anny_ros') / 'assets' / ASSET_NAME))


def quantise(basis: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """Pack blend shapes (B, M) into a high int16, a low uint8 and a scale for each row."""
    scale = np.abs(basis).max(axis=1, keepdims=True) / _STEPS
    scale[scale == 0] = 1.0
    steps = np.rint(basis / scale).astype(np.int32)
    return {
        'basis_high': (steps >> 8).astype(np.int16),
        'basis_low': (steps & 255).astype(np.uint8),
        'basis_scale': scale.astype(np.float64),
    }


def dequantise(
    high: NDArray[np.int16], low: NDArray[np.uint8], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Undo ``quantise``; returns (B, M) float32."""
    basis = high.astype(np.float32)
    basis *= np.float32(256.0)
    basis += low
    basis *= scale.astype(np.float32)
    return basis


def pack_parts(
    bases: Sequence[NDArray[np.float64]], mixing: Sequence[NDArray[np.float32]]
) -> dict[str, NDArray[np.generic]]:
    """Store the bases and mixing matrices of all parts (see ``Surface``) end to end."""
    packed = [quantise(basis) for basis in bases]
    joined = {key: np.concatenate([p[key].reshape(-1) for p in packed]) for key in packed[0]}
    shapes = [(len(basis), basis.shape[1] // 3) for basis in bases]
    return {**joined, 'parts': np.array(shapes, np.int32), 'mixing': np.concatenate(mixing, 1)}


def unpack_parts(
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[tuple[NDArray[np.float32], ...], tuple[NDArray[np.float32], ...]]:
    """Undo ``pack_parts``."""
    ranks, vertices = arrays['parts'].astype(np.int64).T
    ends, row_ends = np.cumsum(3 * ranks * vertices)[:-1], np.cumsum(ranks)[:-1]
    bases = tuple(
        dequantise(high.reshape(rank, -1), low.reshape(rank, -1), scale[:, None])
        for high, low, scale, rank in zip(
            np.split(arrays['basis_high'], ends),
            np.split(arrays['basis_low'], ends),
            np.split(arrays['basis_scale'], row_ends),
            ranks,
            strict=True,
        )
    )
    return bases, tuple(np.split(arrays['mixing'], row_ends, axis=1))


def join_parts(surface: Surface) -> Surface:
    """Make one part of all, over the shared coefficients themselves; the surface is the same."""
    joined = []
    for mixing, basis in zip(surface.mixing, surface.bases, strict=True):
        shapes = np.concatenate([mixing.astype(np.float64) @ basis, basis[-1:]])
        joined.append(shapes.reshape(len(shapes), 3, -1))
    basis = np.concatenate(joined, 2).reshape(len(joined[0]), -1).astype(np.float32)
    mixing = np.eye(len(basis) - 1, len(basis), dtype=np.float32)
    return replace(surface, bases=(basis,), mixing=(mixing,))


def save(path: Path, arrays: Mapping[str, NDArray[np.generic]], names: dict[str, object]) -> None:
    """Write an asset; ``names`` holds the lists of names and parents as JSON metadata."""
    metadata = {key: json.dumps(value) for key, value in names.items()}
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path, metadata)


def load(path: Path | None = None) -> Asset:
    """
    Open an asset; surfaces are unpacked later, by ``surface``.

    Raises
    ------
    ModelError
        If the file is missing or is not a body asset.

    """
    path = default_path() if path is None else path
    if not path.is_file():
        raise ModelError(f'the body asset {path} is missing; reinstall anny_ros')
    try:
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        names = {key: json.loads(value) for key, value in metadata.items()}
        return Asset(
            joint_names=tuple(names['joint_names']),
            joint_parents=np.array(names['joint_parents'], np.int64),
            landmark_names=tuple(names['landmark_names']),
            arrays=arrays,
            path=path,
        )
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f'{path} is not a body asset ({error}); reinstall anny_ros') from error


def surface(asset: Asset, resolution: str) -> Surface:
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
    if 'parts' not in arrays or 'shape.centre' not in asset.arrays:
        raise ModelError(f'{asset.path} is of another version of anny_ros; reinstall anny_ros')
    bases, mixing = unpack_parts(arrays)
    triangles = arrays['triangles'].astype(np.int32)
    digest = hashlib.sha256(triangles.tobytes() + ','.join(asset.joint_names).encode())
    return Surface(
        bases=bases,
        mixing=mixing,
        centre=asset.arrays['shape.centre'],
        triangles=triangles,
        bone_indices=arrays['bone_indices'].astype(np.int64),
        bone_weights=arrays['bone_weights'].astype(np.float32),
        sha256=digest.hexdigest(),
    )
