# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The body asset: Anny's shape basis, skeleton and surfaces in one safetensors file.

Blend shapes of the surfaces are stored as 24-bit fixed point, a scale for each vector: a third
smaller than float32 and, with errors below a tenth of a micrometre, just as exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
_STEPS = 2**23 - 1


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


def save(path: Path, arrays: Mapping[str, NDArray[np.generic]], names: dict[str, object]) -> None:
    """Write an asset; ``names`` holds the lists of names and parents as JSON metadata."""
    metadata = {key: json.dumps(value) for key, value in names.items()}
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path, metadata)


def load(path: Path | None = None) -> Asset:
    """
    Open an asset; surfaces are unpacked later, by ``load_surface``.

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
