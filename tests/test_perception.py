# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Estimator and tracker put together."""

from dataclasses import replace

from anny_ros import Perception, Surroundings
from anny_ros.geometry.camera_from_people import CameraFromPeople
from anny_ros.geometry.field_of_view import FieldOfViewFilter
from anny_ros.geometry.ground import Ground
from anny_ros.inference import Estimator
from anny_ros.parameters import Parameters
from anny_ros.tracking import Tracker
from anny_ros.types import Camera, Detections, Frame
import numpy as np
import pytest

CAMERA = Camera.from_hfov(1.2, 640, 480)
BLANK = np.zeros((480, 640, 3), np.uint8)


class GrowingBody:
    """Statures from 1 to 2 m over the height; a surface somewhere else, bones along the axes."""

    def stature(self, phenotype):
        return 1.0 + phenotype[:, 4]

    def vertices(self, people, resolution):
        return np.repeat(people.position[:, None], 3, axis=1) + np.eye(3, dtype=np.float32)

    def triangles(self, resolution):
        return np.array([[0, 1, 2]])

    def world_rotations(self, people):
        return people.rotations

    def local_from_world(self, phenotype, world):
        return world


class Scripted(Estimator):
    """Two people who stand 4 m away, one beside the other; notes what it is asked."""

    name, backend = 'scripted', 'none'
    body = GrowingBody()

    def __init__(self):
        self.parameters = Parameters()
        self.frames = []
        self.timings_ms = {'network': 3.0, 'body': 1.0}

    def __call__(self, frame):
        self.frames.append(frame)
        empty = Detections.empty(frame.stamp, frame.camera or CAMERA, num_joints=3)
        rows = {
            name: np.zeros((2, *array.shape[1:]), np.float32)
            for name, array in vars(empty).items()
            if isinstance(array, np.ndarray)
        }
        place = np.array([[-1.0, 0, 4], [1.0, 0, 4]], np.float32)
        for name in ('position', 'translation', 'head_position', 'ground_position'):
            rows[name] = place
        for name in ('joint_positions', 'keypoints_3d'):
            rows[name] = rows[name] + place[:, None]
        rows['position_covariance'] = np.tile(0.01 * np.eye(3, dtype=np.float32), (2, 1, 1))
        rows['rotations'] = rows['joint_orientations'] = np.tile(
            np.eye(3, dtype=np.float32), (2, 3, 1, 1)
        )
        rows['score'] = np.full(2, 0.9, np.float32)
        rows['bbox'] = np.array([[130, 100, 230, 400], [410, 100, 510, 400]], np.float32)
        rows['stature'] = np.full(2, 1.7, np.float32)
        rows['stature_stddev'] = np.full(2, 0.1, np.float32)
        return replace(empty, **rows, timings_ms=self.timings_ms)


@pytest.fixture
def estimator():
    return Scripted()


def test_people_keep_their_ids_and_are_looked_for_where_they_were(estimator):
    perception = Perception(estimator)
    scenes = [perception(Frame(BLANK, 0.1 * i, CAMERA)) for i in range(5)]
    assert len({scene.ids for scene in scenes}) == 1
    assert estimator.frames[0].expected.shape == (0, 4)
    np.testing.assert_array_equal(estimator.frames[-1].expected, scenes[-2].humans.bbox)
    assert estimator.frames[-1].rgb is BLANK
    assert estimator.frames[-1].camera is CAMERA


def test_time_is_told_by_stage(estimator):
    perception = Perception(estimator)
    assert list(perception(Frame(BLANK, 0.0)).humans.timings_ms) == ['network', 'body', 'track']
    estimator.timings_ms = {}
    assert list(perception(Frame(BLANK, 0.1)).humans.timings_ms) == ['estimate', 'track']


def test_parameters_reach_both_from_the_next_picture_on(estimator):
    wanted = Parameters().with_values({'detection.threshold': 0.7, 'tracking.memory': 9.0})
    perception = Perception(estimator, wanted)
    assert estimator.parameters is wanted
    assert perception.tracker.parameters.memory == 9.0
    assert Perception(estimator).parameters is wanted
    perception.parameters = Parameters()
    assert estimator.parameters.detection.threshold == Parameters().detection.threshold
    assert perception.tracker.parameters.memory == Parameters().tracking.memory


class Walking(Scripted):
    """Both people come nearer at 1 m/s."""

    def __call__(self, frame):
        people = super().__call__(frame)
        return people.moved(np.float32([[0, 0, -(frame.stamp - self.start)]] * 2))


@pytest.mark.parametrize('start', [100.0, 36_000.0, 1_790_000_000.0])
def test_after_hours_and_over_lost_pictures_motion_is_as_well_known_as_at_the_start(start):
    estimator = Walking()
    estimator.start = start
    perception = Perception(estimator, tracker=Tracker(seed=0))
    for index in range(60):
        if index % 7 and index % 5:  # some pictures are lost
            scene = perception(Frame(BLANK, start + index / 30, CAMERA))
    assert scene.track_numbers.tolist() == [1, 2]
    np.testing.assert_allclose(scene.velocity, [[0, 0, -1]] * 2, atol=0.1)
    np.testing.assert_allclose(scene.humans.position[:, 2], 4 - 59 / 30, atol=0.05)


def test_a_camera_that_is_only_assumed_is_corrected_by_people_and_a_read_one_is_filtered(
    estimator,
):
    Perception(estimator)
    assert isinstance(estimator.camera_filter, FieldOfViewFilter)
    estimator.assumes_camera = True
    perception = Perception(estimator)
    seen = []
    estimator.camera_filter.observe = seen.append
    scene = perception(Frame(BLANK, 0.0))
    assert isinstance(estimator.camera_filter, CameraFromPeople)
    assert seen[0].ids == scene.ids


def test_bad_numbers_are_counted_wherever_they_are_found(estimator):
    perception = Perception(estimator)
    estimator.num_rejected = 2
    perception.tracker.num_rejected = 3
    assert perception.num_rejected == 5


def test_reset_forgets_everybody_before_the_next_picture(estimator):
    tracker = Tracker(seed=0)
    perception = Perception(estimator, tracker=tracker)
    before = perception(Frame(BLANK, 0.0))
    perception.reset()
    after = perception(Frame(BLANK, 0.1))
    assert not set(before.ids) & set(after.ids)
    assert after.track_numbers.min() > before.track_numbers.max()
    assert len(estimator.frames[-1].expected) == 0
    assert set(perception(Frame(BLANK, 0.2)).ids) == set(after.ids)
    assert perception.tracker is tracker


def seen_from(yaw):
    """Pose of a camera 1.2 m above the floor that looks along x turned by yaw."""
    c, s = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ [
        [0, 0, 1],
        [-1, 0, 0],
        [0, -1, 0],
    ]
    pose[2, 3] = 1.2
    return pose


def test_surroundings_are_asked_for_when_the_estimator_is_done(estimator):
    perception = Perception(estimator)
    asked = []

    def ask():
        asked.append(len(estimator.frames))
        return Surroundings(world_from_camera=seen_from(0.3))

    scene = perception(Frame(BLANK, 0.0, CAMERA), ask)
    assert asked == [1]
    np.testing.assert_array_equal(scene.world_from_camera, seen_from(0.3))
    assert list(scene.humans.timings_ms) == ['network', 'body', 'fusion', 'track']
    assert perception(Frame(BLANK, 0.1, CAMERA), Surroundings()).world_from_camera is None
    assert asked == [1]


def test_a_floor_and_depth_reach_everybody():
    class OnTheFloor(Scripted):
        def __call__(self, frame):
            people = super().__call__(frame)
            keypoints = people.keypoints_3d.copy()
            keypoints[:, 15:, 1] = 1.0
            ground = people.ground_position + np.array([0, 1.0, 0], np.float32)
            return replace(
                people,
                keypoints_3d=keypoints,
                keypoints_2d=people.keypoints_2d + 100,
                keypoint_confidences=np.ones((2, 17)),
                ground_position=ground,
                position_covariance=np.tile(np.eye(3) * 0.4**2, (2, 1, 1)),
            )

    # The floor is 1.2 m below, more than ankles and shoes reach: all are farther than they seem.
    floor = Ground(np.array([0.0, -1, 0]), 1.2)
    empty = np.zeros((480, 640), np.float32)
    alone = Perception(OnTheFloor())(Frame(BLANK, 0.0, CAMERA))
    helped = Perception(OnTheFloor())(Frame(BLANK, 0.0, CAMERA), Surroundings(None, floor, empty))
    ratio = np.linalg.norm(helped.humans.position, axis=1) / np.linalg.norm(
        alone.humans.position, axis=1
    )
    assert ((ratio > 1.04) & (ratio < 1.1)).all()
    np.testing.assert_array_equal(helped.humans.bbox, alone.humans.bbox)
