# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Runtimes of the single-shot network behind one small interface.

A backend turns canvases into the numbers of all queries, with static shapes; thresholds, cameras,
bodies and the removal of doubles are outside and shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RawPeople:
    """
    What the network says about one picture; Q rows, float32.

    Parameters
    ----------
    hfov : float, radians
        Predicted horizontal field of view of the canvas.
    confidence : ndarray, (Q,)
    location : ndarray, (Q, 2), pixels of the canvas
        Face; counted from the *corner* of the first pixel, as the network does.
    log_pixels_per_metre : ndarray, (Q,)
    shape : ndarray, (Q, 6) or more
        The first six count.
    pose : ndarray, (Q, 978)
    appearance : ndarray, (Q, A)
        Not normalised.

    """

    hfov: float
    confidence: FloatArray
    location: FloatArray
    log_pixels_per_metre: FloatArray
    shape: FloatArray
    pose: FloatArray
    appearance: FloatArray


def split_pictures(arrays: Sequence[FloatArray]) -> list[RawPeople]:
    """Make a ``RawPeople`` for each picture from the arrays (B, ...) of the fields."""
    return [RawPeople(float(hfov), *rows) for hfov, *rows in zip(*arrays, strict=True)]


class NetworkBackend(Protocol):
    """
    A loaded network, ready to run.

    Attributes
    ----------
    name : str
        Of the runtime, for instance 'torch'.
    model : str
        Of the network, for instance 'multihmr2'.
    image_size, multiple : int, pixels
        Longest side that a picture is resized to; both sides are padded to the multiple.

    """

    name: str
    model: str
    image_size: int
    multiple: int

    def __call__(self, canvases: NDArray[np.uint8]) -> list[RawPeople]:
        """
        Run the network.

        Parameters
        ----------
        canvases : ndarray, (B, H, W, 3), uint8
            Red, green, blue. Runtimes prepare themselves for a size H x W, which takes time and
            memory, so crops of a picture should be as large as the picture's own canvas.

        Returns
        -------
        list of RawPeople
            One for each canvas.

        Raises
        ------
        ModelError
            If the runtime is not ready for canvases of this size; the text has the cure.

        """
        ...
