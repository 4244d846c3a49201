# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.lifter import LIFTED_JOINTS
import numpy as np
from scipy.spatial.transform import Rotation

from training.check_joint_limits import joint_limits, rotation_vectors


def test_limits_hold_for_both_sides():
    vectors = np.zeros((1000, len(LIFTED_JOINTS), 3))
    left, right = (LIFTED_JOINTS.index(f'lowerleg01.{side}') for side in 'LR')
    vectors[:, left, 0] = np.linspace(0, 120, 1000)
    vectors[:, left, 2] = 5.0
    low, high = joint_limits(vectors)
    np.testing.assert_allclose(high[[left, right], 0], 120, atol=1)
    np.testing.assert_allclose(low[[left, right], 0], 0, atol=1)
    assert high[left, 2] == 5.0
    assert low[right, 2] == -5.0


def test_rotation_vectors_are_in_degrees():
    turn = Rotation.from_euler('x', 30, degrees=True).as_matrix()
    rotations = np.broadcast_to(turn, (2, len(LIFTED_JOINTS), 3, 3)).astype(np.float32)
    np.testing.assert_allclose(rotation_vectors(rotations)[..., 0], 30, atol=1e-4)
