# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.model.heads import initial_body_pose
from anny_ros.model.pose import (
    FIXED_BONES,
    JOINT_BONES,
    joint_rotations,
    NUM_BONES,
    TURNED_BONES,
)
import numpy as np
import pytest


def random_pose(num_people: int, dtype: type = np.float32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(num_people, 6 * NUM_BONES)).astype(dtype)


def test_sixty_eight_bones_turn():
    assert len(TURNED_BONES) == 68
    assert len(JOINT_BONES) == 74
    assert not set(TURNED_BONES) & set(FIXED_BONES)


def test_joints_are_those_of_the_body_model():
    """Bones are told apart by name: these words mark bones that the network never turns."""
    names = BodyModel.load().joint_names
    assert len(names) == len(JOINT_BONES)
    words = ('foot', 'neck', 'head')
    fixed = [any(word in name for word in words) for name in names]
    assert fixed == [bone in FIXED_BONES for bone in JOINT_BONES]
    assert [names[i] for i in np.flatnonzero(fixed)] == [
        'foot.L',
        'foot.R',
        'neck01',
        'neck02',
        'neck03',
        'head',
    ]


@pytest.mark.parametrize('num_people', [0, 1, 3])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_rotations_are_rotations(num_people, dtype):
    rotations = joint_rotations(random_pose(num_people, dtype))
    assert rotations.shape == (num_people, 74, 3, 3)
    assert rotations.dtype == np.float32
    product = rotations @ rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0, atol=1e-6)


def test_six_numbers_are_two_columns_row_by_row():
    pose = np.tile(np.float32([1, 0, 0, 1, 0, 0]), (1, NUM_BONES))
    pose[0, 47 * 6 : 48 * 6] = [0, -2, 3, 1, 0, 0]  # spine01: columns (0, 3, 0), (-2, 1, 0)
    rotations = joint_rotations(pose)[0]
    row = JOINT_BONES.index(47)
    np.testing.assert_allclose(rotations[row], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-7)
    others = np.delete(rotations, row, axis=0)
    np.testing.assert_array_equal(others, np.broadcast_to(np.eye(3), others.shape))


def test_feet_neck_and_head_are_never_turned():
    rotations = joint_rotations(random_pose(2))
    for row, bone in enumerate(JOINT_BONES):
        turned = not np.array_equal(rotations[:, row], np.tile(np.eye(3), (2, 1, 1)))
        assert turned == (bone in TURNED_BONES)


def test_each_joint_gets_the_numbers_of_its_bone():
    pose = np.tile(np.float32([1, 0, 0, 1, 0, 0]), (1, NUM_BONES)).reshape(NUM_BONES, 6)
    angles = np.linspace(0.1, 1.5, NUM_BONES)
    pose[:, 0], pose[:, 1] = np.cos(angles), -np.sin(angles)
    pose[:, 2], pose[:, 3] = np.sin(angles), np.cos(angles)
    rotations = joint_rotations(pose.reshape(1, -1))[0]
    met = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    wanted = [angles[b] if b in TURNED_BONES else 0.0 for b in JOINT_BONES]
    np.testing.assert_allclose(met, wanted, atol=1e-6)


def test_initial_pose_is_a_quarter_turn_of_the_root():
    pose = initial_body_pose(NUM_BONES).numpy()
    assert pose.shape == (1, 978)
    rotations = joint_rotations(pose)[0]
    np.testing.assert_array_equal(rotations[0], [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_array_equal(rotations[1:], np.broadcast_to(np.eye(3), (73, 3, 3)))


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r'978.*\(1, 6\)'):
        joint_rotations(np.zeros((1, 6), np.float32))


def test_zero_numbers_give_nan_not_a_warning():
    assert np.isnan(joint_rotations(np.zeros((1, 978), np.float32))[0, 0]).any()
