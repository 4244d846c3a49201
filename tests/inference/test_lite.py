# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from anny_ros.inference import Estimator
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, CameraSource, Frame
import cv2
import numpy as np
import pytest

ASSETS = Path(__file__).parents[2] / 'anny_ros' / 'assets' / 'demo'


def read_frame(clip, index):
    capture = cv2.VideoCapture(str(ASSETS / clip))
    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
    read, bgr = capture.read()
    assert read
    return np.ascontiguousarray(bgr[..., ::-1])


@pytest.fixture(scope='module')
def estimator():
    parameters = Parameters().with_values({'inference.threads': 1})
    return Estimator.load('anny-lite', parameters)


@pytest.fixture(scope='module')
def street():
    return read_frame('street.mp4', 20)


def test_people_of_a_real_picture(estimator, street):
    people = estimator(Frame(street, 3.5))
    assert people.stamp == 3.5
    assert people.camera.source is CameraSource.ESTIMATED
    assert len(people) >= 3
    assert (np.diff(people.score) <= 0).all()
    assert (people.position[:, 2] > 3).all()
    assert (people.position[:, 2] < 40).all()
    assert (people.stature > 1.3).all()
    assert (people.stature < 2.0).all()
    # everybody walks upright: head above pelvis above feet
    assert (people.head_position[:, 1] < people.position[:, 1]).all()
    assert (people.position[:, 1] < people.ground_position[:, 1]).all()
    assert set(people.timings_ms) == {'keypoints', 'lift', 'refine', 'appearance', 'body'}
    np.testing.assert_allclose(np.linalg.norm(people.appearance, axis=1), 1.0, atol=1e-4)
    assert (np.linalg.eigvalsh(people.position_covariance) > 0).all()


def test_bodies_lie_on_their_keypoints(estimator, street):
    people = estimator(Frame(street, 0.0))
    found = estimator._detector(street, threshold=estimator.threshold)
    heights = people.bbox[:, 3] - people.bbox[:, 1]
    for i in range(len(people)):
        distance = np.linalg.norm(found.keypoints - people.keypoints_2d[i], axis=-1)
        nearest = np.argmin(np.median(distance, axis=1))
        sure = found.confidences[nearest, 5:] > 0.3
        assert np.median(distance[nearest, 5:][sure]) < 0.04 * heights[i]


def test_a_longer_lens_means_farther_people(estimator, street):
    height, width = street.shape[:2]
    near = estimator(Frame(street, 0.0, Camera.from_hfov(1.0, width, height)))
    far = estimator(Frame(street, 0.0, Camera.from_hfov(0.5, width, height)))
    assert len(near) == len(far)
    ratio = np.median(far.position[:, 2]) / np.median(near.position[:, 2])
    np.testing.assert_allclose(ratio, np.tan(0.5) / np.tan(0.25), rtol=0.1)


def test_a_filter_of_the_camera_is_asked_and_a_given_camera_is_not_changed(estimator, street):
    height, width = street.shape[:2]
    longer = Camera.from_hfov(0.8, width, height)
    given = Camera.from_hfov(1.0, width, height, CameraSource.CAMERA_INFO)
    asked = []

    def from_people(camera, stamp):
        asked.append((camera, stamp))
        return camera if camera.source != CameraSource.ESTIMATED else longer

    assert estimator.assumes_camera
    estimator.camera_filter = from_people
    try:
        assert estimator(Frame(street, 2.0)).camera is longer
        assert estimator(Frame(street, 2.0, given)).camera is given
    finally:
        estimator.camera_filter = None
    assert asked[0][0].hfov_stddev > 0
    assert asked[0][1] == 2.0


def test_nobody_in_an_empty_picture(estimator):
    people = estimator(Frame(np.full((120, 160, 3), 127, np.uint8), 0.0))
    assert len(people) == 0
    assert people.joint_positions.shape == (0, len(estimator.body.joint_names), 3)


@pytest.mark.parametrize('shape', [(1, 1), (17, 900), (900, 17)])
def test_odd_sizes_are_fine(estimator, shape):
    assert len(estimator(Frame(np.zeros((*shape, 3), np.uint8), 0.0))) == 0


def test_estimator_keeps_nothing_between_pictures(estimator, street):
    first = estimator(Frame(street, 0.0))
    estimator(Frame(street[:, ::-1].copy(), 0.1))
    again = estimator(Frame(street, 0.0))
    np.testing.assert_array_equal(first.keypoints_3d, again.keypoints_3d)


def test_threshold_takes_effect_at_the_next_picture(estimator, street):
    before = estimator.parameters
    try:
        estimator.parameters = before.with_values({'detection.threshold': 0.99})
        assert (estimator(Frame(street, 0.0)).score >= 0.99).all()
    finally:
        estimator.parameters = before
    assert len(estimator(Frame(street, 0.0))) >= 3
