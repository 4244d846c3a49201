# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.geometry.cues import Cues, Posture, RaisedHand, read_cues
from anny_ros.types import Camera, COCO_KEYPOINT_NAMES, Detections
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

# A stick figure of 1.7 m in axes x left, y back, z up, feet at 0, facing -y.
STANDING = {
    'nose': (0, -0.1, 1.6), 'eye': (0.03, -0.09, 1.63), 'ear': (0.07, 0, 1.6),
    'shoulder': (0.18, 0, 1.4), 'elbow': (0.22, 0, 1.12), 'wrist': (0.24, -0.02, 0.88),
    'hip': (0.1, 0, 0.88), 'knee': (0.1, 0, 0.46), 'ankle': (0.1, 0, 0.07),
}  # fmt: skip
OPTICAL_FROM_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def figure(stature=1.7, **moved):
    """Positions of the 17 keypoints; a name without a side moves both sides alike."""
    points = []
    for name in COCO_KEYPOINT_NAMES:
        side, _, part = name.rpartition('_')
        base = moved.get(name, moved.get(part, STANDING[part]))
        points.append(np.array(base, float) * (-1 if side == 'right' else 1, 1, 1))
    return np.array(points) * stature / 1.7


SITTING = {
    'hip': (0.1, 0, 0.5), 'knee': (0.12, -0.42, 0.5), 'ankle': (0.12, -0.42, 0.07),
    'shoulder': (0.18, 0, 1.02), 'elbow': (0.22, 0, 0.76), 'wrist': (0.22, -0.25, 0.7),
    'nose': (0, -0.1, 1.22), 'eye': (0.03, -0.09, 1.25), 'ear': (0.07, 0, 1.22),
}  # fmt: skip
CROUCHING = {
    'hip': (0.1, 0.1, 0.3), 'knee': (0.12, -0.3, 0.42), 'ankle': (0.12, -0.05, 0.07),
    'shoulder': (0.18, -0.15, 0.75), 'elbow': (0.22, -0.2, 0.5), 'wrist': (0.22, -0.4, 0.4),
}  # fmt: skip
LIE = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1, 0]])  # on the back


def people(*figures, turn=None, at=(0.0, 0.0, 4.0), stature=1.7, confidence=0.9):
    """People whose feet are 1 m below the camera, ``at`` metres from it."""
    base = Detections.empty(0.0, Camera.from_hfov(1.2, 640, 480), 3)
    turn = np.eye(3) if turn is None else turn
    points = np.stack([f @ turn.T @ OPTICAL_FROM_WORLD.T for f in figures])
    points += np.add(at, [0, 1.0, 0])
    n = len(points)
    arrays = {
        name: np.zeros((n, *np.asarray(value).shape[1:]), np.float32)
        for name, value in vars(base).items()
        if isinstance(value, np.ndarray)
    }
    arrays |= {
        'keypoints_3d': points,
        'position': points[:, 11:13].mean(1),
        'keypoint_confidences': np.full((n, 17), confidence),
        'stature': np.full(n, stature),
    }
    return Detections(stamp=0.0, camera=base.camera, **arrays)


def yaw(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def cues_of(detections, forward=None, velocity=None, **more) -> Cues:
    n = len(detections)
    forward = np.tile([0.0, 0, -1], (n, 1)) if forward is None else forward
    return read_cues(
        detections, forward, np.zeros((n, 3)) if velocity is None else velocity, **more
    )


@pytest.mark.parametrize('stature', [0.8, 1.2, 1.7, 2.0])
@pytest.mark.parametrize('heading', [0.0, 1.0, 2.5, -2.0])
def test_postures(stature, heading):
    figures = [figure(stature), figure(stature, **SITTING), figure(stature, **CROUCHING)]
    found = cues_of(people(*figures, turn=yaw(heading), stature=stature))
    assert list(found.posture) == [Posture.STANDING, Posture.SITTING, Posture.CROUCHING]
    lying = cues_of(people(figure(stature) @ LIE.T, turn=yaw(heading), stature=stature))
    assert list(lying.posture) == [Posture.LYING]
    assert np.isnan(lying.facing_angle).all()


def test_a_lifted_foot_and_a_deep_bow_are_standing():
    flamingo = figure(left_knee=(0.1, -0.3, 0.75), left_ankle=(0.1, -0.1, 0.5))
    bow = figure(shoulder=(0.18, -0.5, 0.9), nose=(0, -0.75, 0.85))
    assert list(cues_of(people(flamingo, bow)).posture) == [Posture.STANDING] * 2


def test_legs_that_are_not_seen_give_no_posture():
    assert list(cues_of(people(figure(), confidence=0.05)).posture) == [Posture.UNKNOWN]


@pytest.mark.parametrize(
    ('moved', 'raised'),
    [
        ({}, RaisedHand.NONE),
        ({'left_elbow': (0.25, 0, 1.5), 'left_wrist': (0.25, 0, 1.75)}, RaisedHand.LEFT),
        ({'right_elbow': (0.3, 0, 1.3), 'right_wrist': (0.3, -0.05, 1.55)}, RaisedHand.RIGHT),
        ({'elbow': (0.3, 0, 1.4), 'wrist': (0.3, 0, 1.65)}, RaisedHand.LEFT | RaisedHand.RIGHT),
        # Arms stretched to the sides, or forward, are not raised.
        ({'elbow': (0.45, 0, 1.4), 'wrist': (0.7, 0, 1.42)}, RaisedHand.NONE),
        ({'elbow': (0.2, -0.25, 1.4), 'wrist': (0.2, -0.5, 1.44)}, RaisedHand.NONE),
    ],
)
def test_raised_hands(moved, raised):
    for stature in (0.9, 1.7):
        found = cues_of(people(figure(stature, **moved), stature=stature))
        assert list(found.raised_hands) == [raised]
    unseen = cues_of(people(figure(**moved), confidence=0.05))
    assert list(unseen.raised_hands) == [RaisedHand.NONE]


@given(angle=st.floats(-np.pi, np.pi), pitch=st.floats(-0.8, 0.8), x=st.floats(-3, 3))
def test_facing_is_seen_from_above_and_from_where_the_camera_is(angle, pitch, x):
    person = people(figure(), at=(x, 0.0, 4.0))
    towards = -person.position[0].astype(float)
    flat = np.array([towards[0], 0, towards[2]]) / np.hypot(towards[0], towards[2])
    c, s = np.cos(angle), np.sin(angle)
    forward = np.array([[c * flat[0] + s * flat[2], np.tan(pitch), -s * flat[0] + c * flat[2]]])
    forward /= np.linalg.norm(forward)
    found = cues_of(person, forward)
    assert found.facing_angle[0] == pytest.approx(abs(angle), abs=1e-3)


def test_distance_and_approach_follow_the_line_of_sight():
    person = people(figure(), at=(3.0, 0.0, 4.0))
    towards = -person.position.astype(float)
    distance = np.linalg.norm(towards)
    found = cues_of(person, velocity=1.5 * towards / distance)
    assert found.distance[0] == pytest.approx(distance, rel=1e-6)
    assert found.approach_speed[0] == pytest.approx(1.5, abs=1e-5)
    found = cues_of(person, velocity=-0.5 * towards / distance)
    assert found.approach_speed[0] == pytest.approx(-0.5, abs=1e-5)


def test_a_pitched_camera_with_a_known_up_reads_the_same():
    pitch = 0.7
    c, s = np.cos(pitch), np.sin(pitch)
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    level = people(figure(), figure(**SITTING), figure() @ LIE.T)
    tilted = {
        name: getattr(level, name) @ tilt.T.astype(np.float32)
        for name in ('keypoints_3d', 'position')
    }
    pitched = Detections(**{**vars(level), **tilted})
    forward = np.tile([0.0, 0, -1], (3, 1))
    a = cues_of(level, forward)
    b = cues_of(pitched, forward @ tilt.T, up=tilt @ [0, -1, 0])
    assert list(a.posture) == list(b.posture)
    np.testing.assert_allclose(a.facing_angle, b.facing_angle, atol=1e-4)
    with pytest.raises(ValueError, match='direction'):
        cues_of(level, up=(0.0, 0.0, 0.0))


def test_nobody():
    nobody = people(figure())[np.zeros(1, bool)]
    found = cues_of(nobody)
    assert all(len(rows) == 0 for rows in vars(found).values())
