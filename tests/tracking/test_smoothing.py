# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import Tracker
from anny_ros.tracking.smoothing import LONGEST_STEP, Poses, TURN_TIME
import numpy as np
import pytest

DT = 1 / 15
PLACE = [[0.3, 0.1, 6.0]]


def body(people_at, stamp, rotvecs, offsets, **options):
    """One person whose three joints are turned and placed so."""
    people = people_at(PLACE, stamp, **options)
    R = rotvec_to_rotmat(rotvecs)[None]
    joints = people.position[:, None] + np.asarray(offsets)
    return replace(people, rotations=R, joint_orientations=R, joint_positions=joints)


def play(people_at, motion, steps=120, noise=0.0, smoothing=True, seed=0):
    """Track a body that moves by ``motion(t) -> (rotvecs, offsets)``; what was seen and shown."""
    rng = np.random.default_rng(seed)
    tracker = Tracker(TrackingParameters(smoothing=smoothing), seed=0)
    seen, shown = [], []
    for i in range(steps):
        rotvecs, offsets = motion(i * DT)
        rotvecs = rotvecs + noise * rng.normal(size=(3, 3))
        offsets = offsets + noise * 0.3 * rng.normal(size=(3, 3))
        people = body(people_at, i * DT, rotvecs, offsets)
        scene = tracker.update(people)
        seen.append((people.rotations[0], people.joint_positions[0] - people.position[0]))
        humans = scene.humans
        shown.append((humans.rotations[0], humans.joint_positions[0] - humans.position[0]))
        np.testing.assert_allclose(
            humans.rotations[0] @ humans.rotations[0].swapaxes(1, 2),
            np.tile(np.eye(3), (3, 1, 1)),
            atol=1e-4,
        )
    return seen, shown


def still(_):
    return np.array([[0, 0.5, 0], [0.2, 0, 0], [0, 0, -0.4]]), np.array(
        [[0, 0, 0], [0, -0.5, 0], [0.3, -0.3, 0.1]]
    )


def swinging(t):
    rotvecs, offsets = still(t)
    rotvecs[1, 0] = 0.6 * np.sin(2 * np.pi * 0.9 * t)
    offsets[2] = [0.3 * np.sin(2 * np.pi * 0.9 * t), -0.2, 0.1]
    return rotvecs, offsets


def jitter(track, part):
    values = np.stack([frame[part] for frame in track])[20:]
    return np.sqrt(np.mean(np.diff(values, n=2, axis=0) ** 2))


def test_who_stands_still_does_not_tremble(people_at):
    seen, shown = play(people_at, still, noise=0.1)
    for part in (0, 1):
        assert jitter(shown, part) < 0.4 * jitter(seen, part)
    angle = np.linalg.norm(
        rotmat_to_rotvec(shown[-1][0] @ rotvec_to_rotmat(still(0)[0]).swapaxes(1, 2)), axis=-1
    )
    assert angle.max() < 0.12


def test_a_swinging_arm_hardly_lags(people_at):
    times = np.arange(120) * DT
    _, shown = play(people_at, swinging)
    x = np.array([offsets[2, 0] for _, offsets in shown])[30:]
    lags = np.arange(0.0, 0.2, 0.005)
    errors = [
        np.sum((x - 0.3 * np.sin(2 * np.pi * 0.9 * (times[30:] - lag))) ** 2) for lag in lags
    ]
    assert lags[int(np.argmin(errors))] <= 0.04
    assert np.ptp(x) > 0.85 * 0.6


def test_without_smoothing_bodies_are_those_of_the_picture(people_at):
    seen, shown = play(people_at, swinging, noise=0.1, smoothing=False, steps=20)
    for (rotations, offsets), (shown_rotations, shown_offsets) in zip(seen, shown, strict=True):
        np.testing.assert_allclose(shown_rotations, rotations, atol=1e-6)
        np.testing.assert_allclose(shown_offsets, offsets, atol=1e-5)


def test_a_body_begins_anew_after_a_while(people_at):
    rotvecs, offsets = still(0)
    first = Poses.of(body(people_at, 0.0, rotvecs, offsets))
    turned = body(people_at, 0.0, rotvecs + 1.0, offsets + 0.2)
    later = first.followed(turned, np.array([LONGEST_STEP + 0.01]))
    np.testing.assert_array_equal(later.rotations, Poses.of(turned).rotations)
    np.testing.assert_array_equal(later.offset_rates, 0.0)


def test_a_second_look_at_the_same_moment_changes_nothing(people_at):
    rotvecs, offsets = still(0)
    first = Poses.of(body(people_at, 0.0, rotvecs, offsets))
    again = first.followed(body(people_at, 0.0, rotvecs + 1.0, offsets), np.zeros(1))
    np.testing.assert_array_equal(again.rotations, first.rotations)
    np.testing.assert_array_equal(again.offsets, first.offsets)


@pytest.mark.parametrize('smoothing', [True, False])
def test_a_body_out_of_sight_stays_in_the_world_while_the_robot_turns(people_at, smoothing):
    tracker = Tracker(TrackingParameters(smoothing=smoothing), seed=0)
    rotvecs, offsets = still(0)
    for i in range(6):
        seen = tracker.update(body(people_at, i * DT, rotvecs, offsets), np.eye(4))
    pose = np.eye(4)
    pose[:3, :3] = rotvec_to_rotmat([0.0, 0.4, 0.0])
    R = pose[:3, :3].T
    gone = tracker.update(people_at([], 6 * DT), pose).humans
    before = seen.humans
    np.testing.assert_allclose(gone.rotations[0, 0], R @ before.rotations[0, 0], atol=1e-5)
    np.testing.assert_allclose(gone.rotations[0, 1:], before.rotations[0, 1:], atol=1e-5)
    np.testing.assert_allclose(
        gone.joint_orientations[0], R @ before.joint_orientations[0], atol=1e-5
    )
    np.testing.assert_allclose(gone.position[0], R @ before.position[0], atol=0.02)
    np.testing.assert_allclose(
        gone.joint_positions[0] - gone.position[0],
        (before.joint_positions[0] - before.position[0]) @ R.T,
        atol=1e-4,
    )


def turned_by(angle):
    """Bodies of ``still`` whose root is turned about the vertical by an angle."""
    rotvecs, offsets = still(0)
    rotvecs = rotvecs.copy()
    rotvecs[0] = [0, angle, 0]
    c, s = np.cos(angle), np.sin(angle)
    return rotvecs, offsets @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def headings(people_at, angles, dt=DT):
    """Yaw of the root that is shown after each look of such a yaw."""
    tracker, shown = Tracker(seed=0), []
    for i, angle in enumerate(angles):
        scene = tracker.update(body(people_at, i * dt, *turned_by(angle)))
        shown.append(rotmat_to_rotvec(scene.humans.rotations[:1, 0])[0, 1])
    return np.array(shown)


def off(first, second):
    return np.abs((first - second + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize('seed', range(5))
def test_left_and_right_exchanged_for_a_picture_or_two_turn_nobody(people_at, seed):
    rng = np.random.default_rng(seed)
    truth = 0.8 * np.sin(0.7 * np.arange(150) * DT)
    flipped = rng.random(150) < 0.2
    flipped[:3] = False
    shown = headings(people_at, truth + np.pi * flipped)
    assert flipped.sum() > 15
    assert off(shown, truth).max() < 0.5


def test_a_first_look_that_is_wrong_does_not_last(people_at):
    truth = np.full(20, 0.4)
    shown = headings(people_at, truth + np.pi * (np.arange(20) < 1))
    wrong = off(shown, truth) > 1.0
    assert wrong[1]
    assert not wrong[int(TURN_TIME / DT) + 2 :].any()


def test_who_really_turns_is_followed(people_at):
    # Half a turn within half a second, and then one that no look saw.
    times = np.arange(60) * DT
    truth = np.pi * np.clip((times - 1.0) / 0.5, 0, 1)
    truth[45:] += np.pi
    shown = headings(people_at, truth)
    assert off(shown, truth)[:45].max() < 0.7
    late = off(shown, truth)[45:]
    assert late[0] > 3.0
    assert late[int(TURN_TIME / DT) + 2 :].max() < 0.1


def test_at_a_low_rate_every_look_is_believed(people_at):
    truth = np.pi * (np.arange(8) % 2) + 0.2
    np.testing.assert_allclose(
        off(headings(people_at, truth, dt=1.2 * TURN_TIME), truth), 0, atol=1e-3
    )
