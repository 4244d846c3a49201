# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Scripted scenes for tracking: who walks where, what stands in the way, how the robot moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.pictures.actors import Actor, Wait, Walk
from training.pictures.casting import Casting

Float64Array = NDArray[np.float64]
Object = tuple[str, Float64Array, float]


@dataclass(frozen=True)
class RobotPath:
    """
    How the camera moves.

    Parameters
    ----------
    points : ndarray, (K, 2), metres; looks : ndarray, (K, 2), metres
        Where it is, and what it looks at, at equal times over the sequence.
    height : float, metres
    pitch : float, radians
        Downwards is negative.

    """

    points: Float64Array
    looks: Float64Array
    height: float
    pitch: float


@dataclass(frozen=True)
class Script:
    """
    A scenario.

    Parameters
    ----------
    actors : list of Actor
    objects : list of (kind, place, yaw)
    robot : RobotPath
    hfov : float, radians
    half_width : float, metres
        How far to the sides the place must reach.

    """

    actors: list[Actor]
    objects: list[Object]
    robot: RobotPath
    hfov: float
    half_width: float


def _path(*points: tuple[float, float]) -> Walk:
    return Walk(np.array(points, np.float64))


def _robot(rng: np.random.Generator, points: Any = ((0, 0),), looks: Any = ((0, 6),)) -> RobotPath:
    return RobotPath(
        np.array(points, np.float64), np.array(looks, np.float64),
        float(rng.uniform(0.7, 1.5)), float(rng.uniform(-0.12, -0.02)),
    )  # fmt: skip


def _hfov(rng: np.random.Generator) -> float:
    return float(np.deg2rad(rng.uniform(60, 85)))


def crossing(cast: Casting, seconds: float) -> Script:
    """Three people cross in front of each other, to and fro."""
    rng = cast.rng
    actors = []
    for depth, side in ((2.8, -1), (3.9, 1), (5.2, -1)):
        x, y = side * rng.uniform(1.6, 2.4), depth + rng.normal(0, 0.15)
        there, back = (-x, y + rng.normal(0, 0.2)), (x, y)
        laps: list[Walk | Wait] = [Wait(float(rng.uniform(0, 1.0)))]
        for _ in range(int(seconds / 3) + 1):
            laps += [_path(there), _path(back)]
        actors.append(cast.actor(cast.figure(), back, laps))
    return Script(actors, [], _robot(rng), _hfov(rng), 6.0)


def behind_objects(cast: Casting, seconds: float) -> Script:
    """People walk behind a screen, a counter and a pillar, wait there, and come out again."""
    rng = cast.rng
    objects: list[Object] = [
        ('screen', np.array([rng.uniform(-0.3, 0.5), 3.0]), float(rng.normal(0, 0.1))),
        ('pole', np.array([-1.6, 2.6]), 0.0),
        ('counter', np.array([2.0, 3.2]), 0.0),
    ]
    actors = []
    for i, side in enumerate((-1, 1)):
        y = 4.0 + 0.9 * i
        x = side * rng.uniform(2.0, 2.8)
        hidden = (float(objects[0][1][0]), y)
        script: list[Walk | Wait] = []
        for _ in range(int(seconds / 5) + 1):
            script += [_path(hidden), Wait(float(rng.uniform(0.3, 1.6))), _path((-x, y)),
                       Wait(0.3), _path((x, y)), Wait(0.3)]  # fmt: skip
        actors.append(cast.actor(cast.figure(), (x, y), script))
    return Script(actors, objects, _robot(rng), _hfov(rng), 6.0)


def leave_and_return(cast: Casting, seconds: float) -> Script:
    """People walk out of the picture, stay away for a while, and come back; one stays."""
    rng = cast.rng
    actors = []
    for side, y in ((1, 3.4), (-1, 4.6)):
        inside, outside = (-side * 0.7, y), (side * (0.95 * y + 1.2), y)
        script: list[Walk | Wait] = [Wait(float(rng.uniform(0.3, 1.2)))]
        for _ in range(int(seconds / 6) + 1):
            script += [
                _path(outside),
                Wait(float(rng.uniform(1.0, 3.0))),
                _path(inside),
                Wait(0.8),
            ]
        actors.append(cast.actor(cast.figure(), inside, script))
    actors.append(
        cast.actor(cast.figure(), (0.2, 5.8), [], heading=float(rng.uniform(-2.2, -0.9)))
    )
    return Script(actors, [], _robot(rng), _hfov(rng), 8.0)


def look_alikes(cast: Casting, seconds: float) -> Script:
    """Three people in the same clothes meet, swap places and pass behind each other."""
    rng = cast.rng
    figures = cast.twins(3)
    places = [(-1.4, 3.2), (1.4, 3.4), (0.1, 4.6)]
    actors = []
    for i, figure in enumerate(figures):
        script: list[Walk | Wait] = [Wait(float(rng.uniform(0.2, 0.8)))]
        for lap in range(int(seconds / 3) + 1):
            x, y = places[(i + lap + 1) % 3]
            script += [_path((x + rng.normal(0, 0.1), y)), Wait(float(rng.uniform(0.3, 1.0)))]
        actors.append(cast.actor(figure, places[i], script))
    return Script(actors, [], _robot(rng), _hfov(rng), 6.0)


def children_with_adults(cast: Casting, seconds: float) -> Script:
    """Walk two families, adults with children beside them, past each other."""
    rng = cast.rng
    actors = []
    for side, y in ((-1, 3.2), (1, 4.6)):
        adult = cast.actor(cast.figure((22, 45)), (side * 2.2, y), [])
        family = [(adult, 0.0)]
        for k in range(2 if side < 0 else 1):
            child = cast.figure(((3, 7), (7, 11))[k])
            family.append((cast.actor(child, (side * 2.2, y), []), (-0.55, 0.6)[k]))
        pace = 0.75 * adult.speed
        for member, shift in family:
            start = np.array([side * (2.2 + 0.25 * abs(shift)), y + shift])
            far, back = (-start[0], y + shift), (start[0], y + shift)
            script: list[Walk | Wait] = [Wait(0.4)]
            for _ in range(int(seconds / 5) + 1):
                script += [_path(far), Wait(0.7), _path(back), Wait(0.7)]
            heading = 0.0 if side < 0 else np.pi
            actors.append(
                replace(member, start=start, heading=heading, script=tuple(script), speed=pace)
            )
    return Script(actors, [], _robot(rng), _hfov(rng), 6.5)


def moving_camera(cast: Casting, seconds: float) -> Script:
    """Drive the robot in, looking about, while some stand and others walk."""
    rng = cast.rng
    actors = [
        cast.actor(cast.figure(), (-1.3, 4.4), [], heading=-1.2),
        cast.actor(cast.figure((4, 90)), (1.7, 5.2), [], heading=-2.0),
    ]
    laps: list[Walk | Wait] = []
    for _ in range(int(seconds / 4) + 1):
        laps += [_path((1.8, 3.6)), Wait(0.5), _path((-2.2, 6.0)), Wait(0.5)]
    actors.append(cast.actor(cast.figure(), (-2.2, 6.0), laps))
    points = ((-0.9, -1.0), (-0.3, -0.3), (0.5, 0.1), (0.9, 0.6))
    looks = ((0.8, 5.0), (-0.6, 5.0), (0.9, 5.2), (-0.5, 5.5))
    return Script(actors, [('table', np.array([0.3, 6.6]), 0.2)], _robot(rng, points, looks),
                  _hfov(rng), 6.0)  # fmt: skip


def standing_group(cast: Casting, seconds: float) -> Script:
    """Five people stand in a ring and talk, hiding each other in part."""
    rng = cast.rng
    centre = np.array([0.0, 4.0])
    actors = []
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
        place = centre + rng.uniform(0.65, 0.95) * np.array([np.cos(angle), np.sin(angle)])
        way = centre - place
        heading = float(np.arctan2(way[1], way[0]) + rng.normal(0, 0.25))
        actors.append(cast.actor(cast.figure((8, 85)), place, [Wait(seconds)], heading=heading))
    return Script(actors, [], _robot(rng), _hfov(rng), 6.0)


def crowd(cast: Casting, seconds: float) -> Script:
    """Eight people of all ages walk where they like among things that stand about."""
    rng = cast.rng
    objects: list[Object] = [
        ('pole', np.array([0.9, 3.0]), 0.3),
        ('counter', np.array([-1.9, 4.2]), 0.1),
    ]
    actors: list[Actor] = []
    for i in range(8):
        # Lanes at different depths keep people from walking through each other.
        y = 2.6 + 0.7 * i + rng.normal(0, 0.05)
        if abs(y - 4.2) < 0.45 or abs(y - 3.0) < 0.3:
            y += 0.5
        half = 0.75 * y + 0.4
        script: list[Walk | Wait] = [Wait(float(rng.uniform(0, 1.5)))]
        x = rng.uniform(-half, half)
        if abs(y - 4.2) < 0.6:
            x = abs(x)
        start = (x, y)
        for _ in range(int(seconds / 2) + 1):
            goal = rng.uniform(-half, half)
            goal = max(goal, -0.6) if abs(y - 4.2) < 0.6 else goal
            script += [_path((float(goal), y)), Wait(float(rng.choice([0.2, 1.5])))]
        actors.append(cast.actor(cast.figure((3, 90)), start, script))
    return Script(actors, objects, _robot(rng), _hfov(rng), 8.0)


SCENARIOS: dict[str, Callable[[Casting, float], Script]] = {
    f.__name__: f
    for f in (
        crossing, behind_objects, leave_and_return, look_alikes, children_with_adults,
        moving_camera, standing_group, crowd,
    )
}  # fmt: skip
