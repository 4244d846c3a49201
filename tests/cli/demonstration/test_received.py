# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('anny_ros.msg')
from anny_ros.body import BodyModel
from anny_ros.cli.demonstration.received import scene_from_message
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.inference.assemble import assemble_detections
from anny_ros.ros.conversions import human_array
from anny_ros.ros.result import Result
from anny_ros.types import Camera, Frame, Scene, TrackState
from std_msgs.msg import Header

CAMERA = Camera.from_hfov(1.2, 320, 240)


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


def scene_of(body, count):
    rng = np.random.default_rng(count)
    rotvec = rng.normal(scale=0.4, size=(count, len(body.joint_names), 3))
    humans = assemble_detections(
        body,
        stamp=12.25,
        camera=CAMERA,
        score=rng.random(count),
        phenotype=rng.random((count, 6)),
        rotations=rotvec_to_rotmat(rotvec),
        translation=rng.normal(size=(count, 3)) + np.array([0, 0, 6]),
    )
    return Scene(
        stamp=12.25,
        camera=CAMERA,
        humans=humans,
        ids=('abcde', 'fghij', 'klmno')[:count],
        track_numbers=np.arange(1, count + 1, dtype=np.uint32),
        states=np.full(count, TrackState.OCCLUDED, np.uint8),
        identity_confidence=np.full(count, 0.5, np.float32),
        age=np.full(count, 3.5),
        time_since_observed=np.full(count, 0.25),
        velocity=rng.normal(size=(count, 3)).astype(np.float32),
        velocity_covariance=np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
    )


def there_and_back(body, scene, attributes=True):
    header = Header(frame_id='camera')
    header.stamp.sec, header.stamp.nanosec = 12, 250_000_000
    frame = Frame(np.zeros((240, 320, 3), np.uint8), scene.stamp)
    result = Result(header, frame, scene, body, 'coarse')
    return scene_from_message(human_array(result, attributes=attributes), body)


@pytest.mark.parametrize('count', [0, 1, 3])
def test_a_scene_survives_the_way_through_a_message(body, count):
    sent = scene_of(body, count)
    got = there_and_back(body, sent)
    assert got.ids == sent.ids
    assert got.stamp == sent.stamp
    assert got.camera.source == CAMERA.source
    np.testing.assert_allclose(got.camera.K, CAMERA.K)
    for name in ('track_numbers', 'states', 'age', 'time_since_observed', 'velocity'):
        np.testing.assert_allclose(getattr(got, name), getattr(sent, name), atol=1e-6)
    tolerances = {
        'rotations': 1e-5, 'keypoints_3d': 1e-5, 'keypoints_2d': 2e-2, 'bbox': 1e-3,
        'position': 1e-6, 'translation': 1e-6, 'stature': 1e-6, 'phenotype': 1e-6,
        'joint_orientations': 1e-5, 'age_years': 1e-4, 'position_covariance': 1e-6,
    }  # fmt: skip
    for name, atol in tolerances.items():
        wanted = getattr(sent.humans, name)
        np.testing.assert_allclose(getattr(got.humans, name), wanted, atol=atol, err_msg=name)
    if count:
        np.testing.assert_allclose(
            body.vertices(got.humans), body.vertices(sent.humans), atol=1e-4
        )


def test_without_attributes_the_shape_is_not_known(body):
    got = there_and_back(body, scene_of(body, 2), attributes=False)
    assert np.isnan(got.humans.keypoints_3d).all()
    assert math.isnan(got.humans.age_years[0])
    assert np.isfinite(got.humans.position).all()
