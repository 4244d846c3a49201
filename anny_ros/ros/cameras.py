# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The newest camera_info and what follows from it for each picture."""

from __future__ import annotations

from dataclasses import dataclass
import threading

from anny_ros.errors import InputError
from anny_ros.ros.intrinsics import (
    camera_from_info,
    camera_from_parameter,
    has_distortion,
    is_rectified,
)
from anny_ros.types import Camera
import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo

_LOG_PERIOD = 5.0  # seconds


@dataclass(frozen=True)
class CameraHealth:
    """
    For the diagnostics.

    Parameters
    ----------
    received, ignored : int
        How many camera_info arrived, and how many of them could not be used.
    fault : str
        Why the newest one is ignored; empty while it is used.
    distorted : bool
        Pictures seem not to be rectified.

    """

    received: int
    ignored: int
    fault: str
    distorted: bool


class Cameras:
    """
    Choose the intrinsics of each picture: camera_info, else the parameter, else none.

    ``update`` is called by the executor's thread, ``camera_for`` by the inference thread.

    Parameters
    ----------
    k : tuple of float
        The parameter ``camera.k``.
    image_topic : str
        Resolved; tells rectified pictures by its name.
    logger : RcutilsLogger

    """

    def __init__(self, k: tuple[float, ...], image_topic: str, logger: RcutilsLogger) -> None:
        self._k = k
        self._image_topic = image_topic
        self._logger = logger
        self._arrived = threading.Event()
        self._newest: CameraInfo | None = None
        self._used: tuple[CameraInfo, Camera | None] | None = None
        self._blamed: CameraInfo | None = None
        self._received = self._ignored = 0
        self._fault = ''
        self._distorted = False

    @property
    def health(self) -> CameraHealth:
        """What the diagnostics say."""
        return CameraHealth(self._received, self._ignored, self._fault, self._distorted)

    @property
    def has_info(self) -> bool:
        """Whether a camera_info has arrived."""
        return self._arrived.is_set()

    def update(self, info: CameraInfo) -> None:
        """Take a camera_info; what is wrong with it is found when a picture needs it."""
        self._newest = info
        self._received += 1
        self._arrived.set()

    def wait(self, timeout: float) -> bool:
        """Wait for the first camera_info."""
        return self._arrived.wait(timeout)

    def camera_for(self, rgb: NDArray[np.uint8]) -> Camera | None:
        """
        Choose the camera of a picture.

        Parameters
        ----------
        rgb : ndarray, (H, W, 3), uint8

        Returns
        -------
        Camera or None
            None: nobody knows, the estimator is to guess.

        """
        camera = self._from_info(rgb)
        return camera if camera is not None else camera_from_parameter(self._k, rgb)

    def _from_info(self, rgb: NDArray[np.uint8]) -> Camera | None:
        info = self._newest
        if info is None:
            return None
        try:
            if self._used is None or self._used[0] is not info:
                self._used = (info, None)
                rectified = is_rectified(info, self._image_topic)
                self._used = (info, camera_from_info(info, rectified=rectified))
                self._note_distortion(info, rectified)
            camera = self._used[1]
            height, width = rgb.shape[:2]
            if camera is None:
                return None  # found wrong at an earlier picture
            if (camera.width, camera.height) != (width, height):
                raise InputError(
                    f'camera_info is for {camera.width}x{camera.height} but the picture is '
                    f'{width}x{height}: publish the camera_info of this very picture'
                )
        except InputError as error:
            self._ignored += info is not self._blamed
            self._blamed = info
            self._fault = str(error)
            self._logger.warning(f'{error}; ignored', throttle_duration_sec=_LOG_PERIOD)
            return None
        self._fault = ''
        return camera

    def _note_distortion(self, info: CameraInfo, rectified: bool) -> None:
        distorted = has_distortion(info) and not rectified
        if distorted and not self._distorted:
            self._logger.warning(
                f'camera_info has distortion but {self._image_topic} seems not to be rectified: '
                'people near the border will be placed a little wrong; use image_proc and remap '
                'image to its image_rect'
            )
        self._distorted = distorted
