# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.body import BodyModel
from anny_ros.body.rep155 import link_frames, LINK_NAMES
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.inference import assemble_detections
from anny_ros.types import Camera
import numpy as np
import pytest
import torch

# Optical axes of somebody upright who faces the camera, from rest axes (x left, y back, z up).
FACING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


def person(body, turn=FACING, age=0.67, **joints):
    """One body; each joint (its dot as two underscores) turned by a vector in rest axes."""
    world = np.tile(np.eye(3), (1, len(body.joint_names), 1, 1))
    world[0, 0] = turn
    for name, vector in joints.items():
        row = body.joint_index(name.replace('__', '.'))
        world[0, row] = rotvec_to_rotmat(np.array(vector, float))
    phenotype = np.array([[0.5, age, 0.5, 0.5, 0.5, 0.5]], np.float32)
    rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))
    return assemble_detections(
        body, stamp=0.0, camera=Camera.from_hfov(1.2, 640, 480), score=np.ones(1),
        phenotype=phenotype, rotations=rotations.numpy().astype(np.float32),
        translation=np.array([[0.0, 0, 4]], np.float32),
    )  # fmt: skip


def frames(body, people):
    origins, rotations = link_frames(body, people)
    assert origins.shape == (len(people), len(LINK_NAMES), 3)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(-1, -2),
        np.broadcast_to(np.eye(3), rotations.shape), atol=1e-5,
    )  # fmt: skip
    assert (np.linalg.det(rotations) > 0).all()
    return {name: (origins[0, k], rotations[0, k]) for k, name in enumerate(LINK_NAMES)}


LIMBS = [
    (f'{side}_{upper}', f'{side}_{lower}')
    for side in 'lr'
    for upper, lower in [('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'),
                         ('knee', 'ankle')]
]  # fmt: skip


@pytest.mark.parametrize('age', [0.05, 0.33, 0.67, 1.0])
def test_limbs_reach_down_their_own_link(body, age):
    rng = np.random.default_rng(3)
    joints = ('upperarm01__L', 'lowerarm01__L', 'upperarm01__R', 'lowerarm01__R',
              'upperleg01__L', 'lowerleg01__R', 'spine03')  # fmt: skip
    for _ in range(5):
        turned = {name: rng.normal(0, 0.6, 3) for name in joints}
        found = frames(body, person(body, age=age, **turned))
        for upper, lower in LIMBS:
            limb = found[lower][0] - found[upper][0]
            down = -found[upper][1][:, 2]
            cosine = limb @ down / np.linalg.norm(limb)
            assert cosine > np.cos(np.radians(0.5)), (upper, np.degrees(np.arccos(cosine)))


def test_axes_of_somebody_upright_are_forward_left_up(body):
    found = frames(body, person(body))
    expected = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    for name in ('waist', 'torso', 'head', 'p_head', 'l_hip', 'r_hip', 'l_knee', 'r_ankle'):
        between = np.degrees(np.arccos(min((np.trace(expected.T @ found[name][1]) - 1) / 2, 1.0)))
        assert between < 15, (name, between)
    # Left is left, up is up.
    assert found['l_wrist'][0][0] > found['r_wrist'][0][0]
    heights = [-found[n][0][1] for n in ('l_ankle', 'l_knee', 'l_hip', 'torso', 'p_head', 'head')]
    assert heights == sorted(heights)


def test_an_elbow_that_bends_forward_turns_about_the_links_y(body):
    straight = frames(body, person(body))
    bent = frames(body, person(body, lowerarm01__L=(1.2, 0, 0)))
    turn = straight['l_elbow'][1].T @ bent['l_elbow'][1]
    angle = np.arccos((np.trace(turn) - 1) / 2)
    assert angle == pytest.approx(1.2, abs=1e-4)
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    assert np.abs(axis[1]) > 0.8 * np.linalg.norm(axis)
    np.testing.assert_allclose(straight['l_shoulder'][1], bent['l_shoulder'][1], atol=1e-6)


def test_nobody(body):
    origins, rotations = link_frames(body, person(body)[np.zeros(1, bool)])
    assert origins.shape == (0, len(LINK_NAMES), 3)
    assert rotations.shape == (0, len(LINK_NAMES), 3, 3)
