# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Lamps, sun and sky, and the shadows that they cast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from anny_ros.render.rasterise import visible_pixels
import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

MAP_SIZE = 512
_SELF_SHADOW = 0.035  # metres; what is nearer to its occluder than this is lit
# Offsets in texels of the shadow map at which a shadow's edge is sampled.
_TAPS = ((0.0, 0.0), (1.5, 0.5), (-0.5, 1.5), (-1.5, -0.5), (0.5, -1.5))


@dataclass(frozen=True)
class Light:
    """
    A point light; the sun is one far away.

    Parameters
    ----------
    position : ndarray, (3,), metres
        World.
    colour : ndarray, (3,)
        Linear irradiance on a surface that faces it at the distance ``reference``.
    reference : float, metres
    softness : float, texels
        Blur of the shadows' edges.

    """

    position: NDArray[np.float64]
    colour: NDArray[np.float64]
    reference: float
    softness: float


@dataclass(frozen=True)
class Lighting:
    """
    All the light of a scene.

    Parameters
    ----------
    lights : tuple of Light
    sky, ground : ndarray, (3,)
        Linear ambient light from above and from below.

    """

    lights: tuple[Light, ...]
    sky: NDArray[np.float64]
    ground: NDArray[np.float64]

    def ambient(self, normals: FloatArray) -> NDArray[np.float32]:
        """Ambient irradiance (..., 3) on surfaces with unit normals (..., 3)."""
        up = (0.5 + 0.5 * normals[..., 2:]).astype(np.float32)
        return (up * self.sky + (1 - up) * self.ground).astype(np.float32)


@dataclass(frozen=True)
class ShadowMap:
    """
    What a light sees.

    Parameters
    ----------
    projection : ndarray, (3, 4)
        From homogeneous world points to texels times depth.
    inverse_depth : ndarray, (S, S), float32
        One over the depth of what is nearest to the light, 0 where nothing is.
    softness : float, texels

    """

    projection: NDArray[np.float64]
    inverse_depth: NDArray[np.float32]
    softness: float

    @cached_property
    def occlusion(self) -> NDArray[np.float32]:
        """Share of the light that everything in the map holds back, (S, S), 0..1, softened."""
        mask = (self.inverse_depth > 0).astype(np.float32)
        # A wide blur loses nothing at a quarter of the size.
        step = 4 if self.softness > 4 else 1
        size = (MAP_SIZE // step, MAP_SIZE // step)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.7, self.softness / step))
        return np.asarray(cv2.resize(mask, (MAP_SIZE, MAP_SIZE)), np.float32)

    def lit(self, points: FloatArray) -> NDArray[np.float32]:
        """Share of the light that reaches world points (P, 3): (P,), 0..1."""
        p = points @ self.projection[:, :3].T + self.projection[:, 3]
        depth = p[:, 2]
        column, row = p[:, 0] / depth, p[:, 1] / depth
        limit = 1.0 / np.maximum(depth - _SELF_SHADOW, 1e-3)
        total = np.zeros(len(points), np.float32)
        reach = max(1.0, 0.6 * self.softness)
        for du, dv in _TAPS:
            u = np.clip(column + reach * du, 0, MAP_SIZE - 1).astype(np.int64)
            v = np.clip(row + reach * dv, 0, MAP_SIZE - 1).astype(np.int64)
            total += self.inverse_depth[v, u] <= limit
        return total / len(_TAPS)


def look_at(position: FloatArray, target: FloatArray) -> NDArray[np.float64]:
    """Rotation (3, 3) from the world to the optical frame of a level camera at ``position``."""
    forward = np.asarray(target, np.float64) - position
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def shadow_map(
    light: Light, casters: list[tuple[FloatArray, NDArray[np.integer[Any]]]]
) -> ShadowMap:
    """
    Render what a light sees.

    Parameters
    ----------
    light : Light
    casters : list of (vertices (V, 3) in the world, triangles (F, 3)); at least one

    Returns
    -------
    ShadowMap

    """
    first = np.cumsum([0] + [len(v) for v, _ in casters])
    vertices = np.concatenate([v for v, _ in casters]).astype(np.float64)
    triangles = np.concatenate([t + n for (_, t), n in zip(casters, first[:-1], strict=True)])
    low, high = vertices.min(0), vertices.max(0)
    centre = (low + high) / 2
    R = look_at(light.position, centre)
    seen = (vertices - light.position) @ R.T
    ahead = np.maximum(seen[:, 2], 0.05)
    extent = float(np.abs(seen[:, :2] / ahead[:, None]).max()) if len(seen) else 1.0
    extent = min(extent * 1.15, 4.0)  # room for the softness
    f = 0.5 * MAP_SIZE / extent
    K = np.array([[f, 0, (MAP_SIZE - 1) / 2], [0, f, (MAP_SIZE - 1) / 2], [0, 0, 1.0]])
    pixel, depth, _ = visible_pixels(seen, triangles, K, MAP_SIZE, MAP_SIZE)
    inverse = np.zeros(MAP_SIZE * MAP_SIZE, np.float32)
    inverse[pixel] = 1.0 / depth
    pose = np.concatenate([R, -(R @ light.position)[:, None]], 1)
    return ShadowMap(K @ pose, inverse.reshape(MAP_SIZE, MAP_SIZE), light.softness)


def irradiance(light: Light, points: FloatArray, normals: FloatArray) -> NDArray[np.float32]:
    """
    Direct light without shadows.

    Parameters
    ----------
    light : Light
    points, normals : ndarray, (..., 3)
        World; unit normals.

    Returns
    -------
    ndarray, (...), float32
        Share of ``light.colour``.

    """
    ray = light.position - points
    squared = (ray * ray).sum(-1)
    cosine = (ray * normals).sum(-1) / np.sqrt(squared)
    falloff = light.reference**2 / np.maximum(squared, 0.09)
    return (np.clip(cosine, 0.0, None) * falloff).astype(np.float32)
