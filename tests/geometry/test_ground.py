# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

from anny_ros.geometry.ground import Ground, scale_from_ground
from anny_ros.types import Detections
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest


def scaled(people: Detections, factor) -> Detections:
    """People as a camera would confuse them: larger and farther away by a factor."""
    factor = np.asarray(factor, np.float32)
    names = ('translation', 'position', 'head_position', 'ground_position',
             'joint_positions', 'keypoints_3d')  # fmt: skip
    changed = {
        name: getattr(people, name) * factor.reshape(-1, *[1] * (getattr(people, name).ndim - 1))
        for name in names
    }
    return replace(people, stature=people.stature * factor, **changed)


@settings(max_examples=25, deadline=None)
@given(
    z=st.floats(2.5, 12), x=st.floats(-1, 1), height=st.floats(0.4, 2.5),
    pitch=st.floats(-0.1, 0.4), factor=st.floats(0.7, 1.4), age=st.sampled_from([0.2, 0.4, 0.67]),
)  # fmt: skip
def test_a_wrong_size_is_found(standing, z, x, height, pitch, factor, age):
    people, up = standing([(x, z)], height, pitch, age=age)
    wrong = scaled(people, [factor])
    found = scale_from_ground(wrong, Ground(up, height))
    uv = people.keypoints_2d[0, 15:]
    seen = ((uv > 0) & (uv < [639, 479])).all()
    if found.known[0]:
        assert np.exp(found.log_scale[0]) * factor == pytest.approx(1.0, abs=0.02)
        assert 0.005 < found.stddev[0] < 1.0
    else:
        assert not seen or height / z < 0.06


def test_uncertainty_grows_with_distance_and_with_a_low_camera(standing):
    people, up = standing([(0, 3), (0, 6), (0, 12)], 1.5, 0.15)
    stddev = scale_from_ground(people, Ground(up, 1.5)).stddev
    assert stddev[0] < stddev[1] < stddev[2]
    low, up_low = standing([(0, 6)], 0.4, 0.0)
    assert scale_from_ground(low, Ground(up_low, 0.4)).stddev[0] > 1.5 * stddev[1]
    unsure = scale_from_ground(people, Ground(up, 1.5, tilt_stddev=0.05)).stddev
    assert (unsure > 2 * stddev).all()


def test_the_claimed_uncertainty_is_that_of_a_tilt(standing):
    people, up = standing([(0, 5)], 1.3, 0.2)
    rng = np.random.default_rng(1)
    errors, claimed = [], []
    for _ in range(300):
        c, s = np.cos(e := rng.normal(0, 0.02)), np.sin(e)
        tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ up
        ground = Ground(tilted, 1.3 + rng.normal(0, 0.03), 0.02, 0.03)
        found = scale_from_ground(people, ground)
        errors.append(found.log_scale[0])
        claimed.append(found.stddev[0])
    # Feet are exact here, so the claim must be a little too large.
    assert 0.7 < np.std(errors) / np.mean(claimed) <= 1.1


def test_one_foot_in_the_air_does_not_matter_and_hidden_feet_say_nothing(standing):
    people, up = standing([(0, 4)], 1.2)
    lifted = people.keypoints_3d.copy()
    lifted[0, 15] += 0.25 * up
    ground_position = people.ground_position + 0.125 * up
    stepping = replace(people, keypoints_3d=lifted, ground_position=ground_position)
    found = scale_from_ground(stepping, Ground(up, 1.2))
    assert abs(found.log_scale[0]) < 0.03
    confidences = people.keypoint_confidences.copy()
    confidences[:, 15:] = 0.1
    hidden = replace(people, keypoint_confidences=confidences)
    assert not scale_from_ground(hidden, Ground(up, 1.2)).known.any()
    below = people.keypoints_2d.copy()
    below[:, 15:, 1] = 600
    assert not scale_from_ground(replace(people, keypoints_2d=below), Ground(up, 1.2)).known.any()


def test_feet_above_the_horizon_say_nothing(standing):
    people, up = standing([(0, 4)], 1.2)
    flying = people.moved(np.array([[0, -3.0, 0]]))
    assert not scale_from_ground(flying, Ground(up, 1.2)).known.any()
    assert len(scale_from_ground(people[[]], Ground(up, 1.2)).stddev) == 0


def test_a_floor_that_makes_no_sense_is_refused():
    for up, height in (((0, -1, 0), 0.0), ((0, -1, 0), -1.0), ((0, -2, 0), 1.0),
                       ((0, 0, 0), 1.0), ((0, -1, 0), np.nan)):  # fmt: skip
        with pytest.raises(ValueError, match=r'up must be|above the floor'):
            Ground(np.array(up, float), height)


def test_the_floor_is_read_from_the_cameras_pose():
    # Optical axes in a frame whose z is up: right, down, forward = -y, -z, x.
    rotation = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    ground = Ground.from_pose(rotation, np.array([3.0, 4, 1.4]))
    np.testing.assert_allclose(ground.up, [0, -1, 0])
    assert ground.camera_height == pytest.approx(1.4)
    with pytest.raises(ValueError, match='above the floor'):
        Ground.from_pose(rotation, np.array([0.0, 0, -0.2]))
