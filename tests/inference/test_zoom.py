# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which windows of a picture are looked at, and what their cameras and canvases are."""

from __future__ import annotations

from anny_ros.geometry.camera import project
from anny_ros.inference.preprocess import letterbox_picture
from anny_ros.inference.zoom import MARGIN, whole_picture, zoomed_views
from anny_ros.types import Camera
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

sizes = st.integers(100, 5000)
NOBODY = np.zeros((0, 4), np.float32)


def views_of(width, height, expected=NOBODY, stamp=1.5, count=4):
    whole = whole_picture(width, height, 768, 16)
    return whole, list(zoomed_views(whole, expected, stamp, count))


def test_the_whole_picture_is_the_letterboxed_one():
    rgb = np.random.default_rng(0).integers(0, 256, (480, 848, 3), np.uint8)
    canvas, box = letterbox_picture(rgb, longest=768, multiple=16)
    view = whole_picture(848, 480, 768, 16)
    np.testing.assert_array_equal(view.canvas(rgb), canvas)
    camera = Camera.from_hfov(1.0, 848, 480)
    np.testing.assert_array_equal(view.camera(camera).K, box.canvas_camera(camera).K)


@pytest.mark.parametrize(
    ('size', 'num'), [((640, 480), 0), ((1151, 600), 0), ((1152, 600), 4), ((1920, 1080), 4)]
)
def test_only_large_pictures_have_windows(size, num):
    assert len(views_of(*size)[1]) == num
    assert views_of(*size, count=0)[1] == []


@settings(max_examples=60)
@given(sizes, sizes, st.integers(0, 4), st.floats(0, 1e6), st.integers(0, 9))
def test_windows_lie_in_the_picture_and_their_canvases_are_alike(w, h, count, stamp, num):
    rng = np.random.default_rng(num)
    corner = rng.uniform((-50, -50), (w, h), (num, 2))
    expected = np.concatenate([corner, corner + rng.uniform(1, 300, (num, 2))], 1)
    whole, views = views_of(w, h, expected, stamp, count)
    assert len(views) in (0, count)
    for view in views:
        x0, y0, x1, y1 = view.window
        assert min(x0, y0) >= -0.5
        assert x1 <= w - 0.5
        assert y1 <= h - 0.5
        box = view.letterbox
        assert (box.width, box.height) == (whole.letterbox.width, whole.letterbox.height)
        enlarged = box.scale / whole.letterbox.scale
        assert (enlarged > 1.2).all()
    again = views_of(w, h, expected, stamp, count)[1]
    assert again == views


@settings(max_examples=30)
@given(st.integers(1152, 4000), st.integers(400, 3000), st.floats(0, 1000))
def test_the_camera_of_a_window_is_exact(width, height, stamp):
    """A point is on the canvas where its pixel of the picture goes, through window and resize."""
    camera = Camera([[900.0, 0, width / 3], [0, 905.0, height / 2], [0, 0, 1]], width, height)
    points = np.array([[0.4, -0.3, 5.0], [-1.0, 0.7, 9.0]])
    for view in views_of(width, height, stamp=stamp)[1]:
        box = view.letterbox
        inside = project(points, camera.K) - (view.left, view.top)
        np.testing.assert_allclose(
            project(points, view.camera(camera).K), box.to_canvas(inside), atol=1e-8
        )


def test_a_canvas_shows_its_window():
    rgb = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    for view in views_of(1920, 1080)[1]:
        x0, y0, x1, y1 = np.round(view.window + 0.5).astype(int)
        canvas, _ = letterbox_picture(rgb[y0:y1, x0:x1], longest=768, multiple=16)
        np.testing.assert_array_equal(view.canvas(rgb), canvas)


@pytest.mark.parametrize('size', [(1920, 1080), (1080, 1920), (1280, 720), (2592, 1944)], ids=str)
def test_four_windows_cover_a_picture(size):
    width, height = size
    _, views = views_of(width, height)
    tiles = [view.window for view in views]
    if max(size) / 768 < 3:
        seen = np.zeros((height, width), int)
        for x0, y0, x1, y1 in np.round(np.array(tiles) + 0.5).astype(int):
            seen[y0:y1, x0:x1] += 1
        assert seen.min() >= 1
    else:
        assert len({tuple(tile) for tile in tiles}) == 4


@pytest.mark.parametrize('count', [1, 2])
def test_the_search_gets_everywhere(count):
    """Every place of a 4K picture is in a window within 3 s at 10 Hz, at 10.00 Hz too."""
    seen = np.zeros((216, 384), bool)
    for i in range(30 * 3):
        for view in views_of(3840, 2160, stamp=i / 10, count=count)[1]:
            x0, y0, x1, y1 = np.round((view.window + 0.5) / 10).astype(int)
            seen[y0:y1, x0:x1] = True
    assert seen.all()


SMALL = np.array([[300, 500, 340, 620], [360, 510, 390, 600], [1500, 300, 1540, 400]], float)
LARGE = np.array([[800, 200, 1100, 1000]], float)


def holds(view, box, margin=MARGIN):
    x0, y0, x1, y1 = view.window
    dx, dy = margin * (x1 - x0) - 1, margin * (y1 - y0) - 1
    return (
        y0 + dy <= box[1]
        and box[3] <= y1 - dy
        and ((x0 < 0 or x0 + dx <= box[0]) and box[2] <= x1 - dx)
    )


def test_who_is_small_is_looked_at_closely():
    """Pixel by pixel; who stands together shares a window, one window is left for the search."""
    _, views = views_of(1920, 1080, np.concatenate([LARGE, SMALL]), count=3)
    close = [view for view in views if view.letterbox.picture_width == 768]
    assert len(close) == 2
    for box in SMALL:
        assert sum(holds(view, box) for view in close) >= 1
    assert views[-1].letterbox.picture_width == 1152


def test_nobody_waits_for_ever():
    """More small people than windows: each has its turn."""
    expected = np.array([[x, 500, x + 40, 600] for x in range(60, 3800, 400)], float)
    looked = np.zeros(len(expected), int)
    for i in range(60):
        _, views = views_of(3840, 2160, expected, stamp=0.1 * i, count=2)
        close = views[0]
        looked += [holds(close, box) for box in expected]
    assert looked.min() >= 3


def test_with_a_single_window_people_and_search_take_turns():
    widths = [
        views_of(1920, 1080, SMALL, stamp=0.1 * i, count=1)[1][0].letterbox.picture_width
        for i in range(100)
    ]
    assert 30 < widths.count(768) < 70
    assert widths.count(768) + widths.count(1152) == 100


def test_boxes_outside_of_the_picture_are_not_looked_at():
    outside = np.array([[-200, 100, -100, 300], [1900, 2000, 1950, 2100], [50, 60, 50, 90]], float)
    assert views_of(1920, 1080, outside)[1] == views_of(1920, 1080)[1]
    assert len(views_of(1920, 1080, None)[1]) == 4


def test_who_is_cut_by_an_edge_of_the_window_is_not_shown_whole():
    camera = Camera.from_hfov(1.0, 1920, 1080)
    _, views = views_of(1920, 1080, np.array([[900, 500, 940, 620.0]]), count=2)
    x0, y0, x1, y1 = views[0].window
    boxes = np.array(
        [
            [x0 + 30, y0 + 30, x1 - 30, y1 - 30],
            [x0 - 40, y0 + 50, x0 + 100, y0 + 90],
            [x1 + 40, y0 + 50, x1 + 100, y0 + 90],
            [x0 + 5, y0 + 50, x0 + 100, y0 + 90],  # may go on beyond the edge
        ]
    )
    assert views[0].shows_whole(boxes, camera).tolist() == [True, False, False, False]
    # The picture's own edge cuts nobody off.
    corner = next(v for v in views_of(1920, 1080)[1] if (v.left, v.top) == (0, 0))
    below = np.array([[-90, 30, 50, 130], [-90, -30, -50, 130]], float)
    assert corner.shows_whole(below, camera).tolist() == [True, False]
