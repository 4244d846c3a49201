# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Simulated worlds with known truth: who is where, how fast, and how much of them a camera sees.

People are upright boxes that walk smooth paths on a floor, obstacles are boxes that stand on it,
and a camera stands, turns or drives between them. Nothing is drawn; what an estimator would
report of such a world is made by ``sequence_detections``. The same seed makes the same world.

World axes: x and y on the floor, z up; a camera of yaw 0 looks along x. Metres, seconds, radians.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anny_ros.types import Camera
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

Float64Array = NDArray[np.float64]

RATE = 15.0
CAMERA_HEIGHT, CAMERA_PITCH = 1.4, 0.06
# Paths are sampled this finely and smoothed by this much: nobody turns within no time.
PATH_STEP, PATH_SMOOTHING = 0.01, 0.3
PELVIS_SHARE = 0.53  # height of the pelvis over the stature
# Of a body, as shares of the stature.
HALF_WIDTH, HALF_THICKNESS = 0.16, 0.10
NEAREST = 0.4  # metres; nearer people and obstacles are not seen
# Points (columns, rows) of a person's box that are tested for being hidden.
PROBES = (5, 12)


@dataclass(frozen=True)
class Person:
    """
    Somebody in a world.

    Parameters
    ----------
    path : array, (K, 3)
        Rows t, x, y by ascending time; in between people walk evenly along straight lines.
    stature : float, metres
    look : int
        People of the same number are dressed alike.

    """

    path: ArrayLike
    stature: float
    look: int


@dataclass(frozen=True)
class World:
    """
    What there is: people, obstacles (M, 5) as x0, y0, x1, y1, height, and the camera's path.

    Rows of ``camera_path`` (K, 4) are t, x, y, yaw; ``stamps`` (F,) are those of the pictures.
    """

    name: str
    people: tuple[Person, ...]
    stamps: Float64Array
    obstacles: Float64Array
    camera_path: Float64Array


@dataclass(frozen=True)
class Sequence:
    """
    The truth of F pictures of P people.

    Parameters
    ----------
    name : str
    camera : Camera
    stamps : ndarray, (F,), seconds
    world_from_camera : ndarray, (F, 4, 4)
        Pose of the optical frame in the world at each stamp.
    position : ndarray, (F, P, 3), metres
        Pelvis, optical frame.
    velocity : ndarray, (F, P, 3), metres per second
        Relative to the world, along the axes of the optical frame.
    facing : ndarray, (F, P), radians
        Heading relative to the camera's viewing direction, 0 for somebody seen from behind.
    box : ndarray, (F, P, 4), pixels
        Of the whole body; NaN where it is not in front of the camera.
    visible : ndarray, (F, P), 0..1
        Share of the box that is in the picture and not hidden.
    stature : ndarray, (P,), metres
    look : ndarray, (P,), int

    """

    name: str
    camera: Camera
    stamps: Float64Array
    world_from_camera: Float64Array
    position: Float64Array
    velocity: Float64Array
    facing: Float64Array
    box: Float64Array
    visible: Float64Array
    stature: Float64Array
    look: NDArray[np.int64]


def observe(world: World) -> Sequence:
    """Compute what a camera of 1280x720 pixels and 69 degrees sees of a world."""
    camera = Camera.from_hfov(1.2, 1280, 720)
    stamps = world.stamps
    paths = [_smooth(np.asarray(p.path, np.float64), stamps) for p in world.people]
    place = np.stack([p[0] for p in paths], axis=1)  # (F, P, 2)
    speed = np.stack([p[1] for p in paths], axis=1)
    stature = np.array([p.stature for p in world.people])
    poses = np.stack([camera_pose(row) for row in _smooth(world.camera_path, stamps)[0]])
    camera_from_world = np.linalg.inv(poses)
    R = camera_from_world[:, :3, :3]
    height = np.broadcast_to(PELVIS_SHARE * stature, place.shape[:2])
    position = _moved(camera_from_world, np.concatenate([place, height[..., None]], axis=-1))
    velocity = np.einsum('fij,fpj->fpi', R[..., :2], speed)
    heading = np.arctan2(speed[..., 1], speed[..., 0])
    yaw = np.arctan2(poses[:, 1, 2], poses[:, 0, 2])
    half = stature[:, None] * np.array([HALF_WIDTH, HALF_WIDTH])
    body = np.concatenate([place - half, place + half], axis=-1)
    body = np.concatenate([body, np.broadcast_to(stature[:, None], (*body.shape[:2], 1))], axis=-1)
    box = _boxes(body, camera_from_world, camera)
    obstacles = np.broadcast_to(world.obstacles, (len(stamps), *world.obstacles.shape))
    screens = _boxes(obstacles, camera_from_world, camera)
    near = np.linalg.norm(
        0.5 * (obstacles[..., :2] + obstacles[..., 2:4]) - poses[:, None, :2, 3], axis=-1
    )
    visible = np.stack(
        [
            _visible(box[f], np.linalg.norm(position[f], axis=-1), screens[f], near[f], camera)
            for f in range(len(stamps))
        ]
    )
    return Sequence(
        name=world.name,
        camera=camera,
        stamps=stamps,
        world_from_camera=poses,
        position=position,
        velocity=velocity,
        facing=heading - yaw[:, None],
        box=box,
        visible=visible,
        stature=stature,
        look=np.array([p.look for p in world.people]),
    )


def camera_pose(row: ArrayLike) -> Float64Array:
    """Pose (4, 4) in the world of the optical frame of a camera at x, y that looks along yaw."""
    x, y, yaw = np.asarray(row, np.float64)
    forward = np.array([np.cos(yaw), np.sin(yaw), 0.0]) * np.cos(CAMERA_PITCH)
    forward[2] = -np.sin(CAMERA_PITCH)
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = x, y, CAMERA_HEIGHT
    return pose


def _smooth(path: Float64Array, stamps: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Values (F, D) and rates of a path (K, 1 + D) of straight lines, with rounded corners."""
    fine = np.arange(stamps[0] - 2.0, stamps[-1] + 2.0, PATH_STEP)
    values, rates = [], []
    for column in path.T[1:]:
        smooth = gaussian_filter1d(
            np.interp(fine, path[:, 0], column), PATH_SMOOTHING / PATH_STEP, mode='nearest'
        )
        values.append(np.interp(stamps, fine, smooth))
        rates.append(np.interp(stamps, fine, np.gradient(smooth, PATH_STEP)))
    return np.stack(values, axis=-1), np.stack(rates, axis=-1)


def _moved(poses: Float64Array, points: Float64Array) -> Float64Array:
    """Apply poses (F, 4, 4) to points (F, N, 3)."""
    moved = np.einsum('fij,fpj->fpi', poses[:, :3, :3], points) + poses[:, None, :3, 3]
    return np.asarray(moved)


def _boxes(bodies: Float64Array, camera_from_world: Float64Array, camera: Camera) -> Float64Array:
    """Boxes (F, N, 4) in the picture of upright boxes (F, N, 5): x0, y0, x1, y1, height."""
    corners = [
        np.stack([bodies[..., i], bodies[..., j], up * bodies[..., 4]], axis=-1)
        for i in (0, 2)
        for j in (1, 3)
        for up in (0.0, 1.0)
    ]
    points = np.stack(corners, axis=2)  # (F, N, 8, 3)
    shape = points.shape
    points = _moved(camera_from_world, points.reshape(shape[0], -1, 3)).reshape(shape)
    depth = points[..., 2]
    front = (depth > NEAREST).all(axis=-1)
    uv = np.einsum('ij,fnkj->fnki', camera.K, points)[..., :2] / np.maximum(depth, 0.1)[..., None]
    boxes = np.concatenate([uv.min(axis=2), uv.max(axis=2)], axis=-1)
    return np.where(front[..., None], boxes, np.nan)


def _visible(
    box: Float64Array,
    distance: Float64Array,
    screens: Float64Array,
    near: Float64Array,
    camera: Camera,
) -> Float64Array:
    """Share of each box (P, 4) inside the picture and in front of nearer bodies and screens."""
    columns, rows = PROBES
    u, v = (np.arange(n) + 0.5 for n in PROBES)
    grid = np.stack(np.meshgrid(u / columns, v / rows), axis=-1).reshape(-1, 2)
    points = box[:, None, :2] + grid * (box[:, None, 2:] - box[:, None, :2])  # (P, G, 2)
    size = np.array([camera.width, camera.height])
    seen = ((points >= 0) & (points < size)).all(axis=-1)  # False for NaN
    # A body fills some three quarters of the width of its box.
    inset = 0.125 * (box[:, 2] - box[:, 0])
    bodies = box + inset[:, None] * np.array([1, 0, -1, 0])
    covers = np.concatenate([bodies, screens])
    order = np.concatenate([distance, near])
    inside = (points[:, :, None] >= covers[:, :2]) & (points[:, :, None] <= covers[:, 2:])
    hidden = inside.all(axis=-1) & (order[None, None] < distance[:, None, None] - 0.05)
    return np.asarray((seen & ~hidden.any(axis=-1)).mean(axis=1))


def worlds(seed: int) -> list[World]:
    """Every world that the tracker is measured in."""
    return [make(np.random.default_rng([seed, i])) for i, make in enumerate(_WORLDS)]


def _world(
    name: str,
    people: list[Person],
    duration: float,
    obstacles: ArrayLike = (),
    camera: ArrayLike = ((0.0, 0.0, 0.0, 0.0),),
    stamps: Float64Array | None = None,
) -> World:
    regular = np.arange(round(duration * RATE)) / RATE + 100.0
    path = np.asarray(camera, np.float64) + np.array([100.0, 0, 0, 0])
    moved = [
        Person(np.asarray(p.path) + np.array([100.0, 0, 0]), p.stature, p.look) for p in people
    ]
    return World(
        name=name,
        people=tuple(moved),
        stamps=regular if stamps is None else stamps,
        obstacles=np.asarray(obstacles, np.float64).reshape(-1, 5),
        camera_path=path,
    )


def _adult(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(1.70, 0.09), 1.5, 1.98))


def _to_and_fro(
    x: float, reach: float, speed: float, duration: float, start: float, side: int
) -> list[tuple[float, float, float]]:
    """Walk between y = reach and y = -reach."""
    path, t, at = [(start, x, side * reach)], start, side
    while t < duration:
        t, at = t + 2 * reach / speed, -at
        path.append((t, x + 0.3 * at, at * reach))
    return path


def _crossing(rng: np.random.Generator) -> World:
    """Three pairs walk to and fro and hide each other, again and again."""
    people = []
    for i, (x, side) in enumerate(
        [(5.5, 1), (6.3, -1), (7.1, 1), (7.9, -1), (9.0, 1), (10.5, -1)]
    ):
        path = _to_and_fro(x, 2.6, rng.uniform(1.0, 1.5), 16.0, -rng.uniform(0, 1), side)
        people.append(Person(path, _adult(rng), i))
    return _world('crossing', people, 16.0)


def _hidden(rng: np.random.Generator) -> World:
    """People pass behind a wall and pillars; one waits behind the wall and turns back."""
    people = [
        Person(_to_and_fro(7.0, 3.2, 1.2, 16.0, 0.0, 1), _adult(rng), 0),
        Person(_to_and_fro(8.5, 3.5, 1.1, 16.0, -0.7, -1), _adult(rng), 1),
        Person(_to_and_fro(7.7, 3.0, 1.3, 16.0, -0.3, -1), _adult(rng), 3),
        Person([(0, 6.5, -3), (2.5, 6.5, 0.0), (3.2, 6.5, 0.0), (6, 6.5, -3), (8, 8.5, -4.4)],
               _adult(rng), 2),
    ]  # fmt: skip
    walls = [(4.5, -0.6, 4.6, 0.6, 2.2), (4.8, 1.6, 5.0, 1.9, 2.4), (4.8, -2.0, 5.0, -1.7, 2.4)]
    return _world('hidden', people, 16.0, walls)


def _return(rng: np.random.Generator) -> World:
    """People leave the picture and come back within the memory, one at a time or together."""
    people = []
    for i, (x, side, start) in enumerate([(6.0, 1, 1.0), (7.0, -1, 2.5), (5.5, 1, 5.0)]):
        edge = 0.68 * x
        path = [(0.0, x, 0.2 * side), (start, x, 0.4 * side)]
        for beyond in (0.9, 1.1, 0.8):
            t = path[-1][0]
            out = (edge + beyond - abs(path[-1][2])) / 1.3
            back = (edge + beyond - 1.0) / 1.3
            turn = side * (edge + beyond)
            path += [(t + out, x, turn), (t + out + 0.3, x, turn),
                     (t + out + 0.3 + back, x + 0.5, side * 1.0)]  # fmt: skip
        people.append(Person(path, _adult(rng), i))
    people.append(Person([(0, 8, 1.0), (8, 8, -1.0), (20, 7, 1.0)], _adult(rng), 3))
    return _world('return', people, 20.0)


def _lookalikes(rng: np.random.Generator) -> World:
    """Four people in the same uniform cross and pass a pillar."""
    people = [
        Person(_to_and_fro(x, 2.8, rng.uniform(0.9, 1.3), 16.0, -rng.uniform(0, 1.5), side),
               _adult(rng), 0)
        for x, side in [(5.5, 1), (6.8, -1), (8.0, 1), (9.5, -1)]
    ]  # fmt: skip
    return _world('lookalikes', people, 16.0, [(4.5, -0.2, 4.7, 0.2, 2.3)])


def _family(rng: np.random.Generator) -> World:
    """Two adults stroll with three children, who run around them."""
    people = [Person([(0, 9, 3.0), (16, 6, -3.0)], _adult(rng), 0),
              Person([(0, 9.8, 3.2), (16, 6.8, -2.6)], _adult(rng), 1)]  # fmt: skip
    for i, stature in enumerate((0.92, 1.12, 1.30)):
        t = np.arange(0.0, 17.0, 0.5)
        along = t / 16.0
        phase = 2 * np.pi * (t / rng.uniform(4.0, 6.0) + i / 3)
        radius = rng.uniform(0.9, 1.3)
        x = 9.4 - 3.0 * along + radius * np.cos(phase)
        y = 3.1 - 5.9 * along + radius * np.sin(phase)
        people.append(Person(np.column_stack([t, x, y]), stature, 2 + i))
    return _world('family', people, 16.0)


def _group(rng: np.random.Generator) -> World:
    """Five people stand together, shift about and change places."""
    seats = np.array([[5.5, -0.7], [5.4, 0.6], [6.3, -1.0], [6.5, 0.1], [6.2, 1.0]])
    order = np.arange(5)
    paths: list[list[tuple[float, float, float]]] = [[] for _ in range(5)]
    for t in np.arange(0.0, 17.0, 2.5):
        for person, seat in enumerate(order):
            x, y = seats[seat] + 0.08 * rng.normal(size=2)
            paths[person] += [(t, x, y), (t + 1.2, x, y)]
        a, b = rng.choice(5, 2, replace=False)
        order[[a, b]] = order[[b, a]]
    return _world('group', [Person(p, _adult(rng), i) for i, p in enumerate(paths)], 16.0)


def _turning(rng: np.random.Generator) -> World:
    """People stand and walk in front of a robot that looks about, up to 60 degrees a second."""
    people = [
        Person([(0, 5.0, 1.5)], _adult(rng), 0),
        Person([(0, 6.0, -0.5)], _adult(rng), 1),
        Person([(0, 7.0, 0.6)], _adult(rng), 2),
        Person(_to_and_fro(8.0, 2.0, 1.2, 16.0, 0.0, 1), _adult(rng), 3),
        Person(_to_and_fro(6.5, 2.2, 1.0, 16.0, -0.5, -1), _adult(rng), 4),
    ]
    turns = [(t, 0.0, 0.0, 0.4 * (-1) ** i) for i, t in enumerate(np.arange(0.0, 17.0, 1.6))]
    return _world('turning', people, 16.0, camera=turns)


def _driving(rng: np.random.Generator) -> World:
    """People stand, come nearer, pass and cross while a robot drives through a hall in curves."""
    people = [
        Person([(0, 7.0, 2.2)], _adult(rng), 0),
        Person([(0, 10.0, -2.4)], _adult(rng), 1),
        Person([(0, 15.0, 0.8), (12, 5.0, 2.0)], _adult(rng), 2),
        Person([(0, 5.0, -1.0), (14, 17.0, -0.5)], _adult(rng), 3),
        Person([(0, 16.0, -3.0), (14, 16.0, 3.5)], _adult(rng), 4),
        Person(_to_and_fro(14.0, 2.5, 1.3, 14.0, -rng.uniform(0, 1), 1), _adult(rng), 5),
        Person(_to_and_fro(15.0, 2.5, 1.2, 14.0, -rng.uniform(0, 1), -1), _adult(rng), 6),
    ]
    route = [(0, 0, 0, 0.0), (1.5, 1.2, 0.1, 0.35), (3, 2.5, 0.2, -0.3), (4.5, 3.8, 0.3, 0.35),
             (6, 5.0, 0.4, -0.35), (7.5, 6.2, 0.3, 0.3), (9, 7.5, 0.3, -0.3),
             (12, 9.5, 0.0, 0.2), (14, 10.0, 0.0, -0.2)]  # fmt: skip
    return _world('driving', people, 13.0, camera=route)


def _crowd(rng: np.random.Generator) -> World:
    """Forty people walk about."""
    people = []
    for i in range(40):
        t, path = -rng.uniform(0, 3), []
        x, y = _in_view(rng)
        while t < 12.0:
            path.append((t, x, y))
            to = _in_view(rng)
            t += float(np.hypot(to[0] - x, to[1] - y)) / rng.uniform(0.6, 1.4)
            x, y = to
        path.append((t, x, y))
        stature = _adult(rng) if i % 8 else rng.uniform(1.0, 1.35)
        people.append(Person(path, float(stature), i // 2 if i < 10 else i))
    return _world('crowd', people, 10.0)


def _in_view(rng: np.random.Generator) -> tuple[float, float]:
    x = float(np.sqrt(rng.uniform(5.0**2, 24.0**2)))
    return x, float(rng.uniform(-0.58, 0.58)) * x


def _gaps(rng: np.random.Generator) -> World:
    """Every third picture is dropped at random, and twice none comes for a second."""
    people = [
        Person(_to_and_fro(x, 2.8, rng.uniform(0.9, 1.3), 16.0, -rng.uniform(0, 1.5), side),
               _adult(rng), i)
        for i, (x, side) in enumerate([(5.5, 1), (6.3, -1), (7.1, 1), (8.5, -1)])
    ]  # fmt: skip
    stamps = np.arange(round(16 * RATE)) / RATE + 100.0 + 0.004 * rng.normal(size=round(16 * RATE))
    keep = rng.random(len(stamps)) > 1 / 3
    for start in (105.0, 111.0):
        keep &= ~((stamps > start) & (stamps < start + 1.0))
    return _world('gaps', people, 16.0, stamps=stamps[keep])


_WORLDS: tuple[Callable[[np.random.Generator], World], ...] = (
    _crossing, _hidden, _return, _lookalikes, _family, _group, _turning, _driving, _crowd, _gaps,
)  # fmt: skip
