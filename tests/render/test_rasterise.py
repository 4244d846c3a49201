# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from anny_ros.render.rasterise import clip_near, front_facing, NEAR, rasterise, visible_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

WIDTH, HEIGHT = 40, 30
K = np.array([[35.0, 0.0, 19.5], [0.0, 35.0, 14.5], [0.0, 0.0, 1.0]])


def cast_rays(vertices, triangles, K, width, height):
    """Intersect the ray of every pixel with every triangle (no clipping, no spans)."""
    v, u = np.mgrid[:height, :width]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T
    depth = np.full((height, width), np.inf)
    margin = np.full((height, width), np.inf)  # how near to an edge a pixel centre comes
    index = np.full((height, width), -1)
    for f, (a, b, c) in enumerate(vertices[triangles]):
        edges = np.stack([*np.broadcast_arrays(a - c, b - c, -rays)], axis=-1)
        solvable = np.abs(np.linalg.det(edges)) > 1e-9
        edges[~solvable] = np.eye(3)
        alpha, beta, z = np.moveaxis(np.linalg.solve(edges, -c[:, None])[..., 0], -1, 0)
        inside = np.minimum(np.minimum(alpha, beta), 1.0 - alpha - beta)
        in_front = solvable & (z >= NEAR)
        margin = np.where(in_front, np.minimum(margin, np.abs(inside)), margin)
        won = in_front & (inside >= 0) & (z < depth)
        depth, index = np.where(won, z, depth), np.where(won, f, index)
    return depth, index, margin


def sphere(radius=1.0, centre=(0.0, 0.0, 3.0), num_u=16, num_v=10):
    """Make a closed ball, wound counter-clockwise seen from outside."""
    u = np.arange(num_u) * 2 * np.pi / num_u
    v = np.linspace(0, np.pi, num_v)
    rows = [[np.sin(b) * np.cos(a), -np.cos(b), np.sin(b) * np.sin(a)] for b in v for a in u]
    triangles = []
    for j in range(num_v - 1):
        for i in range(num_u):
            a, b = j * num_u + i, j * num_u + (i + 1) % num_u
            triangles += [[a, a + num_u, b]] * (j > 0)
            triangles += [[b, a + num_u, b + num_u]] * (j < num_v - 2)
    return np.array(rows) * radius + np.array(centre), np.array(triangles)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), nearest=st.sampled_from([-0.5, 0.2, 1.0]))
def test_agrees_with_ray_casting(seed, nearest):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-2.0, -2.0, nearest], [2.0, 2.0, 5.0], (9, 3))
    triangles = rng.integers(0, 9, (4, 3))
    wanted_depth, wanted_index, margin = cast_rays(vertices, triangles, K, WIDTH, HEIGHT)
    depth, index = rasterise(vertices, triangles, K, WIDTH, HEIGHT)
    clear = margin > 1e-6  # at an edge itself the two may round apart
    np.testing.assert_allclose(depth[clear], wanted_depth[clear], rtol=1e-4)
    # The same triangle written twice may be named either way.
    both = clear & (index >= 0)
    corners = np.sort(np.vstack([triangles, [[-1, -1, -1]]]), axis=1)
    assert (corners[index[both]] == corners[wanted_index[both]]).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_fan_covers_each_pixel_exactly_once(seed):
    rng = np.random.default_rng(seed)
    corners = np.array([[-2, -2, 2], [2, -2, 2], [2, 2, 2], [-2, 2, 2]], float) * 2
    centre = np.array([*rng.uniform(-1, 1, 2), 2.0])
    vertices = np.vstack([corners, centre])
    fan = np.array([[4, k, (k + 1) % 4] for k in range(4)])
    covered = np.zeros(WIDTH * HEIGHT, int)
    for triangle in fan:
        pixel, _, _ = visible_pixels(vertices, triangle[None], K, WIDTH, HEIGHT)
        covered[pixel] += 1
    assert (covered == 1).all()


def test_known_triangle():
    # At z = 35 / 10 a metre is 10 px: the right angle at the centre of pixel (10, 5).
    z = 3.5
    a = np.array([10 - 19.5, 5 - 14.5]) / 10
    vertices = np.array([[*a, z], [a[0] + 1, a[1], z], [a[0], a[1] + 1, z]])
    depth, index = rasterise(vertices, np.array([[0, 1, 2]]), K, WIDTH, HEIGHT)
    assert depth.dtype == np.float32
    assert index.dtype == np.int32
    assert depth.shape == index.shape == (HEIGHT, WIDTH)
    assert index[6, 11] == 0
    assert depth[6, 11] == pytest.approx(z)
    assert index[4, 11] == -1
    assert index[6, 9] == -1
    assert np.isinf(depth[4, 11])
    # Row r holds 10 - (r - 5) columns from the left edge to the slanted one.
    assert [(index[r] == 0).sum() for r in (6, 9, 14)] == [9, 6, 1]


def test_nearer_triangle_wins_whatever_the_order():
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    vertices = np.vstack([square, square]) + np.repeat([[0, 0, 4], [0, 0, 2]], 4, axis=0)
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    for order in ([0, 1, 2, 3], [2, 3, 0, 1]):
        depth, index = rasterise(vertices, faces[order], K, WIDTH, HEIGHT)
        assert depth[15, 20] == pytest.approx(2.0)
        assert order[index[15, 20]] >= 2


def test_first_of_two_equal_triangles_is_named():
    vertices = np.array([[-5, -5, 2], [5, -5, 2], [0, 9, 2]], float)
    _, index = rasterise(vertices, np.array([[0, 1, 2], [0, 1, 2]]), K, WIDTH, HEIGHT)
    assert index[15, 20] == 0


def test_nothing_to_draw():
    none = np.zeros((0, 3), int)
    depth, index = rasterise(np.zeros((0, 3)), none, K, WIDTH, HEIGHT)
    assert np.isinf(depth).all()
    assert (index == -1).all()


@pytest.mark.parametrize(
    'centre',
    [(0, 0, -3), (50, 0, 2), (0, 0, 0), (0, 0, 0.06), (np.nan, 0, 2), (1e30, 0, 2), (0, 0, 1e-3)],
    ids=['behind', 'beside', 'around', 'at the lens', 'nan', 'far out', 'through the lens'],
)
def test_positions_that_must_not_crash(centre):
    vertices, faces = sphere(0.5, centre)
    with np.errstate(over='ignore'):
        depth, index = rasterise(vertices, faces, K, WIDTH, HEIGHT)
    assert ((index >= 0) == np.isfinite(depth)).all()
    assert (depth >= NEAR * 0.999).all()


def test_many_huge_triangles_stay_bounded_in_memory():
    rng = np.random.default_rng(0)
    vertices = rng.uniform([-9, -9, 1], [9, 9, 2], (60, 3))
    faces = rng.integers(0, 60, (400, 3))
    depth, index = rasterise(vertices, faces, np.diag([900.0, 900.0, 1.0]), 640, 480)
    assert (index >= 0).any()
    assert np.isfinite(depth[index >= 0]).all()


def test_inputs_are_not_changed_and_layout_does_not_matter():
    vertices, faces = sphere()
    wanted = rasterise(vertices, faces, K, WIDTH, HEIGHT)
    turned = np.asfortranarray(vertices.astype(np.float64))
    turned.flags.writeable = False
    given_back = rasterise(turned, faces.astype(np.uint32), K, WIDTH, HEIGHT)
    assert all((a == b).all() for a, b in zip(wanted, given_back, strict=True))


def test_clip_keeps_area_and_winding():
    vertices = np.array([[0, 0, -1], [1, 0, 3], [0, 1, 3]], float)
    corners, source = clip_near(vertices, np.array([[0, 1, 2]]), near=1.0)
    assert corners.shape == (2, 3, 3)
    assert (source == 0).all()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    whole = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])
    # Half of the way up the plane cuts off a quarter of the area.
    np.testing.assert_allclose(normals.sum(axis=0), 0.75 * whole)
    assert (normals @ whole > 0).all()
    alone, source = clip_near(vertices, np.array([[0, 1, 2]]), near=2.999)
    assert len(alone) == 2
    assert alone[:, :, 2].min() == pytest.approx(2.999)


def test_front_facing_half_of_a_ball():
    vertices, faces = sphere(1.0, (0.0, 0.0, 5.0), 32, 20)
    front = front_facing(vertices, faces)
    depth_of = vertices[faces][:, :, 2].mean(axis=1)
    assert depth_of[front].max() < 5.1
    assert depth_of[front].mean() < depth_of[~front].mean()
    culled, _ = rasterise(vertices, faces[front], K, WIDTH, HEIGHT)
    whole, _ = rasterise(vertices, faces, K, WIDTH, HEIGHT)
    np.testing.assert_array_equal(culled, whole)


@pytest.mark.parametrize(
    ('vertices', 'faces', 'size', 'named'),
    [
        (np.zeros((3, 2)), np.zeros((1, 3), int), (4, 4), 'vertices'),
        (np.zeros((3, 3)), np.zeros((1, 4), int), (4, 4), 'triangles'),
        (np.zeros((3, 3)), np.zeros((1, 3), int), (0, 4), 'size'),
    ],
    ids=['vertices', 'triangles', 'size'],
)
def test_wrong_shapes_are_named(vertices, faces, size, named):
    with pytest.raises(ValueError, match=named):
        rasterise(vertices, faces, K, *size)
