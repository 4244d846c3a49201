# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Our body model against the official one in float64, over everybody and every pose."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
import torch

NUM_PEOPLE, BATCH = 1000, 25


def people(rng):
    """Everybody: at random, infants, elders, and the corners of the phenotype space."""
    phenotype = rng.random((NUM_PEOPLE, 6))
    phenotype[400:550, 1] = rng.uniform(0.0, 0.05, 150)  # up to one year of age
    phenotype[550:700, 1] = rng.uniform(0.83, 1.0, 150)  # from 64 to 110 years
    phenotype[700:900] = rng.choice([0.0, 1 / 3, 0.5, 2 / 3, 1.0], (200, 6))
    phenotype[900:998] = rng.integers(0, 2, (98, 6))
    phenotype[998], phenotype[999] = 0.0, 1.0
    return phenotype.astype(np.float32)  # as our types hold them


def poses(rng, num_joints):
    """Every pose: usual ones, any rotation on all joints, half turns, and the rest pose."""
    D = Rotation.random(NUM_PEOPLE * num_joints, random_state=rng).as_matrix()
    D = D.reshape(NUM_PEOPLE, num_joints, 3, 3)
    usual = Rotation.from_rotvec(rng.normal(scale=0.6, size=(300 * num_joints, 3))).as_matrix()
    D[:300] = usual.reshape(300, num_joints, 3, 3)
    half_turns = np.array([np.diag(d) for d in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))])
    D[300:400] = half_turns[rng.integers(0, 3, (100, num_joints))]
    axis = rng.normal(size=(100 * num_joints, 3))
    axis *= np.pi / np.linalg.norm(axis, axis=1, keepdims=True)
    D[850:950] = Rotation.from_rotvec(axis).as_matrix().reshape(100, num_joints, 3, 3)
    D[[500, 600, 998, 999]] = np.eye(3)
    return rng.permutation(D).astype(np.float32)


@pytest.mark.parametrize('resolution', ['full', 'coarse'])
@torch.inference_mode()
def test_equal_to_the_official_model(body, official, detections_of, resolution):
    import anny

    rng = np.random.default_rng(0)
    model = official[resolution]
    labels = list(model.bone_labels)
    index = [labels.index(name) for name in body.joint_names]
    phenotype, D = people(rng), poses(rng, len(index))
    t = rng.normal(size=(NUM_PEOPLE, 3)).astype(np.float32)
    # the regressor has no weights for coarse meshes; our joints are those of the full one
    keypoints_of = anny.KeypointsRegressor.coco(model) if resolution == 'full' else None
    worst = {}

    def compare(what, ours, truth):
        assert ours.shape == truth.shape
        error = np.abs(np.asarray(ours) - np.asarray(truth)).max()
        assert np.isfinite(error)
        worst[what] = max(worst.get(what, 0.0), float(error))

    for start in range(0, NUM_PEOPLE, BATCH):
        rows = (a[start : start + BATCH] for a in (phenotype, D, t))
        shape, rotations, place = (torch.as_tensor(a) for a in rows)
        pose = torch.eye(4, dtype=torch.float64).repeat(BATCH, len(labels), 1, 1)
        pose[:, index, :3, :3] = rotations.double()
        pose[:, 0, :3, 3] = place.double()
        truth = model(pose_parameters=pose, phenotype_kwargs=shape.double())
        found = detections_of(shape.numpy(), rotations.numpy(), place.numpy())
        compare('vertices', body.vertices(found, resolution), truth['vertices'])
        if keypoints_of is not None:
            posed = body.pose(shape, rotations, place)
            bones = truth['bone_poses'][:, index]
            compare('joints', posed.joint_positions, bones[..., :3, 3])
            compare('orientations', posed.joint_orientations, bones[..., :3, :3])
            compare('landmarks', posed.landmarks[:, :23], keypoints_of(truth))
            compare('landmarks', posed.landmarks[:, 23], truth['vertices'][:, 5038])
    errors = ', '.join(f'{what} {error:.2e}' for what, error in worst.items())
    print(f'{resolution}, {NUM_PEOPLE} people, largest errors (metres): {errors}')
    assert worst['vertices'] <= 1e-5
    assert max(worst.values()) <= 3e-6, 'as good as float32 can say it'


def test_stature_is_the_height_of_the_rest_mesh(body, official):
    import anny

    phenotype = np.random.default_rng(2).random((20, 6))
    rest = official['full'](phenotype_kwargs=torch.as_tensor(phenotype))['rest_vertices']
    height = anny.Anthropometry(official['full']).height(rest).numpy()
    np.testing.assert_allclose(body.stature(phenotype), height, atol=1e-3)
    neutral = body.stature(np.full((1, 6), 0.5))
    np.testing.assert_allclose(neutral, 1.626, atol=1e-3)
