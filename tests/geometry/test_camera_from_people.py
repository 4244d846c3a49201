# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sticks with knees and shoulders that stand on a floor, seen through a lens that nobody told."""

from dataclasses import replace

from anny_ros.geometry.camera_from_people import CameraFromPeople
from anny_ros.geometry.standing_people import fit_lens, Looks
from anny_ros.types import Camera, CameraSource, Detections, Scene, TrackState
import numpy as np
import pytest

WIDTH, HEIGHT = 640, 360
ASSUMED = Camera.from_hfov(1.22, WIDTH, HEIGHT, hfov_stddev=0.244)
PRIOR = 0.244 / np.sin(1.22)
# Heights of ankles, ears, knees and shoulders, as shares of the stature.
SHARES = {15: 0.05, 3: 0.93, 13: 0.28, 5: 0.82, 11: 0.53, 9: 0.5, 7: 0.65, 1: 0.94}


def stand(feet, stature, camera, pitch, height, lean):
    """Keypoints (N, 17, 3) of sticks at places (N, 2) on the floor, right and forwards."""
    up = np.array([0.0, -np.cos(pitch), np.sin(pitch)])  # looks down where pitch is negative
    forward = np.array([0.0, np.sin(pitch), np.cos(pitch)])
    right = np.array([1.0, 0.0, 0.0])
    points = np.zeros((len(feet), 17, 3))
    floor = -height * up + feet[:, :1] * right + feet[:, 1:] * forward
    axis = up + lean[:, None] * right
    for k, share in SHARES.items():
        points[:, k] = points[:, k + 1] = floor + (share * stature)[:, None] * axis
    points[:, 0] = points[:, 1]
    return points


def look(rng, camera, stamp, pitch=-0.2, height=1.2, num_people=4, still=False, bow=0.0):
    """A Scene of people who are somewhere else each time, as the estimator reports them."""
    places = np.random.default_rng(3) if still else rng
    feet = np.stack([places.uniform(-0.5, 0.5, num_people), np.ones(num_people)], 1)
    feet *= places.uniform(2.8, 7.0, num_people)[:, None]
    stature = np.linspace(1.55, 1.85, num_people)
    points = stand(feet, stature, camera, pitch, height, rng.normal(0, 0.02, num_people) + bow)
    pixels = points[..., :2] / points[..., 2:] * camera.K[0, 0] + camera.K[:2, 2]
    empty = Detections.empty(stamp, ASSUMED, num_joints=3)
    rows = {
        name: np.zeros((num_people, *array.shape[1:]), np.float32)
        for name, array in vars(empty).items()
        if isinstance(array, np.ndarray) and name != 'candidates'
    }
    rows |= {
        'keypoints_3d': points,
        'keypoints_2d': pixels + rng.normal(0, 0.5, pixels.shape),
        'keypoint_confidences': np.full((num_people, 17), 0.8),
        'stature': np.full(num_people, 1.7),
        'stature_stddev': np.full(num_people, 0.12),
    }
    return Scene(
        stamp=stamp,
        camera=ASSUMED,
        humans=replace(empty, **rows),
        ids=tuple('abcdefgh'[:num_people]),
        track_numbers=np.arange(1, num_people + 1, dtype=np.uint32),
        states=np.full(num_people, TrackState.TRACKED, np.uint8),
        identity_confidence=np.ones(num_people),
        age=np.ones(num_people),
        time_since_observed=np.zeros(num_people),
        velocity=np.zeros((num_people, 3)),
        velocity_covariance=np.zeros((num_people, 3, 3)),
    )


def watch(truth, seconds=15.0, start=0.0, people=None, seed=0, **scene):
    """Show people twice a second; the cameras that were said."""
    rng = np.random.default_rng(seed)
    people = people or CameraFromPeople()
    cameras = []
    for stamp in start + np.arange(0, seconds, 0.5):
        cameras.append(people(ASSUMED, stamp))
        people.observe(look(rng, truth, stamp, **scene))
    return cameras


def off(camera, truth):
    return float(np.log(camera.K[0, 0] / truth.K[0, 0]))


def log_stddev(camera):
    return camera.hfov_stddev / np.sin(camera.hfov)


@pytest.mark.parametrize('hfov', [0.85, 1.22, 1.6])
@pytest.mark.parametrize(('pitch', 'height'), [(-0.2, 1.2), (-0.35, 2.6)])
def test_people_before_a_tilted_camera_show_the_lens(hfov, pitch, height):
    truth = Camera.from_hfov(hfov, WIDTH, HEIGHT)
    last = watch(truth, pitch=pitch, height=height)[-1]
    assert abs(off(last, truth)) < 0.1
    assert abs(off(last, truth)) < 3 * log_stddev(last)
    assert log_stddev(last) < 0.6 * PRIOR
    assert last.source is CameraSource.ESTIMATED


@pytest.mark.parametrize('hfov', [0.85, 1.22, 1.6])
def test_a_level_camera_keeps_what_is_assumed(hfov):
    last = watch(Camera.from_hfov(hfov, WIDTH, HEIGHT), pitch=0.0)[-1]
    assert abs(off(last, ASSUMED)) < 0.12
    assert log_stddev(last) > 0.7 * PRIOR


@pytest.mark.parametrize('bow', [0.0, 0.15])
def test_one_person_who_stands_still_says_little(bow):
    truth = Camera.from_hfov(1.22, WIDTH, HEIGHT)
    last = watch(truth, num_people=1, still=True, bow=bow)[-1]
    assert abs(off(last, ASSUMED)) < 0.15
    assert log_stddev(last) > 0.6 * PRIOR


def test_distances_do_not_jump():
    cameras = watch(Camera.from_hfov(0.85, WIDTH, HEIGHT))
    steps = np.diff([np.log(c.K[0, 0]) for c in cameras])
    assert np.abs(steps).max() <= 0.05 * 0.5 + 1e-9
    # While it is still on its way, what is left counts as not known.
    truth = Camera.from_hfov(0.85, WIDTH, HEIGHT)
    assert all(abs(off(c, truth)) < 2.5 * log_stddev(c) for c in cameras)


def test_a_camera_that_is_turned_keeps_what_is_known_of_its_lens():
    truth = Camera.from_hfov(1.5, WIDTH, HEIGHT)
    people = CameraFromPeople()
    before = watch(truth, people=people, pitch=-0.15)[-1]
    after = watch(truth, people=people, start=20.0, seed=1, pitch=-0.35, height=1.2)
    errors = [abs(off(c, truth)) for c in after]
    assert max(errors) < abs(off(before, truth)) + 0.12
    assert errors[-1] < 0.1


def test_whoever_bends_or_sits_is_not_asked():
    truth = Camera.from_hfov(1.0, WIDTH, HEIGHT)
    people, rng = CameraFromPeople(), np.random.default_rng(0)
    for stamp in np.arange(0, 5, 0.5):
        camera = people(ASSUMED, stamp)
        scene = look(rng, truth, stamp)
        folded = scene.humans.keypoints_3d.copy()
        folded[:, :11] *= 0.9
        humans = replace(scene.humans, keypoints_3d=folded, stature=np.full(4, 3.0))
        people.observe(replace(scene, humans=humans))
    np.testing.assert_array_equal(camera.K, ASSUMED.K)
    assert camera.hfov_stddev == pytest.approx(ASSUMED.hfov_stddev)


def test_a_given_camera_always_wins():
    people = CameraFromPeople()
    watch(Camera.from_hfov(0.85, WIDTH, HEIGHT), people=people)
    given = Camera.from_hfov(1.0, WIDTH, HEIGHT, CameraSource.PARAMETER)
    assert people(given, 30.0) is given


def test_another_picture_size_or_time_that_goes_back_starts_anew():
    truth = Camera.from_hfov(0.85, WIDTH, HEIGHT)
    for again, stamp in ((ASSUMED, 1.0), (Camera.from_hfov(1.22, 320, 240, hfov_stddev=0.2), 99)):
        people = CameraFromPeople()
        assert off(watch(truth, people=people)[-1], ASSUMED) > 0.2
        camera = people(again, stamp)
        np.testing.assert_array_equal(camera.K, again.K)
        assert camera.hfov_stddev == pytest.approx(again.hfov_stddev)


def test_scenes_before_the_first_picture_and_of_given_cameras_are_ignored():
    people, rng = CameraFromPeople(), np.random.default_rng(0)
    people.observe(look(rng, ASSUMED, 0.0))
    given = Camera.from_hfov(0.85, WIDTH, HEIGHT, CameraSource.CAMERA_INFO)
    for stamp in np.arange(1, 6, 0.5):
        people(ASSUMED, stamp)
        people.observe(replace(look(rng, given, stamp), camera=given))
    np.testing.assert_array_equal(people(ASSUMED, 7.0).K, ASSUMED.K)


def test_outliers_lose_their_weight():
    rng = np.random.default_rng(0)
    truth = Camera.from_hfov(0.9, WIDTH, HEIGHT)
    humans = [look(rng, truth, 0.0).humans for _ in range(12)]
    plane = (np.concatenate([h.keypoints_2d for h in humans]) - ASSUMED.K[:2, 2]) / ASSUMED.K[0, 0]
    points = np.concatenate([h.keypoints_3d for h in humans])
    parts = {'foot': 15, 'head': 3, 'knee': 13, 'shoulder': 5}
    looks = Looks(
        **{name: plane[:, k].astype(float) for name, k in parts.items()},
        length=np.linalg.norm(points[:, 3] - points[:, 15], axis=1),
        person=np.tile(np.arange(4), 12),
        length_stddev=np.full(4, 0.08),
    )
    clean = fit_lens(looks, 0.0, 0.25)
    shoulder, foot = looks.shoulder.copy(), looks.foot.copy()
    shoulder[::8, 0] += 0.2
    foot[4::8, 1] -= 0.15
    spoiled = fit_lens(replace(looks, shoulder=shoulder, foot=foot), 0.0, 0.25)
    assert abs(spoiled.log_focal - clean.log_focal) < 0.12
    assert np.median(spoiled.misfit[::8]) > 3
    assert clean.height == pytest.approx(1.2 - 0.05 * 1.7, abs=0.15)
    assert clean.up == pytest.approx([0, -np.cos(0.2), -np.sin(0.2)], abs=0.06)
