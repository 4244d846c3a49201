# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Places: a floor, walls or what is far away, things that stand about, and the light there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anny_ros.types import Camera
import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.light import Light, Lighting
from training.pictures.materials import is_panorama, Materials, mip_levels
from training.pictures.surroundings import box, NO_TEXTURE, Quad

_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class Scenery:
    """
    Everything but people.

    Parameters
    ----------
    quads : list of Quad
    textures : list of list of ndarray, (h, w, 3), uint8
        Each from fine to coarse.
    lighting : Lighting
    panorama : ndarray, (h, 2 h, 3), uint8, or None
        What is far away all around, top row straight up; None is indoors.
    panorama_gain : float

    """

    quads: list[Quad]
    textures: list[list[NDArray[np.uint8]]]
    lighting: Lighting
    panorama: NDArray[np.uint8] | None
    panorama_gain: float


def draw_sky(scenery: Scenery, camera: Camera, R: NDArray[np.float64]) -> NDArray[np.float32]:
    """
    Draw what is infinitely far.

    Parameters
    ----------
    scenery : Scenery
    camera : Camera
    R : ndarray, (3, 3)
        World to optical frame.

    Returns
    -------
    ndarray, (H, W, 3), float32
        Linear light.

    """
    if scenery.panorama is None:
        return np.full((camera.height, camera.width, 3), 0.2, np.float32)
    # Directions at a quarter of the size: they change slowly.
    columns = np.linspace(0, camera.width - 1, camera.width // 4)
    rows = np.linspace(0, camera.height - 1, camera.height // 4)
    pixels = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], -1)
    rays = pixels @ (R.T @ np.linalg.inv(camera.K)).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    height, width = scenery.panorama.shape[:2]
    # The angle jumps at the back of the panorama; wrap around the middle of the picture instead.
    middle = np.arctan2(*(R[2, [0, 1]]))
    turn = np.arctan2(rays[..., 0], rays[..., 1]) - middle
    turn = (turn + np.pi) % (2 * np.pi) - np.pi + middle
    u = (turn / (2 * np.pi) * width).astype(np.float32)
    v = (np.arccos(np.clip(rays[..., 2], -1, 1)) / np.pi * height - 0.5).astype(np.float32)
    size = (camera.width, camera.height)
    u, v = cv2.resize(u, size), cv2.resize(v, size)
    u = np.mod(u, np.float32(width - 1))
    sky = cv2.remap(scenery.panorama, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _LINEAR[sky] * np.float32(scenery.panorama_gain)


def _outdoor_light(rng: np.random.Generator) -> Lighting:
    elevation = np.deg2rad(rng.uniform(12, 75))
    azimuth = rng.uniform(-np.pi, np.pi)
    towards = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    overcast = rng.random() < 0.35
    sun = np.array([1.0, 0.95, 0.85]) * (
        rng.uniform(0.05, 0.3) if overcast else rng.uniform(0.7, 1.5)
    )
    sky = np.array([0.75, 0.85, 1.0]) * rng.uniform(0.25, 0.55) * (1.8 if overcast else 1.0)
    ground = np.array([0.9, 0.85, 0.75]) * rng.uniform(0.08, 0.25)
    lamp = Light(150.0 * towards, sun, 150.0, 5.0 if overcast else 0.8)
    return Lighting((lamp, _overhead(np.zeros(2), 0.75 * sky)), 0.45 * sky, ground)


def _overhead(place: NDArray[np.float64], colour: NDArray[np.float64]) -> Light:
    """Make the part of the ambient light that people standing on a floor keep from it."""
    return Light(np.array([*place, 40.0]), colour, 40.0, 6.0)


def _indoor_light(rng: np.random.Generator, room: NDArray[np.float64], height: float) -> Lighting:
    """Make one to three lamps, or a window's light, in a room that spans ``room`` (2, 2)."""
    lights = []
    warm = np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.6, 1.05)])
    for _ in range(int(rng.choice([1, 2], p=[0.55, 0.45]))):
        place = rng.uniform(room[0] * 0.7, room[1] * 0.7)
        tall = rng.uniform(0.75, 0.97) * height
        colour = warm * rng.uniform(0.25, 0.8)
        lights.append(
            Light(np.array([*place, tall]), colour, rng.uniform(2.0, 4.0), rng.uniform(1.5, 6))
        )
    if rng.random() < 0.3:
        side = rng.uniform(-np.pi, np.pi)
        place = 12 * np.array([np.cos(side), np.sin(side), rng.uniform(0.3, 0.8)])
        day = np.array([0.85, 0.95, 1.1]) * rng.uniform(0.2, 0.8)
        lights.append(Light(place, day, 12.0, 7.0))
    sky = warm * rng.uniform(0.15, 0.4)
    lights.append(_overhead(room.mean(0), 0.5 * sky))
    return Lighting(tuple(lights), 0.6 * sky, sky * rng.uniform(0.4, 0.9))


def sample_scenery(
    rng: np.random.Generator,
    materials: Materials,
    view_position: NDArray[np.float64],
    reach: float,
    objects: list[tuple[str, NDArray[np.float64], float]],
    half_width: float = 0.0,
    far_floor: bool = True,
) -> Scenery:
    """
    Draw a place.

    Parameters
    ----------
    rng : Generator
    materials : Materials
    view_position : ndarray, (3,), metres
        The camera, which looks along +y.
    reach : float, metres
        Distance of the farthest person.
    objects : list of (kind, place (2,), yaw)
        Kinds: box, pole, sign, table, counter, shelf, screen, seat:HEIGHT.
    half_width : float, metres
        Rooms reach at least that far to both sides.
    far_floor : bool
        Whether the ground may be that of a panorama, which is infinitely far and so stays behind
        when the camera moves.

    Returns
    -------
    Scenery

    """
    photograph = materials.photograph()
    panorama, textures, quads = None, [], []
    if photograph is not None and is_panorama(photograph):
        outdoors = True
        panorama = photograph
        # Its own ground, onto which shadows fall, or another floor.
        textures.append(
            NO_TEXTURE if far_floor and rng.random() < 0.75 else materials.draw('ground')
        )
    else:
        outdoors = photograph is None and rng.random() < 0.45
        textures.append(materials.draw('ground' if outdoors else 'floor'))
    if outdoors:
        low, high = np.array([-60.0, -60.0]), np.array([60.0, 60.0 + reach])
        panorama = materials.draw('skyline')[0] if panorama is None else panorama
        panorama = np.roll(panorama, int(rng.integers(panorama.shape[1])), 1)
        lighting = _outdoor_light(rng)
        if rng.random() < 0.25:
            textures.append(materials.draw('wall'))
            y, tall = reach + rng.uniform(1.0, 8.0), rng.uniform(2.5, 8)
            quads.append(_wall((-20.0, y), (20.0, y), tall, 1, tall))
    else:
        side = np.maximum(rng.uniform(1.5, 6, 2) + 0.35 * reach, half_width)
        low = np.array([-side[0], view_position[1] - rng.uniform(1, 4)])
        high = np.array([side[1], reach + rng.uniform(0.6, 5.0)])
        tall = max(rng.uniform(2.4, 3.6), view_position[2] + 0.3)
        lighting = _indoor_light(rng, np.array([low, high]), tall)
        front = materials.draw('wall') if photograph is None else mip_levels(photograph)
        textures += [front, materials.draw('wall')]
        # A photograph fills the wall; others repeat as wide as the wall is high.
        length = high[0] - low[0] if photograph is not None else tall
        corners = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
        for k, (a, b) in enumerate(zip(corners, corners[1:] + corners[:1], strict=True)):
            quads.append(_wall(a, b, tall, 1 if k == 1 else 2, length if k == 1 else tall))
        textures.append([np.full((16, 16, 3), rng.uniform(150, 240), np.uint8)])
        along, up = np.array([high[0] - low[0], 0, 0]), np.array([0, low[1] - high[1], 0])
        quads.append(Quad(np.array([low[0], high[1], tall]), along, up, 3, (1.0, 1.0)))
    tiles = (high - low) / np.exp(rng.uniform(np.log(0.8), np.log(4.0)))
    along, up = np.array([high[0] - low[0], 0, 0]), np.array([0, high[1] - low[1], 0])
    quads.append(Quad(np.array([*low, 0.0]), along, up, 0, (float(tiles[0]), float(tiles[1]))))
    for item, (kind, place, yaw) in enumerate(objects):
        textures.append(materials.draw('object'))
        quads += make_object(kind, place, yaw, len(textures) - 1, item, rng)
    return Scenery(quads, textures, lighting, panorama, rng.uniform(0.7, 1.2))


def _wall(
    start: tuple[float, float], end: tuple[float, float], tall: float, texture: int, length: float
) -> Quad:
    """Make a wall from the floor up, seen from its right when going from start to end."""
    along = np.array([end[0] - start[0], end[1] - start[1], 0.0])
    repeat = (float(np.linalg.norm(along)) / length, 1.0)
    # From the top right, as the texture's rows run down.
    corner = np.array([end[0], end[1], tall])
    return Quad(corner, -along, np.array([0.0, 0.0, -tall]), texture, repeat)


def make_object(
    kind: str,
    place: NDArray[np.float64],
    yaw: float,
    texture: int,
    item: int,
    rng: np.random.Generator,
) -> list[Quad]:
    """Make a thing of a kind that ``sample_scenery`` names, standing on the floor at (x, y)."""

    def solid(x: float, y: float, z: float, size: Any) -> list[Quad]:
        c, s = np.cos(yaw), np.sin(yaw)
        centre = np.array([place[0] + c * x - s * y, place[1] + s * x + c * y, z])
        return box(centre, np.array(size), yaw, texture, item)

    if kind == 'pole':
        w, h = rng.uniform(0.08, 0.35), rng.uniform(2.2, 4.0)
        return solid(0, 0, h / 2, (w, w, h))
    if kind == 'sign':
        w, h = rng.uniform(0.04, 0.1), rng.uniform(1.3, 2.6)
        panel = rng.uniform(0.25, 0.6, 2)
        return solid(0, 0, h / 2, (w, w, h)) + solid(0, w, h - 0.3, (panel[0], 0.03, panel[1]))
    if kind == 'shelf':
        size = np.array([rng.uniform(0.4, 1.2), rng.uniform(0.25, 0.5), rng.uniform(1.2, 2.1)])
        return solid(0, 0, size[2] / 2, size)
    if kind == 'screen':
        size = np.array([rng.uniform(1.0, 1.5), 0.08, rng.uniform(1.9, 2.1)])
        return solid(0, 0, size[2] / 2, size)
    if kind == 'counter':
        size = np.array([rng.uniform(0.9, 2.4), rng.uniform(0.4, 0.8), rng.uniform(0.7, 1.2)])
        return solid(0, 0, size[2] / 2, size)
    if kind == 'table':
        w, d, h = rng.uniform(0.7, 1.8), rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.8)
        quads = solid(0, 0, h - 0.02, (w, d, 0.04))
        for x in (-1, 1):
            for y in (-1, 1):
                quads += solid(
                    x * (w / 2 - 0.04), y * (d / 2 - 0.04), h / 2 - 0.02, (0.05, 0.05, h - 0.04)
                )
        return quads
    if kind.startswith('seat:'):
        h = float(kind.split(':')[1])
        w, d = rng.uniform(0.38, 0.5), rng.uniform(0.36, 0.44)
        quads = solid(0, 0, h - 0.025, (w, d, 0.05))
        for x in (-1, 1):
            for y in (-1, 1):
                quads += solid(
                    x * (w / 2 - 0.03), y * (d / 2 - 0.03), h / 2 - 0.025, (0.04, 0.04, h - 0.05)
                )
        return quads + solid(0, d / 2, h + 0.25, (w, 0.03, 0.3))
    size = np.exp(rng.uniform(np.log(0.25), np.log(1.2), 3))
    return solid(0, 0, size[2] / 2, size)
