# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People before simulated cameras."""

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.refine import rotations_from_rotvec
import numpy as np
import pytest
import torch

from training.poses import PoseData, sample_phenotypes, sample_rotations
from training.simulate import place


@pytest.fixture(scope='session')
def lifted_skeleton():
    """The joints that the lifter turns."""
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


@pytest.fixture(scope='session')
def simulated_people(lifted_skeleton):
    """Some 500 people of all ages in poses near rest, as a robot's cameras see them."""
    rng = np.random.default_rng(0)
    body = BodyModel.load()
    turns = torch.as_tensor(rng.normal(scale=0.2, size=(200, 28, 3)), dtype=torch.float32)
    turns[:, 0] = 0.0
    poses = PoseData(rotations_from_rotvec(turns), np.arange(200), np.full(200, 1 / 200))
    E = sample_rotations(poses, 600, rng, augment=True)
    return place(lifted_skeleton, E, sample_phenotypes(body, 600, rng), rng)
