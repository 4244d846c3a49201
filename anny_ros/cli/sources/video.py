# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a video file, with the container's own stamps."""

from __future__ import annotations

from collections.abc import Iterator
import math
import os
from pathlib import Path

from anny_ros.cli.sources import camera_from_k, made_up_header
from anny_ros.errors import InputError
from anny_ros.types import Frame

# Else the decoder writes its own complaints about a broken file beside our sentence.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
os.environ.setdefault('OPENCV_LOG_LEVEL', 'SILENT')

_USUAL_FPS = 30.0


class VideoSource:
    """
    A video file.

    Parameters
    ----------
    path : Path
    k : tuple of 0 or 4 floats, pixels
        Intrinsics of every picture; empty: not known.

    Raises
    ------
    InputError
        If no decoder here can open the file.

    """

    def __init__(self, path: Path, k: tuple[float, ...] = ()) -> None:
        import cv2

        self._path = path
        self._k = k
        self.warnings: list[str] = []
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise InputError(
                f'{str(path)!r} cannot be opened as a video; check that it is a complete video '
                'file, or convert it to mp4'
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps: float | None = fps if math.isfinite(fps) and 0.1 <= fps <= 1000 else None
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        known = math.isfinite(count) and 0 < count < 1e9
        self.num_frames: int | None = int(count) if known else None

    def frames(self) -> Iterator[Frame]:
        """Every picture that can be decoded; InputError if that is none."""
        import cv2
        import numpy as np

        step = 1.0 / (self.fps or _USUAL_FPS)
        stamp, index = -step, 0
        try:
            while True:
                read, bgr = self._capture.read()
                if not read:
                    break
                told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
                # Some containers have no stamps: then all are 0 (or stand still).
                usable = math.isfinite(told) and (index == 0 or told > stamp)
                stamp = told if usable else stamp + step
                height, width = bgr.shape[:2]
                camera = camera_from_k(self._k, width, height)
                rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(rgb, stamp, camera)
                index += 1
        finally:
            self.close()
        if index == 0:
            raise InputError(
                f'no picture of {str(self._path)!r} can be decoded; the file is damaged or its '
                'codec is missing here, convert it to mp4'
            )
        if self.num_frames and index < 0.98 * self.num_frames - 1:
            self.warnings.append(
                f'only {index} of about {self.num_frames} pictures could be decoded; the file may '
                'be damaged from there on'
            )

    def header(self, frame: Frame) -> tuple[int, str]:
        """Stamp in nanoseconds and frame id of a picture."""
        return made_up_header(frame)

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()
