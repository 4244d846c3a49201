# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import FrozenInstanceError, replace
import math

from anny_ros.types import Camera, CameraSource, Detections, Frame, Scene
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest


def make_detections(num_people=2, depth=4.0):
    """People who stand side by side; every array holds plausible numbers."""
    camera = Camera.from_hfov(1.0, 640, 480)
    blank = Detections.empty(1.5, camera, num_joints=3, appearance_size=4)
    arrays = {
        name: np.zeros((num_people, *value.shape[1:]), np.float32)
        for name, value in vars(blank).items()
        if isinstance(value, np.ndarray)
    }
    position = np.stack([np.arange(num_people), np.zeros(num_people), np.full(num_people, depth)])
    arrays['position'] = position.T
    arrays['score'] = np.linspace(0.9, 0.5, num_people)
    body = np.random.default_rng(0).normal(scale=0.3, size=(num_people, 17, 3))
    arrays['keypoints_3d'] = position.T[:, None] + body
    points = arrays['keypoints_3d'] @ camera.K.T
    arrays['keypoints_2d'] = points[..., :2] / points[..., 2:]
    uv = arrays['keypoints_2d']
    arrays['bbox'] = np.concatenate([uv.min(1), uv.max(1)], 1)
    return Detections(stamp=1.5, camera=camera, **arrays)


@given(st.floats(0.2, 2.8), st.integers(2, 4000), st.integers(2, 4000))
def test_field_of_view_round_trips(hfov, width, height):
    assert math.isclose(Camera.from_hfov(hfov, width, height).hfov, hfov, rel_tol=1e-9)


@pytest.mark.parametrize(
    ('K', 'message'),
    [
        (np.eye(2), r'K must be \(3, 3\)'),
        (np.diag([np.nan, 1, 1]), 'calibrate the camera'),
        (np.diag([0.0, 1, 1]), 'fx, fy > 0'),
    ],
)
def test_wrong_intrinsics_are_refused_with_the_cure(K, message):
    with pytest.raises(ValueError, match=message):
        Camera(K, 640, 480)


def test_camera_is_immutable_and_keeps_a_copy():
    K = np.diag([500.0, 500.0, 1.0])
    camera = Camera(K, 640, 480, source=1)
    K[0, 0] = 1.0
    assert camera.K[0, 0] == 500.0
    assert camera.source is CameraSource.PARAMETER
    with pytest.raises(ValueError, match='read-only'):
        camera.K[0, 0] = 2.0
    with pytest.raises(FrozenInstanceError):
        camera.width = 3


@pytest.mark.parametrize(
    'rgb',
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=['empty', 'grey', 'four channels', 'float'],
)
def test_wrong_pictures_are_refused(rgb):
    with pytest.raises(ValueError, match='convert it to 8-bit RGB'):
        Frame(rgb, 0.0)


def test_frame_refuses_a_camera_of_another_size_and_a_stamp_that_is_no_number():
    rgb = np.zeros((480, 640, 3), np.uint8)
    with pytest.raises(ValueError, match='camera is for 320x240 but the picture is 640x480'):
        Frame(rgb, 0.0, Camera.from_hfov(1.0, 320, 240))
    with pytest.raises(ValueError, match='stamp'):
        Frame(rgb, math.nan)


def test_rows_are_taken_and_stacked():
    people = make_detections(3)
    assert len(people[1]) == 1
    assert people[np.array([True, False, True])].score.tolist() == people.score[[0, 2]].tolist()
    again = Detections.concatenate([people[:1], people[1:]])
    np.testing.assert_array_equal(again.keypoints_3d, people.keypoints_3d)
    assert len(people[[]]) == 0
    assert all(v.dtype == np.float32 for v in vars(people).values() if isinstance(v, np.ndarray))


def test_wrong_rows_are_named():
    people = make_detections(2)
    with pytest.raises(ValueError, match='bbox must be'):
        replace(people, bbox=np.zeros((3, 4)))
    with pytest.raises(ValueError, match='joint_confidences must have rows'):
        replace(people, joint_confidences=np.zeros((2, 5)))


def test_moving_people_projects_them_anew():
    people = make_detections(2)
    offset = np.array([[0.3, -0.1, 1.0], [0.0, 0.0, 0.0]])
    moved = people.moved(offset)
    points = (people.keypoints_3d + offset[:, None]) @ people.camera.K.T
    np.testing.assert_allclose(moved.keypoints_2d, points[..., :2] / points[..., 2:], rtol=1e-4)
    np.testing.assert_allclose(moved.bbox[1], people.bbox[1], atol=1e-3)
    width = people.bbox[0, 2] - people.bbox[0, 0]
    np.testing.assert_allclose(moved.bbox[0, 2] - moved.bbox[0, 0], width * 4 / 5, rtol=1e-5)
    np.testing.assert_array_equal(make_detections(2).position, people.position)


def test_people_moved_behind_the_camera_keep_their_pixels():
    people = make_detections(1)
    moved = people.moved(np.array([[0.0, 0.0, -10.0]]))
    np.testing.assert_array_equal(moved.keypoints_2d, people.keypoints_2d)
    np.testing.assert_array_equal(moved.bbox, people.bbox)
    assert moved.position[0, 2] == -6.0


def test_scene_needs_a_row_for_each_human():
    people = make_detections(2)
    fields = {
        'ids': ('abcde', 'fghij'),
        'track_numbers': np.array([1, 2], np.uint32),
        'states': np.ones(2, np.uint8),
        'identity_confidence': np.ones(2),
        'age': np.ones(2),
        'time_since_observed': np.zeros(2),
        'velocity': np.zeros((2, 3)),
        'velocity_covariance': np.zeros((2, 3, 3)),
    }
    assert len(Scene(1.5, people.camera, people, **fields)) == 2
    with pytest.raises(ValueError, match='ids must have 2 rows'):
        Scene(1.5, people.camera, people, **{**fields, 'ids': ('abcde',)})


def test_candidates_are_boxes_and_go_along_with_rows():
    boxes = np.array([[1, 2, 3, 4]])
    people = replace(Detections.empty(0.0, Camera.from_hfov(1.0, 8, 6), 3), candidates=boxes)
    assert people.candidates.dtype == np.float32
    np.testing.assert_array_equal(people[[]].candidates, boxes)
    assert len(Detections.empty(0.0, people.camera, 3).candidates) == 0
    with pytest.raises(ValueError, match='candidates'):
        replace(people, candidates=np.zeros(4))
