# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures and intrinsics out of the fields of ROS messages, without ROS."""

from __future__ import annotations

from typing import Any

from anny_ros.errors import InputError
from anny_ros.types import Camera, CameraSource
import numpy as np
from numpy.typing import NDArray

# encoding: (bytes a pixel, name of OpenCV's conversion to RGB or '' if it is RGB already)
_ENCODINGS = {
    'rgb8': (3, ''),
    'bgr8': (3, 'COLOR_BGR2RGB'),
    '8UC3': (3, 'COLOR_BGR2RGB'),
    'rgba8': (4, 'COLOR_RGBA2RGB'),
    'bgra8': (4, 'COLOR_BGRA2RGB'),
    '8UC4': (4, 'COLOR_BGRA2RGB'),
    'mono8': (1, 'COLOR_GRAY2RGB'),
    '8UC1': (1, 'COLOR_GRAY2RGB'),
    'yuv422': (2, 'COLOR_YUV2RGB_UYVY'),
    'uyvy': (2, 'COLOR_YUV2RGB_UYVY'),
    'yuv422_yuy2': (2, 'COLOR_YUV2RGB_YUYV'),
    'yuyv': (2, 'COLOR_YUV2RGB_YUYV'),
    # OpenCV names a Bayer pattern by its second row, ROS by its first.
    'bayer_rggb8': (1, 'COLOR_BayerBG2RGB'),
    'bayer_bggr8': (1, 'COLOR_BayerRG2RGB'),
    'bayer_gbrg8': (1, 'COLOR_BayerGR2RGB'),
    'bayer_grbg8': (1, 'COLOR_BayerGB2RGB'),
}


def decode_raw(message: Any) -> NDArray[np.uint8]:
    """
    Read a sensor_msgs/Image.

    Parameters
    ----------
    message : sensor_msgs/Image
        From any library that names the fields as ROS does.

    Returns
    -------
    ndarray, (H, W, 3), uint8
        RGB.

    Raises
    ------
    InputError
        Size 0, fewer bytes than the size needs, or an encoding that is no colour picture.

    """
    import cv2

    height, width, encoding = int(message.height), int(message.width), str(message.encoding)
    if height <= 0 or width <= 0:
        raise InputError(f'a picture of size {width}x{height} has no pixels; check the camera')
    if encoding not in _ENCODINGS:
        raise InputError(
            f'pictures of encoding {encoding!r} cannot be used; record one of '
            f'{", ".join(_ENCODINGS)}'
        )
    channels, conversion = _ENCODINGS[encoding]
    step = int(message.step) or width * channels
    flat = np.frombuffer(message.data, np.uint8)
    if step < width * channels or len(flat) < step * (height - 1) + width * channels:
        raise InputError(
            f'a picture of {width}x{height} {encoding} with step {step} needs '
            f'{max(step, width * channels) * height} bytes but has {len(flat)}; check the camera'
        )
    flat = np.pad(flat, (0, max(step * height - len(flat), 0)))
    rows = flat[: step * height].reshape(height, step)[:, : width * channels]
    pixels = np.ascontiguousarray(rows).reshape(height, width, channels)
    if not conversion:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), np.uint8)


def decode_compressed(message: Any) -> NDArray[np.uint8]:
    """Read a sensor_msgs/CompressedImage (JPEG, PNG, …) into RGB; InputError if it is broken."""
    import cv2

    data = np.frombuffer(message.data, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if bgr is None:
        raise InputError(
            f'a compressed picture of format {message.format!r} cannot be decoded; '
            'record jpeg or png'
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def camera_from_info(message: Any) -> Camera | None:
    """
    Read a sensor_msgs/CameraInfo.

    Parameters
    ----------
    message : sensor_msgs/CameraInfo

    Returns
    -------
    Camera or None
        None if it holds no usable intrinsics (zero for a camera that is not calibrated, NaN).

    """
    values = message.k if hasattr(message, 'k') else message.K
    try:
        return Camera(
            np.asarray(values, np.float64).reshape(3, 3),
            int(message.width),
            int(message.height),
            CameraSource.CAMERA_INFO,
        )
    except ValueError:
        return None
