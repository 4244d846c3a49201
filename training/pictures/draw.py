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
    face : ndarray, (P,), int32
        Face of the person's level of detail.
    ray_form : ndarray, (F, 3, 3), float64
        Per face: takes (column, row, 1) to perspective-correct barycentric coordinates, up to
        their sum.

    """

    pixel: NDArray[np.int64]
    depth: NDArray[np.float32]
    face: NDArray[np.int32]
    ray_form: NDArray[np.float64]


def _barycentric(
    ray_form: NDArray[np.float64], face: NDArray[Any], pixel: NDArray[Any], width: int
) -> NDArray[np.float32]:
    """Perspective-correct weights (P, 3) of the corners of faces at pixels."""
    row, column = np.divmod(pixel, width)
    form = ray_form[face]  # (P, 3, 3)
    share = form[..., 0] * column[:, None] + form[..., 1] * row[:, None] + form[..., 2]
    share = np.clip(share / share.sum(1, keepdims=True), 0.0, 1.0)
    return share.astype(np.float32)


def _ray_forms(corners: NDArray[np.float64], K: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    rows = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)  # (F, 3, 3)
    volume = np.einsum('fi,fi->f', a, rows[:, 0])
    rows *= np.sign(volume)[:, None, None]
    return rows @ np.linalg.inv(K)


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
    ray_form = _ray_forms(seen[level.faces], K)
    drawn = ~level.one_sided | front_facing(seen, level.faces)
    solid = np.flatnonzero(drawn & ~level.cut_out)
    pixel, depth, face = visible_pixels(seen, level.faces[solid], K, width, height)
    face = solid[face].astype(np.int32)
    holes = np.flatnonzero(level.cut_out)
    if len(holes):
        alpha = np.ascontiguousarray(person.figure.atlas[0][..., 3])
        size = np.float32(alpha.shape[0])

        def accept(at: NDArray[Any], row: NDArray[Any]) -> NDArray[np.bool_]:
            rows = holes[row]
            share = _barycentric(ray_form, rows, at, width)
            uv = np.einsum('pk,pkc->pc', share, level.face_uv[rows]) * size
            column, line = uv.astype(np.int64).T
            return np.asarray(alpha[line, column] > _ALPHA_CUT)

        other = visible_pixels(seen, level.faces[holes], K, width, height, accept=accept)
        pixel, depth, face = _nearest(
            (pixel, depth, face), (other[0], other[1], holes[other[2]].astype(np.int32))
        )
    return Silhouette(pixel, depth, face, ray_form)


def _nearest(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Join two lists of (pixel, depth, face), each with unique pixels; the nearer one stays."""
    pixel = np.concatenate([first[0], second[0]])
    depth = np.concatenate([first[1], second[1]])
    face = np.concatenate([first[2], second[2]])
    order = np.lexsort((depth, pixel))
    pixel = pixel[order]
    kept = order[np.concatenate([[True], pixel[1:] != pixel[:-1]])] if len(order) else order
    return np.concatenate([first[0], second[0]])[kept], depth[kept], face[kept]


def light_on(
    person: PosedFigure,
    lighting: Lighting,
    shadows: list[ShadowMap],
    position: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Light on each vertex, (V, 3), on the side that the camera at ``position`` sees."""
    points = person.vertices.astype(np.float64)
    normals = person.normals / np.maximum(
        np.linalg.norm(person.normals, axis=1, keepdims=True), 1e-9
    )
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
    vertex_light: NDArray[np.float32],
    width: int,
    pixel_size: float,
) -> NDArray[np.float32]:
    """
    Colour pixels of a person.

    Parameters
    ----------
    person : PosedFigure
    shape : Silhouette
    rows : ndarray, (P,)
        Rows of the silhouette to colour.
    vertex_light : ndarray, (V, 3)
    width : int
        Of the canvas.
    pixel_size : float, metres
        Size of a pixel on the person.

    Returns
    -------
    ndarray, (P, 3), float32
        Linear light.

    """
    face = shape.face[rows]
    share = _barycentric(shape.ray_form, face, shape.pixel[rows], width)
    uv = np.einsum('pk,pkc->pc', share, person.level.face_uv[face])
    light = np.einsum('pk,pkc->pc', share, vertex_light[person.level.faces[face]])
    atlas = person.figure.atlas
    step = int(
        np.clip(np.floor(np.log2(max(pixel_size / person.figure.texel, 1.0))), 0, len(atlas) - 1)
    )
    picture = atlas[step]
    at = uv * np.float32(picture.shape[0]) - np.float32(0.5)
    # remap takes pictures up to 32767 wide, so the list of pixels is folded into rows.
    fold = 1024
    count = len(at)
    padded = np.zeros((-(-count // fold) * fold, 2), np.float32)
    padded[:count] = at
    maps = padded.reshape(-1, fold, 2)
    texel = cv2.remap(picture, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _LINEAR[texel.reshape(-1, 4)[:count, :3]] * light


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
        light = light_on(person, lighting, shadows, canvas.position)
        distance = float(np.median(shape.depth[rows]))
        colour[shape.pixel[rows]] = shade(
            person, shape, rows, light, width, distance / float(canvas.K[0, 0])
        )
    return Drawing(canvas, owner.reshape(height, width), shapes)
