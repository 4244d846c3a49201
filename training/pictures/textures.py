# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures on people: varied skins, hair, suits and eyes, procedural cloth, and their atlas."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from anny_ros.errors import InputError
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

ATLAS_SIZE = 1024
# Left, top, side of the square that each kind of picture has in the atlas.
SLOTS = {
    'skin': (0, 0, 512),
    'top': (512, 0, 512),
    'hair': (0, 512, 512),
    'bottom': (512, 512, 256),
    'shoes': (768, 512, 256),
    'eyes': (512, 768, 128),
    'eyebrows': (640, 768, 128),
    'eyelashes': (512, 896, 128),
    'hat': (640, 896, 128),
}
_HAIR_COLOURS = np.array(
    [[18, 15, 14], [40, 28, 20], [75, 50, 32], [110, 75, 45], [165, 125, 75], [200, 165, 110],
     [130, 60, 30], [95, 35, 22]],
    np.float32,
)  # fmt: skip
_GREY_HAIR = np.array([[120, 118, 115], [185, 183, 180], [225, 224, 222]], np.float32)
_BLUE_JEANS = np.array([58.0, 76.0, 112.0])


@lru_cache(maxsize=128)
def read_picture(path: Path) -> Picture:
    """
    Read a picture as RGBA, (H, W, 4) uint8; opaque where it has no alpha.

    Raises
    ------
    InputError
        If it cannot be read.

    """
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bgr is None or bgr.ndim != 3:
        raise InputError(f'{path} cannot be read as a colour picture; fetch the data pack anew')
    code = cv2.COLOR_BGRA2RGBA if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return np.asarray(cv2.cvtColor(bgr, code), np.uint8)


def smooth_noise(size: int, cells: int, rng: np.random.Generator, stretch: float = 1.0) -> Any:
    """Noise (size, size), float32, mean 0 and deviation 1, with features of size / cells."""
    rows = max(2, round(cells / stretch))
    coarse = rng.normal(size=(rows, max(2, cells))).astype(np.float32)
    noise = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / (noise.std() + 1e-6)


def random_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the colour of a cloth, (3,), 0..255; muted ones, black, white and blue are common."""
    kind = rng.random()
    if kind < 0.15:
        return np.full(3, rng.uniform(10, 45)) + rng.normal(0, 3, 3)
    if kind < 0.3:
        return np.full(3, rng.uniform(185, 245)) + rng.normal(0, 4, 3)
    if kind < 0.4:
        return np.full(3, rng.uniform(60, 160)) + rng.normal(0, 5, 3)
    saturation = rng.uniform(40, 140) if kind < 0.75 else rng.uniform(140, 235)
    hsv = np.array([[[rng.integers(0, 180), saturation, rng.uniform(45, 230)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def _motif(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the share of the second colour, (size, size), 0..1."""
    v, u = np.mgrid[:size, :size].astype(np.float32) / size
    kind = rng.integers(0, 8)
    period = float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
    duty = rng.uniform(0.2, 0.6)
    if kind == 0:
        return ((v / period) % 1.0 < duty).astype(np.float32)
    if kind == 1:
        return ((u / period) % 1.0 < duty).astype(np.float32)
    if kind == 2:
        across, down = (u / period) % 1.0 < duty, (v / period) % 1.0 < duty
        return 0.5 * across.astype(np.float32) + 0.5 * down.astype(np.float32)
    if kind == 3:
        x, y = (u / period) % 1.0 - 0.5, (v / period) % 1.0 - 0.5
        return (x * x + y * y < (0.5 * duty) ** 2).astype(np.float32)
    if kind == 4:
        return (smooth_noise(size, int(rng.integers(12, 60)), rng) > rng.uniform(-0.3, 0.8)) * 1.0
    if kind == 5:
        return (v > rng.uniform(0.2, 0.5)).astype(np.float32)
    if kind == 6:
        return (((u + v) / period) % 1.0 < duty).astype(np.float32)
    # A print on the chest (front and back alike).
    motif = np.zeros((size, size), np.uint8)
    centre = (size // 2, int(size * rng.uniform(0.26, 0.34)))
    axes = tuple(int(size * s) for s in rng.uniform(0.02, 0.07, 2))
    if rng.random() < 0.5:
        cv2.ellipse(motif, centre, axes, 0, 0, 360, 255, -1)
    text = ''.join(chr(c) for c in rng.integers(65, 91, rng.integers(2, 7)))
    ink = 255 - int(motif[centre[1], centre[0]])
    scale = size / 512 * float(rng.uniform(0.5, 1.2))
    left = (centre[0] - axes[0], centre[1])
    cv2.putText(motif, text, left, cv2.FONT_HERSHEY_DUPLEX, scale, ink, 2)
    return motif.astype(np.float32) / 255


def cloth(size: int, rng: np.random.Generator, patterned: float = 0.5) -> Picture:
    """
    Make cloth with folds: plain, striped, checked, dotted, camouflaged, printed.

    Parameters
    ----------
    size : int
        Side in pixels.
    rng : Generator
    patterned : float
        Probability of a pattern.

    Returns
    -------
    ndarray, (size, size, 4), uint8

    """
    colour = random_colour(rng)
    fold = smooth_noise(size, 26, rng, stretch=rng.uniform(0.5, 3.0))
    fold = 0.05 * fold + 0.035 * smooth_noise(size, 60, rng)
    weave = 0.025 * rng.standard_normal((size, size), np.float32)
    shade = 1.0 + np.float32(rng.uniform(0.5, 1.6)) * fold + weave
    share = None
    if rng.random() < patterned:
        share = cv2.GaussianBlur(np.asarray(_motif(size, rng), np.float32), (3, 3), 0)
    return _paint(shade, colour, share, random_colour(rng))


def _paint(
    shade: NDArray[np.float32],
    colour: NDArray[np.float64],
    share: NDArray[np.float32] | None = None,
    second: NDArray[np.float64] | None = None,
) -> Picture:
    """Make an opaque picture of a colour, mixed with a second one by share, times a shade."""
    out = np.full((*shade.shape, 4), 255, np.uint8)
    for k in range(3):
        plane = np.float32(colour[k]) * shade
        if share is not None and second is not None:
            plane += np.float32(second[k] - colour[k]) * share * shade
        out[..., k] = np.clip(plane, 0, 255)
    return out


def denim(size: int, rng: np.random.Generator) -> Picture:
    """Make denim, (size, size, 4) uint8, in blue, black or grey, worn at places."""
    colour = (
        _BLUE_JEANS * rng.uniform(0.5, 1.5) if rng.random() < 0.7 else random_colour(rng) * 0.6
    )
    worn = 1.0 + 0.12 * smooth_noise(size, 9, rng, 0.5) + 0.05 * smooth_noise(size, 50, rng, 2.0)
    return _paint(worn + 0.05 * rng.standard_normal((size, size), np.float32), colour)


def vary_cloth(picture: Picture, rng: np.random.Generator) -> Picture:
    """Turn hue, saturation and brightness of a suit's picture; sometimes weave a pattern in."""
    hsv = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2HSV)
    level = np.arange(256)
    table = np.stack(
        [
            (level + rng.integers(0, 180)) % 180,
            np.clip(level * rng.uniform(0.2, 1.3), 0, 255),
            np.clip(level * np.exp(rng.normal(0.05, 0.35)), 0, 255),
        ],
        -1,
    )
    rgb = cv2.cvtColor(cv2.LUT(hsv, table[None].astype(np.uint8)), cv2.COLOR_HSV2RGB)
    if rng.random() < 0.25:
        size = rgb.shape[0]
        share = np.asarray(_motif(size, rng), np.float32)
        share = cv2.resize(share, (rgb.shape[1], size))[..., None] * np.float32(
            rng.uniform(0.3, 0.9)
        )
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None]
        woven = grey * (random_colour(rng) / 110).astype(np.float32)
        rgb = np.clip(rgb * (1 - share) + woven * share, 0, 255)
    out = picture.copy()
    out[..., :3] = rgb
    return out


def vary_skin(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change complexion a little."""
    tone = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, [0.04, 0.03, 0.05]))
    table = np.clip(np.arange(256)[:, None] * [*tone, 1.0], 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def dye_hair(picture: Picture, colour: NDArray[np.float32]) -> Picture:
    """Give hair (or brows) a colour (3,), keeping its strands and its alpha."""
    grey = cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
    seen = picture[..., 3] > 100
    level = float(grey[seen].mean()) if seen.any() else 128.0
    strands = 0.35 + 0.65 * np.clip(np.arange(256) / max(level, 1.0), 0.2, 2.5)
    table = np.clip(strands[:, None] * colour, 0, 255).astype(np.uint8)
    out = picture.copy()
    out[..., :3] = cv2.LUT(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), table[None])
    out[~seen, :3] = colour  # what filters mix in at the edges
    return out


def hair_colour(years: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a hair colour (3,), 0..255, that suits an age in years."""
    grey = rng.random() < np.clip((years - 35) / 40, 0.0, 0.95)
    palette = _GREY_HAIR if grey else _HAIR_COLOURS
    mix = rng.dirichlet(np.full(len(palette), 0.35))
    return np.asarray(mix @ palette * np.exp(rng.normal(0, 0.15)), np.float32)


def make_atlas(pictures: dict[str, Picture]) -> list[Picture]:
    """
    Put pictures into their slots.

    Parameters
    ----------
    pictures : dict of str to ndarray, (H, W, 4), uint8
        By slot.

    Returns
    -------
    list of ndarray, (S, S, 4), uint8
        The atlas at sides ``ATLAS_SIZE``, half of it, and so on.

    """
    atlas = np.zeros((ATLAS_SIZE, ATLAS_SIZE, 4), np.uint8)
    for slot, picture in pictures.items():
        left, top, side = SLOTS[slot]
        if picture.shape[:2] != (side, side):
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        atlas[top : top + side, left : left + side] = picture
    levels = [atlas]
    for _ in range(4):
        size = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (size, size), interpolation=cv2.INTER_AREA))
    return levels


def to_atlas(face_uv: NDArray[np.float32], slot: str) -> NDArray[np.float32]:
    """Convert texture coordinates 0..1 of a slot to atlas coordinates 0..1."""
    left, top, side = SLOTS[slot]
    inside = np.clip(face_uv, 0.004, 0.996) * side + np.array([left, top], np.float32)
    return (inside / ATLAS_SIZE).astype(np.float32)
