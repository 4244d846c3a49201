# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from training.pictures.light import irradiance, Light, Lighting, look_at, shadow_map
from training.pictures.surroundings import box, Canvas, draw_quad, Quad, triangles_of

K = np.array([[100.0, 0, 59.5], [0, 100.0, 44.5], [0, 0, 1]])
DARK = Lighting((), np.ones(3), np.ones(3))
WHITE = [np.full((32, 32, 3), 255, np.uint8)]


def make_canvas(position=(0.0, 0.0, 1.0), target=(0.0, 4.0, 1.0)):
    position = np.array(position)
    empty = np.zeros((90, 120), np.float32)
    colour = np.zeros((90, 120, 3), np.float32)
    return Canvas(colour, empty, K, look_at(position, np.array(target)), position)


def make_quad(corner, along, up):
    return Quad(*(np.array(v, float) for v in (corner, along, up)), 0, (1, 1))


def test_the_sides_of_a_box_face_outwards():
    centre = np.array([1.0, 2.0, 3.0])
    quads = box(centre, np.array([0.4, 0.6, 0.8]), 0.7, 0, 0)
    for quad in quads:
        assert quad.normal @ (quad.corners().mean(0) - centre) > 0.19
    vertices, triangles = triangles_of(quads)
    a, b, c = (vertices[triangles[:, k]] - centre for k in range(3))
    volume = np.einsum('fi,fi->f', np.cross(a, b), c).sum() / 6
    assert volume == pytest.approx(0.4 * 0.6 * 0.8)


def test_a_wall_has_the_depth_of_its_plane_and_hides_what_is_behind():
    canvas = make_canvas()
    near = Quad(
        np.array([-0.5, 3.0, 0.5]), np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), 0, (1, 1)
    )
    far = Quad(np.array([-3.0, 5.0, -2]), np.array([6.0, 0, 0]), np.array([0, 0, 6.0]), 0, (1, 1))
    for quad in (far, near, far):
        draw_quad(canvas, quad, WHITE, DARK, [])
    assert 1 / canvas.inverse_depth[44, 59] == pytest.approx(3.0, rel=1e-5)
    assert 1 / canvas.inverse_depth[2, 2] == pytest.approx(5.0, rel=1e-5)
    # 1 m at 3 m and f = 100 px is 33 px wide.
    assert np.count_nonzero(canvas.inverse_depth[44] > 0.3) == pytest.approx(33, abs=1)


def test_a_wall_seen_from_behind_is_not_drawn():
    canvas = make_canvas()
    away = Quad(
        np.array([1.0, 3.0, 0.5]), np.array([-2.0, 0, 0]), np.array([0, 0, 1.0]), 0, (1, 1)
    )
    draw_quad(canvas, away, WHITE, DARK, [])
    assert not canvas.inverse_depth.any()


def test_a_floor_that_reaches_behind_the_camera_ends_at_the_horizon():
    canvas = make_canvas()
    floor = Quad(
        np.array([-50.0, -50, 0]), np.array([100.0, 0, 0]), np.array([0, 100.0, 0]), 0, (9, 9)
    )
    draw_quad(canvas, floor, WHITE, DARK, [])
    assert not canvas.inverse_depth[:44].any()
    assert (canvas.inverse_depth[50:] > 0).all()
    # 30 pixels under the horizon, 1 m high: 100 / 30 m away.
    assert 1 / canvas.inverse_depth[74, 59] == pytest.approx(100 / 29.5, rel=1e-4)


def test_a_texture_lies_on_its_wall_as_its_corners_say():
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :32] = (255, 0, 0)  # the quarter at the corner, along both sides
    wall = make_quad((1, 3, 2), (-2, 0, 0), (0, 0, -2))
    canvas = make_canvas()
    draw_quad(canvas, wall, [texture], DARK, [])
    assert canvas.colour[30, 75, 0] > 0.5  # right and high
    assert canvas.colour[30, 44, 0] < 0.1
    assert canvas.colour[60, 75, 0] < 0.1


def test_shadows_fall_away_from_the_light():
    ball = box(np.array([0.0, 0.0, 1.0]), np.array([0.4, 0.4, 0.4]), 0.0, 0, 0)
    light = Light(np.array([-10.0, 0.0, 11.0]), np.ones(3), 14.0, 0.7)
    shadow = shadow_map(light, [triangles_of(ball)])
    floor = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.5, 0.0]])
    np.testing.assert_array_equal(shadow.lit(floor), [0.0, 1.0, 1.0, 1.0])
    # What casts the shadow is not in it.
    assert shadow.lit(np.array([[-0.2, 0.0, 1.0]]))[0] == 1.0


@pytest.mark.parametrize('height', [20.0, 2000.0])
def test_light_falls_off_with_the_square_of_the_distance(height):
    light = Light(np.array([0.0, 0.0, height]), np.ones(3), height, 1.0)
    up = np.array([0.0, 0.0, 1.0])
    assert irradiance(light, np.zeros(3), up) == pytest.approx(1.0)
    assert irradiance(light, np.array([0.0, 0.0, height / 2]), up) == pytest.approx(4.0)
    assert irradiance(light, np.zeros(3), -up) == 0.0
