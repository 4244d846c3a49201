# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Floors, walls and objects: textured parallelograms that hide people and catch shadows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.light import irradiance, Lighting, ShadowMap

FloatArray = NDArray[np.floating[Any]]

_LIGHT_STEP = 16  # pixels between points at which light on a surface is computed
_NEAR = 0.05
NO_TEXTURE: list[NDArray[np.uint8]] = []
"""What a quad wears that only catches shadows and leaves what is behind it to be seen."""


@dataclass(frozen=True)
class Quad:
    """
    A textured parallelogram.

    Parameters
    ----------
    corner, along, up : ndarray, (3,), metres
        World; the outside is the side to which along x up points.
    texture : int
        Index into the scene's textures.
    repeat : tuple of float
        How often the texture repeats along both sides.
    item : int
        Object that it belongs to; -1 is floor, walls and ceiling, which cast no shadow.

    """

    corner: NDArray[np.float64]
    along: NDArray[np.float64]
    up: NDArray[np.float64]
    texture: int
    repeat: tuple[float, float]
    item: int = -1

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit normal of the outside, (3,)."""
        n = np.cross(self.along, self.up)
        return np.asarray(n / np.linalg.norm(n), np.float64)

    def corners(self) -> NDArray[np.float64]:
        """(4, 3), metres, in order around."""
        c, a, u = self.corner, self.along, self.up
        return np.stack([c, c + a, c + a + u, c + u])


def box(
    centre: FloatArray, size: FloatArray, yaw: float, texture: int, item: int, repeat: float = 1.0
) -> list[Quad]:
    """
    Make the six sides of a box.

    Parameters
    ----------
    centre : ndarray, (3,), metres
    size : ndarray, (3,), metres
        Along its own axes; the third is vertical.
    yaw : float, radians
    texture, item : int
    repeat : float, 1 / metres
        Texture repeats per metre.

    Returns
    -------
    list of Quad

    """
    c, s = np.cos(yaw), np.sin(yaw)
    axes = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]) * np.asarray(size)[:, None]  # (3, 3)
    quads = []
    for k in range(3):
        a, b = axes[(k + 1) % 3], axes[(k + 2) % 3]
        for sign in (1.0, -1.0):
            first, second = (a, b) if sign > 0 else (b, a)
            corner = centre + 0.5 * sign * axes[k] - 0.5 * (first + second)
            times = (repeat * np.linalg.norm(first), repeat * np.linalg.norm(second))
            quads.append(Quad(corner, first, second, texture, times, item))
    return quads


def triangles_of(quads: list[Quad]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (4 Q, 3) and triangles (2 Q, 3) of quads."""
    if not quads:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices = np.concatenate([q.corners() for q in quads])
    first = 4 * np.arange(len(quads))[:, None, None]
    return vertices, (first + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)


@dataclass
class Canvas:
    """
    The picture in the making.

    Parameters
    ----------
    colour : ndarray, (H, W, 3), float32
        Linear light.
    inverse_depth : ndarray, (H, W), float32
        1 / metres; 0 at infinity.
    K : ndarray, (3, 3)
    R : ndarray, (3, 3); position : ndarray, (3,)
        World to optical frame; the camera's place in the world.

    """

    colour: NDArray[np.float32]
    inverse_depth: NDArray[np.float32]
    K: NDArray[np.float64]
    R: NDArray[np.float64]
    position: NDArray[np.float64]


def _window(quad: Quad, canvas: Canvas) -> tuple[int, int, int, int] | None:
    """Columns and rows (left, top, right, bottom) that a quad can reach; None if out of view."""
    height, width = canvas.inverse_depth.shape
    seen = (quad.corners() - canvas.position) @ canvas.R.T
    if (seen[:, 2] < _NEAR).all():
        return None
    if (seen[:, 2] < _NEAR).any():
        # Cut the outline at the near plane, then project what is left.
        points = []
        for a, b in zip(seen, np.roll(seen, -1, 0), strict=True):
            if a[2] >= _NEAR:
                points.append(a)
            if (a[2] >= _NEAR) != (b[2] >= _NEAR):
                points.append(a + (_NEAR - a[2]) / (b[2] - a[2]) * (b - a))
        seen = np.array(points)
    uv = (seen @ canvas.K.T)[:, :2] / seen[:, 2:]
    left, top = np.clip(np.floor(uv.min(0)), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(uv.max(0)) + 1, 0, [width, height]).astype(int)
    return (left, top, right, bottom) if right > left and bottom > top else None


def draw_quad(
    canvas: Canvas,
    quad: Quad,
    texture: list[NDArray[np.uint8]],
    lighting: Lighting,
    shadows: list[ShadowMap],
) -> None:
    """
    Draw one quad if it shows its outside; nearer surfaces on the canvas stay.

    Parameters
    ----------
    canvas : Canvas
        Is changed.
    quad : Quad
    texture : list of ndarray, (h, w, 3), uint8
        From fine to coarse, each half the one before; or ``NO_TEXTURE``.
    lighting : Lighting
    shadows : list of ShadowMap
        One for each light, or none.

    """
    normal = quad.normal
    if normal @ (canvas.position - quad.corner) <= 0:
        return
    window = _window(quad, canvas)
    if window is None:
        return
    left, top, right, bottom = window
    # Pixel (u, v, 1) -> (s, t, 1) / z, where s, t run over the quad and z is depth.
    M = np.stack([quad.along, quad.up, quad.corner - canvas.position], 1)
    form = np.linalg.inv(canvas.K @ canvas.R @ M)
    u = np.arange(left, right, dtype=np.float64)
    v = np.arange(top, bottom, dtype=np.float64)[:, None]
    s, t, w = ((f[0] * u + (f[1] * v + f[2])).astype(np.float32) for f in form)
    here = canvas.inverse_depth[top:bottom, left:right]
    seen = (s >= 0) & (s <= w) & (t >= 0) & (t <= w) & (w > here) & (w < 1 / _NEAR)
    if not seen.any():
        return
    light = _light(quad, form, window, canvas, lighting, shadows, normal)
    colour = canvas.colour[top:bottom, left:right]
    if texture is NO_TEXTURE:
        light /= np.maximum(_light(quad, form, window, canvas, lighting, [], normal), 1e-6)
        drawn = colour * light
    else:
        drawn = _sample(texture, quad, form, window, canvas) * light
    here[seen] = w[seen]
    np.copyto(colour, drawn, where=seen[..., None])


_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


def _sample(
    texture: list[NDArray[np.uint8]],
    quad: Quad,
    form: NDArray[np.float64],
    window: tuple[int, int, int, int],
    canvas: Canvas,
) -> NDArray[np.float32]:
    """Linear albedo over a window; the level of each row of pixels follows its distance."""
    left, top, right, bottom = window
    shape = (right - left, bottom - top)
    # Texels a pixel at the middle of each row, from the change of depth along it.
    lengths = np.array([np.linalg.norm(quad.along), np.linalg.norm(quad.up)])
    density = max(texture[0].shape[1] * quad.repeat[0] / lengths[0],
                  texture[0].shape[0] * quad.repeat[1] / lengths[1])  # fmt: skip
    middle = (left + right) / 2
    rows = np.arange(top, bottom)
    inverse = form[2, 0] * middle + form[2, 1] * rows + form[2, 2]
    inverse = np.clip(inverse, 1e-3, None)
    footprint = density / (inverse * canvas.K[0, 0])
    level = np.clip(np.round(np.log2(np.maximum(footprint * 1.4, 1))), 0, len(texture) - 1)
    out = np.empty((bottom - top, right - left, 3), np.uint8)
    to_window = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    for k in np.unique(level.astype(int)):
        rows = np.flatnonzero(level == k)
        first, last = rows[0], rows[-1] + 1
        picture = texture[k]
        scale = np.diag(
            [picture.shape[1] * quad.repeat[0], picture.shape[0] * quad.repeat[1], 1.0]
        )
        shift = to_window.copy()
        shift[1, 2] += first
        map_ = (scale @ form @ shift).astype(np.float64)
        out[first:last] = cv2.warpPerspective(
            picture, map_, (shape[0], int(last - first)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_WRAP,
        )  # fmt: skip
    return _LINEAR[out]


def _light(
    quad: Quad,
    form: NDArray[np.float64],
    window: tuple[int, int, int, int],
    canvas: Canvas,
    lighting: Lighting,
    shadows: list[ShadowMap],
    normal: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Light (h, w, 3) on the quad: direct, computed at few points and spread, times shadows."""
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    u = np.linspace(left, right - 1, max(2, width // _LIGHT_STEP))
    v = np.linspace(top, bottom - 1, max(2, height // _LIGHT_STEP))
    pixels = np.stack([*np.meshgrid(u, v), np.ones((len(v), len(u)))], -1)
    s, t, w = np.moveaxis(pixels @ form.T, -1, 0)
    w = np.maximum(w, 1e-3)
    points = (
        quad.corner
        + np.clip(s / w, -1, 2)[..., None] * quad.along
        + np.clip(t / w, -1, 2)[..., None] * quad.up
    )
    size = (width, height)
    ambient = lighting.ambient(normal).reshape(1, 1, 3)
    total = np.broadcast_to(ambient, (height, width, 3)).astype(np.float32)
    to_window = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    P = np.stack([quad.along, quad.up, quad.corner], 1)
    for k, light in enumerate(lighting.lights):
        share = irradiance(light, points, normal)
        if not share.any():
            continue
        share = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
        if shadows:
            shadow = shadows[k]
            onto = shadow.projection[:, :3] @ P
            onto[:, 2] += shadow.projection[:, 3]
            if quad.item < 0:
                dark = cv2.warpPerspective(
                    shadow.occlusion, onto @ form @ to_window, size,
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                )  # fmt: skip
                share = share * (1 - dark)
            else:
                share = share * _lit_by_depth(
                    shadow, onto @ form @ to_window, form @ to_window, size
                )
        total += share[..., None] * light.colour.astype(np.float32)
    return total


def _lit_by_depth(
    shadow: ShadowMap, onto: NDArray[np.float64], form: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Where a quad that casts shadows itself is lit: nothing clearly nearer to the light."""
    nearest = cv2.warpPerspective(
        shadow.inverse_depth, onto, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    u, v = np.arange(size[0]), np.arange(size[1])[:, None]
    depth = (onto[2, 0] * u + onto[2, 1] * v + onto[2, 2]) / np.maximum(
        form[2, 0] * u + form[2, 1] * v + form[2, 2], 1e-6
    )
    lit = (nearest <= 1.0 / np.maximum(depth - 0.04, 1e-3)).astype(np.float32)
    return np.asarray(cv2.blur(lit, (3, 3)), np.float32)
