# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.cli.demonstration.presence import Presence
from anny_ros.types import TrackState
import numpy as np


@dataclass
class Humans:
    position: np.ndarray


@dataclass
class Moment:
    """As much of a Scene as is looked at."""

    stamp: float
    ids: tuple
    track_numbers: np.ndarray
    states: np.ndarray
    humans: Humans

    def __len__(self):
        return len(self.ids)


def moment(stamp, *people):
    ids, numbers, states, places = zip(*people, strict=True) if people else ((), (), (), ())
    return Moment(stamp, ids, np.array(numbers), np.array(states), Humans(np.array(places, float)))


def test_table_of_who_was_seen_for_how_long_and_where():
    presence = Presence()
    for index in range(11):
        people = [('abcde', 1, TrackState.TRACKED, (0.1 * index, 0, 5.0))]
        if 2 <= index <= 4:
            people.append(('fghij', 2, TrackState.TRACKED, (-2.0, 0, 8.0)))
        elif index > 4:
            people.append(('fghij', 2, TrackState.OCCLUDED, (-2.0, 0, 8.0)))
        if index == 7:
            people.append(('zzzzz', 3, TrackState.TENTATIVE, (0, 0, 3.0)))
        presence.add(moment(100.0 + 0.2 * index, *people))
    assert presence.num_people == 2
    assert presence.num_pictures == 11
    lines = presence.table().splitlines()
    assert lines[0].split()[:3] == ['who', 'seen', 'for']
    assert lines[2].split()[:7] == ['abcde', '2.2', 's', '0.0', 's', '2.0', 's']
    assert '5.0 m ahead, 1.0 m right  1.0 m' in lines[2]
    assert lines[3].split()[:7] == ['fghij', '0.6', 's', '0.4', 's', '0.8', 's']
    assert '8.0 m ahead, 2.0 m left' in lines[3]
    assert '1 seen too briefly' in lines[4]


def test_nobody():
    presence = Presence()
    assert presence.num_people == 0
    presence.add(moment(1.0))
    assert presence.table().startswith('who')
