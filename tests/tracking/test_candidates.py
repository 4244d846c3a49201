# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import project, scale_camera
from anny_ros.tracking import Tracker
from anny_ros.tracking.candidates import (
    measured_candidates,
    predicted_candidates,
    reestimated,
)
from anny_ros.tracking.measurement import measure
from anny_ros.types import Camera
import numpy as np
import pytest

WHERE = [[0.5, 0.1, 6.0], [-2.0, 0.3, 11.0]]


def tracks_of(people):
    tracker = Tracker(seed=0)
    tracker.update(people)
    return tracker._tracks


def test_a_track_at_birth_is_predicted_where_it_was_measured(people_at):
    people = people_at(WHERE)
    measured = measured_candidates(
        people,
        measure(
            people.position, people.position_covariance, people.stature, people.stature_stddev
        ),
    )
    predicted = predicted_candidates(tracks_of(people), people.camera, 0.0)
    for name in ('place', 'box', 'sizes'):
        np.testing.assert_allclose(
            getattr(predicted, name), getattr(measured, name), rtol=1e-5, atol=1e-3
        )
    np.testing.assert_allclose(
        predicted.place_covariance, measured.place_covariance, rtol=0.05, atol=0.2
    )
    np.testing.assert_allclose(measured.size, people.bbox[:, 3] - people.bbox[:, 1])


def test_the_box_grows_as_a_track_comes_near(people_at):
    tracks = tracks_of(people_at(WHERE))
    before = predicted_candidates(tracks, people_at(WHERE).camera, 0.0).size
    tracks.state.mean[:, 2] += np.log(0.5)
    after = predicted_candidates(tracks, people_at(WHERE).camera, 0.0).size
    np.testing.assert_allclose(after, 2 * before)


def test_what_will_be_seen_of_sizes_leaves_the_bias_out(people_at):
    tracks = tracks_of(people_at(WHERE))
    before = predicted_candidates(tracks, people_at(WHERE).camera, 0.0)
    biased = tracks.state.covariance[:, 2, 2]
    assert (before.size_covariance[:, 0, 0] < 0.6 * biased).all()


def test_who_is_behind_the_picture_has_no_place_in_it(people_at):
    tracker = Tracker(seed=0)
    tracker.update(people_at(WHERE, 0.0), np.eye(4))
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    tracker.update(people_at([], 0.1), turned)
    predicted = predicted_candidates(tracker._tracks, people_at(WHERE).camera, 0.1)
    assert (predicted.place < -1e5).all()
    assert (predicted.box < -1e5).all()


@pytest.mark.parametrize('resize', [1.0, 0.5])
def test_another_guess_of_the_camera_leaves_people_in_the_picture(resize):
    old = Camera.from_hfov(1.0, 1280, 720)
    new = Camera.from_hfov(1.2, int(1280 * resize), int(720 * resize))
    points = np.array([[1.0, 0.5, 8.0], [-2.0, 0.1, 5.0]])
    moved = points @ reestimated(old, new).T
    expected = resize * (project(points, old.K) + 0.5) - 0.5
    np.testing.assert_allclose(project(moved, new.K), expected, atol=1e-9)
    ratio = (new.K[0, 0] / new.width) / (old.K[0, 0] / old.width)
    np.testing.assert_allclose(moved[:, 2], ratio * points[:, 2])


def test_a_resized_picture_of_the_same_camera_changes_nothing():
    camera = Camera.from_hfov(1.0, 1280, 720)
    half = scale_camera(camera, 640, 360)
    np.testing.assert_allclose(reestimated(camera, half), np.eye(3), atol=1e-12)
