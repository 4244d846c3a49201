# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import ModelError
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS, NUM_HINTS
from anny_ros.keypoints.lifter import (
    LIFTED_JOINTS,
    Lifter,
    LifterNetwork,
    mirror_features,
    mirror_rotations,
    rotations_from_6d,
)
from anny_ros.keypoints.view import make_view, Report
import numpy as np
import pytest
from safetensors.torch import save_file
import torch


@pytest.fixture(scope='module')
def skeleton():
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


def random_report(num_people=4, seed=0):
    rng = np.random.default_rng(seed)
    rays = torch.as_tensor(rng.normal(scale=0.1, size=(num_people, 17, 2)), dtype=torch.float32)
    confidences = torch.as_tensor(rng.random((num_people, 17)), dtype=torch.float32)
    edges = torch.tensor([-0.3, 0.2, -0.25, 0.15]).expand(num_people, -1)
    hints = torch.as_tensor(
        rng.normal(scale=0.3, size=(num_people, NUM_HINTS)), dtype=torch.float32
    )
    return Report(rays, confidences, rays[..., 1].amin(1) - 0.02, edges, hints)


def write_lifter(path, seed=0, width=32, depth=2):
    torch.manual_seed(seed)
    network = LifterNetwork(width, depth)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_file({k: v.half() for k, v in network.state_dict().items()}, path)
    return Lifter(path)


def test_lifted_joints_are_in_the_order_of_the_body(skeleton):
    assert skeleton.joint_names == LIFTED_JOINTS


def test_six_numbers_make_rotations():
    values = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    R = rotations_from_6d(values)
    np.testing.assert_allclose(
        R @ R.transpose(1, 2), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-5
    )
    np.testing.assert_allclose(torch.linalg.det(R), 1.0, atol=1e-5)
    np.testing.assert_allclose(rotations_from_6d(torch.tensor([1.0, 0, 0, 0, 1, 0])), np.eye(3))


def test_mirrored_rotations_pose_the_mirrored_body(skeleton):
    rng = torch.Generator().manual_seed(0)
    E = rotations_from_6d(
        torch.tensor([1.0, 0, 0, 0, 1, 0]) + 0.3 * torch.randn(2, 28, 6, generator=rng)
    )
    rest = skeleton.rest(torch.full((2, 6), 0.5))
    here = skeleton.pose(rest, E).landmarks[:, :17]
    there = skeleton.pose(rest, mirror_rotations(E)).landmarks[:, :17]
    mirrored = here[:, list(MIRRORED_KEYPOINTS)] * torch.tensor([-1.0, 1.0, 1.0])
    # Anny's own left and right differ by a millimetre
    np.testing.assert_allclose(there, mirrored, atol=4e-3)


def test_mirrored_features_are_those_of_the_mirrored_picture():
    report = random_report()
    truth = make_view(report.mirrored()).features
    np.testing.assert_allclose(mirror_features(make_view(report).features), truth, atol=1e-5)


def test_lifting_commutes_with_mirroring(tmp_path):
    lifter = write_lifter(tmp_path / 'lifter.safetensors')
    report = random_report()
    here, there = lifter(make_view(report)), lifter(make_view(report.mirrored()))
    np.testing.assert_allclose(there.rotations, mirror_rotations(here.rotations), atol=1e-4)
    np.testing.assert_allclose(there.log_size, here.log_size, atol=1e-5)
    np.testing.assert_allclose(there.offset, here.offset * torch.tensor([-1.0, 1.0]), atol=1e-5)
    # and the picture matters at all
    assert (here.rotations[0] - here.rotations[1]).abs().max() > 1e-2


def test_wrong_weights_end_in_a_sentence(tmp_path):
    with pytest.raises(ModelError, match='missing; reinstall'):
        Lifter(tmp_path / 'none.safetensors')
    path = tmp_path / 'other.safetensors'
    save_file({'inlet.bias': torch.zeros(8), 'blocks.0.up.bias': torch.zeros(8)}, path)
    with pytest.raises(ModelError, match='does not hold lifter weights'):
        Lifter(path)
