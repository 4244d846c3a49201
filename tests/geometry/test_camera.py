# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.camera import (
    backproject,
    crop_camera,
    Letterbox,
    project,
    scale_camera,
    viewing_rays,
)
from anny_ros.types import Camera, CameraSource
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest

K = np.array([[500.0, 1.5, 319.5], [0.0, 510.0, 239.5], [0.0, 0.0, 1.0]])
sizes = st.integers(1, 5000)


def test_project_by_hand():
    uv = project([[1.0, 0.0, 2.0], [0.0, -1.0, 4.0]], np.diag([100.0, 200.0, 1.0]))
    np.testing.assert_allclose(uv, [[50.0, 0.0], [0.0, -50.0]])


def test_project_behind_the_camera_is_nan():
    uv = project([[1.0, 1.0, -2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], K)
    assert np.isnan(uv[:2]).all()
    np.testing.assert_allclose(uv[2], K[:2, 2])


@pytest.mark.parametrize('shape', [(0, 3), (3,), (2, 5, 3)], ids=str)
def test_project_keeps_batch_shape(shape):
    points = np.ones(shape, np.float32)[..., ::-1]
    assert project(points, K).shape == (*shape[:-1], 2)
    assert project(points, K).dtype == np.float64


def test_project_takes_a_camera_for_each_point():
    many = np.stack([K, 2 * K])
    points = np.array([[0.1, 0.2, 3.0], [0.3, -0.2, 2.0]])
    for i in range(2):
        np.testing.assert_allclose(project(points, many)[i], project(points[i], many[i]))


@pytest.mark.parametrize('function', [project, lambda p, K: backproject(p, 1.0, K)])
def test_wrong_shapes_are_named(function):
    with pytest.raises(ValueError, match=r'got \(4,\)'):
        function(np.zeros(4), K)
    with pytest.raises(ValueError, match=r'K must be'):
        function(np.zeros(3 if function is project else 2), np.eye(2))


@given(
    arrays(np.float64, (4, 2), elements=st.floats(-2000, 2000)),
    arrays(np.float64, 4, elements=st.floats(0.05, 200)),
)
def test_backproject_round_trip(uv, depth):
    points = backproject(uv, depth, K)
    np.testing.assert_allclose(points[:, 2], depth)
    np.testing.assert_allclose(project(points, K), uv, atol=1e-8)


def test_viewing_rays_point_at_the_point():
    point = np.array([0.4, -0.3, 2.0])
    ray = viewing_rays(project(point, K), K)
    np.testing.assert_allclose(ray, point / np.linalg.norm(point), atol=1e-12)


@given(sizes, sizes, sizes, sizes)
def test_scale_keeps_edges_and_round_trips(width, height, new_width, new_height):
    camera = Camera(K, width, height, CameraSource.PARAMETER, 0.1)
    scaled = scale_camera(camera, new_width, new_height)
    edges = backproject([[-0.5, -0.5], [width - 0.5, height - 0.5]], [1.0, 1.0], camera.K)
    np.testing.assert_allclose(
        project(edges, scaled.K),
        [[-0.5, -0.5], [new_width - 0.5, new_height - 0.5]],
        atol=1e-6,
    )
    assert (scaled.source, scaled.hfov_stddev) == (camera.source, camera.hfov_stddev)
    assert scaled.hfov == pytest.approx(camera.hfov)
    np.testing.assert_allclose(scale_camera(scaled, width, height).K, camera.K, rtol=1e-9)


def test_crop_moves_the_principal_point_only():
    camera = Camera(K, 640, 480)
    window = crop_camera(camera, 100, -20, 50, 60)
    assert (window.width, window.height) == (50, 60)
    np.testing.assert_allclose(window.K[:2, 2], K[:2, 2] - (100, -20))
    np.testing.assert_allclose(window.K[:2, :2], K[:2, :2])


@pytest.mark.parametrize(
    ('size', 'resized', 'canvas', 'offset'),
    [
        ((1920, 1080), (768, 432), (768, 432), (0, 0)),
        ((1080, 1920), (432, 768), (432, 768), (0, 0)),
        ((640, 480), (768, 576), (768, 576), (0, 0)),
        ((848, 480), (768, 435), (768, 448), (0, 6)),
        ((1280, 1024), (768, 614), (768, 624), (0, 5)),
        ((752, 480), (768, 490), (768, 496), (0, 3)),
        ((1241, 376), (768, 233), (768, 240), (0, 4)),
        ((4096, 2160), (768, 405), (768, 416), (0, 6)),
    ],
    ids=str,
)
def test_letterbox_of_common_pictures(size, resized, canvas, offset):
    box = Letterbox.fit(*size, longest=768, multiple=16)
    assert (box.resized_width, box.resized_height) == resized
    assert (box.width, box.height) == canvas
    assert (box.left, box.top) == offset


@given(sizes, sizes, st.integers(16, 1024), st.integers(1, 64))
def test_letterbox_round_trips(width, height, longest, multiple):
    box = Letterbox.fit(width, height, longest, multiple)
    assert box.width % multiple == 0
    assert box.height % multiple == 0
    assert box.left + box.resized_width <= box.width
    assert box.top + box.resized_height <= box.height
    uv = np.array([[-0.5, -0.5], [width / 3, height / 5], [width - 0.5, height - 0.5]])
    np.testing.assert_allclose(box.to_picture(box.to_canvas(uv)), uv, atol=1e-6)
    np.testing.assert_allclose(box.to_canvas(uv)[0], (box.left - 0.5, box.top - 0.5))


@given(sizes, sizes)
def test_letterbox_camera_sees_the_same_rays(width, height):
    box = Letterbox.fit(width, height, 768, 16)
    camera = Camera(K, width, height)
    canvas = box.canvas_camera(camera)
    assert (canvas.width, canvas.height) == (box.width, box.height)
    points = np.array([[0.1, -0.2, 3.0], [-1.0, 0.5, 7.0]])
    np.testing.assert_allclose(
        project(points, canvas.K), box.to_canvas(project(points, camera.K)), atol=1e-6
    )
    back = box.picture_camera(canvas)
    assert (back.width, back.height) == (width, height)
    np.testing.assert_allclose(back.K, camera.K, rtol=1e-9)


def test_letterbox_refuses_an_empty_picture():
    with pytest.raises(ValueError, match='0x480'):
        Letterbox.fit(0, 480, 768, 16)
