# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What ``anny-ros track`` can read: a video file, a folder of pictures, a ROS bag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from anny_ros.errors import InputError
from anny_ros.types import Camera, Frame

PICTURE_SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff', '.ppm'})
BAG_SUFFIXES = frozenset({'.mcap', '.db3', '.bag'})


# Frame id of pictures that tell none, after REP-103.
OPTICAL_FRAME = 'camera_optical_frame'


class Source(Protocol):
    """Pictures in the order of time."""

    fps: float | None
    """Nominal pictures a second; None if the input has none."""

    num_frames: int | None
    """How many pictures there are, as far as the input tells."""

    warnings: list[str]
    """What the user should know, one sentence each; complete after the last picture."""

    def frames(self) -> Iterator[Frame]:
        """Every picture, once; InputError if one cannot be used or there is none."""

    def header(self, frame: Frame) -> tuple[int, str]:
        """Stamp in nanoseconds and frame id of a picture that just came from ``frames``."""

    def close(self) -> None:
        """Let go of the file; may be called twice."""


def open_source(
    path: Path, topic: str | None = None, k: tuple[float, ...] = (), fps: float = 30.0
) -> Source:
    """
    Open an input by what it is.

    Parameters
    ----------
    path : Path
        A video file, a folder of pictures, one picture, a bag's file or its folder.
    topic : str or None
        Topic of the pictures in a bag; None finds the only one.
    k : tuple of 0 or 4 floats, pixels
        Intrinsics fx, fy, cx, cy; empty: not known.
    fps : float, pictures a second
        Of a folder of pictures, which have no stamps.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        If there is nothing at the path or it cannot be read.

    """
    if not path.exists():
        raise InputError(f'there is no file or folder {str(path)!r}; check the path')
    suffix = path.suffix.lower()
    is_bag = suffix in BAG_SUFFIXES or (path / 'metadata.yaml').is_file()
    if topic is not None and not is_bag:
        raise InputError(f'--topic is for ROS bags, but {str(path)!r} is none; leave it out')
    if is_bag:
        from anny_ros.cli.sources.bag import BagSource

        return BagSource(path, topic, k)
    if path.is_dir() or suffix in PICTURE_SUFFIXES:
        from anny_ros.cli.sources.pictures import PicturesSource

        return PicturesSource(path, k, fps)
    from anny_ros.cli.sources.video import VideoSource

    return VideoSource(path, k)


def made_up_header(frame: Frame) -> tuple[int, str]:
    """Stamp in nanoseconds and frame id of a picture that came without a ROS header."""
    return round(frame.stamp * 1e9), OPTICAL_FRAME


def camera_from_k(k: tuple[float, ...], width: int, height: int) -> Camera | None:
    """Camera of a picture with intrinsics from a parameter; None if there are none."""
    if not k:
        return None
    from anny_ros.types import CameraSource
    import numpy as np

    fx, fy, cx, cy = k
    try:
        K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        return Camera(K, width, height, CameraSource.PARAMETER)
    except ValueError as mistake:
        raise InputError(f'camera.k: {mistake}') from None
