# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.errors import InputError
from anny_ros.ros.pictures import (
    decode_compressed_image,
    decode_image,
    encode_compressed_image,
    encode_image,
)
import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

RGB = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
CODES = {
    'rgb8': None,
    'bgr8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGB2RGBA,
    'bgra8': cv2.COLOR_RGB2BGRA,
}


def message_of(pixels, encoding, padding=0):
    rows = pixels.reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    image = Image(height=rows.shape[0], width=pixels.shape[1], encoding=encoding)
    image.step = rows.shape[1]
    image.data = rows.tobytes()
    return image


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding', list(CODES))
def test_encodings_become_rgb(encoding, padding):
    code = CODES[encoding]
    pixels = RGB if code is None else cv2.cvtColor(RGB, code)
    rgb = decode_image(message_of(pixels, encoding, padding))
    np.testing.assert_array_equal(rgb, RGB)
    assert rgb.dtype == np.uint8


def test_grey_becomes_rgb():
    rgb = decode_image(message_of(RGB[..., 0], 'mono8', padding=2))
    np.testing.assert_array_equal(rgb, np.repeat(RGB[..., :1], 3, axis=2))


@pytest.mark.parametrize('encoding', ['', '16UC1', '32FC1', 'yuv422', 'nonsense'])
def test_other_encodings_are_refused(encoding):
    with pytest.raises(InputError, match='rgb8, bgr8, rgba8, bgra8, mono8'):
        decode_image(message_of(RGB, encoding))


def test_round_trip(make):
    message = encode_image(RGB, make.header())
    assert message.header == make.header()
    np.testing.assert_array_equal(decode_image(message), RGB)


def test_non_contiguous_picture(make):
    flipped = RGB[:, ::-1]
    np.testing.assert_array_equal(decode_image(encode_image(flipped, make.header())), flipped)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_compressed(suffix):
    smooth = np.full((32, 48, 3), (200, 30, 60), np.uint8)
    coded = cv2.imencode(suffix, smooth[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(
        decode_compressed_image(CompressedImage(data=coded)), smooth, atol=4
    )
    padded = CompressedImage(data=coded + bytes(64))
    assert decode_compressed_image(padded).shape == smooth.shape


def test_compressed_round_trip(make):
    smooth = np.full((32, 48, 3), (200, 30, 60), np.uint8)
    message = encode_compressed_image(smooth, make.header())
    np.testing.assert_allclose(decode_compressed_image(message), smooth, atol=6)


@pytest.mark.parametrize('keep', [0, 10, 200, -1])
def test_cut_off_jpeg(keep):
    coded = cv2.imencode('.jpg', np.tile(RGB, (20, 20, 1)))[1].tobytes()
    with pytest.raises(InputError, match='cannot be decoded'):
        decode_compressed_image(CompressedImage(data=coded[:keep], format='jpeg'))
