# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A writer of plain little-endian CDR, the form in which ROS messages travel.

``Publisher.publish`` takes such bytes in place of a message, which spares a Python object for
every point of a large marker. Rules: 4 bytes of encapsulation, then the fields in the order of
the .msg; every primitive is aligned to its own size, counted from after those 4 bytes; a string
is a uint32 length with its final NUL, then the bytes; a sequence is a uint32 count, then its
elements; nested messages have no header of their own.

"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
import struct

import numpy as np
from numpy.typing import NDArray

_ENCAPSULATION = b'\x00\x01\x00\x00'
# The encapsulation starts here in the storage, so that the fields start on a multiple of eight
# and doubles lie aligned in memory too: numpy writes into them without a copy.
_START = 4
_ORIGIN = _START + len(_ENCAPSULATION)


class CdrWriter:
    """
    Write one message after the other into the same memory.

    Parameters
    ----------
    capacity : int, bytes
        To begin with; it grows by doubling and never shrinks.

    """

    def __init__(self, capacity: int = 1 << 16) -> None:
        self._storage = np.zeros(_ORIGIN + capacity, np.uint8)
        self._storage[_START:_ORIGIN] = np.frombuffer(_ENCAPSULATION, np.uint8)
        self._size = 0

    def clear(self) -> None:
        """Begin a new message."""
        self._size = 0

    def numbers(self, kinds: str, *values: float) -> None:
        """
        Write numbers of one size, in the letters of ``struct``.

        Parameters
        ----------
        kinds : str
            For instance ``'iI'`` for a stamp; all of them of the same size.
        values : float or int

        """
        layout, size = _layout(kinds)
        begin = self._claim(layout.size, size)
        layout.pack_into(self._storage.data, begin, *values)

    def string(self, text: str) -> None:
        """Write a string."""
        encoded = text.encode() + b'\0'
        self.numbers('I', len(encoded))
        begin = self._claim(len(encoded), 1)
        self._storage[begin : begin + len(encoded)] = np.frombuffer(encoded, np.uint8)

    def strings(self, texts: Iterable[str]) -> None:
        """Write several strings, one after the other, without a count."""
        for text in texts:
            self.string(text)

    def doubles(self, count: int) -> NDArray[np.float64]:
        """
        Make room for float64 numbers, without a count.

        Returns
        -------
        ndarray, (count,), float64
            To be filled before anything else is written; holds what was there before.

        """
        if count == 0:
            return np.zeros(0)  # an empty sequence is not aligned
        begin = self._claim(8 * count, 8)
        return self._storage[begin : begin + 8 * count].view(np.float64)

    def to_bytes(self) -> bytes:
        """Copy out the message."""
        return self._storage[_START : _ORIGIN + self._size].tobytes()

    def _claim(self, size: int, alignment: int) -> int:
        """Align, make room and return where in the storage it begins."""
        begin = self._size + -self._size % alignment
        needed = _ORIGIN + begin + size
        if needed > len(self._storage):
            larger = np.zeros(max(needed, 2 * len(self._storage)), np.uint8)
            larger[: _ORIGIN + self._size] = self._storage[: _ORIGIN + self._size]
            self._storage = larger
        # Padding is zero, so that equal messages are equal bytes.
        self._storage[_ORIGIN + self._size : _ORIGIN + begin] = 0
        self._size = begin + size
        return _ORIGIN + begin


@lru_cache(maxsize=256)
def _layout(kinds: str) -> tuple[struct.Struct, int]:
    return struct.Struct('<' + kinds), struct.calcsize('<' + kinds[-1])
