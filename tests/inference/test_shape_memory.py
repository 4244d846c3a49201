# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.inference.assemble import assemble_detections
from anny_ros.inference.shape_memory import in_own_shape, with_stature, world_aligned
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.types import Camera, Detections
import numpy as np
import pytest
import torch


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


def make_people(body, phenotype, seed=0):
    rng = torch.Generator().manual_seed(seed)
    count, joints = len(phenotype), len(body.joint_names)
    E = rotations_from_rotvec(0.3 * torch.randn(count, joints, 3, generator=rng))
    local = body.local_from_world(torch.as_tensor(phenotype), E)
    return assemble_detections(
        body,
        stamp=0.0,
        camera=Camera.from_hfov(1.0, 640, 480),
        score=np.ones(count, np.float32),
        phenotype=phenotype,
        rotations=local.numpy(),
        translation=np.tile([0.0, 0.0, 4.0], (count, 1)),
    ), E


def phenotypes(count=3, seed=0):
    return np.random.default_rng(seed).uniform(0.3, 0.7, (count, 6)).astype(np.float32)


def test_nothing_changes_for_bodies_of_their_own_shape(body):
    people, E = make_people(body, phenotypes())
    aligned = world_aligned(people, body)
    np.testing.assert_allclose(aligned.rotations, E, atol=1e-5)
    back = in_own_shape(aligned, body)
    np.testing.assert_allclose(back.rotations, people.rotations, atol=1e-4)
    np.testing.assert_allclose(back.phenotype, people.phenotype, atol=2e-3)


def test_a_child_who_was_lifted_as_an_adult_stands_as_upright(body):
    adult = np.array([[0.4, 0.7, 0.5, 0.5, 0.5, 0.5]], np.float32)
    people, E = make_people(body, adult)
    child = adult.copy()
    child[0, 1] = 0.35
    stature = body.stature(child)
    shown = replace(world_aligned(people, body), phenotype=child, stature=stature)
    shown = in_own_shape(shown, body)
    np.testing.assert_allclose(body.world_rotations(shown), E, atol=1e-4)
    # The bug that this prevents: the same local rotations on other bones.
    leaning = replace(people, phenotype=child)
    assert np.abs(body.world_rotations(leaning) - E.numpy()).max() > 0.05


def test_the_mesh_is_as_tall_as_the_person(body):
    phenotype = phenotypes(4)
    wanted = body.stature(phenotype) * np.array([0.97, 1.0, 1.03, 1.05], np.float32)
    found = body.stature(with_stature(phenotype, wanted, body))
    np.testing.assert_allclose(found, wanted, rtol=3e-3)
    others = [i for i in range(6) if i != 4]
    changed = with_stature(phenotype, wanted, body)
    np.testing.assert_array_equal(changed[:, others], phenotype[:, others])


def test_statures_that_nobody_has_or_knows_do_no_harm(body):
    phenotype = phenotypes(3)
    changed = with_stature(phenotype, np.array([np.nan, 9.0, 0.01], np.float32), body)
    np.testing.assert_array_equal(changed[0], phenotype[0])
    assert changed[1, 4] == 1.0
    assert changed[2, 4] == 0.0


def test_nobody_is_fine(body):
    nobody = Detections.empty(0.0, Camera.from_hfov(1.0, 640, 480), len(body.joint_names), 0)
    assert len(in_own_shape(world_aligned(nobody, body), body)) == 0
