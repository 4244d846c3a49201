# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from anny_ros.render.colours import track_colour
import numpy as np


def test_stable_and_in_range():
    colours = np.array([track_colour(number) for number in range(1, 200)])
    assert colours.shape == (199, 3)
    assert (colours >= 0).all()
    assert (colours <= 1).all()
    assert track_colour(7) == track_colour(7)


def test_people_in_view_together_look_different():
    colours = np.array([track_colour(number) for number in range(1, 60)])
    for first in range(len(colours) - 8):
        window = colours[first : first + 8]
        apart = np.linalg.norm(window[:, None] - window[None], axis=-1) + np.eye(8)
        assert apart.min() > 0.12
