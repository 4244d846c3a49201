# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from anny_ros.geometry.camera import Letterbox
from anny_ros.inference.preprocess import letterbox_picture
from anny_ros.model.network import normalise
from anny_ros.types import Camera
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from PIL import Image, ImageOps
import pytest
import torch

BICUBIC = Image.BICUBIC

SIZES = {
    # picture: (resized, canvas, left, top), as published
    (1920, 1080): ((768, 432), (768, 432), 0, 0),
    (1280, 720): ((768, 432), (768, 432), 0, 0),
    (1080, 1920): ((432, 768), (432, 768), 0, 0),
    (640, 480): ((768, 576), (768, 576), 0, 0),
    (1440, 1080): ((768, 576), (768, 576), 0, 0),
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
    wanted = ImageOps.contain(Image.fromarray(rgb), (96, 96), BICUBIC)
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


def published(image: Image.Image, longest=768, multiple=16):
    """Step by step, as published: RGB, contain, centred black padding, colours scaled."""
    small = ImageOps.contain(image.convert('RGB'), (longest, longest), BICUBIC)
    width, height = (-(-side // multiple) * multiple for side in small.size)
    canvas = Image.new('RGB', (width, height))
    left = round((width - small.size[0]) * 0.5)
    top = round((height - small.size[1]) * 0.5)
    canvas.paste(small, (left, top))
    values = np.asarray(canvas, np.float64) / 255
    return (values - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


def ours(rgb, longest=768, multiple=16):
    canvas, _ = letterbox_picture(rgb, longest=longest, multiple=multiple)
    return normalise(torch.from_numpy(canvas)[None])[0].permute(1, 2, 0).numpy()


# Rounding to float32 of values up to 2.6, twice.
ROUNDING = 5e-7
REAL = sorted((Path(__file__).parents[1] / 'data').glob('*.jpg'))


@pytest.mark.parametrize('path', REAL, ids=lambda path: path.stem)
def test_real_pictures_equal_the_published_steps(path):
    image = Image.open(path)
    wanted = published(image)
    off = np.abs(ours(np.asarray(image)) - wanted).max()
    print(f'{path.name}, {image.size}: largest difference {off:.1e} after the colours are scaled')
    assert off <= ROUNDING


@pytest.mark.parametrize(
    'size', [*SIZES, (1, 1), (7, 3), (1, 500), (500, 1), (433, 2000), (5000, 40)], ids=str
)
def test_all_kinds_of_sizes_equal_the_published_steps(size):
    """Tiny ones, very long ones, portraits, and the sizes of usual cameras."""
    rgb = picture(*size)
    wanted = published(Image.fromarray(rgb))
    off = np.abs(ours(rgb) - wanted).max()
    print(f'{size}: largest difference {off:.1e}')
    assert off <= ROUNDING


def test_a_huge_picture_equals_the_published_steps():
    rgb = np.tile(picture(1000, 500), (12, 12, 1))  # 12000x6000
    assert np.abs(ours(rgb) - published(Image.fromarray(rgb))).max() <= ROUNDING


@pytest.mark.parametrize('mode', ['L', '1', 'P', 'RGBA', 'LA', 'CMYK', 'YCbCr', 'HSV'])
def test_other_modes_are_pillows_rgb(mode):
    image = Image.fromarray(picture(90, 60)).convert(mode)
    off = np.abs(ours(np.asarray(image.convert('RGB')), 64) - published(image, 64)).max()
    assert off <= ROUNDING


def test_the_orientation_that_a_file_states_is_ignored(tmp_path):
    """A picture is what its pixels are; whoever reads a file may turn it before."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = tmp_path / 'turned.png'
    Image.fromarray(picture(90, 60)).save(path, exif=exif)
    with Image.open(path) as image:
        assert image.getexif()[0x0112] == 6
        assert ours(np.asarray(image), 64).shape == published(image, 64).shape == (48, 64, 3)


def test_opencv_agrees_where_it_can():
    """Padding and colours are the same; its bicubic resize is another one."""
    cv2 = pytest.importorskip('cv2')
    rgb = picture(64, 43)
    canvas, box = letterbox_picture(rgb, longest=64, multiple=16)
    below = box.height - box.top - box.resized_height
    padded = cv2.copyMakeBorder(rgb, box.top, below, 0, 0, cv2.BORDER_CONSTANT, value=0)
    np.testing.assert_array_equal(canvas, padded)
    blob = cv2.dnn.blobFromImage(padded, 1 / 255)[0].transpose(1, 2, 0)
    colours = (blob - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    assert np.abs(ours(rgb, 64) - colours).max() <= 2 * ROUNDING
    large = picture(500, 300)
    canvas, box = letterbox_picture(large, longest=100, multiple=1)
    for name in ('INTER_CUBIC', 'INTER_LINEAR', 'INTER_AREA'):
        resized = cv2.resize(large, (100, 60), interpolation=getattr(cv2, name))
        off = np.abs(resized.astype(int) - canvas)
        print(f'{name}: {off.max()} grey levels apart at most, {off.mean():.1f} on average')
        assert off.max() > 8


def rounded_once(image: Image.Image, size):
    bands = [np.asarray(band.convert('F').resize(size, BICUBIC)) for band in image.split()]
    return np.clip(np.stack(bands, axis=-1) + 0.5, 0, 255).astype(np.uint8)


MISTAKES = {
    'bilinear': lambda image: image.resize((64, 41), Image.BILINEAR),
    'Lanczos': lambda image: image.resize((64, 41), Image.LANCZOS),
    'height first': lambda image: image.resize((90, 41), BICUBIC).resize((64, 41), BICUBIC),
    'rounded once': lambda image: rounded_once(image, (64, 41)),
    'short side truncated': lambda image: image.resize((64, 40), BICUBIC).resize((64, 41)),
    'corners aligned': lambda image: image.resize((64, 41), BICUBIC, (0.5, 0.5, 89.5, 57.5)),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_every_other_resize_is_noticed(mistake):
    image = Image.fromarray(picture(90, 58))
    canvas, _ = letterbox_picture(np.asarray(image), longest=64, multiple=1)
    off = np.abs(np.asarray(MISTAKES[mistake](image)).astype(int) - canvas)
    print(f'{mistake}: {off.max()} grey levels at most, {100 * (off > 0).mean():.1f} % differ')
    assert off.max() >= 1


SIDES = st.integers(1, 5000)


@given(
    width=SIDES,
    height=SIDES,
    u=st.floats(-1000, 6000),
    v=st.floats(-1000, 6000),
    multiple=st.sampled_from([1, 14, 16]),
)
def test_points_go_to_the_canvas_and_back(width, height, u, v, multiple):
    box = Letterbox.fit(width, height, 768, multiple)
    there = box.to_canvas([u, v])
    np.testing.assert_allclose(box.to_picture(there), [u, v], atol=1e-7 + 1e-9 * abs(u + v))
    # By hand: pixels from the corner are stretched, then shifted.
    scale = np.array([box.resized_width / width, box.resized_height / height])
    by_hand = scale * (np.array([u, v]) + 0.5) + [box.left, box.top] - 0.5
    np.testing.assert_allclose(there, by_hand, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize('size', [(4000, 3000), (97, 61), (100, 60)], ids=str)
def test_the_mapping_is_that_of_the_pixels(size):
    """A bright spot of the picture is bright where its middle is mapped to."""
    width, height = size
    middle = np.array([0.7 * width, 0.3 * height])
    radius = 0.05 * width
    y, x = np.mgrid[:height, :width]
    spot = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * radius**2))
    rgb = np.repeat(np.round(250 * spot).astype(np.uint8)[..., None], 3, axis=2)
    canvas, box = letterbox_picture(rgb, longest=256, multiple=16)
    weight = canvas[..., 0].astype(float)
    y, x = np.mgrid[: box.height, : box.width]
    met = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
    off = np.abs(met - box.to_canvas(middle)).max()
    print(f'{size}: {off:.4f} px')
    assert off < 0.02


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
