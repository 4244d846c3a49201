# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The data pack: clothes, textures, finger poses, and which of them training may see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import hashlib
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import InputError
import numpy as np
from numpy.typing import NDArray

SPLITS = ('train', 'heldout')
# The salt leaves out some of every kind: suits for both genders, dark and light skins, walks.
_SALT = 898
_HELD_OUT_SHARE = 5  # one in five


def is_held_out(name: str) -> bool:
    """Tell by its name alone whether training must never see an asset."""
    digest = hashlib.sha256(f'{_SALT}:{name}'.encode()).hexdigest()
    return int(digest[:8], 16) % _HELD_OUT_SHARE == 0


def in_split(name: str, split: str) -> bool:
    """Tell whether an asset belongs to a split, ``train`` or ``heldout``."""
    return is_held_out(name) == (split == 'heldout')


@dataclass(frozen=True)
class Garment:
    """
    Something to wear, bound to the base mesh.

    Parameters
    ----------
    name, kind, gender : str
        Kind is suit, shoes, hat, hair, eyebrows, eyelashes or eyes.
    textures : tuple of Path
        Alternatives; may be empty.
    base : ndarray, (n, 3), int64
        Base vertices that each vertex hangs on.
    weight, offset : ndarray, (n, 3), float32
        Of the base vertices; offset from their weighted mean in units of ``scale``.
    scale_ref : ndarray, (3, 2), int64; scale_den : ndarray, (3,), float32
        For each axis two base vertices and a reference length.
    faces, face_uv : ndarray, (m, 3), int64; uv : ndarray, (k, 2), float32
        Texture coordinates have v up.
    hide : ndarray, (h,), int64
        Base vertices under the garment.

    """

    name: str
    kind: str
    gender: str
    textures: tuple[Path, ...]
    base: NDArray[np.int64]
    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    scale_ref: NDArray[np.int64]
    scale_den: NDArray[np.float32]
    faces: NDArray[np.int64]
    face_uv: NDArray[np.int64]
    uv: NDArray[np.float32]
    hide: NDArray[np.int64]


@dataclass(frozen=True)
class DataPack:
    """
    Assets of one split.

    Parameters
    ----------
    folder : Path
    split : str
    garments : dict of str to tuple of Garment
        By kind.
    skins, eyes : tuple of Path
        Pictures.
    hands : ndarray, (P, 15, 4), float64
        Finger poses of the left hand, unit quaternions x, y, z, w.
    relaxed : ndarray, (P,), bool
        Which of them are relaxed.
    hand_joints : tuple of str
        Names without the side.
    regions : dict of str to ndarray
        ``body_regions.npz``.

    """

    folder: Path
    split: str
    garments: dict[str, tuple[Garment, ...]]
    skins: tuple[Path, ...]
    eyes: tuple[Path, ...]
    hands: NDArray[np.float64]
    relaxed: NDArray[np.bool_]
    hand_joints: tuple[str, ...]
    regions: dict[str, NDArray[Any]]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """
    Read an npz file of the data pack.

    Raises
    ------
    InputError
        If it is not there.

    """
    if not path.is_file():
        raise InputError(f'there is no {path}; pass the folder of the data pack')
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _garment(entry: dict[str, Any], arrays: dict[str, NDArray[Any]], folder: Path) -> Garment:
    a = {
        key: arrays[f'{entry["name"]}/{key}']
        for key in ('vertex_base', 'vertex_weight', 'vertex_offset', 'scale_ref', 'scale_den',
                    'faces', 'uv', 'face_uv', 'hide')
    }  # fmt: skip
    index = {key: a[key].astype(np.int64) for key in a if a[key].dtype.kind in 'ui'}
    return Garment(
        name=entry['name'],
        kind=entry['type'],
        gender=entry['gender'],
        textures=tuple(folder / t for t in entry['textures']),
        base=index['vertex_base'],
        weight=a['vertex_weight'],
        offset=a['vertex_offset'],
        scale_ref=index['scale_ref'],
        scale_den=a['scale_den'],
        faces=index['faces'],
        face_uv=index['face_uv'],
        uv=a['uv'],
        hide=index['hide'],
    )


@lru_cache(maxsize=4)
def load_pack(folder: Path, split: str = 'train') -> DataPack:
    """
    Load the assets of one split.

    Raises
    ------
    InputError
        If a file is not there or there is no such split.

    """
    if split not in SPLITS:
        raise InputError(f'there is no split {split!r}; choose {" or ".join(SPLITS)}')
    arrays = read_arrays(folder / 'garments.npz')
    garments: dict[str, list[Garment]] = {}
    for entry in json.loads((folder / 'garments.json').read_text()):
        # Every eye has the same mesh; what varies, and is split, is the picture.
        if entry['type'] == 'eyes' or in_split(entry['name'], split):
            garments.setdefault(entry['type'], []).append(_garment(entry, arrays, folder))
    skins, eyes = (
        tuple(p for p in sorted((folder / 'textures' / kind).iterdir()) if in_split(p.name, split))
        for kind in ('skin', 'eye')
    )
    hands = read_arrays(folder / 'hands.npz')
    quat = hands['quat_xyzw_i16'].astype(np.float64)
    quat /= np.linalg.norm(quat, axis=-1, keepdims=True)
    return DataPack(
        folder=folder,
        split=split,
        garments={kind: tuple(found) for kind, found in garments.items()},
        skins=skins,
        eyes=eyes,
        hands=quat,
        relaxed=np.array(['Idle' in s or 'Walk' in s for s in hands['source']]),
        hand_joints=tuple(str(n) for n in hands['bone_names']),
        regions=read_arrays(folder / 'body_regions.npz'),
    )
