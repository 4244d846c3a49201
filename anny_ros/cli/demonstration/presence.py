# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who was seen for how long, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from anny_ros.types import Scene, TrackState
import numpy as np
from numpy.typing import NDArray

_SEEN = (TrackState.TENTATIVE, TrackState.TRACKED)


@dataclass
class _Person:
    name: str
    times: list[float] = field(default_factory=list)
    places: list[NDArray[np.float32]] = field(default_factory=list)
    was_tracked: bool = False


class Presence:
    """Collect scenes, then tell about everybody in them."""

    def __init__(self) -> None:
        self.num_pictures = 0
        self._first: float | None = None
        self._last = 0.0
        self._people: dict[int, _Person] = {}

    def add(self, scene: Scene) -> None:
        """Take one picture into account."""
        self.num_pictures += 1
        self._first = scene.stamp if self._first is None else self._first
        self._last = scene.stamp
        for row in range(len(scene)):
            person = self._people.setdefault(
                int(scene.track_numbers[row]), _Person(scene.ids[row])
            )
            state = TrackState(scene.states[row])
            person.was_tracked |= state == TrackState.TRACKED
            if state in _SEEN:
                person.times.append(scene.stamp)
                person.places.append(scene.humans.position[row])

    @property
    def num_people(self) -> int:
        """People who were TRACKED at some time."""
        return sum(p.was_tracked for p in self._people.values())

    def table(self) -> str:
        """
        Make the table.

        Returns
        -------
        str
            A line a person who was TRACKED at some time, in order of first sight.

        """
        period = (self._last - (self._first or 0.0)) / max(self.num_pictures - 1, 1)
        rows = [('who', 'seen for', 'from', 'to', 'pictures', 'first at', 'last at', 'moved')]
        for person in self._people.values():
            if not person.was_tracked:
                continue
            start = self._first or 0.0
            moved = float(np.linalg.norm(person.places[-1] - person.places[0]))
            rows.append(
                (
                    person.name,
                    f'{len(person.times) * period:.1f} s',
                    f'{person.times[0] - start:.1f} s',
                    f'{person.times[-1] - start:.1f} s',
                    str(len(person.times)),
                    _place(person.places[0]),
                    _place(person.places[-1]),
                    f'{moved:.1f} m',
                )
            )
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ['  '.join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        lines.insert(1, '  '.join('-' * w for w in widths))
        brief = sum(not p.was_tracked for p in self._people.values())
        if brief:
            lines.append(f'(and {brief} seen too briefly to be sure)')
        return '\n'.join(line.rstrip() for line in lines)


def _place(position: NDArray[np.float32]) -> str:
    """Say where somebody is, seen from the camera."""
    x, _, z = (float(v) for v in position)
    return f'{z:.1f} m ahead, {abs(x):.1f} m {"right" if x > 0 else "left"}'
