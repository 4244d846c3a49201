# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Clothes, skins and motion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull
import torch

from training.pictures import textures
from training.pictures.actors import smooth_path
from training.pictures.effects import develop, expose, sample_sensor
from training.pictures.gait import between, Repertoire, yaw_matrix
from training.pictures.motions import load_motions
from training.pictures.wardrobe import _clip, vertex_normals


def test_cutting_a_mesh_keeps_what_is_below_and_cuts_straight():
    u, v = np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 1, 6))
    vertices = np.stack([u, v, 0 * u], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(5)[:, None] * 6 + np.arange(5)).reshape(-1, 1)
    faces = np.concatenate([corner + np.array([0, 1, 7]), corner + np.array([0, 7, 6])])
    field = vertices @ np.array([0.6, 0.8, 0.0], np.float32)
    cut, left = _clip(vertices, faces, field, 0.7)
    a, b, c = (cut[left[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)[:, 2].sum() / 2
    # A unit square under 0.6 x + 0.8 y < 0.7: a trapezium between y = 0.875 and 0.125.
    assert area == pytest.approx(0.5, abs=1e-5)
    used = cut[np.unique(left)]
    assert (used @ [0.6, 0.8, 0.0]).max() == pytest.approx(0.7, abs=1e-6)
    assert (np.cross(b - a, c - a)[:, 2] > -1e-7).all()


def test_normals_point_out_of_a_ball():
    points = np.random.default_rng(0).normal(size=(200, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    faces = hull.simplices.copy()
    a, b, c = (points[faces[:, k]] for k in range(3))
    inwards = np.einsum('fi,fi->f', np.cross(b - a, c - a), a) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    assert ((vertex_normals(points, faces) * points).sum(1) > 0.9).all()


@pytest.mark.parametrize('seed', range(12))
def test_cloth_is_opaque_and_depends_on_the_seed_alone(seed):
    first, again = (textures.cloth(128, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first[..., 3] == 255).all()
    assert first.dtype == np.uint8


def test_hair_takes_its_colour_and_keeps_its_holes():
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 4), dtype=np.uint8)
    colour = np.array([160, 120, 60], np.float32)
    dyed = textures.dye_hair(picture, colour)
    np.testing.assert_array_equal(dyed[..., 3], picture[..., 3])
    mean = dyed[..., :3][dyed[..., 3] > 100].mean(0)
    np.testing.assert_allclose(mean / mean.sum(), colour / colour.sum(), atol=0.04)


def test_atlas_coordinates_lie_in_their_slot():
    corners = np.array([[[0, 0], [1, 0], [1, 1]]], np.float32)
    pictures = {slot: np.full((8, 8, 4), k + 1, np.uint8) for k, slot in enumerate(textures.SLOTS)}
    atlas = textures.make_atlas(pictures)
    for k, slot in enumerate(textures.SLOTS):
        for level in atlas[:3]:
            column, row = (textures.to_atlas(corners, slot)[0] * level.shape[0]).astype(int).T
            assert (level[row, column] == k + 1).all()


@pytest.mark.parametrize('seed', range(20))
def test_every_sensor_makes_a_picture_of_its_size(seed):
    rng = np.random.default_rng(seed)
    light = rng.random((40, 60, 3), np.float32)
    sensor = sample_sensor(rng)
    rgb = develop(light, sensor, rng, expose(light, sensor))
    assert rgb.shape == (40, 60, 3)
    assert rgb.dtype == np.uint8
    assert 20 < rgb.mean() < 235


def test_turning_half_way():
    a, b = yaw_matrix(0.2)[None], yaw_matrix(1.0)[None]
    np.testing.assert_allclose(between(a, b, 0.5)[0], yaw_matrix(0.6), atol=1e-12)


def test_paths_start_and_end_where_they_should_and_are_even():
    path = smooth_path(np.zeros(2), np.array([[2.0, 0.0], [2.0, 3.0]]))
    np.testing.assert_allclose(path[0], 0)
    np.testing.assert_allclose(path[-1], [2, 3], atol=0.06)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps.max() < 0.051
    heading = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
    assert np.abs(np.diff(heading)).max() < 0.5


@pytest.mark.parametrize('split', ['train', 'heldout'])
def test_feet_do_not_skate(data, body, split):
    repertoire = Repertoire.find(load_motions(data, split), len(body.joint_names))
    assert len(repertoire.walks) == 12
    slips = []
    for walk in repertoire.walks:
        count = len(walk.rotations)
        p = torch.tensor([[0.5, 0.67, 0.5, 0.5, 0.3, 0.5]]).double().expand(count, 6)
        rest = body.skeleton.rest(p)
        points = body.skeleton.pose(rest, torch.tensor(walk.rotations)).landmarks.numpy()
        unposed = torch.eye(3).double().repeat(1, len(body.joint_names), 1, 1)
        still = body.skeleton.pose(body.skeleton.rest(p[:1]), unposed).landmarks[0].numpy()
        leg = np.linalg.norm(still[11] - still[13]) + np.linalg.norm(still[13] - still[15])
        frames = np.append(np.arange(count), 0)
        ankles = (points[:, 15:17] - points[:, 11:13].mean(1)[:, None])[frames][..., :2]
        place = leg * walk.sway[frames]
        place[:, 1] -= leg * walk.travel * np.arange(count + 1) / count
        speed = np.linalg.norm(np.diff(ankles + place[:, None], axis=0), axis=2)
        slips.append(np.median(speed.min(1)) * count / walk.seconds)
        body_speed = leg * walk.travel / walk.seconds
        assert 0.7 < body_speed < 2.2
        # Both ends of the cycle join.
        gap = walk.rotations[-1, 1:13] @ np.swapaxes(walk.rotations[0, 1:13], -1, -2)
        trace = np.einsum('jii->j', gap)
        assert np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1))).max() < 45
    assert np.median(slips) < 0.15
