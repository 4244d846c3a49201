# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Drawing: people and surroundings into linear light, depth, and who is seen at each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anny_ros.render.rasterise import front_facing, visible_pixels
import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.figure import Figure, Level
from training.pictures.light import irradiance, Lighting, ShadowMap
from training.pictures.surroundings import Canvas

SUPERSAMPLE = 2
_ALPHA_CUT = 100
_FOLD = 1024
_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class PosedFigure:
    """
    A dressed person in the world.

    Parameters
    ----------
    figure : Figure
    level : Level
    vertices, normals : ndarray, (V, 3), float32
        World; metres; normals not normalised.

    """

    figure: Figure
    level: Level
    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]


@dataclass(frozen=True)
class Silhouette:
    """
    The pixels that one person would cover if alone.

    Parameters
    ----------
    pixel : ndarray, (P,), int64
        row * width + column.
    depth : ndarray, (P,), float32, metres
    face : ndarray, (P,), int64
        Face of the person's level of detail.
    vertices : ndarray, (V, 3), float64, metres
        Optical frame.

    """

    pixel: NDArray[np.int64]
    depth: NDArray[np.float32]
    face: NDArray[np.int64]
    vertices: NDArray[np.float64]


def _barycentric(
    corners: NDArray[np.float64],
    K: NDArray[np.float64],
    face: NDArray[Any],
    pixel: NDArray[Any],
    width: int,
) -> NDArray[np.float32]:
    """
    Make perspective-correct weights (P, 3) of the corners of faces (F, 3, 3) at pixels (P,).

    The ray r through a pixel meets the plane of a, b, c at weights proportional to
    r . (b x c), r . (c x a) and r . (a x b), wherever the corners are.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    form = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1) @ np.linalg.inv(K)
    row, column = np.divmod(pixel, width)
    at = form[face]  # (P, 3, 3)
    share = at[..., 0] * column[:, None] + at[..., 1] * row[:, None] + at[..., 2]
    share /= (share[:, 0] + share[:, 1] + share[:, 2])[:, None]
    return np.clip(share, 0.0, 1.0).astype(np.float32)


def silhouette(
    person: PosedFigure,
    K: NDArray[np.float64],
    R: NDArray[np.float64],
    position: NDArray[np.float64],
    width: int,
    height: int,
) -> Silhouette:
    """
    Rasterise one person alone.

    Parameters
    ----------
    person : PosedFigure
    K : ndarray, (3, 3)
    R : ndarray, (3, 3); position : ndarray, (3,)
        World to optical frame; camera's place.
    width, height : int, pixels

    Returns
    -------
    Silhouette

    """
    level = person.level
    seen = (person.vertices.astype(np.float64) - position) @ R.T
    closed = level.num_one_sided  # they come first
    drawn = np.concatenate(
        [
            np.flatnonzero(front_facing(seen, level.faces[:closed])),
            np.arange(closed, len(level.faces)),
        ]
    )
    faces = level.faces[drawn]
    holes = level.cut_out[drawn]
    alpha = np.ascontiguousarray(person.figure.atlas[0][..., 3])

    def accept(pixel: NDArray[Any], row: NDArray[Any]) -> NDArray[np.bool_]:
        solid = ~holes[row]
        doubtful = np.flatnonzero(~solid)
        used, face = np.unique(row[doubtful], return_inverse=True)
        share = _barycentric(seen[faces[used]], K, face.reshape(-1), pixel[doubtful], width)
        uv = np.einsum('pk,pkc->pc', share, level.face_uv[drawn[row[doubtful]]])
        column, line = (uv * alpha.shape[0]).astype(np.int64).T
        solid[doubtful] = alpha[line, column] > _ALPHA_CUT
        return np.asarray(solid)

    pixel, depth, face = visible_pixels(seen, faces, K, width, height, accept=accept)
    return Silhouette(pixel, depth, drawn[face], seen)


def _light_on(
    points: NDArray[np.float64],
    normals: NDArray[np.float32],
    lighting: Lighting,
    shadows: list[ShadowMap],
    position: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Light on points (P, 3), on the side that the camera at ``position`` sees."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    away = ((position - points) * normals).sum(1) < 0
    normals = np.where(away[:, None], -normals, normals)
    total = lighting.ambient(normals)
    for k, light in enumerate(lighting.lights):
        share = irradiance(light, points, normals)
        if shadows:
            share = share * shadows[k].lit(points + 0.012 * normals)
        total += share[:, None] * light.colour.astype(np.float32)
    return total


def shade(
    person: PosedFigure,
    shape: Silhouette,
    rows: NDArray[np.integer[Any]],
    canvas: Canvas,
    lighting: Lighting,
    shadows: list[ShadowMap],
) -> NDArray[np.float32]:
    """
    Colour pixels of a person.

    Parameters
    ----------
    person : PosedFigure
    shape : Silhouette
    rows : ndarray, (P,)
        Rows of the silhouette to colour.
    canvas : Canvas
        Whose camera it is; not changed.
    lighting : Lighting
    shadows : list of ShadowMap
        One for each light, or none.

    Returns
    -------
    ndarray, (P, 3), float32
        Linear light.

    """
    level, atlas = person.level, person.figure.atlas
    used, face = np.unique(shape.face[rows], return_inverse=True)
    face = face.reshape(-1)
    vertex, corner = np.unique(level.faces[used], return_inverse=True)
    corner = corner.reshape(-1, 3)
    width = canvas.inverse_depth.shape[1]
    corners = shape.vertices[vertex][corner]
    share = _barycentric(corners, canvas.K, face, shape.pixel[rows], width)
    light = _light_on(
        person.vertices[vertex].astype(np.float64), person.normals[vertex],
        lighting, shadows, canvas.position,
    )  # fmt: skip
    # Texture coordinates and light of the corners of each face, side by side: (U, 3, 5).
    carried = np.concatenate([level.face_uv[used], light[corner]], 2)
    at_pixel = np.einsum('pk,pkc->pc', share, carried[face])
    pixel_size = float(np.median(shape.depth[rows])) / float(canvas.K[0, 0])
    step = np.floor(np.log2(max(pixel_size / person.figure.texel, 1.0)))
    picture = atlas[int(np.clip(step, 0, len(atlas) - 1))]
    # remap takes pictures up to 32767 wide, so the list of pixels is folded into rows.
    count = len(rows)
    maps = np.zeros((-(-count // _FOLD) * _FOLD, 2), np.float32)
    maps[:count] = at_pixel[:, :2] * np.float32(picture.shape[0]) - np.float32(0.5)
    first, second = (np.ascontiguousarray(m.reshape(-1, _FOLD)) for m in maps.T)
    texel = cv2.remap(picture, first, second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(_LINEAR[texel.reshape(-1, 4)[:count, :3]] * at_pixel[:, 2:])


@dataclass(frozen=True)
class Drawing:
    """
    What was drawn, at the supersampled size.

    Parameters
    ----------
    canvas : Canvas
    owner : ndarray, (H, W), int16
        Index of the person seen at each pixel, -1 where none is.
    silhouettes : list of Silhouette

    """

    canvas: Canvas
    owner: NDArray[np.int16]
    silhouettes: list[Silhouette]


def draw_people(
    canvas: Canvas, people: list[PosedFigure], lighting: Lighting, shadows: list[ShadowMap]
) -> Drawing:
    """
    Draw people onto a canvas that holds the surroundings.

    Parameters
    ----------
    canvas : Canvas
        Is changed.
    people : list of PosedFigure
    lighting : Lighting
    shadows : list of ShadowMap
        One for each light, or none.

    Returns
    -------
    Drawing

    """
    height, width = canvas.inverse_depth.shape
    inverse = canvas.inverse_depth.reshape(-1)
    owner = np.full(height * width, -1, np.int16)
    shapes = []
    for i, person in enumerate(people):
        shape = silhouette(person, canvas.K, canvas.R, canvas.position, width, height)
        nearer = 1.0 / shape.depth > inverse[shape.pixel]
        inverse[shape.pixel[nearer]] = 1.0 / shape.depth[nearer]
        owner[shape.pixel[nearer]] = i
        shapes.append(shape)
    colour = canvas.colour.reshape(-1, 3)
    for i, (person, shape) in enumerate(zip(people, shapes, strict=True)):
        rows = np.flatnonzero(owner[shape.pixel] == i)
        if not len(rows):
            continue
        colour[shape.pixel[rows]] = shade(person, shape, rows, canvas, lighting, shadows)
    return Drawing(canvas, owner.reshape(height, width), shapes)
