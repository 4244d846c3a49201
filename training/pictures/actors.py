# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People who walk along paths and stop: where they are and how they are posed at any time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.pictures.figure import Figure
from training.pictures.gait import between, Cycle, yaw_matrix

Float64Array = NDArray[np.float64]

_STEP = 1 / 120  # seconds of the simulation
_ACCELERATION = 1.6  # metres per square second
_TURN_TIME = 0.22  # seconds that the heading lags behind the path
_PATH_STEP = 0.05  # metres


@dataclass(frozen=True)
class Walk:
    """
    Walk through points.

    Parameters
    ----------
    points : ndarray, (K, 2), metres
        World; after where the person is already.

    """

    points: Float64Array


@dataclass(frozen=True)
class Wait:
    """
    Stand.

    Parameters
    ----------
    seconds : float
    towards : ndarray, (2,), metres, or None
        What to face; None keeps the heading.

    """

    seconds: float
    towards: Float64Array | None = None


@dataclass(frozen=True)
class Actor:
    """
    One person of a sequence.

    Parameters
    ----------
    identity : int
    figure : Figure
    leg : float, metres
        Length of a leg, hip to ankle.
    walk, stand : Cycle
    start : ndarray, (2,), metres
    heading : float, radians
        Direction of the front from +x about z.
    speed : float, metres per second
        When walking at ease.
    script : tuple of Walk or Wait
        Done in order; then the person stands.
    phase : float
        Where in their cycles people start.
    hands : ndarray, (J, 3, 3)
        Rotations of finger joints; identity elsewhere.

    """

    identity: int
    figure: Figure
    leg: float
    walk: Cycle
    stand: Cycle
    start: Float64Array
    heading: float
    speed: float
    script: tuple[Walk | Wait, ...]
    phase: float
    hands: Float64Array


@dataclass
class _State:
    place: Float64Array
    heading: float
    speed: float = 0.0
    phase: float = 0.0
    stepping: float = 0.0
    time: float = 0.0
    item: int = 0
    waited: float = 0.0
    path: Float64Array = field(default_factory=lambda: np.zeros((0, 2)))
    done: float = 0.0


def smooth_path(start: Float64Array, points: Float64Array) -> Float64Array:
    """Round the corners of a path and sample it evenly: (M, 2), metres, from the start on."""
    path = np.concatenate([start[None], points])
    for _ in range(4):
        a, b = path[:-1], path[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
        path = np.concatenate([path[:1], cut, path[-1:]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.arange(0.0, length[-1] + _PATH_STEP, _PATH_STEP)
    return np.stack([np.interp(at, length, path[:, k]) for k in range(2)], 1)


class Performance:
    """
    Plays an actor's script forwards in time.

    Parameters
    ----------
    actor : Actor

    """

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self._state = _State(actor.start.astype(np.float64), actor.heading, phase=actor.phase)

    def advance(self, time: float) -> None:
        """Go on to a time in seconds, not before the last one."""
        while self._state.time < time - 1e-9:
            self._tick(min(_STEP, time - self._state.time))

    def _tick(self, dt: float) -> None:
        s, actor = self._state, self.actor
        s.time += dt
        wanted_speed, wanted_heading = 0.0, s.heading
        step = actor.script[s.item] if s.item < len(actor.script) else Wait(np.inf)
        if isinstance(step, Walk):
            if not len(s.path):
                s.path, s.done = smooth_path(s.place, step.points), 0.0
            length = (len(s.path) - 1) * _PATH_STEP
            left = length - s.done
            wanted_speed = min(actor.speed, np.sqrt(2 * _ACCELERATION * max(left, 0.0)) + 0.03)
            ahead = s.path[min(int(s.done / _PATH_STEP) + 4, len(s.path) - 1)]
            here = self._on_path(s.done)
            if np.linalg.norm(ahead - here) > 1e-3:
                wanted_heading = float(np.arctan2(*(ahead - here)[::-1]))
            if left <= 0.01:
                s.item, s.path, s.waited = s.item + 1, np.zeros((0, 2)), 0.0
        else:
            s.waited += dt
            if step.towards is not None:
                wanted_heading = float(np.arctan2(*(step.towards - s.place)[::-1]))
            if s.waited >= step.seconds:
                s.item, s.waited = s.item + 1, 0.0
        change = np.clip(wanted_speed - s.speed, -2 * _ACCELERATION * dt, _ACCELERATION * dt)
        s.speed += float(change)
        if len(s.path):
            s.done += s.speed * dt
            s.place = self._on_path(s.done)
        turn = (wanted_heading - s.heading + np.pi) % (2 * np.pi) - np.pi
        s.heading += turn * min(1.0, dt / _TURN_TIME)
        # Turning on the spot takes steps too.
        pace = max(s.speed, 0.25 * min(abs(turn), 1.0))
        s.phase += pace * dt / (actor.walk.travel * actor.leg)
        stepping = float(np.clip(pace / (0.55 * actor.speed), 0.0, 1.0))
        s.stepping += (stepping - s.stepping) * min(1.0, dt / 0.12)

    def _on_path(self, done: float) -> Float64Array:
        path = self._state.path
        place = done / _PATH_STEP
        k = min(int(place), len(path) - 1)
        share = min(place - k, 1.0)
        return np.asarray((1 - share) * path[k] + share * path[min(k + 1, len(path) - 1)])

    def pose(self) -> tuple[Float64Array, Float64Array]:
        """
        Tell how the person is posed now.

        Returns
        -------
        E : ndarray, (J, 3, 3)
            World-aligned rotations, the root's to the world.
        hips : ndarray, (2,), metres
            Where the middle of the hips is.

        """
        s, actor = self._state, self.actor
        walk, sway = actor.walk.at(s.phase)
        stand, shift = actor.stand.at(actor.phase + s.time / actor.stand.seconds)
        # Ease in and out, or knees twitch.
        share = s.stepping * s.stepping * (3 - 2 * s.stepping)
        E = between(stand, walk, share) @ actor.hands
        yaw = yaw_matrix(s.heading + np.pi / 2)
        E[0] = yaw @ E[0]
        offset = actor.leg * (share * sway + (1 - share) * shift)
        return E, s.place + yaw[:2, :2] @ offset
