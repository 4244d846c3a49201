# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS
from anny_ros.keypoints.lifter import LIFTED_JOINTS, mirror_rotations
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.keypoints.reported import ReportedPoints
import numpy as np
import pytest
import torch

NUM_JOINTS = len(LIFTED_JOINTS)


@pytest.fixture(scope='module')
def skeleton():
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


def pose(skeleton, E, phenotype=0.5):
    return skeleton.pose(skeleton.rest(torch.full((len(E), 6), phenotype)), E)


def test_shoulders_and_hips_are_reported_higher_and_turn_with_the_body(skeleton):
    E = torch.eye(3).repeat(1, NUM_JOINTS, 1, 1)
    standing = pose(skeleton, E)
    shift = (ReportedPoints(skeleton.joint_names)(standing) - standing.landmarks[:, :17])[0]
    assert (shift[[5, 6, 11, 12], 2] > 0.015).all()
    assert (shift[[5, 6, 11, 12], 2] < 0.06).all()
    assert shift.norm(dim=-1).max() < 0.06
    turn = rotations_from_rotvec(torch.tensor([0.3, -1.0, 0.5]))
    E[:, 0] = turn
    lying = pose(skeleton, E)
    turned = (ReportedPoints(skeleton.joint_names)(lying) - lying.landmarks[:, :17])[0]
    np.testing.assert_allclose(turned, shift @ turn.T, atol=1e-5)


def test_left_and_right_mirror_each_other(skeleton):
    E = rotations_from_rotvec(0.3 * torch.randn(2, NUM_JOINTS, 3, generator=torch.manual_seed(1)))
    move = ReportedPoints(skeleton.joint_names)
    here, there = pose(skeleton, E), pose(skeleton, mirror_rotations(E))
    shift, other = (move(p) - p.landmarks[:, :17] for p in (here, there))
    mirrored = shift[:, list(MIRRORED_KEYPOINTS)] * torch.tensor([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(other, mirrored, atol=1e-3)


def test_the_shift_grows_with_the_body(skeleton):
    E = torch.eye(3).repeat(2, NUM_JOINTS, 1, 1)
    phenotype = torch.full((2, 6), 0.5)
    phenotype[0, 1] = 0.2
    posed = skeleton.pose(skeleton.rest(phenotype), E)
    shift = (ReportedPoints(skeleton.joint_names)(posed) - posed.landmarks[:, :17]).norm(dim=-1)
    points = posed.landmarks
    torso = (points[:, 5:7].mean(1) - points[:, 11:13].mean(1)).norm(dim=-1)
    assert torso[0] != pytest.approx(float(torso[1]), rel=0.1)
    np.testing.assert_allclose(shift[0] / torso[0], shift[1] / torso[1], atol=1e-4)
