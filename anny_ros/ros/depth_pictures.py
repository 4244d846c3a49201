# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Depth pictures: which one belongs to a picture, and what it says in metres."""

from __future__ import annotations

from collections import deque
import threading
import time

from anny_ros.errors import InputError
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

# Depth pictures that came before their picture is taken up: at 90 Hz, those of 0.1 s.
_KEPT = 10
_SILENT = 1.0  # seconds without a depth picture
_KINDS = {'16UC1': 'u2', '32FC1': 'f4'}
# Largest difference of the aspect ratios of picture and depth picture.
_ASPECT = 0.02


class DepthPictures:
    """
    Find the depth picture with the stamp nearest to that of a picture.

    Matching by stamp is message_filters' approximate time with one side that never waits in a
    queue. Its Cache is not used: it cannot be waited on, it would have to hold everything that
    comes while the network runs (a hundred megabytes for a slow one), and the arguments of its
    Subscriber differ between releases of ROS. This holds a few pictures and the best match.

    ``take`` is called by the executor's thread, the others by the inference thread.

    Parameters
    ----------
    tolerance : float, seconds
        Largest difference of the stamps.

    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = round(tolerance * 1e9)
        self._condition = threading.Condition()
        self._recent: deque[Image] = deque(maxlen=_KEPT)
        self._wanted = 0
        self._best: Image | None = None
        self._passed = False
        self._last_arrival = -_SILENT

    @property
    def silent(self) -> bool:
        """Whether none has come for a while."""
        return time.monotonic() - self._last_arrival > _SILENT

    def take(self, message: Image) -> None:
        """Take a message; what is wrong with it is found when it is used."""
        with self._condition:
            self._last_arrival = time.monotonic()
            self._recent.append(message)
            self._compare(message)
            self._condition.notify_all()

    def expect(self, stamp: int) -> None:
        """Look for the match of a picture's stamp (nanoseconds) from now on."""
        with self._condition:
            self._wanted, self._best, self._passed = stamp, None, False
            for message in self._recent:
                self._compare(message)

    def match(self, timeout: float) -> Image | None:
        """
        Give the match, waiting for it while it can still come.

        That is as long as they come in time and none with a later stamp has come.
        """
        with self._condition:
            if not self.silent:
                self._condition.wait_for(lambda: self._best is not None or self._passed, timeout)
            best, self._best = self._best, None
            return best

    def clear(self) -> None:
        """Forget what came."""
        with self._condition:
            self._recent.clear()
            self._best = None
            self._last_arrival = -_SILENT

    def _compare(self, message: Image) -> None:
        offset = _stamp(message) - self._wanted
        self._passed = offset > self._tolerance
        nearer = self._best is None or abs(offset) < abs(_stamp(self._best) - self._wanted)
        if abs(offset) <= self._tolerance and nearer:
            self._best = message


def decode_depth(message: Image, width: int, height: int, frame_id: str) -> NDArray[np.float32]:
    """
    Turn a depth picture into metres.

    Parameters
    ----------
    message : sensor_msgs/Image
        16UC1 (millimetres) or 32FC1 (metres).
    width, height : int, pixels
        Of the picture that it belongs to; its own size may be another one of the same shape.
    frame_id : str
        Of the picture; depth in another frame is not registered to it.

    Returns
    -------
    ndarray, (H, W), float32, metres
        0 or not finite where nothing was measured.

    Raises
    ------
    InputError
        If the encoding, the size, the frame or the data do not fit.

    """
    if message.encoding not in _KINDS:
        raise InputError(
            f'depth of encoding {message.encoding!r} cannot be used: let the depth camera publish '
            '16UC1 (millimetres) or 32FC1 (metres)'
        )
    kind = np.dtype(('>' if message.is_bigendian else '<') + _KINDS[message.encoding])
    rows, columns, step = message.height, message.width, message.step
    least = columns * kind.itemsize
    if not rows or not columns or step < least or len(message.data) < step * rows:
        raise InputError(
            f'depth picture of {columns}x{rows} with a step of {step} and {len(message.data)} '
            'bytes of data is not whole: check the depth camera'
        )
    if abs(columns * height / (rows * width) - 1) > _ASPECT:
        raise InputError(
            f'depth picture of {columns}x{rows} has another shape than the picture of '
            f'{width}x{height}: remap depth to the topic that is registered (aligned) to it'
        )
    if message.header.frame_id != frame_id:
        raise InputError(
            f'depth is in the frame {message.header.frame_id!r}, pictures are in {frame_id!r}: '
            'remap depth to the topic that is registered (aligned) to the pictures'
        )
    values = np.ndarray((rows, columns), kind, message.data, strides=(step, kind.itemsize))
    if kind.kind == 'u':
        return values.astype(np.float32) * np.float32(1e-3)
    return values.astype(np.float32, copy=False)


def _stamp(message: Image) -> int:
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)
