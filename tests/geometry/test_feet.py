# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.feet import common_floor
import numpy as np
import pytest

# Optical axes of a camera that looks down a little: up against gravity.
UP = np.array([0.05, -0.97, -0.2])
UP /= np.linalg.norm(UP)


def walk(rng, count=60, height=1.3, lift=0.1, noise=0.0):
    """Ankles of people about the floor, one of each lifted, and their upright directions."""
    across = np.linalg.svd(UP[None])[2][1:]
    place = rng.uniform((-3, 3), (3, 9), (count, 2, 2))
    ankles = place @ across - height * UP
    ankles[:, 1] += rng.uniform(0, lift, (count, 1)) * UP
    ankles += noise * rng.normal(size=(count, 1, 1)) * UP
    upright = UP + 0.1 * rng.normal(size=(count, 3))
    return ankles, upright, np.zeros((count, 3))


def test_the_plane_of_the_lower_feet_is_found():
    up, height = common_floor(*walk(np.random.default_rng(0)))
    np.testing.assert_allclose(up, UP, atol=0.01)
    assert height == pytest.approx(1.3, abs=0.03)


def test_some_people_on_stairs_do_not_matter():
    rng = np.random.default_rng(1)
    ankles, upright, cameras = walk(rng, noise=0.05)
    ankles[::6] += 1.5 * UP
    up, height = common_floor(ankles, upright, cameras)
    np.testing.assert_allclose(up, UP, atol=0.04)
    assert height == pytest.approx(1.3, abs=0.1)


def test_too_few_feet_and_feet_everywhere_are_no_floor():
    rng = np.random.default_rng(2)
    assert common_floor(*walk(rng, count=10)) is None
    assert common_floor(*walk(rng, noise=1.5)) is None
