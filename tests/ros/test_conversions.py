# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
import math

from anny_ros.ros.conversions import (
    body_model,
    body_poses,
    human_array,
    human_mesh_array,
    rep155_name,
    seconds_to_duration,
    stamp_seconds,
)
from anny_ros.ros.publishers.tf import body_transforms
from anny_ros.ros.result import Result, shown_people
from anny_ros.tracking import Tracker
from anny_ros.types import Frame, TrackState
import numpy as np
import pytest


@pytest.fixture
def result(body, make):
    """Three people: TENTATIVE, TRACKED and LOST."""
    scene = Tracker().update(make.people(body, 3, 640, 480))
    states = np.array([TrackState.TENTATIVE, TrackState.TRACKED, TrackState.LOST], np.uint8)
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0.0)
    return Result(make.header(), frame, replace(scene, states=states), body, 'coarse')


@pytest.mark.parametrize(
    ('seconds', 'expected'),
    [
        (0.0, (0, 0)),
        (1.25, (1, 250_000_000)),
        (0.9999999999, (1, 0)),
        (-0.25, (-1, 750_000_000)),
        (math.inf, (0, 0)),
        (math.nan, (0, 0)),
    ],
)
def test_durations(seconds, expected):
    duration = seconds_to_duration(seconds)
    assert (duration.sec, duration.nanosec) == expected


def test_stamp_in_seconds(make):
    assert stamp_seconds(make.header()) == pytest.approx(1_700_000_000.123456789, abs=1e-6)


@pytest.mark.parametrize(
    ('joint', 'link'),
    [
        ('lowerarm01.L', 'l_elbow'),
        ('lowerleg01.R', 'r_knee'),
        ('neck01', 'torso'),
        ('spine03', ''),
        ('finger1-1.L', ''),
    ],
)
def test_rep155_names(joint, link):
    assert rep155_name(joint) == link


def test_rep155_names_are_unique(body):
    names = [name for name in body_model(body, 'coarse').rep155_names if name]
    assert len(names) == len(set(names)) == 14


def test_body_model_message(body):
    message = body_model(body, 'coarse')
    assert message.hash == body.hash('coarse')
    np.testing.assert_array_equal(
        np.array(message.triangles).reshape(-1, 3), body.triangles('coarse')
    )
    assert list(message.joint_parents) == body.joint_parents.tolist()
    assert len(message.rep155_names) == len(message.joint_names) == len(body.joint_names)


def test_order_and_tentative(result):
    scene = result.scene
    backwards = replace(
        scene,
        humans=scene.humans[::-1],
        ids=scene.ids[::-1],
        track_numbers=scene.track_numbers[::-1],
        states=scene.states[::-1],
    )
    shown = shown_people(backwards, tentative=True)
    assert shown.ids == scene.ids
    np.testing.assert_array_equal(shown.humans.position, scene.humans.position)
    np.testing.assert_array_equal(shown.states, scene.states)
    assert shown_people(backwards, tentative=False).ids == scene.ids[1:]


def test_lost_people_are_listed_but_have_no_body(result):
    message = human_array(result, attributes=False)
    assert [human.state for human in message.humans] == [0, 1, 3]
    meshes = human_mesh_array(result).meshes
    assert [mesh.id for mesh in meshes] == list(result.scene.ids[:2])
    assert [t.child_frame_id[5:] for t in body_transforms(result)] == list(result.scene.ids[:2])


def test_meshes_belong_to_their_people(result, body):
    expected = body.vertices(result.scene.humans, 'coarse')
    for row, mesh in enumerate(human_mesh_array(result).meshes):
        got = np.frombuffer(mesh.vertices, np.float32).reshape(-1, 3)
        np.testing.assert_allclose(got, expected[row], atol=1e-6)


def test_nobody(result):
    nobody = replace(result.scene, **{
        name: getattr(result.scene, name)[:0]
        for name in (
            'humans', 'ids', 'track_numbers', 'states', 'identity_confidence', 'age',
            'time_since_observed', 'velocity', 'velocity_covariance',
        )
    })  # fmt: skip
    empty = Result(result.header, result.frame, nobody, result.body, 'coarse')
    assert human_array(empty, attributes=True).humans == []
    assert human_mesh_array(empty).meshes == []
    assert body_transforms(empty) == []


def test_body_axes_follow_rep155(result, make):
    np.testing.assert_allclose(
        result.body_orientations, np.tile(make.body_axes, (3, 1, 1)), atol=1e-5
    )
    # A hand-made check that these axes mean what REP-155 says: the nose is in front of the
    # pelvis' middle, the left hip on the left, the head above.
    people = result.scene.humans
    offset = people.keypoints_3d[0] - people.position[0]
    forward, left, up = result.body_orientations[0].T
    assert offset[0] @ forward > 0.02
    assert offset[11] @ left > 0.05
    assert offset[0] @ up > 0.4


def test_joints_behind_the_camera_have_no_pixel(result):
    people = result.scene.humans[:1]
    joints = people.joint_positions.copy()
    joints[0, 5, 2] = -1.0
    (pose,) = body_poses(replace(people, joint_positions=joints), attributes=True)
    pixels = np.frombuffer(pose.keypoints_2d, np.float32).reshape(-1, 2)
    assert np.isnan(pixels[5]).all()
    assert np.isfinite(np.delete(pixels, 5, axis=0)).all()


def test_published_phenotype_does_not_change_the_scene(result):
    before = result.scene.humans.phenotype.copy()
    human_array(result, attributes=False)
    np.testing.assert_array_equal(result.scene.humans.phenotype, before)
