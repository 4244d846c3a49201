# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.tracking.pose import camera_motion, checked_pose
import numpy as np
import pytest


def pose(rotvec, place):
    result = np.eye(4)
    result[:3, :3] = rotvec_to_rotmat(rotvec)
    result[:3, 3] = place
    return result


def test_camera_motion_takes_what_stands_still_along():
    before, after = pose([0.1, 0.5, 0.0], [1.0, 2.0, 0.3]), pose([0.0, -0.4, 0.2], [1.5, 1.0, 0.3])
    point = np.array([0.5, 4.0, 1.0, 1.0])  # in the world
    moved = camera_motion(before, after) @ np.linalg.inv(before) @ point
    np.testing.assert_allclose(moved, np.linalg.inv(after) @ point, atol=1e-12)


def test_camera_motion_needs_both_poses():
    assert camera_motion(None, np.eye(4)) is None
    assert camera_motion(np.eye(4), None) is None
    np.testing.assert_allclose(camera_motion(np.eye(4), np.eye(4)), np.eye(4))


def test_a_pose_may_be_float32_and_is_copied():
    given = pose([0.3, 0, 0], [1, 2, 3]).astype(np.float32)
    checked = checked_pose(given)
    assert checked.dtype == np.float64
    given[:] = 0
    assert checked[3, 3] == 1.0


@pytest.mark.parametrize(
    'bad',
    [
        np.eye(3),
        np.full((4, 4), np.nan),
        np.diag([2.0, 1.0, 1.0, 1.0]),
        np.diag([-1.0, 1.0, 1.0, 1.0]),
        np.ones((4, 4)),
    ],
    ids=['3x3', 'nan', 'scaled', 'mirrored', 'no pose'],
)
def test_what_is_no_pose_is_refused(bad):
    with pytest.raises(ValueError, match='pose of the camera must be'):
        checked_pose(bad)
