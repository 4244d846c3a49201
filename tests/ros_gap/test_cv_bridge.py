# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Documented behaviour of cv_bridge; holds for the real package and for the stand-in."""

import array

from cv_bridge import CvBridge, CvBridgeError
import numpy as np
import pytest
from sensor_msgs.msg import Image

# One red-ish pixel and one blue-ish one: colours a reader can follow by hand.
RGB = np.array([[[200, 100, 50], [10, 20, 230]]], np.uint8)  # (1, 2, 3)


def message_of(pixels, encoding, padding=0):
    """Make a message of (H, W, C) pixels, with some bytes of padding after each row."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.data = array.array('B', rows.tobytes())
    return message


def with_alpha(pixels):
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize('padding', [0, 5], ids=['tight', 'padded'])
@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('rgb8', RGB),
        ('bgr8', RGB[..., ::-1]),
        ('rgba8', with_alpha(RGB)),
        ('bgra8', with_alpha(RGB[..., ::-1])),
    ],
)
def test_colours_become_rgb(encoding, pixels, padding):
    message = message_of(pixels, encoding, padding)
    out = CvBridge().imgmsg_to_cv2(message, desired_encoding='rgb8')
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out, RGB)


def test_grey_is_repeated_in_each_colour():
    grey = np.array([[[7], [250]], [[0], [128]]], np.uint8)  # (2, 2, 1)
    out = CvBridge().imgmsg_to_cv2(message_of(grey, 'mono8'), desired_encoding='rgb8')
    np.testing.assert_array_equal(out, np.repeat(grey, 3, axis=2))


def test_passthrough_changes_nothing_and_drops_the_axis_of_one_channel():
    bridge = CvBridge()
    bgr = RGB[..., ::-1]
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(message_of(bgr, 'bgr8', 3)), bgr)
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert bridge.imgmsg_to_cv2(message_of(grey, 'mono8')).shape == (2, 3)


def test_unknown_encoding_is_refused():
    with pytest.raises(CvBridgeError):
        CvBridge().imgmsg_to_cv2(message_of(RGB, 'no_such_encoding'), desired_encoding='rgb8')
