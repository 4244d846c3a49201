# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.inference.preprocess import letterbox_picture
from anny_ros.types import Camera
import numpy as np
from PIL import Image, ImageOps
import pytest

SIZES = {
    # picture: (resized, canvas, left, top), as published
    (1920, 1080): ((768, 432), (768, 432), 0, 0),
    (1280, 720): ((768, 432), (768, 432), 0, 0),
    (1080, 1920): ((432, 768), (432, 768), 0, 0),
    (640, 480): ((768, 576), (768, 576), 0, 0),
    (2048, 1536): ((768, 576), (768, 576), 0, 0),
    (1920, 1200): ((768, 480), (768, 480), 0, 0),
    (848, 480): ((768, 435), (768, 448), 0, 6),
    (1280, 1024): ((768, 614), (768, 624), 0, 5),
    (752, 480): ((768, 490), (768, 496), 0, 3),
    (1241, 376): ((768, 233), (768, 240), 0, 4),
    (4096, 2160): ((768, 405), (768, 416), 0, 6),
}


def picture(width: int, height: int):
    """Noise, edges and a gradient: all that shows a wrong filter."""
    rng = np.random.default_rng(width * 10000 + height)
    rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    rgb[: height // 2, : width // 2] = 255
    rgb[height // 2 :, : width // 2] = np.linspace(0, 255, width // 2)[None, :, None]
    return rgb


@pytest.mark.parametrize('size', SIZES, ids=str)
def test_sizes_are_the_published_ones(size):
    resized, canvas, left, top = SIZES[size]
    met, box = letterbox_picture(np.full((size[1], size[0], 3), 200, np.uint8), longest=768,
                                 multiple=16)  # fmt: skip
    assert (box.resized_width, box.resized_height) == resized
    assert (box.width, box.height) == canvas
    assert (box.left, box.top) == (left, top)
    assert met.shape == (canvas[1], canvas[0], 3)
    assert met.dtype == np.uint8
    inside = np.zeros(met.shape[:2], bool)
    inside[top : top + resized[1], left : left + resized[0]] = True
    assert (met[inside] == 200).all()
    assert (met[~inside] == 0).all()


@pytest.mark.parametrize('size', [(97, 61), (61, 97), (40, 40), (300, 200), (201, 33)], ids=str)
def test_colours_are_those_of_pillow(size):
    rgb = picture(*size)
    canvas, box = letterbox_picture(rgb, longest=96, multiple=16)
    wanted = ImageOps.contain(Image.fromarray(rgb), (96, 96), Image.Resampling.BICUBIC)
    assert wanted.size == (box.resized_width, box.resized_height)
    part = canvas[box.top :, box.left :][: box.resized_height, : box.resized_width]
    np.testing.assert_array_equal(part, np.asarray(wanted))


def resize_by_hand(values, count):
    """Resize axis 0: cubic a = -0.5, widened when shrinking, cut at the border, rounded."""
    size = len(values)
    stretch = max(1.0, size / count)
    out = np.empty((count, *values.shape[1:]))
    for i in range(count):
        centre = (i + 0.5) * size / count - 0.5
        t = np.abs(np.arange(size) - centre) / stretch
        w = np.where(t < 1, 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2)
        w[t >= 2] = 0
        out[i] = np.tensordot(w / w.sum(), values, 1)
    return np.clip(np.floor(out + 0.5), 0, 255)


@pytest.mark.parametrize('size', [(97, 61), (40, 30), (150, 100)], ids=str)
def test_the_filter_is_the_known_one(size):
    """Width first, then height, rounded after each; Pillow's fixed point may differ by one."""
    rgb = picture(*size)
    canvas, box = letterbox_picture(rgb, longest=64, multiple=1)
    wide = resize_by_hand(rgb.astype(float).swapaxes(0, 1), box.resized_width).swapaxes(0, 1)
    wanted = resize_by_hand(wide, box.resized_height)
    off = np.abs(canvas - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


def test_any_memory_layout():
    rgb = picture(90, 60)
    wanted, _ = letterbox_picture(rgb, longest=64, multiple=16)
    bgr_view = np.ascontiguousarray(rgb[..., ::-1])[..., ::-1]
    fortran = np.asfortranarray(rgb)
    read_only = rgb.copy()
    read_only.flags.writeable = False
    for same in (bgr_view, fortran, read_only):
        np.testing.assert_array_equal(letterbox_picture(same, longest=64, multiple=16)[0], wanted)


def test_the_picture_is_not_changed():
    rgb = picture(64, 48)  # needs no resize
    before = rgb.copy()
    canvas, _ = letterbox_picture(rgb, longest=64, multiple=16)
    canvas[:] = 7
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize('size', [(1, 1), (1, 500), (500, 1)], ids=str)
def test_extreme_pictures(size):
    canvas, box = letterbox_picture(picture(*size), longest=64, multiple=16)
    assert canvas.shape[0] % 16 == canvas.shape[1] % 16 == 0
    assert max(box.resized_width, box.resized_height) == 64


def test_a_known_camera_moves_with_the_picture():
    """848x480: shrunk by 768/848 and 435/480, 6 rows of padding above."""
    K = [[600.0, 0, 420.0], [0, 610.0, 236.0], [0, 0, 1]]
    _, box = letterbox_picture(picture(848, 480), longest=768, multiple=16)
    camera = box.canvas_camera(Camera(K, 848, 480))
    assert (camera.width, camera.height) == (768, 448)
    sx, sy = 768 / 848, 435 / 480
    corner = camera.K[:2, 2] + 0.5  # as the network counts
    np.testing.assert_allclose(np.diag(camera.K)[:2], [sx * 600, sy * 610])
    np.testing.assert_allclose(corner, [sx * 420.5, sy * 236.5 + 6])
    np.testing.assert_allclose(box.picture_camera(camera).K, K, atol=1e-9)
