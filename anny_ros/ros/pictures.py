# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures between ROS messages and uint8 RGB arrays, with every fault said in one sentence."""

from __future__ import annotations

import array

from anny_ros.errors import InputError
import cv2
from cv_bridge import CvBridge
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

# Encoding and its bytes a pixel.
_BYTES_A_PIXEL = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_BRIDGE = CvBridge()


def decode_image(message: Image) -> NDArray[np.uint8]:
    """
    Turn a raw picture into RGB.

    Parameters
    ----------
    message : sensor_msgs/Image
        rgb8, bgr8, rgba8, bgra8 or mono8.

    Returns
    -------
    ndarray, (H, W, 3), uint8
        May share memory with the message.

    Raises
    ------
    InputError
        If the encoding is another one, the size is 0, or step and data do not fit the size.

    """
    width, height, step = message.width, message.height, message.step
    if width == 0 or height == 0:
        raise InputError(f'picture of size {width}x{height}: check the camera driver')
    if message.encoding not in _BYTES_A_PIXEL:
        raise InputError(
            f'encoding {message.encoding!r} cannot be used: let the camera driver (or '
            f'image_proc) publish one of {", ".join(_BYTES_A_PIXEL)}'
        )
    least = width * _BYTES_A_PIXEL[message.encoding]
    if step < least:
        raise InputError(
            f'step of {step} bytes is less than the {least} of {width} pixels in '
            f'{message.encoding}: correct the camera driver'
        )
    if len(message.data) < step * height:
        raise InputError(
            f'{len(message.data)} bytes of data where {step} x {height} are needed: the picture '
            'was cut off, check the camera driver'
        )
    rgb = _BRIDGE.imgmsg_to_cv2(message, desired_encoding='rgb8')
    return np.asarray(rgb, np.uint8)


def decode_compressed_image(message: CompressedImage) -> NDArray[np.uint8]:
    """
    Decode a JPEG or PNG picture to RGB.

    Returns
    -------
    ndarray, (H, W, 3), uint8

    Raises
    ------
    InputError
        If the data are empty, cut off or no picture.

    """
    # Not through cv_bridge, whose answer to a broken picture differs from release to release.
    coded = bytes(message.data)
    whole = bool(coded)
    if coded.startswith(_JPEG_START):
        whole = coded.rstrip(b'\0').endswith(_JPEG_END)  # some cameras pad with zeros
    bgr = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR) if whole else None
    if bgr is None:
        raise InputError(
            f'compressed picture of {len(coded)} bytes (format {message.format!r}) cannot be '
            'decoded: it must be a whole JPEG or PNG, check the camera driver'
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def encode_image(rgb: NDArray[np.uint8], header: Header) -> Image:
    """Make an rgb8 message of a picture (H, W, 3)."""
    height, width = rgb.shape[:2]
    message = Image(header=header, height=height, width=width, encoding='rgb8', step=3 * width)
    # An array takes the setter's fast path; a list would be checked number by number.
    message.data = array.array('B', np.ascontiguousarray(rgb).tobytes())
    return message


def encode_compressed_image(
    rgb: NDArray[np.uint8], header: Header, quality: int = 85
) -> CompressedImage:
    """Make a JPEG message of a picture (H, W, 3)."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(header=header, format='rgb8; jpeg compressed bgr8')
    message.data = array.array('B', coded.tobytes())
    return message
