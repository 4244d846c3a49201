# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a folder, in the natural order of their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re

from anny_ros.cli.sources import camera_from_k, made_up_header, PICTURE_SUFFIXES
from anny_ros.errors import InputError
from anny_ros.types import Frame


class PicturesSource:
    """
    A folder of pictures of one size, or a single picture.

    Pictures are turned upright as their EXIF says, as every viewer does: people are found upright.
    Intrinsics are those of the pictures as they are shown.

    Parameters
    ----------
    path : Path
        Folder (other files in it are passed over) or picture.
    k : tuple of 0 or 4 floats, pixels
        Intrinsics of every picture; empty: not known.
    fps : float, pictures a second
        Gives the stamps, from 0 on.

    Raises
    ------
    InputError
        If the folder holds no picture.

    """

    def __init__(self, path: Path, k: tuple[float, ...] = (), fps: float = 30.0) -> None:
        if not fps > 0:
            raise InputError(f'pictures a second must be positive, got {fps:g}')
        self._k = k
        self.fps: float | None = fps
        self.warnings: list[str] = []
        self._paths = [path]
        if path.is_dir():
            found = (p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            self._paths = sorted(found, key=lambda p: _natural(p.name))
        if not self._paths:
            raise InputError(
                f'the folder {str(path)!r} holds no picture '
                f'({", ".join(sorted(PICTURE_SUFFIXES))}) and is no ROS bag; check the path'
            )
        self.num_frames: int | None = len(self._paths)

    def frames(self) -> Iterator[Frame]:
        """Every picture; InputError names the first that cannot be used."""
        import cv2
        import numpy as np

        first: tuple[int, int] | None = None
        for index, path in enumerate(self._paths):
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if bgr is None or bgr.size == 0:
                raise InputError(
                    f'{str(path)!r} cannot be decoded as a picture; repair it or take it away'
                )
            height, width = bgr.shape[:2]
            if first is None and self._k:
                self._check_orientation(path, bgr.shape)
            first = first or (width, height)
            if (width, height) != first:
                raise InputError(
                    f'{str(path)!r} is {width}x{height} but the first picture is '
                    f'{first[0]}x{first[1]}; put pictures of one size in a folder'
                )
            camera = camera_from_k(self._k, width, height)
            stamp = index / (self.fps or 1.0)
            rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            yield Frame(rgb, stamp, camera)

    def _check_orientation(self, path: Path, shape: tuple[int, ...]) -> None:
        """Warn if intrinsics may have been calibrated on pictures that were not turned."""
        import cv2

        stored = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if stored is not None and stored.shape != shape:
            self.warnings.append(
                f'{str(path)!r} is stored as {stored.shape[1]}x{stored.shape[0]} and turned '
                f'upright to {shape[1]}x{shape[0]}, as its EXIF says; camera.k must be of the '
                'upright picture'
            )

    def header(self, frame: Frame) -> tuple[int, str]:
        """Stamp in nanoseconds and frame id of a picture."""
        return made_up_header(frame)

    def close(self) -> None:
        """Nothing is kept open."""


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key under which img2 comes before img10."""
    parts = re.split(r'(\d+)', name.lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
