# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What places are made of: floors, walls, things, skylines, and pictures of the user's."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from anny_ros.errors import InputError
import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.pack import in_split
from training.pictures.textures import random_colour, smooth_noise


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
    scale = 2048 / max(bgr.shape[:2])
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
        Pictures of the user's.
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
            kept.append(mip_levels(_MAKERS[kind](self._rng)))
            return kept[-1]
        return kept[self._rng.integers(len(kept))]

    def photograph(self) -> NDArray[np.uint8] | None:
        """Draw one of the user's pictures (H, W, 3); None half of the time, or without any."""
        if not self._backgrounds or self._rng.random() < 0.5:
            return None
        return _read_rgb(self._backgrounds[self._rng.integers(len(self._backgrounds))])


def is_panorama(picture: NDArray[np.uint8]) -> bool:
    """Tell whether a picture shows everything around: it is twice as wide as high."""
    return abs(picture.shape[1] - 2 * picture.shape[0]) <= 2


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


_MAKERS = {
    'ground': ground_texture,
    'floor': floor_texture,
    'wall': wall_texture,
    'object': object_texture,
    'skyline': skyline,
}
