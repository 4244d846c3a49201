# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Stand-in for cv_bridge where ROS itself is not installed: the calls that anny_ros makes.

``CvBridge.imgmsg_to_cv2`` between the five 8-bit encodings of pictures; everything else that the
real package does raises CvBridgeError here.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

__all__ = ['CvBridge', 'CvBridgeError']

# encoding: (channels, OpenCV's name of the order of colours)
_ENCODINGS = {
    'rgb8': (3, 'RGB'),
    'bgr8': (3, 'BGR'),
    'rgba8': (4, 'RGBA'),
    'bgra8': (4, 'BGRA'),
    'mono8': (1, 'GRAY'),
}


class CvBridgeError(TypeError):
    """A picture cannot be converted."""


class CvBridge:
    """Converts pictures between messages and arrays."""

    def imgmsg_to_cv2(
        self, img_msg: Image, desired_encoding: str = 'passthrough'
    ) -> NDArray[np.uint8]:
        """
        Turn a message into an array.

        Parameters
        ----------
        img_msg : sensor_msgs/Image
        desired_encoding : str
            One of the five encodings, or ``passthrough`` to leave it as it is.

        Returns
        -------
        ndarray, (H, W, C) or for one channel (H, W), uint8
            Shares memory with the message when nothing is converted.

        Raises
        ------
        CvBridgeError
            If one of the encodings is none of the five.

        """
        channels, order = _layout(img_msg.encoding)
        rows = np.frombuffer(img_msg.data, np.uint8)[: img_msg.height * img_msg.step]
        rows = rows.reshape(img_msg.height, img_msg.step)[:, : img_msg.width * channels]
        picture = rows.reshape(img_msg.height, img_msg.width, channels)
        if channels == 1:
            picture = picture[..., 0]
        if desired_encoding in ('passthrough', img_msg.encoding):
            return picture
        _, wanted = _layout(desired_encoding)
        return cv2.cvtColor(picture, getattr(cv2, f'COLOR_{order}2{wanted}'))


def _layout(encoding: str) -> tuple[int, str]:
    """Channels and order of an encoding; CvBridgeError if it is not known."""
    if encoding not in _ENCODINGS:
        raise CvBridgeError(
            f'encoding {encoding!r} is none of {", ".join(_ENCODINGS)}, all that this stand-in '
            'knows; install the real cv_bridge'
        )
    return _ENCODINGS[encoding]
