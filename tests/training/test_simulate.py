# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest


@pytest.fixture(scope='module')
def people(simulated_people, lifted_skeleton):
    return simulated_people, lifted_skeleton


def test_people_are_before_the_camera_and_most_of_them_in_view(people):
    placed, _ = people
    assert len(placed) > 400
    assert (placed.keypoints[..., 2] > 0.15).all()
    rays = placed.keypoints[..., :2] / placed.keypoints[..., 2:]
    inside = (rays.abs().numpy() < placed.half_view[:, None]).all(-1)
    assert inside.mean() > 0.75
    distance = placed.keypoints[:, 11:13].mean(1).norm(dim=-1)
    assert distance.quantile(0.05) < 1.5
    assert distance.quantile(0.95) > 10.0


def test_keypoints_are_those_of_the_rotations(people):
    placed, skeleton = people
    posed = skeleton.pose(skeleton.rest(placed.phenotype), placed.rotations).landmarks[:, :17]
    offset = placed.keypoints - posed
    np.testing.assert_allclose(offset, offset[:, :1].expand_as(offset), atol=1e-3)
