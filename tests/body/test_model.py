# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.body.phenotype import age_value
from anny_ros.body.skinning import Skinning
from anny_ros.body.surface import join_parts, load_surface
from anny_ros.errors import ModelError
from anny_ros.types import Camera, Detections
import numpy as np
import pytest
import torch


def test_nobody_and_one(body):
    num_joints = len(body.joint_names)
    posed = body.pose(torch.zeros(0, 6), torch.zeros(0, num_joints, 3, 3))
    assert posed.joint_positions.shape == (0, num_joints, 3)
    assert posed.landmarks.shape == (0, len(body.landmark_names), 3)
    empty = Detections.empty(0.0, Camera.from_hfov(1.0, 64, 48), num_joints)
    assert body.vertices(empty).shape == (0, 1229, 3)
    assert body.stature(np.zeros((0, 6))).shape == (0,)
    assert body.body_orientation(empty).shape == (0, 3, 3)


def test_people_do_not_influence_each_other(body, random_rotations, detections_of):
    rng = np.random.default_rng(3)
    phenotype = rng.random((3, 6))
    D = random_rotations(rng, (3, len(body.joint_names)))
    t = rng.normal(size=(3, 3))
    together = body.vertices(detections_of(phenotype, D, t))
    for i in range(3):
        alone = body.vertices(detections_of(phenotype[i : i + 1], D[i : i + 1], t[i : i + 1]))
        np.testing.assert_allclose(alone[0], together[i], atol=1e-6)


def test_results_stay_as_they_are(body, random_rotations, detections_of):
    """Nothing that is handed out is written to again, whoever else computes meanwhile."""
    rng = np.random.default_rng(6)
    people = [
        detections_of(rng.random((n, 6)), random_rotations(rng, (n, 74)), rng.normal(size=(n, 3)))
        for n in (2, 2, 5, 1) * 4
    ]
    alone = [body.vertices(p) for p in people]
    kept = [v.copy() for v in alone]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(body.vertices, people))
    for first, copy, again in zip(alone, kept, together, strict=True):
        np.testing.assert_array_equal(first, copy)
        np.testing.assert_array_equal(first, again)
        assert first.flags.c_contiguous
        assert first.dtype == np.float32


@pytest.mark.parametrize('resolution', ['full', 'coarse'])
def test_parts_joined_are_the_same_surface(body, resolution):
    surface = load_surface(body.asset, resolution)
    joined = join_parts(surface)
    assert len(surface.parts) > len(joined.parts) == 1
    generator = torch.Generator().manual_seed(0)
    c = body.skeleton.coefficients(torch.rand(9, 6, generator=generator))
    T = torch.randn(9, 74, 3, 4, generator=generator)
    cpu = torch.device('cpu')
    in_parts, whole = (Skinning(s, 74, cpu)(c, T) for s in (surface, joined))
    torch.testing.assert_close(in_parts, whole, rtol=0, atol=5e-6)


def test_local_and_world_rotations_round_trip(body, random_rotations, detections_of):
    rng = np.random.default_rng(4)
    phenotype = torch.as_tensor(rng.random((4, 6)))
    world = torch.as_tensor(random_rotations(rng, (4, len(body.joint_names))))
    local = body.local_from_world(phenotype, world)
    rows = detections_of(phenotype.numpy(), local.numpy(), np.zeros((4, 3)))
    np.testing.assert_allclose(body.world_rotations(rows), world, atol=1e-5)


def test_upright_person_facing_the_camera(body, detections_of):
    """Rest pose seen from the front: forward is -z, left is +x, up is -y of the optical frame."""
    num_joints = len(body.joint_names)
    world = torch.eye(3, dtype=torch.float64).repeat(1, num_joints, 1, 1)
    # rest x (left) -> optical x, rest y (back) -> optical z, rest z (up) -> optical -y
    world[:, 0] = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    phenotype = torch.full((1, 6), 0.5)
    D = body.local_from_world(phenotype, world)
    landmarks = body.pose(phenotype, D).landmarks[0]
    nose = landmarks[body.landmark_index('nose')]
    ankle = landmarks[body.landmark_index('left_ankle')]
    assert nose[1] < 0 < ankle[1]
    assert nose[2] < 0
    assert ankle[0] > 0
    rows = detections_of(phenotype.numpy(), D.numpy(), np.zeros((1, 3)))
    expected = [[0, 1, 0], [0, 0, -1], [-1, 0, 0]]
    np.testing.assert_allclose(body.body_orientation(rows)[0], expected, atol=1e-6)


def test_age_is_monotonic_and_calibrated(body):
    phenotype = np.zeros((5, 6), np.float32)
    phenotype[:, 1] = [0.0, 0.05, 0.415, 0.67, 1.0]
    np.testing.assert_allclose(body.age_years(phenotype), [0, 1, 11, 16, 110], atol=1e-4)
    np.testing.assert_allclose(age_value(body.age_years(phenotype)), phenotype[:, 1], atol=1e-6)


def test_surfaces_are_closed_over_their_vertices(body):
    for resolution, vertices, triangles in (('full', 13718, 27420), ('coarse', 1229, 2454)):
        faces = body.triangles(resolution)
        assert faces.shape == (triangles, 3)
        assert set(np.unique(faces)) == set(range(vertices))
        assert body.num_vertices(resolution) == vertices
    assert body.hash('full') != body.hash('coarse')


def test_wrong_files_and_names_end_in_a_sentence(body, tmp_path):
    with pytest.raises(ModelError, match='missing; reinstall'):
        BodyModel.load(tmp_path / 'none.safetensors')
    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes(b'not a body')
    with pytest.raises(ModelError, match='not a body asset'):
        BodyModel.load(broken)
    with pytest.raises(ModelError, match="no device 'toaster' here; take cpu"):
        BodyModel.load(device='toaster')
    arrays = {k: v for k, v in body.asset.arrays.items() if k != 'full.mirror'}
    older = BodyModel(replace(body.asset, arrays=arrays))
    with pytest.raises(ModelError, match='another version of anny_ros; reinstall'):
        older.num_vertices('full')
    with pytest.raises(ModelError, match='full or coarse'):
        body.num_vertices('medium')
    with pytest.raises(ValueError, match=r'rotations must be \(N, 74, 3, 3\)'):
        body.pose(torch.zeros(1, 6), torch.zeros(1, 10, 3, 3))
