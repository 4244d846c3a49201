# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Pictures without anybody's looks: people are taken out and their meshes put in.

No pixel that may show somebody goes into the result: such pixels are filled from their
surroundings, out of pixels that show nobody, before the meshes are drawn.
"""

from __future__ import annotations

from anny_ros.geometry.camera import scale_camera
from anny_ros.render.colours import track_colour
from anny_ros.render.overlay import Body, draw_meshes
from anny_ros.types import FloatArray, Scene, TrackState
import cv2
import numpy as np
from numpy.typing import NDArray

# What is hidden around a person: their box; the hull of the mesh, widened by this share of its
# size for hair, clothes, bags and a mesh that lies a little wrong; and a disc about the head.
_MARGIN = 0.09
_LEAST_MARGIN_PX = 4.0
_HEAD_RADIUS = 0.13  # of the stature
# Boxes are widened by this share.
_BOX_MARGIN = 0.15
_OPAQUE = 1.0
# A mesh's head is drawn with this many pixels across, smoothly enlarged: the body model has a
# face, which is nobody's, but both people and face detectors would take it for one.
_HEAD_CELLS = 9


def anonymise(
    rgb: NDArray[np.uint8],
    scene: Scene,
    body: Body,
    candidates: FloatArray,
    resolution: str = 'coarse',
) -> NDArray[np.uint8]:
    """
    Replace everybody by a mesh with a blurred face.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
        The picture; not changed. If its size is not the camera's, intrinsics are scaled to it.
    scene : Scene
        Everybody who is tracked, of every state. A mesh is drawn for who is TRACKED or OCCLUDED;
        where others are thought to be, their pixels are hidden all the same.
    body : Body
    candidates : ndarray, (K, 4), pixels of ``scene.camera``
        Boxes x0, y0, x1, y1 of whatever else might be a person; hidden without a mesh.
    resolution : str
        Surface to draw.

    Returns
    -------
    ndarray, (H, W, 3), uint8

    """
    hidden = hidden_pixels(rgb.shape[:2], scene, body, candidates)
    out = fill_from_surroundings(rgb, hidden)
    drawn = np.flatnonzero(
        (scene.states == TrackState.TRACKED) | (scene.states == TrackState.OCCLUDED)
    )
    if len(drawn):
        height, width = out.shape[:2]
        humans = scene.humans[drawn]
        K = scale_camera(scene.camera, width, height).K
        draw_meshes(
            out,
            body.vertices(humans, resolution),
            body.triangles(resolution),
            K,
            np.array([track_colour(int(n)) for n in scene.track_numbers[drawn]]),
            np.full(len(drawn), _OPAQUE),
        )
        for head, stature in zip(humans.head_position, humans.stature, strict=True):
            _blur_head(out, *_head_disc(head, float(stature), K))
    return out


def hidden_pixels(
    shape: tuple[int, int], scene: Scene, body: Body, candidates: FloatArray
) -> NDArray[np.bool_]:
    """
    Mark every pixel that may show somebody.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the picture.
    scene : Scene
    body : Body
    candidates : ndarray, (K, 4), pixels of ``scene.camera``

    Returns
    -------
    ndarray, (H, W), bool

    """
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    humans = scene.humans
    if len(humans):
        K = scale_camera(scene.camera, width, height).K
        surfaces = body.vertices(humans, 'coarse').astype(np.float64)
        for row in range(len(humans)):
            _hide_person(mask, surfaces[row], humans.head_position[row], humans.stature[row], K)
    scale = np.array([width / scene.camera.width, height / scene.camera.height])
    # A body may lie wrong; the box was seen.
    for box in np.concatenate([humans.bbox, np.asarray(candidates).reshape(-1, 4)]):
        _hide_box(mask, (box.astype(np.float64).reshape(2, 2) + 0.5) * scale)
    return mask.astype(bool)


def fill_from_surroundings(rgb: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """
    Fill hidden pixels smoothly from those around them.

    A pyramid of averages over the pixels that are not hidden ("pull"), from which holes are filled
    level by level ("push"): Gortler et al., The Lumigraph, 1996.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
    hidden : ndarray, (H, W), bool

    Returns
    -------
    ndarray, (H, W, 3), uint8
        Nothing in it depends on a hidden pixel; grey if all are hidden.

    """
    if not hidden.any():
        return rgb.copy()
    weight: FloatArray = (~hidden).astype(np.float32)
    levels: list[tuple[FloatArray, FloatArray]] = [(rgb * weight[..., None], weight)]
    while max(levels[-1][1].shape) > 1:
        rows, columns = ((n + 1) // 2 for n in levels[-1][1].shape)
        colour, weight = (
            np.asarray(cv2.resize(a, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
            for a in levels[-1]
        )
        levels.append((colour.reshape(rows, columns, 3), weight.reshape(rows, columns)))
    colour, weight = levels.pop()
    filled = np.where(weight[..., None] > 0, colour / np.maximum(weight, 1e-6)[..., None], 127.5)
    for colour, weight in reversed(levels):
        size = weight.shape[::-1]
        wide = cv2.resize(filled.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        known = np.minimum(weight, 1.0)[..., None]
        own = colour / np.maximum(weight, 1e-6)[..., None]
        filled = known * own + (1.0 - known) * wide.reshape(own.shape)
    out = rgb.copy()
    out[hidden] = np.clip(filled[hidden] + 0.5, 0, 255).astype(np.uint8)
    return out


def _hide_person(
    mask: NDArray[np.uint8],
    surface: FloatArray,
    head: FloatArray,
    stature: float,
    K: FloatArray,
) -> None:
    """Mark the widened hull of a surface (V, 3), and a disc about the head."""
    front = surface[surface[:, 2] > 0.05]
    if len(front) < 3:
        return
    limit = 4.0 * max(mask.shape)
    uv = np.clip((front @ K.T)[:, :2] / front[:, 2:], -limit, limit)
    hull = np.asarray(cv2.convexHull(uv.astype(np.float32))[:, 0], np.float64)
    margin = max(_MARGIN * float(np.ptp(hull, axis=0).max()), _LEAST_MARGIN_PX)
    _fill_widened(mask, hull, margin)
    centre, radius = _head_disc(head, stature, K)
    if radius > 0:
        around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        disc = centre + radius * np.stack([np.cos(around), np.sin(around)], axis=1)
        cv2.fillConvexPoly(mask, np.round(np.clip(disc, -limit, limit)).astype(np.int32), 1)


def _head_disc(head: FloatArray, stature: float, K: FloatArray) -> tuple[FloatArray, float]:
    """Centre (2,) and radius in pixels of what is hidden about a head; radius 0 for none."""
    if not head[2] > 0.05:
        return np.zeros(2), 0.0
    centre = (K @ head.astype(np.float64))[:2] / head[2]
    return centre, float(_HEAD_RADIUS * stature * K[0, 0] / head[2])


def _blur_head(picture: NDArray[np.uint8], centre: FloatArray, radius: float) -> None:
    """Draw a disc with few pixels, smoothly enlarged, in place."""
    limit = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(centre - radius), 0, limit).astype(int)
    high = np.clip(np.ceil(centre + radius) + 1, 0, limit).astype(int)
    size = high - low
    if not (radius > 0 and (size > 0).all()):
        return
    window = picture[low[1] : high[1], low[0] : high[0]]
    cells = np.maximum(np.round(size * _HEAD_CELLS / (2.0 * radius)), 1).astype(int)
    few = cv2.resize(window, np.minimum(cells, size).tolist(), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(few, size.tolist(), interpolation=cv2.INTER_LINEAR)
    x, y = (np.arange(low[k], high[k]) - centre[k] for k in range(2))
    inside = np.hypot(x[None], y[:, None]) < radius
    window[inside] = blurred.reshape(window.shape)[inside]


def _fill_widened(mask: NDArray[np.uint8], hull: FloatArray, margin: float) -> None:
    """Mark a convex polygon (P, 2) and everything within ``margin`` pixels of it."""
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    # Discs a little larger, so that the polygon that stands for one holds it.
    disc = margin / np.cos(np.pi / 16) * np.stack([np.cos(around), np.sin(around)], axis=1)
    points = (hull[:, None] + disc[None]).reshape(-1, 2).astype(np.float32)
    cv2.fillConvexPoly(mask, np.round(cv2.convexHull(points)[:, 0]).astype(np.int32), 1)


def _hide_box(mask: NDArray[np.uint8], corners: FloatArray) -> None:
    """Mark a widened box; corners (2, 2) count from the picture's outer corner."""
    if not np.isfinite(corners).all():
        return
    margin = _BOX_MARGIN * np.ptp(corners, axis=0)
    limit = np.array(mask.shape[::-1])
    low = np.clip(np.floor(corners[0] - margin), 0, limit).astype(int)
    high = np.clip(np.ceil(corners[1] + margin), 0, limit).astype(int)
    mask[low[1] : high[1], low[0] : high[0]] = 1
