# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

from anny_ros.geometry.camera import Letterbox
from anny_ros.inference.backends import RawPeople
from anny_ros.inference.decode import (
    find_people,
    picture_camera,
    position_covariance,
    predicted_camera,
)
from anny_ros.types import Camera, CameraSource
import numpy as np
import pytest

UNTURNED = np.tile(np.float32([1, 0, 0, 1, 0, 0]), 163)


def make_raw(num_queries=4, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        'confidence': np.linspace(0.1, 0.9, num_queries),
        'location': rng.uniform(0, 900, (num_queries, 2)),
        'log_pixels_per_metre': rng.uniform(4, 6, num_queries),
        'shape': rng.uniform(0, 1, (num_queries, 11)),
        'pose': np.tile(UNTURNED, (num_queries, 1)),
        'appearance': rng.normal(size=(num_queries, 8)),
    } | changes
    arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return RawPeople(hfov=1.0, **arrays)


CANVAS = Camera([[500.0, 0, 383.5], [0, 520.0, 215.5], [0, 0, 1]], 768, 432)


def test_threshold_is_strict_and_order_is_that_of_the_queries():
    raw = make_raw(confidence=[0.5, 0.9, 0.25, 0.6])
    people = find_people(raw, CANVAS, 0.5)
    np.testing.assert_allclose(people.score, [0.9, 0.6])
    np.testing.assert_array_equal(people.phenotype, raw.shape[[1, 3], :6])


def test_distance_follows_the_focal_length():
    raw = make_raw(1, confidence=[0.9], log_pixels_per_metre=[math.log(125.0)])
    assert find_people(raw, CANVAS, 0.4).anchor[0, 2] == pytest.approx(4.0)
    wider = Camera([[250.0, 0, 383.5], [0, 260.0, 215.5], [0, 0, 1]], 768, 432)
    assert find_people(raw, wider, 0.4).anchor[0, 2] == pytest.approx(2.0)


def test_pixels_count_from_the_corner():
    """The middle of the canvas, 384.0 and 216.0 there, is on the optical axis."""
    raw = make_raw(
        1, confidence=[0.9], log_pixels_per_metre=[math.log(125.0)], location=[[384.0, 216.0]]
    )
    np.testing.assert_allclose(find_people(raw, CANVAS, 0.4).anchor, [[0, 0, 4]], atol=1e-9)
    raw.location[:] = [[384.0 + 125.0, 216.0 - 130.0]]
    np.testing.assert_allclose(find_people(raw, CANVAS, 0.4).anchor, [[1, -1, 4]], atol=1e-9)


def test_a_hopeless_scale_is_bounded():
    raw = make_raw(1, confidence=[0.9], log_pixels_per_metre=[-100.0])
    assert find_people(raw, CANVAS, 0.4).anchor[0, 2] == pytest.approx(500 / 1e-5)


def test_appearance_has_length_one():
    people = find_people(make_raw(), CANVAS, 0.0)
    np.testing.assert_allclose(np.linalg.norm(people.appearance, axis=1), 1.0, rtol=1e-6)
    zero = find_people(make_raw(appearance=np.zeros((4, 8))), CANVAS, 0.0)
    assert not zero.appearance.any()


def test_nobody_has_the_same_widths():
    people = find_people(make_raw(), CANVAS, 0.95)
    assert people.num_rejected == 0
    shapes = {n: array.shape for n, array in vars(people).items() if n != 'num_rejected'}
    assert shapes == {
        'score': (0,),
        'phenotype': (0, 6),
        'rotations': (0, 74, 3, 3),
        'anchor': (0, 3),
        'appearance': (0, 8),
    }


@pytest.mark.parametrize(
    'name', ['location', 'log_pixels_per_metre', 'shape', 'pose', 'appearance']
)
def test_people_that_are_not_finite_are_left_out(name):
    raw = make_raw(confidence=[0.6, 0.7, 0.8, 0.9])
    getattr(raw, name)[1] = np.nan
    people = find_people(raw, CANVAS, 0.5)
    np.testing.assert_allclose(people.score, [0.6, 0.8, 0.9])
    assert people.num_rejected == 1


def test_numbers_that_are_not_finite_are_counted_once_a_query():
    raw = make_raw(confidence=[0.6, np.nan, 0.8, 0.1])
    raw.pose[0] = np.inf
    raw.shape[0] = np.nan
    raw.location[3] = np.nan  # nobody
    people = find_people(raw, CANVAS, 0.5)
    np.testing.assert_allclose(people.score, [0.8])
    assert people.num_rejected == 2


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e38])
def test_no_number_whatsoever_makes_it_raise(value):
    everything = {n: np.full_like(a, value) for n, a in vars(make_raw()).items() if n != 'hfov'}
    assert len(find_people(make_raw(**everything), CANVAS, 0.5)) == 0
    for name in everything:
        find_people(make_raw(**{name: everything[name]}), CANVAS, 0.5)


def test_a_degenerate_rotation_is_left_out():
    raw = make_raw(confidence=[0.6, 0.7, 0.8, 0.9])
    raw.pose[2, :6] = 0.0
    np.testing.assert_allclose(find_people(raw, CANVAS, 0.5).score, [0.6, 0.7, 0.9])


def test_predicted_camera_is_that_of_the_padded_canvas():
    box = Letterbox.fit(848, 480, 768, 16)
    camera = predicted_camera(math.pi / 2, box)
    assert camera.source == CameraSource.ESTIMATED
    np.testing.assert_allclose(camera.K, [[384, 0, 383.5], [0, 384, 223.5], [0, 0, 1]])


def test_predicted_camera_goes_back_to_the_picture():
    box = Letterbox.fit(848, 480, 768, 16)
    camera = picture_camera(predicted_camera(math.pi / 2, box), box)
    sx, sy = 768 / 848, 435 / 480
    wanted = [[384 / sx, 0, 384 / sx - 0.5], [0, 384 / sy, (224 - 6) / sy - 0.5], [0, 0, 1]]
    np.testing.assert_allclose(camera.K, wanted)
    assert (camera.width, camera.height) == (848, 480)


@pytest.mark.parametrize('size', [(640, 480), (480, 640), (848, 480), (100, 3000)], ids=str)
def test_deviation_of_the_view_is_that_of_the_focal_length(size):
    """Numerical derivative: 7.6 % more focal length, and what the field of view then is."""
    box = Letterbox.fit(*size, 768, 16)
    camera = picture_camera(predicted_camera(1.1, box), box)
    K = camera.K.copy()
    K[0, 0] *= 1 + 0.076e-3
    changed = Camera(K, *size).hfov - camera.hfov
    assert camera.hfov_stddev == pytest.approx(-1e3 * changed, rel=0.02)


@pytest.mark.parametrize('hfov', [0.0, math.pi])
def test_a_saturated_field_of_view_is_bounded(hfov):
    camera = predicted_camera(hfov, Letterbox.fit(640, 480, 768, 16))
    assert np.isfinite(camera.K).all()


def test_covariance_on_the_axis_by_hand():
    positions = np.float32([[0, 0, 10], [0, 0, 10]])
    covariance = position_covariance(positions, CANVAS, np.array([500.0, 1000.0]))
    wanted = np.diag([0.08**2, 0.08**2, 0.5**2])  # 4 px of 500, 5 %
    np.testing.assert_allclose(covariance[0], wanted, atol=1e-12)
    wanted = np.diag([0.04**2, 0.04**2, 0.5**2])  # found on a canvas that shows it twice as large
    np.testing.assert_allclose(covariance[1], wanted, atol=1e-12)


def test_an_estimated_camera_adds_error_in_depth_only():
    positions = np.float32([[2, 1, 6], [0, 0, 3]])
    focal = np.full(2, CANVAS.K[0, 0])
    known = position_covariance(positions, CANVAS, focal)
    box = Letterbox.fit(768, 432, 768, 16)
    guessed = predicted_camera(CANVAS.hfov, box)
    added = position_covariance(positions, guessed, focal) - known
    wanted = np.zeros((2, 3, 3))
    wanted[:, 2, 2] = (0.076 * positions[:, 2].astype(np.float64)) ** 2
    np.testing.assert_allclose(added, wanted, atol=1e-9)


def test_covariance_is_long_along_the_ray():
    positions = np.random.default_rng(3).normal((0, 0, 6), 1, (20, 3))
    covariance = position_covariance(positions, CANVAS, np.full(20, 500.0))
    values, vectors = np.linalg.eigh(covariance)
    assert (values > 0).all()
    ray = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(np.sum(vectors[..., -1] * ray, axis=1)), 1.0)
    assert position_covariance(np.zeros((0, 3)), CANVAS, np.zeros(0)).shape == (0, 3, 3)
