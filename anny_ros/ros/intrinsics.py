# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Which camera a picture was taken with.

A ``camera_info`` beats the parameter ``camera.k``, which beats the estimate of the model. The
package expects rectified pictures. So K of a camera_info is taken, with two cases for one whose
distortion is not zero: on a topic of rectified pictures (``image_rect``, ``image_rect_color``, …)
P describes them, as sensor_msgs says; on any other topic K is taken, and said so once, because
people near the border will be placed a little wrong.

"""

from __future__ import annotations

from anny_ros.errors import InputError, ParameterError
from anny_ros.types import Camera, CameraSource
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo


def camera_from_info(info: CameraInfo, *, rectified: bool) -> Camera:
    """
    Read the camera of the pictures that a camera_info accompanies.

    Binning and region of interest are applied, so the size is the one of the pictures.

    Parameters
    ----------
    info : sensor_msgs/CameraInfo
    rectified : bool
        Whether the pictures were rectified, so that P describes them and not K.

    Raises
    ------
    InputError
        If the intrinsics are not finite, not calibrated (zero), or the size is zero.

    """
    K = np.array(info.k, np.float64).reshape(3, 3)
    if rectified:
        K = np.array(info.p, np.float64).reshape(3, 4)[:, :3]
    name = 'P' if rectified else 'K'
    if not np.isfinite(K).all():
        raise InputError(f'camera_info has NaN in {name}: calibrate the camera again')
    if K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            f'camera_info is not calibrated ({name} has fx={K[0, 0]:g}, fy={K[1, 1]:g}): '
            'calibrate the camera, or do not publish it and set camera.k'
        )
    roi = info.roi
    width, height = (roi.width, roi.height) if roi.width and roi.height else (0, 0)
    if width and height:
        K[0, 2] -= roi.x_offset
        K[1, 2] -= roi.y_offset
    else:
        width, height = info.width, info.height
    columns, rows = max(info.binning_x, 1), max(info.binning_y, 1)
    # Pixels count from the centre of the first one: edges, not centres, scale.
    K[0] = K[0] / columns + [0.0, 0.0, 0.5 / columns - 0.5]
    K[1] = K[1] / rows + [0.0, 0.0, 0.5 / rows - 0.5]
    width, height = width // columns, height // rows
    if width == 0 or height == 0:
        raise InputError("camera_info has size 0x0: set its width and height to the picture's")
    return Camera(K, width, height, CameraSource.CAMERA_INFO)


def is_rectified(info: CameraInfo, image_topic: str) -> bool:
    """Whether P and not K describes the pictures of a topic."""
    return has_distortion(info) and 'rect' in image_topic.rsplit('/', 1)[-1]


def has_distortion(info: CameraInfo) -> bool:
    """Whether a camera_info describes a lens that bends straight lines."""
    return any(value != 0 for value in info.d)


def check_focal_lengths(k: tuple[float, ...]) -> None:
    """Raise ParameterError if the parameter ``camera.k`` is no camera."""
    if k and min(k[:2]) <= 0:
        raise ParameterError(
            f'camera.k must be fx, fy, cx, cy with fx, fy > 0, got {list(k)}; take them from the '
            'calibration of the camera'
        )


def camera_from_parameter(k: tuple[float, ...], rgb: NDArray[np.uint8]) -> Camera | None:
    """Make the camera of a picture from the parameter ``camera.k``; None if that is empty."""
    if not k:
        return None
    fx, fy, cx, cy = k
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return Camera(K, rgb.shape[1], rgb.shape[0], CameraSource.PARAMETER)
