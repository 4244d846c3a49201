# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import Tracker
from anny_ros.types import Camera, CameraSource, Detections, Scene, TrackState
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

DT = 1 / 15
THREE = np.array([[-2.0, 0.0, 8.0], [0.0, 0.2, 10.0], [2.5, 0.1, 14.0]])


def names_of(scene):
    return [TrackState(state).name for state in scene.states]


def walk(tracker, people_at, positions, start, steps, velocity=(0, 0, 0), dt=DT, **options):
    """Update with people who walk evenly; return the scenes."""
    scenes = []
    for i in range(steps):
        moved = np.asarray(positions) + np.array(velocity) * i * dt
        scenes.append(tracker.update(people_at(moved, start + i * dt, **options)))
    return scenes


def assert_sound(scene):
    assert isinstance(scene, Scene)
    for array in (
        scene.humans.position,
        scene.humans.position_covariance,
        scene.humans.bbox,
        scene.humans.keypoints_2d,
        scene.velocity,
        scene.velocity_covariance,
        scene.identity_confidence,
        scene.age,
        scene.time_since_observed,
    ):
        assert np.isfinite(array).all()
    assert (np.diff(scene.track_numbers.astype(int)) > 0).all()
    assert len(set(scene.ids)) == len(scene.ids)
    assert ((scene.identity_confidence >= 0) & (scene.identity_confidence <= 1)).all()


def test_first_picture_is_tentative_and_numbered_in_order(people_at):
    scene = Tracker(seed=0).update(people_at(THREE))
    assert names_of(scene) == ['TENTATIVE'] * 3
    assert scene.track_numbers.tolist() == [1, 2, 3]
    assert scene.track_numbers.dtype == np.uint32
    assert scene.states.dtype == np.uint8
    assert not scene.reset
    assert_sound(scene)
    np.testing.assert_allclose(scene.humans.position, THREE, rtol=1e-5)
    np.testing.assert_allclose(scene.velocity, 0.0)


def test_people_keep_ids_are_confirmed_in_time_and_get_a_velocity(people_at):
    tracker = Tracker(TrackingParameters(confirm_time=0.2), seed=0)
    scenes = walk(tracker, people_at, THREE, 5.0, 30, (1.2, 0.0, 0.0))
    assert {scene.ids for scene in scenes} == {scenes[0].ids}
    assert [names_of(scene)[0] for scene in scenes[:4]] == ['TENTATIVE'] * 3 + ['TRACKED']
    assert scenes[-1].age[0] == pytest.approx(29 * DT)
    np.testing.assert_allclose(scenes[-1].velocity[:, 0], 1.2, atol=0.15)
    assert (scenes[-1].identity_confidence > 0.95).all()


def test_the_same_seed_repeats_everything(people_at):
    runs = [walk(Tracker(seed=7), people_at, THREE, 0.0, 5) for _ in range(2)]
    assert runs[0][-1].ids == runs[1][-1].ids
    np.testing.assert_array_equal(runs[0][-1].humans.position, runs[1][-1].humans.position)


def test_two_trackers_without_a_seed_share_no_id(people_at):
    first, second = (Tracker().update(people_at(THREE)) for _ in range(2))
    assert not set(first.ids) & set(second.ids)


def test_occluded_then_lost_then_back_with_the_same_id(people_at):
    parameters = TrackingParameters(memory=3.0, confirm_time=0.2, occlusion_time=0.5)
    tracker = Tracker(parameters, seed=0)
    velocity = np.array([1.0, 0.0, 0.0])
    before = walk(tracker, people_at, THREE[:1], 0.0, 30, velocity)[-1]
    away = walk(tracker, people_at, np.zeros((0, 3)), 30 * DT, 30)
    states = [names_of(scene)[0] for scene in away]
    assert states[:7] == ['OCCLUDED'] * 7
    assert states[7:] == ['LOST'] * 23
    assert away[6].time_since_observed[0] == pytest.approx(7 * DT)
    moved = away[6].humans.position[0] - before.humans.position[0]
    assert moved[0] == pytest.approx(7 * DT, rel=0.25)  # predicted while out of sight
    assert away[-1].identity_confidence[0] < away[0].identity_confidence[0]
    assert away[-1].velocity_covariance[0, 0, 0] > before.velocity_covariance[0, 0, 0]
    back = tracker.update(people_at(THREE[:1] + velocity * 60 * DT, 60 * DT))
    assert back.ids == before.ids
    assert names_of(back) == ['TRACKED']


def test_forgotten_after_memory_and_never_numbered_again(people_at):
    tracker = Tracker(TrackingParameters(memory=1.0), seed=0)
    walk(tracker, people_at, THREE, 0.0, 6)
    empty = walk(tracker, people_at, np.zeros((0, 3)), 6 * DT, 20)
    assert len(empty[13]) == 3
    assert len(empty[-1]) == 0
    again = tracker.update(people_at(THREE, 26 * DT))
    assert again.track_numbers.tolist() == [4, 5, 6]


def test_an_unseen_tentative_track_is_hidden_and_soon_dropped(people_at):
    tracker = Tracker(TrackingParameters(confirm_time=0.2, memory=3.0), seed=0)
    tracker.update(people_at(THREE))
    assert len(tracker.update(people_at(THREE[:0], DT))) == 0
    assert tracker.update(people_at(THREE, 2 * DT)).track_numbers.tolist() == [1, 2, 3]
    walk(tracker, people_at, THREE[:0], 3 * DT, 4)
    assert tracker.update(people_at(THREE, 7 * DT)).track_numbers.tolist() == [4, 5, 6]


def test_confirm_time_zero_tracks_at_once(people_at):
    tracker = Tracker(TrackingParameters(confirm_time=0.0), seed=0)
    assert names_of(tracker.update(people_at(THREE))) == ['TRACKED'] * 3


def test_memory_zero_still_follows_from_picture_to_picture(people_at):
    tracker = Tracker(TrackingParameters(memory=0.0), seed=0)
    scenes = walk(tracker, people_at, THREE, 0.0, 10)
    assert scenes[-1].track_numbers.tolist() == [1, 2, 3]
    assert len(tracker.update(people_at(THREE[:0], 10 * DT))) == 0


def test_parameters_may_change_while_running(people_at):
    tracker = Tracker(TrackingParameters(memory=10.0), seed=0)
    walk(tracker, people_at, THREE, 0.0, 6)
    tracker.parameters = TrackingParameters(memory=0.1)
    assert len(walk(tracker, people_at, THREE[:0], 6 * DT, 3)[-1]) == 0


def test_time_that_jumps_back_resets_and_says_so(people_at):
    tracker = Tracker(seed=0)
    before = walk(tracker, people_at, THREE, 100.0, 5)[-1]
    scene = tracker.update(people_at(THREE, 0.0))
    assert scene.reset
    assert scene.track_numbers.tolist() == [4, 5, 6]
    assert not set(scene.ids) & set(before.ids)
    assert not tracker.update(people_at(THREE, DT)).reset
    assert tracker.update(people_at(THREE[:0], 0.0)).reset


def test_reset_forgets_and_numbers_go_on(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 100.0, 5)
    tracker.reset()
    scene = tracker.update(people_at(THREE, 1.0))
    assert scene.track_numbers.tolist() == [4, 5, 6]
    assert not scene.reset


def test_a_repeated_stamp_moves_nobody(people_at):
    tracker = Tracker(seed=0)
    first = walk(tracker, people_at, THREE, 0.0, 10, (1, 0, 0))[-1]
    again = tracker.update(people_at(THREE + np.array([9 * DT, 0, 0]), 9 * DT))
    assert again.ids == first.ids
    np.testing.assert_allclose(again.humans.position, first.humans.position, atol=0.05)
    np.testing.assert_array_equal(again.age, first.age)
    assert_sound(again)


def test_ten_seconds_without_pictures_expire_everybody(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 0.0, 10)
    scene = tracker.update(people_at(THREE, 20.0))
    assert scene.track_numbers.tolist() == [4, 5, 6]


@pytest.mark.parametrize(('gap', 'numbers'), [(8.0, [1, 2, 3]), (10.0, [4, 5, 6])])
def test_a_gap_in_the_pictures_is_survived_as_long_as_the_memory_lasts(people_at, gap, numbers):
    tracker = Tracker(TrackingParameters(memory=9.0), seed=0)
    last = walk(tracker, people_at, THREE, 0.0, 20)[-1].stamp
    scene = tracker.update(people_at(THREE, last + gap))
    assert scene.track_numbers.tolist() == numbers
    assert not scene.reset
    assert_sound(scene)
    after = walk(tracker, people_at, THREE, last + gap + DT, 10)[-1]
    assert after.track_numbers.tolist() == numbers
    assert names_of(after) == ['TRACKED'] * 3


def test_an_empty_repeat_of_a_picture_takes_nobody_away(people_at):
    tracker = Tracker(seed=0)
    before = walk(tracker, people_at, THREE, 0.0, 10)[-1]
    again = tracker.update(people_at(THREE[:0], before.stamp))
    assert again.ids == before.ids
    assert names_of(again) == ['TRACKED'] * 3
    np.testing.assert_array_equal(again.humans.position, before.humans.position)
    assert not again.reset


def test_a_low_frame_rate_keeps_ids(people_at):
    scenes = walk(Tracker(seed=0), people_at, THREE, 0.0, 12, (0.8, 0.0, 0.2), dt=0.4)
    assert scenes[-1].track_numbers.tolist() == [1, 2, 3]


def test_someone_walks_past_the_camera(people_at):
    tracker = Tracker(seed=0)
    for i in range(80):
        place = np.array([[0.6, 0.1, 4.0 - 1.5 * i * DT]])
        scene = tracker.update(people_at(place[place[:, 2] > 0.4], i * DT))
        assert_sound(scene)
        assert set(scene.track_numbers.tolist()) <= {1}
        assert (np.abs(scene.humans.position) < 10).all()


def test_empty_pictures_from_the_start(people_at):
    tracker = Tracker(seed=0)
    for i in range(3):
        scene = tracker.update(people_at(np.zeros((0, 3)), i * DT))
        assert len(scene) == 0
        assert scene.humans.rotations.shape == (0, 3, 3, 3)


@pytest.mark.parametrize('name', ['position', 'bbox', 'score', 'rotations', 'keypoints_3d'])
def test_rows_that_are_not_finite_are_skipped_and_counted(people_at, name):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 0.0, 5)
    people = people_at(THREE, 5 * DT)
    broken = getattr(people, name).copy()
    broken[1] = np.nan
    scene = tracker.update(replace(people, **{name: broken}))
    assert tracker.num_rejected == 1
    assert names_of(scene) == ['TRACKED', 'OCCLUDED', 'TRACKED']
    assert_sound(scene)
    assert names_of(tracker.update(people_at(THREE, 6 * DT))) == ['TRACKED'] * 3


def test_people_behind_the_camera_are_skipped(people_at):
    people = people_at(THREE)
    position = people.position.copy()
    position[0, 2] = -1.0
    tracker = Tracker(seed=0)
    assert len(tracker.update(replace(people, position=position))) == 2
    assert tracker.num_rejected == 1


@pytest.mark.parametrize(
    'name', ['position_covariance', 'stature', 'stature_stddev', 'appearance', 'age_years']
)
def test_cues_that_are_not_finite_are_only_ignored(people_at, name):
    tracker = Tracker(seed=0)
    for i in range(8):
        people = people_at(THREE, i * DT, appearance=np.eye(3))
        array = getattr(people, name).copy()
        array[i % 3] = np.nan
        scene = tracker.update(replace(people, **{name: array}))
        assert_sound(scene)
    assert scene.track_numbers.tolist() == [1, 2, 3]
    assert tracker.num_rejected == 0


def test_a_stamp_that_is_not_finite_is_refused(people_at):
    with pytest.raises(ValueError, match='stamp must be finite'):
        Tracker().update(people_at(THREE, np.nan))


def test_another_layout_of_rows_resets(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 0.0, 5)
    scene = tracker.update(people_at(THREE, 5 * DT, num_joints=4))
    assert scene.reset
    assert scene.track_numbers.tolist() == [4, 5, 6]
    assert tracker.update(people_at(THREE, 6 * DT, num_joints=4, appearance=np.eye(3))).reset


def test_an_empty_picture_of_another_layout_is_only_empty(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 0.0, 5)
    scene = tracker.update(people_at(THREE[:0], 5 * DT, num_joints=1))
    assert not scene.reset
    assert names_of(scene) == ['OCCLUDED'] * 3
    assert not tracker.update(people_at(THREE, 20.0, num_joints=4)).reset  # all had expired


def test_input_is_not_changed(people_at):
    people = people_at(THREE, rng=np.random.default_rng(0), depth_noise=0.1, pixel_noise=1.0)
    before = {name: np.copy(value) for name, value in vars(people).items() if name != 'camera'}
    tracker = Tracker(seed=0)
    tracker.update(people_at(THREE, -DT))
    tracker.update(people)
    tracker.update(people_at(THREE, DT))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(people, name), value)


def test_weak_detections_continue_people_but_found_none(people_at):
    tracker = Tracker(TrackingParameters(birth_score=0.3), seed=0)
    assert len(tracker.update(people_at(THREE, 0.0, score=0.2))) == 0
    walk(tracker, people_at, THREE, DT, 5)
    weak = walk(tracker, people_at, THREE, 6 * DT, 5, score=0.2)[-1]
    assert weak.track_numbers.tolist() == [1, 2, 3]
    assert names_of(weak) == ['TRACKED'] * 3
    walk(tracker, people_at, THREE[:0], 11 * DT, 12)
    still = tracker.update(people_at(THREE, 23 * DT, score=0.2))
    assert names_of(still) == ['LOST'] * 3


def test_someone_who_returns_is_not_held_by_the_track_of_a_glimpse(people_at):
    tracker = Tracker(seed=0)
    look = np.eye(8)[:1]
    for i in range(15):
        tracker.update(people_at(THREE[1:2], i * DT, appearance=look))
    walk(tracker, people_at, THREE[:0], 15 * DT, 15, appearance=np.zeros((0, 8)))
    aside = THREE[1:2] + np.array([1.2, 0, 0])
    glimpse = tracker.update(people_at(aside, 30 * DT, appearance=-look))
    assert names_of(glimpse) == ['LOST', 'TENTATIVE']
    back = tracker.update(people_at(aside, 31 * DT, appearance=look))
    assert back.track_numbers.tolist() == [1]
    assert names_of(back) == ['TRACKED']


def crossing(people_at, seed, meet=(0.0, 0.0, 12.0), cue=None, steps=90, **noise):
    """Two people cross in the picture, 1.5 m apart; the one behind is hidden meanwhile."""
    rng = np.random.default_rng(seed)
    tracker = Tracker(seed=0)
    owners = [[], []]
    for i in range(steps):
        t = (i - steps / 2) * DT
        truth = np.array(meet) + np.array([[1.2 * t, 0, 0], [-1.2 * t, 0, 1.5]])
        hidden = abs(truth[0, 0] - truth[1, 0]) < 0.7
        rows = rng.permutation(1 if hidden else 2)
        look = None if cue is None else cue[rows] + 0.1 * rng.normal(size=(len(rows), 8))
        people = people_at(truth[rows], i * DT, rng=rng, appearance=look, **noise)
        scene = tracker.update(people)
        for row, person in enumerate(rows):
            match = np.flatnonzero(
                (scene.time_since_observed == 0)
                & (np.abs(scene.humans.bbox[:, 0] - people.bbox[row, 0]) < 30)
            )
            near = match[np.argmin(np.abs(scene.humans.bbox[match, 0] - people.bbox[row, 0]))]
            owners[person].append(int(scene.track_numbers[near]))
    return owners


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('with_appearance', [False, True], ids=['no features', 'features'])
def test_crossing_with_noisy_depth_keeps_ids(people_at, seed, with_appearance):
    cue = np.eye(8)[:2] if with_appearance else None
    owners = crossing(
        people_at, seed, cue=cue, depth_noise=0.08, pixel_noise=1.5, depth_share=0.08
    )
    assert {owners[0][0], owners[1][0]} == {1, 2}
    for numbers in owners:
        # At the moment of crossing nothing but a noisy distance tells them apart.
        assert sum(number != numbers[0] for number in numbers) <= (0 if with_appearance else 2)
        assert numbers[-1] == numbers[0]


def test_stature_steadies(people_at):
    rng = np.random.default_rng(1)
    tracker = Tracker(seed=0)
    shown = []
    for i in range(60):
        scene = tracker.update(people_at(THREE[:1], i * DT, stature=[1.7 + 0.1 * rng.normal()]))
        shown.append(scene.humans.stature[0])
    assert np.std(shown[30:]) < 0.03
    assert shown[-1] == pytest.approx(1.7, abs=0.04)
    # The bias of the guess stays: 0.1 m less what was averaged away.
    assert 0.075 < scene.humans.stature_stddev[0] < 0.095


def test_a_wandering_guess_of_the_camera_keeps_ids(people_at):
    rng = np.random.default_rng(0)
    tracker = Tracker(seed=0)
    edge = np.array([[-5.0, 0.0, 10.0], [5.0, 0.5, 10.0], [4.3, 0.5, 11.0]])
    base = Camera.from_hfov(1.0, 1280, 720)
    for i in range(40):
        focal = base.K[0, 0] * np.exp(0.076 * rng.normal())
        hfov = 2 * np.arctan(640 / focal)
        camera = Camera.from_hfov(hfov, 1280, 720, CameraSource.ESTIMATED)
        # The picture stays the same; the guessed focal length puts people elsewhere.
        places = edge * [1, 1, focal / base.K[0, 0]]
        scene = tracker.update(people_at(places, i * DT, camera=camera))
        assert scene.track_numbers.tolist() == [1, 2, 3]
    assert (scene.identity_confidence > 0.9).all()


def test_doubt_between_two_equal_people(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE[:1], 0.0, 10)
    twins = np.array([[-0.12, 0, 0], [0.12, 0, 0]]) + THREE[0]
    scene = tracker.update(people_at(twins, 10 * DT))
    assert scene.identity_confidence[0] == pytest.approx(0.5, abs=0.15)
    settled = walk(tracker, people_at, THREE[:1], 11 * DT, 60)[-1]
    assert settled.identity_confidence[0] > 0.7


@given(st.permutations(range(5)), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_order_of_rows_does_not_matter(people_at, order, seed):
    crowd = np.array([[0.9 * i - 2.0, 0.1 * i, 8.0 + i % 2] for i in range(5)])
    plain, shuffled = Tracker(seed=0), Tracker(seed=0)
    for i in range(6):
        rng = np.random.default_rng(100 * seed + i)
        people = people_at(crowd, i * DT, rng=rng, depth_noise=0.08, pixel_noise=2.0)
        first = plain.update(people)
        second = shuffled.update(people if i == 0 else people[list(order)])
        assert first.ids == second.ids
        np.testing.assert_allclose(first.humans.position, second.humans.position, atol=1e-5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.05, 0.3, 1.0, 5.0, -2.0]),
            st.lists(
                st.tuples(st.floats(-4, 4), st.floats(-1, 1), st.floats(0.2, 30)), max_size=4
            ),
            st.booleans(),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_ids_are_never_reused(people_at, events):
    tracker = Tracker(TrackingParameters(memory=2.0, confirm_time=0.0), seed=0)
    stamp, number_of, shown, gone = 0.0, {}, set(), set()
    for step, positions, broken in events:
        stamp += step
        people = people_at(positions, stamp)
        if broken and positions:
            people.position[0, 0] = np.nan
        scene = tracker.update(people)
        assert_sound(scene)
        for name, number in zip(scene.ids, scene.track_numbers.tolist(), strict=True):
            assert number_of.setdefault(name, number) == number
        assert len(set(number_of.values())) == len(number_of)
        gone |= shown - set(scene.ids)
        shown = set(scene.ids)
        assert not shown & gone


def test_expected_boxes_are_those_of_people_who_are_there(people_at):
    tracker = Tracker(seed=0)
    assert tracker.expected_boxes().shape == (0, 4)
    scene = walk(tracker, people_at, THREE, 0.0, 8)[-1]
    np.testing.assert_array_equal(tracker.expected_boxes(), scene.humans.bbox)
    gone = walk(tracker, people_at, THREE[:2], 8 * DT, 3)[-1]
    assert names_of(gone).count('OCCLUDED') == 1
    assert len(tracker.expected_boxes()) == 3
    walk(tracker, people_at, THREE[:0], 11 * DT, 25)
    assert len(tracker.expected_boxes()) == 0
    tracker.reset()
    assert len(tracker.expected_boxes()) == 0


def yawed(yaw, place=(0.0, 0.0, 0.0)):
    """Pose of a camera that turned to the right about its y axis."""
    pose = np.eye(4)
    c, s = np.cos(yaw), np.sin(yaw)
    pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    pose[:3, 3] = place
    return pose


def seen_from(pose, positions):
    """Positions of the world in the optical frame of a camera."""
    return (np.asarray(positions) - pose[:3, 3]) @ pose[:3, :3]


def test_people_stand_while_the_robot_turns_and_drives(people_at):
    tracker = Tracker(seed=0)
    for i in range(60):
        pose = yawed(0.5 * np.sin(0.15 * i), (0.02 * i, 0.0, 0.05 * i))
        scene = tracker.update(people_at(seen_from(pose, THREE), i * DT), pose)
        assert scene.track_numbers.tolist() == [1, 2, 3]
    assert np.linalg.norm(scene.velocity, axis=1).max() < 0.25
    np.testing.assert_array_equal(scene.world_from_camera, pose)
    hidden = yawed(0.5 * np.sin(0.15 * 75), (1.5, 0.0, 3.75))
    scene = tracker.update(people_at([], 75 * DT), hidden)
    np.testing.assert_allclose(scene.humans.position, seen_from(hidden, THREE), atol=0.35)


def test_a_robot_that_looks_behind_itself_and_back_knows_everybody(people_at):
    tracker = Tracker(seed=0)
    for i in range(10):
        tracker.update(people_at(THREE, i * DT), np.eye(4))
    for i in range(10, 24):
        scene = tracker.update(people_at([], i * DT), yawed(np.pi * min((i - 9) / 7, 1.0)))
        assert_sound(scene)
    assert (scene.humans.position[:, 2] < 0).all()
    assert len(tracker.expected_boxes()) == 0
    for i in range(24, 31):
        scene = tracker.update(people_at([], i * DT), yawed(np.pi * (1 - (i - 23) / 7)))
    scene = tracker.update(people_at(THREE, 31 * DT), np.eye(4))
    assert scene.track_numbers.tolist() == [1, 2, 3]


@pytest.mark.parametrize('first', [True, False], ids=['pose goes', 'pose comes'])
def test_poses_may_come_and_go(people_at, first):
    """Velocities change their meaning, so their certainty is lost for a moment; people are not."""
    tracker = Tracker(seed=0)
    drive = np.array([0.0, 0.0, 0.8])
    spreads = []
    for i in range(60):
        pose = yawed(0.0, drive * i * DT)
        known = (i < 30) == first
        scene = tracker.update(people_at(seen_from(pose, THREE), i * DT), pose if known else None)
        assert scene.track_numbers.tolist() == [1, 2, 3]
        assert (scene.world_from_camera is None) != known
        spreads.append(np.trace(scene.velocity_covariance[0]))
        if i in (29, 59):
            expected = 0.0 if known else -0.8
            np.testing.assert_allclose(scene.velocity[:, 2], expected, atol=0.3)
    assert spreads[30] > 2 * spreads[29]
    assert spreads[59] < 1.5 * spreads[29]


def test_a_pose_that_is_none_is_refused_and_changes_nothing(people_at):
    tracker = Tracker(seed=0)
    walk(tracker, people_at, THREE, 0.0, 5)
    with pytest.raises(ValueError, match='pose of the camera'):
        tracker.update(people_at(THREE, 5 * DT), np.full((4, 4), np.nan))
    scene = tracker.update(people_at(THREE, 5 * DT))
    assert scene.track_numbers.tolist() == [1, 2, 3]
    assert names_of(scene) == ['TRACKED'] * 3


def test_dropped_pictures_keep_ids_and_velocities(people_at):
    rng = np.random.default_rng(0)
    tracker = Tracker(seed=0)
    for i in range(90):
        if rng.random() < 0.5:
            continue
        moved = THREE + np.array([1.0, 0, 0]) * i * DT
        scene = tracker.update(people_at(moved, i * DT))
        assert scene.track_numbers.tolist() == [1, 2, 3]
    np.testing.assert_allclose(scene.velocity[:, 0], 1.0, atol=0.15)


def test_a_double_founds_nobody(people_at):
    tracker = Tracker(seed=0)
    for i in range(20):
        twice = np.concatenate([THREE, THREE[:1] * 1.03])
        scene = tracker.update(people_at(twice, i * DT, score=[0.9, 0.9, 0.9, 0.7]))
        assert scene.track_numbers.tolist() == [1, 2, 3]


def test_a_double_beside_somebody_now_and_then_founds_nobody(people_at):
    tracker = Tracker(seed=0)
    for i in range(20):
        people = people_at(THREE, i * DT)
        if i in (8, 11, 14):
            double = people_at(THREE[:1] * 1.02, i * DT, score=[0.6])
            width, height = double.bbox[0, 2:] - double.bbox[0, :2]
            shift = np.array([0.15 * width, 0.08 * height] * 2)
            people = Detections.concatenate([people, replace(double, bbox=double.bbox + shift)])
        scene = tracker.update(people)
        assert scene.track_numbers.tolist() == [1, 2, 3]


def test_scenes_do_not_change_afterwards(people_at):
    tracker = Tracker(seed=0)
    scene = walk(tracker, people_at, THREE, 0.0, 10)[-1]
    before = {k: np.copy(v) for k, v in vars(scene.humans).items() if isinstance(v, np.ndarray)}
    walk(tracker, people_at, THREE * 1.01, 10 * DT, 10, (0.5, 0, 0))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(scene.humans, name), value)
