# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Whether an engine says what PyTorch says: pictures to ask it with, differences, bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import math

from anny_ros.errors import ModelError
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Outputs = Mapping[str, FloatArray]

_BILINEAR = getattr(Image, 'Resampling', Image).BILINEAR  # Pillow 9.0 has no Resampling
# Half precision may cost an engine as much as it costs PyTorch, times this.
_HALF_PRECISION_FACTOR = 2.0


def probe_canvases(width: int, height: int) -> list[NDArray[np.uint8]]:
    """
    Make pictures to compare runtimes on.

    Returns
    -------
    list of ndarray, each (1, height, width, 3), uint8
        Large soft blobs of colour, and fine ones over them.

    """
    random = np.random.default_rng(0)

    def blobs(size: int) -> FloatArray:
        few = random.integers(0, 256, (-(-height // size), -(-width // size), 3), dtype=np.uint8)
        soft = Image.fromarray(few).resize((width, height), _BILINEAR)
        return np.asarray(soft, np.float32)

    coarse = blobs(96)
    pictures = (coarse, 0.6 * coarse + 0.4 * blobs(4))
    return [picture.astype(np.uint8)[None] for picture in pictures]


def differences(
    met: Sequence[Outputs], wanted: Sequence[Outputs], image_size: int
) -> dict[str, float]:
    """
    Compare answers to the same pictures.

    Parameters
    ----------
    met, wanted : sequence of mapping of str to ndarray
        One for each picture, the fields of ``NetworkOutput`` by name.
    image_size : int, pixels
        See ``NetworkBackend``.

    Returns
    -------
    dict of str to float
        Largest absolute difference of each field over all queries, in units of the field: radians,
        probability, picture sizes, logarithm, and for ``appearance`` its own largest value.
        Infinite where a number is not finite or a shape differs.

    """
    found = {}
    for name in wanted[0]:
        largest = 0.0
        for ours, theirs in zip(met, wanted, strict=True):
            largest = max(largest, _difference(name, ours.get(name), theirs[name], image_size))
        found[name] = largest
    return found


def check_parity(
    found: Mapping[str, float], floor: float, half: Mapping[str, float] | None = None
) -> None:
    """
    Refuse an engine that is too far from PyTorch in float32.

    Parameters
    ----------
    found : mapping of str to float
        From ``differences``, engine against PyTorch in float32.
    floor : float
        What the runtime may differ by in full precision.
    half : mapping of str to float or None
        For an engine of half precision: ``differences`` of PyTorch in half precision from itself
        in float32. The engine may be twice as far off, plus the floor.

    Raises
    ------
    ModelError
        Naming the field that is off the most, relative to its bound.

    """
    bound = {}
    for name in found:
        lost = (half or {}).get(name, 0.0)
        bound[name] = floor + (_HALF_PRECISION_FACTOR * lost if math.isfinite(lost) else 0.0)
    name = max(found, key=lambda name: found[name] / bound[name])
    if not found[name] <= bound[name]:
        raise ModelError(
            f'the engine does not say what PyTorch says ({name} differs by {found[name]:.2g}, '
            f'allowed is {bound[name]:.2g}) and was not installed; build it with --precision '
            'fp32, or set inference.backend to torch'
        )


def _difference(name: str, met: FloatArray | None, wanted: FloatArray, image_size: int) -> float:
    if met is None or met.shape != wanted.shape or not np.isfinite(met).all():
        return math.inf
    if not wanted.size:
        return 0.0
    unit = 1.0
    if name == 'location':
        unit = float(image_size)
    elif name == 'appearance':
        unit = max(float(np.abs(wanted).max()), 1e-6)
    return float(np.abs(met - wanted).max()) / unit
