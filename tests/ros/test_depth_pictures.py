# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which depth picture belongs to a picture, and what it says in metres."""

import threading
import time

from anny_ros.errors import InputError
from anny_ros.ros.depth_pictures import decode_depth, DepthPictures
import numpy as np
import pytest
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros
MS = 1_000_000
LONG = 10.0  # seconds; nothing here waits for so long if it works


def depth_at(milliseconds):
    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(milliseconds * MS, 10**9)
    return message


def milliseconds(message):
    return message.header.stamp.sec * 1000 + message.header.stamp.nanosec // MS


@pytest.fixture
def pictures():
    return DepthPictures(0.02)


def test_the_nearest_is_taken_of_those_before_and_after(pictures):
    for stamp in (950, 985, 993, 1012):
        pictures.take(depth_at(stamp))
    pictures.expect(1000 * MS)
    assert milliseconds(pictures.match(0.0)) == 993
    pictures.expect(1000 * MS)
    pictures.take(depth_at(1003))
    assert milliseconds(pictures.match(0.0)) == 1003


def test_the_match_is_kept_however_long_the_network_takes(pictures):
    pictures.expect(1000 * MS)
    for stamp in range(1000, 3000, 33):
        pictures.take(depth_at(stamp))
    assert milliseconds(pictures.match(0.0)) == 1000


def test_one_that_is_on_its_way_is_waited_for(pictures):
    pictures.take(depth_at(967))
    pictures.expect(1000 * MS)
    late = threading.Timer(0.1, pictures.take, [depth_at(1001)])
    late.start()
    assert milliseconds(pictures.match(LONG)) == 1001
    late.join()


def test_nothing_is_waited_for_that_cannot_come(pictures):
    begin = time.monotonic()
    assert pictures.silent
    pictures.expect(1000 * MS)
    assert pictures.match(LONG) is None, 'silent'
    pictures.take(depth_at(1033))
    assert pictures.match(LONG) is None, 'a later one came'
    pictures.expect(1000 * MS)
    assert pictures.match(LONG) is None, 'a later one had come'
    assert time.monotonic() - begin < LONG
    pictures.clear()
    assert pictures.silent


def test_a_bag_that_starts_again_is_no_obstacle(pictures):
    pictures.take(depth_at(90_000))
    pictures.take(depth_at(1000))
    pictures.expect(1000 * MS)
    assert milliseconds(pictures.match(0.0)) == 1000


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize(('encoding', 'kind', 'unit'), [('16UC1', 'u2', 1e-3), ('32FC1', 'f4', 1)])
def test_padded_rows_of_any_byte_order(big, encoding, kind, unit):
    values = np.arange(12).reshape(3, 4) * 100
    rows = values.astype(('>' if big else '<') + kind).view(np.uint8).reshape(3, -1)
    padded = np.concatenate([rows, np.full((3, 6), 77, np.uint8)], axis=1)
    message = Image(encoding=encoding, width=4, height=3, step=padded.shape[1], is_bigendian=big)
    message.data = padded.tobytes()
    depth = decode_depth(message, 8, 6, '')
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, values * unit, rtol=1e-6)


def test_a_shape_that_is_a_little_off_is_taken_and_another_is_not():
    message = Image(encoding='16UC1', width=848, height=480, step=1696)
    message.data = bytes(1696 * 480)
    assert decode_depth(message, 1280, 720, '').shape == (480, 848)
    with pytest.raises(InputError, match='another shape than the picture of 640x480'):
        decode_depth(message, 640, 480, '')
