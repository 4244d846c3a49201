# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from types import SimpleNamespace

from anny_ros.body import BodyModel
from anny_ros.render.lines import bone_ends, Trails
import numpy as np
import pytest


def scene(stamp, places, reset=False):
    """People with track numbers 7, 8, … at places (N, 3)."""
    return SimpleNamespace(
        stamp=stamp, reset=reset, track_numbers=np.arange(7, 7 + len(places)),
        humans=SimpleNamespace(position=np.asarray(places, float)),
    )  # fmt: skip


def test_bones_leave_out_fingers():
    body = BodyModel.load()
    pairs = bone_ends(body).reshape(-1, 2)
    names = [body.joint_names[child] for _, child in pairs]
    assert 'head' in names
    assert not [name for name in names if name.startswith(('finger', 'metacarpal'))]
    assert all(body.joint_parents[child] == parent for parent, child in pairs)


def test_trails_hold_five_seconds_of_each_person():
    trails = Trails()
    for k in range(100):
        trails.extend(scene(0.1 * k, [[k, 0, 4], [0, k, 5]]), [0] if k < 3 else [0, 1])
    np.testing.assert_array_equal(trails[7], [[k, 0, 4] for k in range(49, 100)])
    assert trails[8][-1].tolist() == [0, 99, 5]
    trails.forget(8)
    trails.forget(8)
    with pytest.raises(KeyError):
        trails[8]


def test_trails_begin_anew_when_time_jumps_back():
    trails = Trails()
    trails.extend(scene(5.0, [[1, 0, 4]]), [0])
    trails.extend(scene(1.0, [[2, 0, 4]], reset=True), [0])
    assert trails[7].tolist() == [[2, 0, 4]]
