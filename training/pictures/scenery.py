# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Places: a floor, walls or a skyline, things that stand about, and the light there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from anny_ros.errors import InputError
from anny_ros.types import Camera
import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.light import Light, Lighting
from training.pictures.pack import in_split
from training.pictures.surroundings import box, Quad
from training.pictures.textures import random_colour, smooth_noise

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


def mip_levels(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a picture and its halves down to 8 pixels."""
    levels = [picture]
    while min(levels[-1].shape[:2]) > 8:
        half = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return levels


@lru_cache(maxsize=8)
def list_backgrounds(folder: Path | None, split: str) -> tuple[Path, ...]:
    """
    List the pictures of a folder that are in a split, by their names.

    Raises
    ------
    InputError
        If there are none.

    """
    if folder is None:
        return ()
    found = sorted(p for p in folder.rglob('*') if p.suffix.lower() in ('.jpg', '.jpeg', '.png'))
    kept = tuple(p for p in found if in_split(p.name, split))
    if not kept:
        raise InputError(
            f'{folder} holds no .jpg or .png for the split {split}, which goes by the names of '
            'files; pass a folder of more pictures'
        )
    return kept


@lru_cache(maxsize=32)
def _read_rgb(path: Path) -> NDArray[np.uint8]:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f'{path} cannot be read as a picture; take it out of the folder')
    scale = 1024 / max(bgr.shape[:2])
    if scale < 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


class Materials:
    """
    Textures and skylines to draw from, renewed little by little, since making them takes time.

    Parameters
    ----------
    rng : Generator
    backgrounds : tuple of Path
        Pictures of the user's, which take the place of half of the skylines (panoramas, twice
        as wide as high) and of half of the walls (others).
    size : int
        How many of each kind are kept.
    renewal : float
        Share of the draws that make a new one.

    """

    def __init__(
        self,
        rng: np.random.Generator,
        backgrounds: tuple[Path, ...] = (),
        size: int = 12,
        renewal: float = 0.2,
    ) -> None:
        self._rng = rng
        self._backgrounds = backgrounds
        self._size = size
        self._renewal = renewal
        self._kept: dict[str, list[list[NDArray[np.uint8]]]] = {}

    def draw(self, kind: str) -> list[NDArray[np.uint8]]:
        """Draw a texture, from fine to coarse: ground, floor, wall, object or skyline."""
        kept = self._kept.setdefault(kind, [])
        if len(kept) < 3 or self._rng.random() < self._renewal:
            if len(kept) == self._size:
                kept.pop(int(self._rng.integers(len(kept))))
            kept.append(mip_levels(self._make(kind)))
            return kept[-1]
        return kept[self._rng.integers(len(kept))]

    def _make(self, kind: str) -> NDArray[np.uint8]:
        makers = {
            'ground': ground_texture,
            'floor': floor_texture,
            'wall': wall_texture,
            'object': object_texture,
            'skyline': skyline,
        }
        if self._backgrounds and kind in ('wall', 'skyline') and self._rng.random() < 0.5:
            picture = _read_rgb(self._backgrounds[self._rng.integers(len(self._backgrounds))])
            # Twice as wide as high is all around; anything else hangs on a wall.
            panorama = abs(picture.shape[1] - 2 * picture.shape[0]) <= 2
            if panorama and kind == 'skyline':
                return cv2.resize(picture, (1024, 512))
            if not panorama and kind == 'wall':
                return picture
        return makers[kind](self._rng)


def ground_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make the ground outdoors: grass, or what floors are made of; (256, 256, 3) uint8."""
    if rng.random() > 0.35:
        return floor_texture(rng)
    colour = np.array([80, 105, 50]) * np.exp(rng.normal(0, 0.2, 3)) * rng.uniform(0.6, 1.3)
    shade = 1 + 0.15 * smooth_noise(256, 90, rng) + 0.1 * rng.normal(size=(256, 256))
    shade = shade + 0.1 * smooth_noise(256, 12, rng)
    return np.clip(colour * shade[..., None], 0, 255).astype(np.uint8)


def floor_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make a floor: tiles, planks, checks, carpet, concrete; (256, 256, 3) uint8."""
    size = 256
    kind = rng.integers(0, 5)
    colour = random_colour(rng) if rng.random() < 0.25 else np.full(3, rng.uniform(70, 200))
    colour = colour * np.exp(rng.normal(0, [0.06, 0.04, 0.08]))
    shade = 1.0 + 0.03 * rng.normal(size=(size, size))
    shade = shade + 0.06 * smooth_noise(size, 8, rng) + 0.05 * smooth_noise(size, 40, rng)
    v, u = np.mgrid[:size, :size] / size
    if kind == 0:
        n, gap = int(rng.integers(2, 7)), 0.03
        joint = ((u * n) % 1 < gap) | ((v * n) % 1 < gap)
        tile = rng.normal(0, 0.06, (n, n))[(v * n).astype(int), (u * n).astype(int)]
        shade = (shade + tile) * np.where(joint, rng.uniform(0.6, 1.15), 1.0)
    elif kind == 1:
        n = int(rng.integers(4, 10))
        colour = np.array([150, 105, 65]) * rng.uniform(0.5, 1.3)
        plank = rng.normal(0, 0.12, n)[(u * n).astype(int)]
        grain = smooth_noise(size, 60, rng, 12.0)
        shade = (1 + plank + 0.07 * grain) * np.where((u * n) % 1 < 0.03, 0.6, 1.0)
    elif kind == 2:
        n = int(rng.integers(2, 6))
        light = ((u * n).astype(int) + (v * n).astype(int)) % 2
        shade = shade * np.where(light, 1.0, rng.uniform(0.3, 0.8))
    return np.clip(colour * shade[..., None], 0, 255).astype(np.uint8)


def wall_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make a wall: plaster, bricks, panels, posters, windows, shelves; (512, 512, 3) uint8."""
    size = 512
    colour = random_colour(rng) if rng.random() < 0.35 else np.full(3, rng.uniform(120, 235))
    colour = colour * np.exp(rng.normal(0, [0.05, 0.03, 0.07]))
    shade = 1 + 0.04 * smooth_noise(size, 5, rng) + 0.015 * rng.normal(size=(size, size))
    v, u = np.mgrid[:size, :size] / size
    kind = rng.random()
    if kind < 0.2:
        n = int(rng.integers(12, 28))
        offset = 0.5 * ((v * n).astype(int) % 2)
        joint = ((v * n) % 1 < 0.12) | ((u * n / 2 + offset) % 1 < 0.06)
        colour = np.array([150, 85, 65]) * rng.uniform(0.5, 1.4)
        shade = shade * np.where(joint, rng.uniform(0.7, 1.5), 1) + 0.08 * smooth_noise(
            size, 40, rng
        )
    elif kind < 0.35:
        n = int(rng.integers(3, 12))
        shade = shade * np.where((u * n) % 1 < 0.04, 0.75, 1.0)
    elif kind < 0.5:
        shade = shade * np.where(v > rng.uniform(0.5, 0.75), rng.uniform(0.5, 0.9), 1.0)
    out = np.clip(colour * shade[..., None], 0, 255)
    for _ in range(int(rng.integers(0, 7))):
        w, h = rng.uniform(0.04, 0.28, 2) * size
        x, y = rng.uniform(0, 1, 2) * size
        x0, y0, x1, y1 = (
            int(np.clip(c, 0, size)) for c in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        )
        if x1 - x0 < 6 or y1 - y0 < 6:
            continue
        frame = random_colour(rng)
        out[y0:y1, x0:x1] = frame
        inner = out[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3]
        a, b = random_colour(rng), random_colour(rng)
        noise = smooth_noise(128, int(rng.integers(2, 10)), rng)
        noise = cv2.resize(noise, (max(1, x1 - x0 - 6), max(1, y1 - y0 - 6)))
        mix = np.clip(0.5 + 0.5 * noise, 0, 1)[: inner.shape[0], : inner.shape[1], None]
        inner[:] = a * mix[: inner.shape[0], : inner.shape[1]] + b * (1 - mix)
    return np.clip(out, 0, 255).astype(np.uint8)


def object_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make the surface of a thing; (128, 128, 3) uint8."""
    size = 128
    shade = 1 + 0.05 * smooth_noise(size, 6, rng) + 0.02 * rng.normal(size=(size, size))
    if rng.random() < 0.3:
        shade = shade + 0.12 * smooth_noise(size, 30, rng, 10.0)
    if rng.random() < 0.25:
        n = int(rng.integers(2, 8))
        v, u = np.mgrid[:size, :size] / size
        shade = shade * np.where(((u if rng.random() < 0.5 else v) * n) % 1 < 0.08, 0.6, 1.0)
    return np.clip(random_colour(rng) * shade[..., None], 0, 255).astype(np.uint8)


def skyline(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make what is far away outdoors: sky, hills, houses, trees; (512, 1024, 3) uint8."""
    height, width = 512, 1024
    v = (np.arange(height) / height)[:, None, None]
    zenith = np.array([70, 120, 200]) * rng.uniform(0.6, 1.2) + rng.uniform(0, 60)
    haze = np.array([200, 215, 230]) * rng.uniform(0.7, 1.1)
    if rng.random() < 0.35:
        zenith = np.full(3, rng.uniform(120, 210))
    t = np.clip(v / 0.5, 0, 1) ** rng.uniform(0.7, 2.0)
    sky = np.broadcast_to(zenith * (1 - t) + haze * t, (height, width, 3)).copy()
    cloud = smooth_noise(256, int(rng.integers(5, 14)), rng, 2.0)
    cloud = cloud + 0.5 * smooth_noise(256, 40, rng, 2.0)
    # Mirrored, so that it joins up all around.
    cloud = np.concatenate([cloud, cloud[:, ::-1]], 1)
    cloud = cv2.resize(cloud, (width, height))
    cover = np.clip(0.6 * (cloud - rng.uniform(-0.5, 1.5)), 0, 0.9)[..., None]
    out = sky * (1 - cover) + 245 * cover
    horizon = height // 2
    ridge = smooth_noise(512, 8, rng)[0]
    ridge = np.concatenate([ridge, ridge[::-1]])
    ridge = horizon - np.abs(ridge * rng.uniform(2, 20)) - 2
    rows = np.arange(height)[:, None]
    out[rows > ridge] = np.array([95, 110, 95]) * rng.uniform(0.6, 1.3)
    for _ in range(int(rng.integers(0, 40))):
        x, w = int(rng.uniform(0, width)), int(rng.uniform(10, 90))
        top = horizon - int(np.exp(rng.uniform(np.log(8), np.log(150))))
        if rng.random() < 0.6:
            colour = random_colour(rng) * 0.5 + 70
            cv2.rectangle(out, (x, top), (x + w, horizon + 8), colour.tolist(), -1)
            step, pane = int(rng.integers(6, 16)), (colour * rng.uniform(0.4, 1.4)).tolist()
            for wx in range(x + 3, x + w - step // 2, step):
                for wy in range(top + 4, horizon, step):
                    cv2.rectangle(out, (wx, wy), (wx + step // 2, wy + step // 2), pane, -1)
        else:
            green = np.array([60, 85, 45]) * rng.uniform(0.5, 1.5)
            cv2.line(out, (x, horizon + 4), (x, top), (70, 55, 45), max(1, w // 14))
            for _ in range(14):
                dx, dy = rng.normal(0, w / 4), abs(rng.normal(0, (horizon - top) / 3))
                colour = green * rng.uniform(0.7, 1.3)
                cv2.circle(out, (int(x + dx), int(top + dy)), max(2, w // 5), colour.tolist(), -1)
    out[horizon + 8 :] = np.array([110, 108, 100]) * rng.uniform(0.7, 1.2)
    out += 6 * rng.normal(size=(height, width, 1))
    return cv2.GaussianBlur(np.clip(out, 0, 255).astype(np.uint8), (3, 3), 0)


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
    zenith = Light(np.array([0, 0, 40.0]), 0.45 * sky, 40.0, 14.0)
    return Lighting((lamp, zenith), 0.6 * sky, ground)


def _indoor_light(rng: np.random.Generator, room: NDArray[np.float64], height: float) -> Lighting:
    """Make one to three lamps, or a window's light, in a room that spans ``room`` (2, 2)."""
    lights = []
    warm = np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.6, 1.05)])
    for _ in range(int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))):
        place = rng.uniform(room[0] * 0.7, room[1] * 0.7)
        tall = rng.uniform(0.75, 0.97) * height
        colour = warm * rng.uniform(0.25, 0.8)
        lights.append(
            Light(np.array([*place, tall]), colour, rng.uniform(2.0, 4.0), rng.uniform(1.5, 6))
        )
    if rng.random() < 0.4:
        side = rng.uniform(-np.pi, np.pi)
        place = 12 * np.array([np.cos(side), np.sin(side), rng.uniform(0.3, 0.8)])
        day = np.array([0.85, 0.95, 1.1]) * rng.uniform(0.2, 0.8)
        lights.append(Light(place, day, 12.0, 7.0))
    sky = warm * rng.uniform(0.15, 0.4)
    return Lighting(tuple(lights), sky, sky * rng.uniform(0.4, 0.9))


def sample_scenery(
    rng: np.random.Generator,
    materials: Materials,
    view_position: NDArray[np.float64],
    reach: float,
    objects: list[tuple[str, NDArray[np.float64], float]],
    half_width: float = 0.0,
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

    Returns
    -------
    Scenery

    """
    quads: list[Quad] = []
    tile = 1 / float(np.exp(rng.uniform(np.log(0.8), np.log(4.0))))
    outdoors = rng.random() < 0.45
    textures = [materials.draw('ground' if outdoors else 'floor')]
    panorama = None
    if outdoors:
        low, high = np.array([-60.0, -60.0]), np.array([60.0, 60.0 + reach])
        panorama = np.roll(materials.draw('skyline')[0], int(rng.integers(1024)), 1)
        lighting = _outdoor_light(rng)
        tall = 0.0
        if rng.random() < 0.3:
            textures.append(materials.draw('wall'))
            y, h = reach + rng.uniform(1.0, 8.0), rng.uniform(2.5, 8)
            quads.append(
                Quad(
                    np.array([-20.0, y, 0]),
                    np.array([40.0, 0, 0]),
                    np.array([0, 0, h]),
                    1,
                    (8.0, h / 5),
                )
            )
    else:
        side = np.maximum(rng.uniform(1.5, 6, 2) + 0.35 * reach, half_width)
        low = np.array([-side[0], view_position[1] - rng.uniform(1, 4)])
        high = np.array([side[1], reach + rng.uniform(0.6, 5.0)])
        tall = max(rng.uniform(2.4, 3.6), view_position[2] + 0.3)
        lighting = _indoor_light(rng, np.array([low, high]), tall)
        textures += [materials.draw('wall'), materials.draw('wall')]
        span = high - low
        walls = (
            ((low[0], high[1], 0), (span[0], 0, 0), 1),
            ((low[0], low[1], 0), (0, span[1], 0), 2),
            ((high[0], high[1], 0), (0, -span[1], 0), 2),
            ((high[0], low[1], 0), (-span[0], 0, 0), 2),
        )
        for corner, along, texture in walls:
            length = float(np.linalg.norm(along))
            repeat = (length / tall, 1.0)
            # The texture's top row is at the top of the wall.
            quads.append(
                Quad(np.array([*corner[:2], tall]) + np.array(along), -np.array(along, float),
                     np.array([0, 0, -tall]), texture, repeat)
            )  # fmt: skip
        ceiling = np.full((16, 16, 3), rng.uniform(150, 240), np.uint8)
        textures.append([ceiling])
        quads.append(
            Quad(np.array([low[0], high[1], tall]), np.array([span[0], 0, 0]),
                 np.array([0, -span[1], 0]), len(textures) - 1, (1.0, 1.0))
        )  # fmt: skip
    span = high - low
    quads.append(
        Quad(np.array([*low, 0.0]), np.array([span[0], 0, 0]), np.array([0, span[1], 0]), 0,
             (span[0] * tile, span[1] * tile))
    )  # fmt: skip
    for item, (kind, place, yaw) in enumerate(objects):
        textures.append(materials.draw('object'))
        quads += make_object(kind, place, yaw, len(textures) - 1, item, rng)
    return Scenery(quads, textures, lighting, panorama, rng.uniform(0.7, 1.2))


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
