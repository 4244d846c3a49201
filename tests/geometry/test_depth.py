# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.geometry.depth import scale_from_depth
from anny_ros.render.rasterise import rasterise
import numpy as np
import pytest

WALL = 9.0


@pytest.fixture
def world(standing, body):
    """Depth picture of three people before a wall, and the same people at wrong distances."""
    people, _ = standing([(-1.0, 3.0), (0.2, 4.5), (1.6, 7.0)])
    surfaces = body.vertices(people, 'coarse').astype(np.float64)
    triangles = body.triangles('coarse')
    num = surfaces.shape[1]
    every = np.concatenate([triangles + i * num for i in range(3)])
    camera = people.camera
    depth, _ = rasterise(surfaces.reshape(-1, 3), every, camera.K, camera.width, camera.height)
    depth[~np.isfinite(depth)] = WALL
    return camera, surfaces, triangles, depth


PRIOR = np.full(3, 0.1)


def worst_error(found, factors):
    assert found.known.all()
    return np.abs(np.exp(found.log_scale) * factors - 1).max()


def test_wrong_distances_are_found(world):
    camera, surfaces, triangles, depth = world
    for factors in ([1.0, 1.0, 1.0], [0.85, 1.1, 1.2], [1.25, 0.8, 0.9]):
        wrong = surfaces * np.array(factors)[:, None, None]
        found = scale_from_depth(depth, camera, wrong, triangles, PRIOR)
        assert worst_error(found, factors) < 0.012
        assert (found.stddev < 0.05).all()


def test_holes_noise_and_flying_pixels(world):
    camera, surfaces, triangles, depth = world
    rng = np.random.default_rng(0)
    bad = depth * (1 + rng.normal(0, 0.01, depth.shape))
    bad[rng.random(depth.shape) < 0.4] = 0
    bad[rng.random(depth.shape) < 0.05] = np.nan
    edges = np.abs(np.diff(depth, axis=1, prepend=depth[:, :1])) > 0.3
    for shift in range(-2, 3):
        rim = np.roll(edges, shift, axis=1)
        bad[rim] = rng.uniform(3, WALL, rim.sum())
    factors = np.array([0.9, 1.1, 1.15])
    wrong = surfaces * factors[:, None, None]
    found = scale_from_depth(bad.astype(np.float32), camera, wrong, triangles, PRIOR)
    assert worst_error(found, factors) < 0.02


@pytest.mark.parametrize('shift', [(0, 6), (4, 0), (-3, -5)])
def test_a_depth_picture_that_is_registered_a_little_wrong(world, shift):
    camera, surfaces, triangles, depth = world
    found = scale_from_depth(np.roll(depth, shift, (0, 1)), camera, surfaces, triangles, PRIOR)
    assert worst_error(found, np.ones(3)) < 0.025


def test_somebody_half_behind_a_counter(world):
    camera, surfaces, triangles, depth = world
    hidden = depth.copy()
    hidden[260:] = np.minimum(hidden[260:], 2.0)
    factors = np.array([1.0, 0.9, 1.1])
    wrong = surfaces * factors[:, None, None]
    found = scale_from_depth(hidden, camera, wrong, triangles, PRIOR)
    known = found.known
    assert known.sum() >= 2
    error = np.abs(np.exp(found.log_scale) * factors - 1)
    assert error[known].max() < 0.02


def test_another_resolution_and_no_depth_at_all(world):
    camera, surfaces, triangles, depth = world
    half = scale_from_depth(depth[::2, ::2].copy(), camera, surfaces, triangles, PRIOR)
    assert worst_error(half, np.ones(3)) < 0.015
    nothing = scale_from_depth(np.zeros_like(depth), camera, surfaces, triangles, PRIOR)
    assert not nothing.known.any()
    assert (nothing.log_scale == 0).all()
    nobody = scale_from_depth(depth, camera, surfaces[:0], triangles, PRIOR[:0])
    assert len(nobody.stddev) == 0


def test_a_wall_behind_everybody_is_not_taken_for_them(world):
    """Depth that shows the background alone: too far off to be believed."""
    camera, surfaces, triangles, _ = world
    wall = np.full((camera.height, camera.width), WALL, np.float32)
    found = scale_from_depth(wall, camera, surfaces[:2], triangles, PRIOR[:2])
    assert not found.known.any()
