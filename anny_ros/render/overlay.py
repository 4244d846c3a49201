# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People drawn over the picture: shaded, half-transparent meshes with identity and distance."""

from __future__ import annotations

from typing import Any, Protocol

from anny_ros.geometry.camera import scale_camera
from anny_ros.render.colours import track_colour
from anny_ros.render.rasterise import fit_planes, front_facing, NEAR, visible_pixels
from anny_ros.types import Detections, Scene, TrackState
import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

# How much of the mesh covers the picture, by state; people who are lost are not drawn.
_OPACITY = {TrackState.TENTATIVE: 0.35, TrackState.TRACKED: 0.72, TrackState.OCCLUDED: 0.28}
# Towards the light: behind the camera's left shoulder (optical frame, y down), unit length.
_LIGHT = np.array([-0.36, -0.64, -0.68]) / np.linalg.norm([-0.36, -0.64, -0.68])
_AMBIENT = 0.38
_LABEL_TRIES = 4


class Body(Protocol):
    """What drawing needs of a body model."""

    def vertices(self, detections: Detections, resolution: str = ...) -> FloatArray:
        """(N, V, 3) metres, optical frame."""

    def triangles(self, resolution: str) -> IntArray:
        """(F, 3), counter-clockwise seen from outside."""


def draw_scene(
    rgb: NDArray[np.uint8],
    scene: Scene,
    body: Body,
    resolution: str = 'coarse',
    vertices: FloatArray | None = None,
) -> NDArray[np.uint8]:
    """
    Draw everybody of a scene over the picture.

    Nearer surfaces hide farther ones pixel by pixel. People who are TENTATIVE are fainter, people
    who are OCCLUDED faint and in a dashed box, people who are LOST are left out.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
        The picture; not changed. If its size is not the camera's, intrinsics are scaled to it.
    scene : Scene
    body : Body
        The body model that the scene was made with.
    resolution : str
        Surface to draw, ``'coarse'`` or ``'full'``.
    vertices : ndarray, (N, V, 3), metres, or None
        Surfaces of ``scene.humans`` at that resolution, when they are known already.

    Returns
    -------
    ndarray, (H, W, 3), uint8
        A new picture.

    """
    out = np.array(rgb, np.uint8, order='C')
    shown = np.flatnonzero(scene.states != TrackState.LOST)
    if not len(shown):
        return out
    if vertices is None:
        vertices = body.vertices(scene.humans[shown], resolution)
    else:
        vertices = np.asarray(vertices)[shown]
    height, width = out.shape[:2]
    scale = np.array([width / scene.camera.width, height / scene.camera.height])
    K = scale_camera(scene.camera, width, height).K
    colours = np.array([track_colour(int(number)) for number in scene.track_numbers[shown]])
    opacity = np.array([_OPACITY[TrackState(state)] for state in scene.states[shown]])
    draw_meshes(out, vertices, body.triangles(resolution), K, colours, opacity)
    _draw_labels(out, scene, shown, colours, scale)
    return out


def draw_meshes(
    picture: NDArray[np.uint8],
    vertices: FloatArray,
    triangles: IntArray,
    K: FloatArray,
    colours: FloatArray,
    opacity: FloatArray,
) -> None:
    """
    Shade closed surfaces into a picture, in place.

    Parameters
    ----------
    picture : ndarray, (H, W, 3), uint8
        C-contiguous; changed.
    vertices : ndarray, (N, V, 3), metres
        Optical frame. Whatever is nearer than the near plane is cut away.
    triangles : ndarray, (F, 3), int
        Shared by all N; counter-clockwise seen from outside.
    K : ndarray, (3, 3), pixels
    colours : ndarray, (N, 3)
        0..1.
    opacity : ndarray, (N,)
        0 (nothing is seen) to 1 (hides the picture).

    """
    height, width = picture.shape[:2]
    num_people, num_vertices = vertices.shape[:2]
    points = vertices.reshape(-1, 3).astype(np.float64)  # (N V, 3)
    offsets = np.arange(num_people)[:, None, None] * num_vertices
    all_triangles = (triangles[None] + offsets).reshape(-1, 3)  # (N F, 3)
    brightness = _brightness(points, all_triangles)  # (N V,)
    facing = np.flatnonzero(front_facing(points, all_triangles))
    seen = all_triangles[facing]
    pixel, _, triangle = visible_pixels(points, seen, K, width, height)
    if not len(pixel):
        return
    planes, low, high = _shading_planes(points, seen, brightness, K)
    row, column = np.divmod(pixel, width)
    plane = planes[triangle]
    shade = plane[:, 0] * column + plane[:, 1] * row + plane[:, 2]
    shade = np.clip(shade, low[triangle], high[triangle]).astype(np.float32)
    person = facing[triangle] // len(triangles)
    cover = opacity.astype(np.float32)[person, None]
    ink = (colours * 255.0).astype(np.float32)[person] * shade[:, None]
    flat = picture.reshape(-1, 3)
    flat[pixel] = (flat[pixel] * (1.0 - cover) + ink * cover + 0.5).astype(np.uint8)


def _brightness(points: FloatArray, triangles: IntArray) -> FloatArray:
    """Lambert's law at each vertex, from normals that are weighted by area."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    with np.errstate(invalid='ignore'):
        normal = np.cross(b - a, c - a)  # (F, 3)
    corner = triangles.T.ravel()
    summed = [np.bincount(corner, np.tile(normal[:, k], 3), len(points)) for k in range(3)]
    normals = np.stack(summed, axis=1)  # (V, 3)
    with np.errstate(invalid='ignore'):
        cosine = normals @ _LIGHT / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    return np.asarray(_AMBIENT + (1.0 - _AMBIENT) * np.maximum(np.nan_to_num(cosine), 0.0))


def _shading_planes(
    points: FloatArray, triangles: IntArray, brightness: FloatArray, K: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Brightness of each triangle as a plane over the picture, and its least and greatest."""
    values = brightness[triangles]  # (F, 3)
    corners = points[triangles]  # (F, 3, 3)
    whole = (corners[:, :, 2] >= NEAR).all(axis=1)
    corners[~whole] = (0.0, 0.0, 1.0)  # what the near plane cuts gets one brightness
    projected = corners @ K.T
    uv = projected[:, :, :2] / projected[:, :, 2:]
    return fit_planes(uv, values), values.min(axis=1), values.max(axis=1)


def _draw_labels(
    picture: NDArray[np.uint8],
    scene: Scene,
    shown: IntArray,
    colours: FloatArray,
    scale: FloatArray,
) -> None:
    """Write id, distance and state above each person, nearest last so that it stays readable."""
    humans = scene.humans
    distance = np.linalg.norm(humans.position[shown].astype(np.float64), axis=1)
    taken: list[tuple[int, int, int, int]] = []
    for k in np.argsort(-np.nan_to_num(distance, nan=np.inf)):
        i = shown[k]
        corners = humans.bbox[i].astype(np.float64).reshape(2, 2)
        corners = (corners + 0.5) * scale - 0.5
        if not np.isfinite(corners).all():
            continue
        limit = np.array([picture.shape[1] - 1, picture.shape[0] - 1])
        if (corners[1] < 0).any() or (corners[0] > limit).any():
            continue
        box = np.clip(corners, 0, limit).astype(int)
        ink = tuple(int(255 * v) for v in colours[k])
        state = TrackState(scene.states[i])
        if state == TrackState.OCCLUDED:
            _dashed_box(picture, box, ink)
        text = scene.ids[i]
        if np.isfinite(distance[k]):
            text += f' {distance[k]:.1f} m'
        if state != TrackState.TRACKED:
            text += f' {state.name.lower()}'
        _draw_label(picture, text, box, ink, taken)


def _draw_label(
    picture: NDArray[np.uint8],
    text: str,
    box: IntArray,
    ink: tuple[int, ...],
    taken: list[tuple[int, int, int, int]],
) -> None:
    """Write one label above a box, higher up where another label is already."""
    height, width = picture.shape[:2]
    size = max(0.33, 0.45 * height / 720)
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    pad = max(2, text_height // 4)
    wide, high = text_width + 2 * pad, text_height + below + 2 * pad
    x = int(np.clip((box[0, 0] + box[1, 0] - wide) // 2, 0, max(width - wide, 0)))
    y = int(np.clip(box[0, 1] - high - pad, 0, max(height - high, 0)))
    for _ in range(_LABEL_TRIES):
        clash = any(x < t[2] and t[0] < x + wide and y < t[3] and t[1] < y + high for t in taken)
        if not clash or y < high:
            break
        y -= high
    taken.append((x, y, x + wide, y + high))
    area = picture[y : y + high, x : x + wide]
    area[...] = (area * 0.35).astype(np.uint8)
    picture[y : y + high, x : x + max(2, pad // 2)] = ink
    bright = tuple(int(255 - 0.45 * (255 - v)) for v in ink)
    origin = (x + pad + 1, y + pad + text_height)
    cv2.putText(picture, text, origin, cv2.FONT_HERSHEY_SIMPLEX, size, bright, 1, cv2.LINE_AA)


def _dashed_box(picture: NDArray[np.uint8], box: IntArray, ink: tuple[int, ...]) -> None:
    """Draw a rectangle of dashes; the box lies within the picture."""
    (x0, y0), (x1, y1) = box
    dash = max(4, (y1 - y0) // 16)
    for x in range(x0, x1, 2 * dash):
        picture[[y0, y1], x : min(x + dash, x1)] = ink
    for y in range(y0, y1, 2 * dash):
        picture[y : min(y + dash, y1), [x0, x1]] = ink
