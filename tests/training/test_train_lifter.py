# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.keypoints.lifter import Lifted
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.keypoints.view import make_view
from anny_ros.types import PHENOTYPE_NAMES
import numpy as np
import pytest
import torch

from training.keypoint_errors import observe
from training.train_lifter import lifting_loss

HEIGHT = PHENOTYPE_NAMES.index('height')


@pytest.fixture(scope='module')
def seen(simulated_people):
    """People in the middle of the range of shapes, what they look like, and the truth lifted."""
    people = simulated_people[torch.arange(200)]
    people = replace(people, phenotype=people.phenotype.clamp(0.2, 0.8))
    view = make_view(observe(people, np.random.default_rng(0), exact=True))
    truth = people.keypoints @ view.R_view_camera.transpose(1, 2)
    hips = truth[:, 11:13].mean(1)
    rotations = people.rotations.clone()
    rotations[:, 0] = view.R_view_camera @ rotations[:, 0]
    count = len(people)
    lifted = Lifted(
        rotations=rotations,
        phenotype=people.phenotype,
        offset=(hips[:, :2] / hips[:, 2:] - view.centre) / view.extent[:, None],
        log_size=(hips[:, 2] * view.extent).log(),
        rotation_stddev=torch.full((count, rotations.shape[1]), 0.2),
        phenotype_stddev=torch.full((count, 6), 0.2),
        log_size_stddev=torch.full((count,), 0.1),
        offset_stddev=torch.full((count,), 0.05),
    )
    return people, view, lifted


def shorter(lifted, by=0.15):
    phenotype = lifted.phenotype.clone()
    phenotype[:, HEIGHT] -= by
    return replace(lifted, phenotype=phenotype)


def test_nothing_is_better_than_the_truth(seen, lifted_skeleton):
    people, view, lifted = seen

    def loss(changed):
        return float(lifting_loss(changed, view, people, lifted_skeleton))

    best = loss(lifted)
    turn = rotations_from_rotvec(torch.full((28, 3), 0.1))
    assert loss(replace(lifted, rotations=turn @ lifted.rotations)) > best + 0.05
    assert loss(replace(lifted, log_size=lifted.log_size + 0.1)) > best + 0.05
    assert loss(replace(lifted, offset=lifted.offset + 0.1)) > best + 0.05
    assert loss(shorter(lifted)) > best + 0.05
    assert loss(shorter(lifted, -0.15)) > best + 0.05


def test_who_does_not_know_where_limbs_point_is_not_nearer_with_shorter_ones(
    seen, lifted_skeleton
):
    people, view, lifted = seen
    turns = torch.randn((*lifted.rotations.shape[:2], 3), generator=torch.manual_seed(0))
    turns[:, 0] = 0.0
    unsure = replace(lifted, rotations=rotations_from_rotvec(0.8 * turns) @ lifted.rotations)
    lost, shrunk, grown = (
        float(lifting_loss(guess, view, people, lifted_skeleton))
        for guess in (unsure, shorter(unsure), shorter(unsure, -0.15))
    )
    assert lost < min(shrunk, grown)
    assert abs(shrunk - grown) < 0.05 * (shrunk - lost) + 0.05
