# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.tracking import Tracker
import numpy as np
import pytest

DT = 1 / 15
THREE = np.array([[-2.0, 0.0, 8.0], [0.0, 0.2, 10.0], [2.5, 0.1, 14.0]])


def standing(tracker, people_at, positions, steps, **options):
    """Update with people who stand still; return the last scene."""
    for i in range(steps):
        scene = tracker.update(people_at(positions, i * DT, **options))
    return scene


def test_seen_people_stay_on_their_viewing_ray_and_depth_is_smoothed(people_at):
    rng = np.random.default_rng(0)
    tracker = Tracker(seed=0)
    raw, shown = [], []
    for i in range(80):
        people = people_at(
            [[-1.0 + 1.2 * i * DT, 0.1, 12.0]], i * DT, rng=rng, depth_noise=0.05, depth_share=0.05
        )
        scene = tracker.update(people)
        np.testing.assert_allclose(
            scene.humans.keypoints_2d, people.keypoints_2d, atol=0.01
        )  # all keypoints of this fake body are its pelvis
        if i > 20:
            raw.append(people.position[0, 2])
            shown.append(scene.humans.position[0, 2])
    assert np.std(np.diff(shown)) < 0.5 * np.std(np.diff(raw))
    assert np.std(shown) < 0.8 * np.std(raw)


def test_distance_is_corrected_by_a_tenth_at_most(people_at):
    tracker = Tracker(seed=0)
    standing(tracker, people_at, THREE[:1], 30)
    far = people_at(THREE[:1] * 1.5, 30 * DT)
    near = people_at(THREE[:1], 30 * DT)
    scene = tracker.update(replace(far, bbox=near.bbox))
    assert scene.track_numbers.tolist() == [1]
    assert scene.humans.position[0, 2] == pytest.approx(12.0 * np.exp(-0.1), rel=1e-3)


def test_a_body_of_another_size_is_shown_in_its_own_at_its_own_distance(people_at):
    tracker = Tracker(seed=0)
    standing(tracker, people_at, THREE[:1], 30)
    wrong = people_at(THREE[:1] * 1.3, 30 * DT, stature=1.7 * 1.3)
    scene = tracker.update(wrong)
    assert scene.track_numbers.tolist() == [1]
    shown, seen = scene.humans, wrong
    assert shown.position[0, 2] == pytest.approx(THREE[0, 2], rel=0.04)
    assert shown.stature[0] == pytest.approx(1.7, rel=0.04)
    for name in ('translation', 'head_position', 'ground_position', 'keypoints_3d'):
        ratio = np.linalg.norm(getattr(shown, name)) / np.linalg.norm(getattr(seen, name))
        assert ratio == pytest.approx(1 / 1.3, rel=0.04)
    np.testing.assert_allclose(shown.keypoints_2d, seen.keypoints_2d, atol=0.5)
    np.testing.assert_array_equal(shown.bbox, seen.bbox)


def test_a_child_stays_a_child_and_shapes_steady(people_at):
    rng = np.random.default_rng(0)
    tracker = Tracker(seed=0)
    shown, seen = [], []
    for i in range(60):
        people = people_at(THREE[:2], i * DT, stature=[1.1 * np.exp(0.05 * rng.normal()), 1.8])
        shape = np.full((2, 6), 0.5) + 0.1 * rng.normal(size=(2, 6))
        shape[0, 1] = 0.3 + 0.1 * rng.normal()
        if i == 40:
            shape[0, 1] = 0.9
            people = replace(people, stature=np.array([1.7, 1.8]))
        people = replace(people, phenotype=shape)
        scene = tracker.update(people)
        shown.append(scene.humans.phenotype)
        seen.append(people.phenotype)
        if i > 20:
            assert scene.humans.stature[0] == pytest.approx(1.1, abs=0.08)
            assert shown[-1][0, 1] == pytest.approx(0.3, abs=0.08)
    jitter = [np.std(np.diff(v, axis=0)[20:]) for v in (seen, shown)]
    assert jitter[1] < 0.1 * jitter[0]


def test_bodies_keep_the_size_that_a_measured_distance_showed(people_at):
    tracker = Tracker(seed=0)
    for i in range(60):
        if i % 2:
            people = people_at(THREE[:1] * 1.1, i * DT, stature=1.7 * 1.1)
        else:
            people = people_at(THREE[:1], i * DT, depth_share=0.01)
        scene = tracker.update(people)
    assert scene.humans.position[0, 2] == pytest.approx(THREE[0, 2], rel=0.02)
    assert scene.humans.stature[0] == pytest.approx(1.7, rel=0.03)
    head, pelvis = scene.humans.head_position[0], scene.humans.position[0]
    assert np.linalg.norm(head - pelvis) == pytest.approx(0.7, rel=0.15)


def test_doubtful_looks_weigh_little_in_the_shape(people_at):
    tracker = Tracker(seed=0)
    people = people_at(THREE[:1])
    for i in range(10):
        tracker.update(replace(people_at(THREE[:1], i * DT), phenotype=np.full((1, 6), 0.2)))
    hidden = replace(
        people_at(THREE[:1], 10 * DT, score=0.3),
        phenotype=np.full((1, 6), 1.0),
        keypoint_confidences=np.full((1, 17), 0.1),
    )
    scene = tracker.update(hidden)
    expected = (10 * 0.9 * 0.2 + 0.03) / (10 * 0.9 + 0.03)
    np.testing.assert_allclose(scene.humans.phenotype, expected, rtol=1e-3)
    assert people.phenotype[0, 0] == 0.5


def test_reported_covariance_is_long_along_the_ray_and_never_below_the_bias(people_at):
    scene = standing(Tracker(seed=0), people_at, THREE, 60, depth_share=0.1)
    for position, covariance in zip(
        scene.humans.position, scene.humans.position_covariance, strict=True
    ):
        ray = position / np.linalg.norm(position)
        along = ray @ covariance @ ray
        assert along > 0.5 * (0.1 * np.linalg.norm(position)) ** 2
        assert np.trace(covariance) - along < 0.02


def test_people_out_of_sight_are_moved_whole(people_at):
    tracker = Tracker(seed=0)
    for i in range(20):
        seen = tracker.update(people_at(THREE[:1] + np.array([i * DT, 0, 0]), i * DT))
    gone = tracker.update(people_at(THREE[:0], 25 * DT))
    shift = gone.humans.position - seen.humans.position
    assert shift[0, 0] == pytest.approx(6 * DT, rel=0.2)
    for name in ('translation', 'head_position', 'ground_position'):
        moved = getattr(gone.humans, name) - getattr(seen.humans, name)
        np.testing.assert_allclose(moved, shift, atol=1e-5)
    assert gone.humans.bbox[0, 0] > seen.humans.bbox[0, 0]
    assert gone.stamp == gone.humans.stamp == 25 * DT


def test_timings_camera_and_candidates_are_those_of_the_picture(people_at):
    tracker = Tracker(seed=0)
    tracker.update(replace(people_at(THREE, -DT), candidates=np.ones((5, 4))))
    people = replace(people_at(THREE), candidates=np.zeros((2, 4)))
    scene = tracker.update(people.with_timings({'body': 1.5}))
    np.testing.assert_array_equal(scene.humans.candidates, people.candidates)
    assert scene.humans.timings_ms == {'body': 1.5}
    assert scene.camera is people.camera
    assert scene.humans.camera is people.camera
