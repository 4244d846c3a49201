# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.lifter import Lifted, LIFTED_JOINTS
from anny_ros.keypoints.refine import Refiner, rotations_from_rotvec
from anny_ros.keypoints.reported import ReportedPoints
from anny_ros.keypoints.view import make_view, Report
import numpy as np
import pytest
import torch

# Rest axes (x left, y back, z up) of somebody who faces the camera.
_FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


@pytest.fixture(scope='module')
def skeleton():
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


def make_people(skeleton, num_people=3, seed=0, turn=0.15):
    """True bodies 3 m away, what they look like, and a lifter's guess that is a little off."""
    rng = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=rng)

    E = rotations_from_rotvec(0.3 * noise(num_people, len(LIFTED_JOINTS), 3))
    E[:, 0] = _FACING
    phenotype = torch.full((num_people, 6), 0.5)
    posed = skeleton.pose(skeleton.rest(phenotype), E)
    away = torch.tensor([0.0, 0.0, 3.0])
    points = posed.landmarks[:, :17] + away
    shown = ReportedPoints(skeleton.joint_names)(posed) + away
    report = Report(
        shown[..., :2] / shown[..., 2:],
        torch.full((num_people, 17), 0.9),
        torch.full((num_people,), float('nan')),
        torch.tensor([-1.0, 1.0, -1.0, 1.0]).expand(num_people, -1),
        torch.full((num_people, NUM_HINTS), float('nan')),
    )
    view = make_view(report)
    turned = E.clone()
    turned[:, 0] = view.R_view_camera @ E[:, 0]
    truth = points @ view.R_view_camera.transpose(1, 2)
    hips = truth[:, 11:13].mean(1)
    guess = Lifted(
        rotations=rotations_from_rotvec(turn * noise(num_people, len(LIFTED_JOINTS), 3)) @ turned,
        phenotype=(phenotype + 0.05).clamp(0, 1),
        offset=(hips[:, :2] / hips[:, 2:] - view.centre) / view.extent[:, None] + 0.02,
        log_size=(hips[:, 2] * view.extent).log() + 0.05,
        rotation_stddev=torch.full((num_people, len(LIFTED_JOINTS)), 0.3),
        phenotype_stddev=torch.full((num_people, 6), 0.2),
        log_size_stddev=torch.full((num_people,), 0.1),
        offset_stddev=torch.full((num_people,), 0.05),
    )
    return view, guess, truth


def reprojection(skeleton, refined, view):
    posed = skeleton.pose(skeleton.rest(refined.phenotype), refined.rotations)
    shown = ReportedPoints(skeleton.joint_names)(posed) + refined.translation[:, None]
    xy = shown[..., :2] / shown[..., 2:]
    return float(((xy - view.points).norm(dim=-1) / view.extent[:, None]).mean())


def test_bodies_come_onto_their_keypoints_and_nearer_to_the_truth(skeleton):
    view, guess, truth = make_people(skeleton)
    before = Refiner(skeleton, iterations=0)(guess, view)
    after = Refiner(skeleton)(guess, view)
    assert reprojection(skeleton, after, view) < 0.3 * reprojection(skeleton, before, view)

    def error(refined):
        joints = refined.landmarks[:, :17]
        joints = joints - joints[:, 11:13].mean(1, keepdim=True)
        return float(
            (joints - (truth - truth[:, 11:13].mean(1, keepdim=True))).norm(dim=-1).mean()
        )

    assert error(after) < error(before)


def test_derivatives_agree_with_differences(skeleton):
    """Move every unknown a little and compare with the linear prediction."""
    _, guess, _ = make_people(skeleton, num_people=1)
    refiner = Refiner(skeleton)
    posed = skeleton.pose(skeleton.rest(guess.phenotype), guess.rotations)
    by_rotation = refiner._rotation_derivative(posed)[0]  # (17, 3, 3 J)
    step = 1e-3
    for joint in (0, 2, 8, 14, 27):
        for axis in range(3):
            v = torch.zeros(1, len(LIFTED_JOINTS), 3)
            v[0, joint, axis] = step
            moved = skeleton.pose(
                skeleton.rest(guess.phenotype), rotations_from_rotvec(v) @ guess.rotations
            )
            slope = (moved.landmarks - posed.landmarks)[0, :17] / step
            np.testing.assert_allclose(by_rotation[..., 3 * joint + axis], slope, atol=3e-3)


def test_an_outlier_does_not_pull(skeleton):
    view, guess, _ = make_people(skeleton, num_people=1)
    clean = Refiner(skeleton)(guess, view)
    points = view.points.clone()
    points[0, 9] += 3.0 * view.extent[0]
    pulled = Refiner(skeleton)(guess, replace(view, points=points))
    others = [i for i in range(17) if i != 9]
    moved = (pulled.landmarks - clean.landmarks)[0, others].norm(dim=-1)
    assert float(moved.max()) < 0.05


def test_missing_keypoints_and_nobody_are_fine(skeleton):
    view, guess, _ = make_people(skeleton, num_people=2)
    none = replace(view, confidences=torch.zeros(2, 17))
    kept = Refiner(skeleton)(guess, none)
    np.testing.assert_allclose(kept.rotations, guess.rotations, atol=1e-5)
    empty = Lifted(**{k: v[:0] for k, v in vars(guess).items()})
    nobody = type(view)(**{k: v[:0] for k, v in vars(view).items()})
    assert Refiner(skeleton)(empty, nobody).landmarks.shape[0] == 0


def test_people_do_not_influence_each_other(skeleton):
    view, guess, _ = make_people(skeleton)
    together = Refiner(skeleton)(guess, view)
    one = Refiner(skeleton)(
        Lifted(**{k: v[1:2] for k, v in vars(guess).items()}),
        type(view)(**{k: v[1:2] for k, v in vars(view).items()}),
    )
    np.testing.assert_allclose(one.landmarks[0], together.landmarks[1], atol=1e-3)
