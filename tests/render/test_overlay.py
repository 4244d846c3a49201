# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import fields, replace

from anny_ros.render import draw_scene, track_colour
from anny_ros.render.overlay import draw_meshes
from anny_ros.types import Camera, Detections, Scene, TrackState
import numpy as np
import pytest

CAMERA = Camera.from_hfov(1.0, 320, 240)
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


class CubeBody:
    """A body model whose people are boxes of 0.5 x 1.7 x 0.3 m."""

    def vertices(self, detections, resolution='coarse'):
        return detections.position[:, None] + (CUBE * (0.25, 0.85, 0.15)).astype(np.float32)

    def triangles(self, resolution):
        return CUBE_FACES


def scene_of(positions, states, camera=CAMERA, numbers=None):
    positions = np.asarray(positions, np.float32).reshape(-1, 3)
    n = len(positions)
    empty = Detections.empty(0.0, camera, num_joints=2)
    arrays = {
        f.name: np.zeros((n, *getattr(empty, f.name).shape[1:]), np.float32)
        for f in fields(Detections)
        if isinstance(getattr(empty, f.name), np.ndarray)
    }
    arrays['position'] = positions
    corners = positions[:, None] + np.array([[-0.25, -0.85, 0], [0.25, 0.85, 0]], np.float32)
    uv = corners @ camera.K.T.astype(np.float32)
    arrays['bbox'] = (uv[..., :2] / np.maximum(uv[..., 2:], 0.01)).reshape(n, 4)
    numbers = np.arange(1, n + 1) if numbers is None else numbers
    return Scene(
        stamp=0.0,
        camera=camera,
        humans=replace(empty, **arrays),
        ids=tuple('abcde' for _ in range(n)),
        track_numbers=np.asarray(numbers, np.uint32),
        states=np.asarray(states, np.uint8),
        identity_confidence=np.ones(n, np.float32),
        age=np.ones(n),
        time_since_observed=np.zeros(n),
        velocity=np.zeros((n, 3), np.float32),
        velocity_covariance=np.zeros((n, 3, 3), np.float32),
    )


@pytest.fixture
def grey():
    return np.full((240, 320, 3), 90, np.uint8)


def test_mesh_lies_where_the_person_is(grey):
    before = grey.copy()
    drawn = draw_scene(grey, scene_of([[0, 0, 4]], [TrackState.TRACKED]), CubeBody())
    assert (grey == before).all()
    assert drawn.dtype == np.uint8
    assert drawn.shape == grey.shape
    changed = (drawn != grey).any(axis=2)
    f = CAMERA.K[0, 0]
    half_wide, half_high = 0.25 * f / 3.85, 0.85 * f / 3.85
    rows, columns = np.nonzero(changed[100:140])[0] + 100, np.nonzero(changed[100:140])[1]
    assert abs(columns.min() - (159.5 - half_wide)) <= 1.0
    assert abs(columns.max() - (159.5 + half_wide)) <= 1.0
    assert len(rows) == 40 * len(np.unique(columns))
    assert abs(np.nonzero(changed[:, 150])[0].max() - (119.5 + half_high)) <= 1.0


def test_mesh_has_the_track_colour(grey):
    drawn = draw_scene(grey, scene_of([[0, 0, 4]], [1], numbers=[7]), CubeBody())
    ink = drawn[120, 160].astype(float) - 0.28 * 90
    wanted = np.array(track_colour(7))
    np.testing.assert_allclose(ink / ink.max(), wanted / wanted.max(), atol=0.03)


def test_nearer_person_hides_the_farther_one(grey):
    draw = [[0, 0, 6], [0.1, 0, 3]]
    both = draw_scene(grey, scene_of(draw, [1, 1], numbers=[1, 2]), CubeBody())
    near_alone = draw_scene(grey, scene_of(draw[1:], [1], numbers=[2]), CubeBody())
    np.testing.assert_array_equal(both[120, 150:180], near_alone[120, 150:180])


def test_state_sets_how_strongly_a_person_is_drawn(grey):
    strength = {}
    for state in TrackState:
        drawn = draw_scene(grey, scene_of([[0, 0.3, 4]], [state]), CubeBody())
        strength[state] = np.abs(drawn[140, 160].astype(int) - 90).sum()
    assert strength[TrackState.LOST] == 0
    assert strength[TrackState.TRACKED] > strength[TrackState.TENTATIVE] > 0
    assert strength[TrackState.TRACKED] > strength[TrackState.OCCLUDED] > 0


def test_lost_people_leave_no_mark_at_all(grey):
    drawn = draw_scene(grey, scene_of([[0, 0, 4]], [TrackState.LOST]), CubeBody())
    assert (drawn == grey).all()
    assert drawn is not grey


def test_nobody(grey):
    drawn = draw_scene(grey, scene_of([], []), CubeBody())
    assert (drawn == grey).all()
    assert drawn is not grey


@pytest.mark.parametrize('state', list(TrackState), ids=lambda s: s.name.lower())
@pytest.mark.parametrize(
    'position',
    [(0, 0, -3), (0, 0, 0), (0, 0, 0.1), (0, 0.9, 0.2), (99, 0, 2), (0, 0, 1e5), (np.nan,) * 3],
    ids=['behind', 'around', 'huge', 'half behind', 'beside', 'far', 'nan'],
)
def test_positions_that_must_not_crash(grey, position, state):
    drawn = draw_scene(grey, scene_of([position, (0, 0, 4)], [state, 1]), CubeBody())
    assert drawn.shape == grey.shape
    assert (drawn != grey).any()


def test_picture_of_another_size_than_the_camera(grey):
    scene = scene_of([[0.4, 0, 4]], [TrackState.TRACKED])
    large = draw_scene(np.full((480, 640, 3), 90, np.uint8), scene, CubeBody())
    small = draw_scene(grey, scene, CubeBody())
    change = (large != 90).any(axis=2)[240:300].sum(axis=0).nonzero()[0]
    change_small = (small != 90).any(axis=2)[120:150].sum(axis=0).nonzero()[0]
    assert abs(change.mean() - (2 * change_small.mean() + 0.5)) < 1.0


def test_tiny_picture_keeps_its_label_inside():
    scene = scene_of([[0, 0, 4]], [TrackState.OCCLUDED])
    assert draw_scene(np.zeros((24, 32, 3), np.uint8), scene, CubeBody()).shape == (24, 32, 3)


def test_known_vertices_are_used_instead_of_the_body(grey):
    scene = scene_of([[0, 0, 4], [1, 0, 4]], [TrackState.LOST, TrackState.TRACKED])
    vertices = CubeBody().vertices(scene.humans)
    wanted = draw_scene(grey, scene, CubeBody())
    np.testing.assert_array_equal(draw_scene(grey, scene, CubeBody(), vertices=vertices), wanted)


def test_sides_turned_from_the_light_are_darker():
    picture = np.zeros((240, 320, 3), np.uint8)
    u, v = np.meshgrid(np.arange(24) * 2 * np.pi / 24, np.linspace(0.1, np.pi - 0.1, 12))
    ball = np.stack([np.sin(v) * np.cos(u), -np.cos(v), np.sin(v) * np.sin(u)], -1)
    ball = ball.reshape(-1, 3) + np.array([0.0, 0.0, 4.0])
    j, i = (grid.ravel() for grid in np.meshgrid(np.arange(11), np.arange(24), indexing='ij'))
    a, b = j * 24 + i, j * 24 + (i + 1) % 24
    faces = np.concatenate([np.stack([a, a + 24, b], 1), np.stack([b, a + 24, b + 24], 1)])
    draw_meshes(picture, ball[None], faces, CAMERA.K, np.ones((1, 3)), np.ones(1))
    assert picture[90, 130].mean() > picture[150, 195].mean() + 60
