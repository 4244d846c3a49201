# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""An mp4 of pictures, made with OpenCV alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anny_ros.cli.writers.part_file import PartFile
from anny_ros.errors import InputError
import numpy as np
from numpy.typing import NDArray

_USUAL_FPS = 30.0


class OverlayVideo:
    """
    Write an mp4 (MPEG-4 part 2, which every OpenCV can write and most players show).

    Parameters
    ----------
    path : Path
        It appears when the writer is closed.
    fps : float or None
        Pictures a second; None takes 30.

    Raises
    ------
    InputError
        If the path cannot be written or is no mp4.

    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        if path.suffix.lower() != '.mp4':
            raise InputError(f'the overlay is an mp4, got {str(path)!r}; name it so')
        self._target = PartFile(path)
        self._fps = fps or _USUAL_FPS
        self._writer: Any = None
        self._size = (0, 0)

    def picture(self, rgb: NDArray[np.uint8]) -> None:
        """Append one picture; the first one sets the size (odd ones lose a row or column)."""
        import cv2

        if self._writer is None:
            self._size = (max(rgb.shape[1] // 2 * 2, 2), max(rgb.shape[0] // 2 * 2, 2))
            code = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._target.part), code, self._fps, self._size)
            if not self._writer.isOpened():
                raise InputError(
                    f'OpenCV cannot write {str(self._target.path)!r} '
                    f'({self._size[0]}x{self._size[1]}, mp4v); install opencv-python-headless'
                )
        width, height = self._size
        bgr = cv2.cvtColor(rgb[:height, :width], cv2.COLOR_RGB2BGR)
        if bgr.shape[:2] != (height, width):
            bgr = cv2.resize(bgr, self._size)
        self._writer.write(bgr)

    def close(self) -> None:
        """Finish the file; without a single picture there is none."""
        if self._writer is None:
            self._target.discard()
            return
        self._writer.release()
        self._target.commit()

    def abort(self) -> None:
        """Throw away what was written."""
        if self._writer is not None:
            self._writer.release()
        self._target.discard()
