# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""One stable colour a track, the same in the overlay, the markers and every other output."""

from __future__ import annotations

import colorsys
from functools import lru_cache

# Turning the hue by the golden section keeps any run of track numbers far apart.
_GOLDEN_TURN = 0.6180339887498949
_FIRST_HUE = 0.56
# (saturation, value), changed every few tracks so that a hue that comes near again differs too.
_TONES = ((0.62, 1.00), (0.85, 0.92), (0.42, 1.00))
_TRACKS_A_TONE = 5


@lru_cache(maxsize=4096)
def track_colour(track_number: int) -> tuple[float, float, float]:
    """
    Colour of a track.

    Parameters
    ----------
    track_number : int
        As in ``Scene.track_numbers``: 1, 2, 3, …

    Returns
    -------
    tuple of 3 floats
        Red, green, blue, each 0..1; always the same for the same number.

    """
    hue = (_FIRST_HUE + _GOLDEN_TURN * (track_number - 1)) % 1.0
    saturation, value = _TONES[(track_number - 1) // _TRACKS_A_TONE % len(_TONES)]
    return colorsys.hsv_to_rgb(hue, saturation, value)
