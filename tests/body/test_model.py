# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.body.phenotype import age_value
from anny_ros.errors import ModelError
from anny_ros.types import Camera, Detections
import numpy as np
import pytest
import torch


def random_rotations(rng, shape, scale=1.0):
    """Rotations of random axes by normal angles (radians), in float64."""
    from scipy.spatial.transform import Rotation

    rotvec = rng.normal(scale=scale, size=(int(np.prod(shape)), 3))
    return Rotation.from_rotvec(rotvec).as_matrix().reshape(*shape, 3, 3)


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


@pytest.fixture(scope='module')
def official():
    """Anny's own float64 models; building them the first time takes two minutes."""
    anny = pytest.importorskip('anny', reason='needs the development package anny==0.6.2')
    models = {}
    for resolution, topology in (('full', 'anny'), ('coarse', 'notoes_collapse10pc')):
        models[resolution] = anny.Anny(
            rig='makehuman-blender',
            topology=topology,
            pose_parameterization='local-bone',
            skinning_method='lbs',
        )
    return models


def detections_of(body, phenotype, rotations, translation):
    """Rows that hold just a pose, enough for the mesh."""
    camera = Camera.from_hfov(1.0, 640, 480)
    blank = Detections.empty(0.0, camera, len(body.joint_names))
    arrays = {
        name: np.zeros((len(phenotype), *value.shape[1:]), np.float32)
        for name, value in vars(blank).items()
        if isinstance(value, np.ndarray)
    }
    arrays.update(phenotype=phenotype, rotations=rotations, translation=translation)
    return Detections(stamp=0.0, camera=camera, **arrays)


@pytest.mark.parametrize('resolution', ['full', 'coarse'])
def test_vertices_and_joints_equal_the_official_model(body, official, resolution):
    rng = np.random.default_rng(0)
    model = official[resolution]
    labels = list(model.bone_labels)
    index = [labels.index(name) for name in body.joint_names]
    worst = 0.0
    for _ in range(10):
        phenotype = rng.random((8, 6))
        D = random_rotations(rng, (8, len(index)), 0.6).astype(np.float32)
        t = rng.normal(size=(8, 3)).astype(np.float32)
        pose = torch.eye(4, dtype=torch.float64).repeat(8, len(labels), 1, 1)
        pose[:, index, :3, :3] = torch.as_tensor(D.astype(np.float64))
        pose[:, 0, :3, 3] = torch.as_tensor(t.astype(np.float64))
        # our types hold phenotypes as float32, so the official model gets the same numbers
        kwargs = torch.as_tensor(phenotype.astype(np.float32).astype(np.float64))
        truth = model(pose_parameters=pose, phenotype_kwargs=kwargs)
        ours = body.vertices(detections_of(body, phenotype, D, t), resolution)
        worst = max(worst, np.abs(ours - truth['vertices'].numpy()).max())
        if resolution == 'full':
            posed = body.pose(torch.as_tensor(phenotype), torch.as_tensor(D), torch.as_tensor(t))
            poses = truth['bone_poses'].numpy()[:, index]
            np.testing.assert_allclose(posed.joint_positions, poses[..., :3, 3], atol=2e-6)
            np.testing.assert_allclose(posed.joint_orientations, poses[..., :3, :3], atol=1e-5)
    print(f'{resolution}: largest vertex error {worst:.2e} m')
    assert worst <= 1e-5


def test_landmarks_equal_the_official_regressor(body, official):
    import anny

    rng = np.random.default_rng(1)
    model = official['full']
    labels = list(model.bone_labels)
    index = [labels.index(name) for name in body.joint_names]
    phenotype = torch.as_tensor(rng.random((6, 6)))
    D = random_rotations(rng, (6, len(index)), 0.6)
    pose = torch.eye(4, dtype=torch.float64).repeat(6, len(labels), 1, 1)
    pose[:, index, :3, :3] = torch.as_tensor(D)
    truth = model(pose_parameters=pose, phenotype_kwargs=phenotype)
    keypoints = anny.KeypointsRegressor.coco(model)(truth)
    ours = body.pose(phenotype, torch.as_tensor(D)).landmarks
    np.testing.assert_allclose(ours[:, :23], keypoints.numpy(), atol=2e-6)
    np.testing.assert_allclose(ours[:, 23], truth['vertices'][:, 5038].numpy(), atol=2e-6)


def test_stature_is_the_height_of_the_rest_mesh(body, official):
    import anny

    phenotype = np.random.default_rng(2).random((20, 6))
    rest = official['full'](phenotype_kwargs=torch.as_tensor(phenotype))['rest_vertices']
    height = anny.Anthropometry(official['full']).height(rest).numpy()
    np.testing.assert_allclose(body.stature(phenotype), height, atol=1e-3)
    neutral = body.stature(np.full((1, 6), 0.5))
    np.testing.assert_allclose(neutral, 1.626, atol=1e-3)


def test_nobody_and_one(body):
    num_joints = len(body.joint_names)
    posed = body.pose(torch.zeros(0, 6), torch.zeros(0, num_joints, 3, 3))
    assert posed.joint_positions.shape == (0, num_joints, 3)
    assert posed.landmarks.shape == (0, len(body.landmark_names), 3)
    empty = Detections.empty(0.0, Camera.from_hfov(1.0, 64, 48), num_joints)
    assert body.vertices(empty).shape == (0, 1229, 3)
    assert body.stature(np.zeros((0, 6))).shape == (0,)
    assert body.body_orientation(empty).shape == (0, 3, 3)


def test_people_do_not_influence_each_other(body):
    rng = np.random.default_rng(3)
    phenotype = rng.random((3, 6))
    D = random_rotations(rng, (3, len(body.joint_names)))
    t = rng.normal(size=(3, 3))
    together = body.vertices(detections_of(body, phenotype, D, t))
    for i in range(3):
        alone = body.vertices(
            detections_of(body, phenotype[i : i + 1], D[i : i + 1], t[i : i + 1])
        )
        np.testing.assert_allclose(alone[0], together[i], atol=1e-6)


def test_local_and_world_rotations_round_trip(body):
    rng = np.random.default_rng(4)
    phenotype = torch.as_tensor(rng.random((4, 6)))
    world = torch.as_tensor(random_rotations(rng, (4, len(body.joint_names))))
    local = body.local_from_world(phenotype, world)
    rows = detections_of(body, phenotype.numpy(), local.numpy(), np.zeros((4, 3)))
    np.testing.assert_allclose(body.world_rotations(rows), world, atol=1e-5)


def test_upright_person_facing_the_camera(body):
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
    rows = detections_of(body, phenotype.numpy(), D.numpy(), np.zeros((1, 3)))
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
    with pytest.raises(ModelError, match='full or coarse'):
        body.num_vertices('medium')
    with pytest.raises(ValueError, match=r'rotations must be \(N, 74, 3, 3\)'):
        body.pose(torch.zeros(1, 6), torch.zeros(1, 10, 3, 3))
