# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import InputError
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.refine import rotations_from_rotvec
import numpy as np
import pytest
import torch

from training.observe_pictures import joined, read_observed

N = 3


def write_looks(path, seed=0):
    """A shard of people before a camera, seen exactly where they are; returns its arrays."""
    rng = np.random.default_rng(seed)
    skeleton = Skeleton(BodyModel.load().asset, LIFTED_JOINTS)
    E = rotations_from_rotvec(torch.as_tensor(rng.normal(scale=0.2, size=(N, 28, 3))).float())
    E[:, 0] = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    phenotype = torch.as_tensor(rng.uniform(0.3, 0.7, (N, 6)), dtype=torch.float32)
    landmarks = skeleton.pose(skeleton.rest(phenotype), E).landmarks
    points = landmarks[:, :17].numpy() + np.array([0.2, 0.3, 5.0])
    K = np.tile(np.array([[500.0, 0, 320], [0, 450, 240], [0, 0, 1]], np.float32), (N, 1, 1))
    pixels = points @ K[0].T
    pixels = pixels[..., :2] / pixels[..., 2:]
    boxes = np.concatenate([pixels.min(1) - 5, pixels.max(1) + 5], 1)
    confidences = rng.uniform(0.2, 0.9, (N, 17))
    confidences[:, 9] = 0.05
    hints = rng.normal(size=(N, NUM_HINTS))
    hints[2] = np.nan  # nobody looked at them again
    arrays = {
        'keypoints': pixels, 'confidences': confidences, 'K': K, 'rotations': E.numpy(),
        'phenotype': phenotype.numpy(), 'points': points, 'true_box': boxes, 'box': boxes + 2,
        'size_px': (boxes[:, 2:] - boxes[:, :2]).max(1), 'picture_size': [[640, 480]] * N,
        'hints': hints,
    }  # fmt: skip
    np.savez(path, **{k: np.asarray(v, np.float32) for k, v in arrays.items()})
    return arrays


def test_looks_come_back_as_rays_with_the_truth(tmp_path):
    arrays = write_looks(tmp_path / 'observed_1_00000.npz')
    write_looks(tmp_path / 'observed_1_00001.npz', seed=1)
    looks = read_observed(tmp_path)
    assert len(looks) == 2 * N
    points = arrays['points']
    np.testing.assert_allclose(looks.report.rays[:N], points[..., :2] / points[..., 2:], atol=1e-5)
    np.testing.assert_allclose(looks.people.reported[:N], points, atol=1e-4)
    first, last = (-0.5 - 240) / 450, (479.5 - 240) / 450
    np.testing.assert_allclose(looks.report.edges[:, 2:], [[first, last]] * 2 * N, atol=1e-6)
    assert (looks.report.confidences[:, 9] == 0).all()  # as on a robot: too unsure to count
    np.testing.assert_allclose(looks.report.top[:N], (arrays['box'][:, 1] - 240) / 450, atol=1e-5)
    np.testing.assert_allclose(
        looks.people.top[:N], (arrays['true_box'][:, 1] - 240) / 450, atol=1e-5
    )
    np.testing.assert_allclose(looks.report.hints[:N], arrays['hints'], atol=1e-6)


def test_mirrored_people_pose_as_their_mirrored_keypoints(tmp_path):
    write_looks(tmp_path / 'observed_1_00000.npz')
    looks = read_observed(tmp_path).mirrored()
    people = looks.people
    skeleton = Skeleton(BodyModel.load().asset, LIFTED_JOINTS)
    joints = skeleton.pose(skeleton.rest(people.phenotype), people.rotations).landmarks[:, :17]
    joints = joints - joints.mean(1, keepdim=True)
    shown = people.keypoints - people.keypoints.mean(1, keepdim=True)
    np.testing.assert_allclose(joints, shown, atol=5e-3)  # Anny's own sides differ by millimetres
    rays = people.reported[..., :2] / people.reported[..., 2:]
    np.testing.assert_allclose(looks.report.rays, rays, atol=1e-5)
    assert (looks.report.confidences[:, 10] == 0).all()
    before = read_observed(tmp_path).report.edges
    np.testing.assert_array_equal(looks.report.edges[:, 0], -before[:, 1])
    np.testing.assert_array_equal(looks.report.edges[:, 2:], before[:, 2:])
    # Depths of the left and the right ankle.
    hints = read_observed(tmp_path).report.hints
    np.testing.assert_array_equal(looks.report.hints[:, 22], hints[:, 21])
    twice = looks.mirrored()
    np.testing.assert_array_equal(twice.report.hints, hints)
    np.testing.assert_array_equal(twice.report.edges, before)
    np.testing.assert_allclose(twice.report.rays, read_observed(tmp_path).report.rays, atol=1e-6)


def test_joined_and_picked_rows_stay_together(tmp_path):
    write_looks(tmp_path / 'observed_1_00000.npz')
    looks = read_observed(tmp_path)
    both = joined([looks[torch.tensor([2])], looks[torch.tensor([0, 1])]])
    np.testing.assert_array_equal(both.report.rays[0], looks.report.rays[2])
    np.testing.assert_array_equal(both.report.hints, looks.report.hints[[2, 0, 1]])
    np.testing.assert_array_equal(both.people.size_px, looks.people.size_px[[2, 0, 1]])
    np.testing.assert_array_equal(both.people.phenotype[1:], looks.people.phenotype[:2])


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match='holds no looks'):
        read_observed(tmp_path)
