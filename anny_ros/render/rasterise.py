# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A z-buffer in numpy: which triangle is seen at each pixel, and how far it is.

Every triangle is cut into horizontal spans, every span into pixels, all at once and without a
loop over triangles; a pixel belongs to a triangle if its *centre* lies inside. Two triangles
that share an edge neither leave a gap between them nor cover a pixel twice, because both compute
the crossing of a row with that edge from the same end points in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Accept = Callable[[IntArray, IntArray], NDArray[np.bool_]]

NEAR = 0.05
"""Distance in metres of the near plane; what is nearer is cut away."""

# Pixels that are written at a time: bounds the memory whatever the triangles are.
_PIXELS_A_BATCH = 1 << 20
# A picture coordinate beyond this is as far outside as any other (float64 stays exact enough).
_FARTHEST_PX = 1e7


def rasterise(
    vertices: FloatArray,
    triangles: IntArray,
    K: FloatArray,
    width: int,
    height: int,
    near: float = NEAR,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """
    Render triangles into a depth map and a map of triangle indices.

    Both sides of a triangle are drawn; leave out what faces away beforehand
    (``front_facing``) when the surface is closed.

    Parameters
    ----------
    vertices : ndarray, (V, 3), float, metres
        Camera optical frame (x right, y down, z forward). Rows that are not finite hide the
        triangles that use them.
    triangles : ndarray, (F, 3), int
        Rows of ``vertices``.
    K : ndarray, (3, 3), float, pixels
        Intrinsics, counted from the centre of the top-left pixel.
    width, height : int, pixels
    near : float, metres
        Triangles are clipped at this distance; must be > 0.

    Returns
    -------
    depth : ndarray, (height, width), float32, metres
        z of the nearest surface (perspective-correct), inf where there is none.
    triangle : ndarray, (height, width), int32
        Its row of ``triangles``, -1 where there is none; of two at the same depth, the first.

    Raises
    ------
    ValueError
        If a shape or the size of the picture is wrong.

    """
    pixel, seen_depth, seen_triangle = visible_pixels(vertices, triangles, K, width, height, near)
    depth = np.full(height * width, np.inf, np.float32)
    depth[pixel] = seen_depth
    triangle = np.full(height * width, -1, np.int32)
    triangle[pixel] = seen_triangle
    return depth.reshape(height, width), triangle.reshape(height, width)


def visible_pixels(
    vertices: FloatArray,
    triangles: IntArray,
    K: FloatArray,
    width: int,
    height: int,
    near: float = NEAR,
    accept: Accept | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int32]]:
    """
    Render like ``rasterise``, but return only the pixels that show something.

    Parameters
    ----------
    vertices, triangles, K, width, height, near
        See ``rasterise``.
    accept : callable or None
        Is given pixels (row * width + column) and the triangle at each, and returns which of
        them are solid, bool; the others are holes (of hair, leaves, nets).

    Returns
    -------
    pixel : ndarray, (P,), int64
        row * width + column, ascending.
    depth : ndarray, (P,), float32, metres
    triangle : ndarray, (P,), int32

    """
    vertices = np.asarray(vertices, np.float64)
    triangles = np.asarray(triangles)
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f'vertices must be (V, 3), got {vertices.shape}')
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f'triangles must be (F, 3), got {triangles.shape}')
    if width <= 0 or height <= 0:
        raise ValueError(f'picture size must be positive, got {width}x{height}')
    K = np.asarray(K, np.float64)
    buffer = np.zeros(height * width, np.uint64)
    if len(triangles):
        uv, inverse, source = _projected(vertices, triangles, K, near)
        kept = _reaching(uv, width, height)
        _fill(buffer, uv[kept], inverse[kept], source[kept], width, height, accept)
    pixel = np.flatnonzero(buffer)
    seen = buffer[pixel]
    depth = np.float32(1.0) / (seen >> np.uint64(32)).astype(np.uint32).view(np.float32)
    tag = (seen & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return pixel, depth, (0xFFFFFFFF - tag).astype(np.int32)


def clip_near(
    vertices: FloatArray, triangles: IntArray, near: float = NEAR
) -> tuple[FloatArray, IntArray]:
    """
    Cut triangles at the plane z = near and keep what lies beyond it.

    Parameters
    ----------
    vertices : ndarray, (V, 3), float, metres
    triangles : ndarray, (F, 3), int
    near : float, metres

    Returns
    -------
    corners : ndarray, (T, 3, 3), float64, metres
        Corners of what remains, wound as before; a cut triangle gives one or two.
    source : ndarray, (T,), int
        The row of ``triangles`` that each comes from, ascending.

    """
    corners = np.asarray(vertices, np.float64)[triangles]  # (F, 3, 3)
    finite = np.isfinite(corners).all(axis=(1, 2))
    beyond = corners[:, :, 2] >= near  # (F, 3); NaN is not beyond
    count = beyond.sum(axis=1)
    whole = np.flatnonzero(finite & (count == 3))
    cut = np.flatnonzero(finite & (count > 0) & (count < 3))
    if not len(cut):
        return corners[whole], whole
    parts, sources = [corners[whole]], [whole]
    for num_beyond in (1, 2):
        rows = cut[count[cut] == num_beyond]
        # Turn each so that its lone corner (the only one beyond, or the only one not) is first.
        lone = np.argmax(beyond[rows] == (num_beyond == 1), axis=1)
        order = (lone[:, None] + np.arange(3)) % 3  # (R, 3)
        a, b, c = np.moveaxis(np.take_along_axis(corners[rows], order[:, :, None], 1), 1, 0)
        ab, ac = _cross(a, b, near), _cross(a, c, near)
        if num_beyond == 1:
            parts.append(np.stack([a, ab, ac], axis=1))
            sources.append(rows)
        else:
            parts += [np.stack([ab, b, c], axis=1), np.stack([ab, c, ac], axis=1)]
            sources += [rows, rows]
    source = np.concatenate(sources)
    ascending = np.argsort(source, kind='stable')
    return np.concatenate(parts)[ascending], source[ascending]


def front_facing(vertices: FloatArray, triangles: IntArray) -> NDArray[np.bool_]:
    """
    Tell which triangles show their outside to the camera at the origin.

    Parameters
    ----------
    vertices : ndarray, (V, 3), float, metres
        Optical frame.
    triangles : ndarray, (F, 3), int
        Counter-clockwise when seen from outside, as in glTF, PLY and ROS meshes.

    Returns
    -------
    ndarray, (F,), bool

    """
    a, b, c = (np.asarray(vertices, np.float64)[triangles[:, k]] for k in range(3))
    # The normal (b - a) x (c - a) against the ray to a, written as one determinant.
    return np.asarray(np.einsum('fi,fi->f', np.cross(b, c), a) < 0)


def _cross(a: FloatArray, b: FloatArray, near: float) -> FloatArray:
    """Point of each segment a-b on the plane z = near, exactly on it."""
    t = (near - a[:, 2]) / (b[:, 2] - a[:, 2])
    point = a + t[:, None] * (b - a)
    point[:, 2] = near
    return point


def _projected(
    vertices: FloatArray, triangles: IntArray, K: FloatArray, near: float
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Corners (T, 3, 2) in pixels, their inverse depths (T, 3), and where each comes from."""
    source: IntArray = np.arange(len(triangles))
    points = vertices
    if not ((vertices[:, 2] >= near).all() and np.isfinite(vertices).all()):
        corners, source = clip_near(vertices, triangles, near)  # (T, 3, 3), (T,)
        points, triangles = corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3)
    inverse = 1.0 / points[:, 2]
    uv = np.clip((points @ K[:2].T) * inverse[:, None], -_FARTHEST_PX, _FARTHEST_PX)
    return uv[triangles], inverse[triangles], source


def _reaching(uv: FloatArray, width: int, height: int) -> IntArray:
    """Rows of the triangles whose box holds the centre of a pixel of the picture."""
    kept = np.ones(len(uv), np.bool_)
    for axis, size in enumerate((width, height)):
        low, high = _bounds(uv[:, :, axis])
        kept &= np.ceil(np.maximum(low, 0.0)) <= np.minimum(high, size - 1)
    return np.flatnonzero(kept)


def _bounds(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest of three corners (T, 3); faster than a reduction over a short axis."""
    a, b, c = values.T
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _fill(
    buffer: NDArray[np.uint64],
    uv: FloatArray,
    inverse: FloatArray,
    source: IntArray,
    width: int,
    height: int,
    accept: Accept | None,
) -> None:
    """Write spans into the buffer, in batches of bounded size."""
    # Corners from top to bottom.
    order = np.argsort(uv[:, :, 1], axis=1, kind='stable')
    uv = np.take_along_axis(uv, order[:, :, None], axis=1)
    inverse = np.take_along_axis(inverse, order, axis=1)
    top = np.clip(np.ceil(uv[:, 0, 1]), 0, height).astype(np.int64)
    bottom = np.clip(np.ceil(uv[:, 2, 1]), 0, height).astype(np.int64)
    left, right = _bounds(uv[:, :, 0])
    num_rows = np.maximum(bottom - top, 0)
    planes = fit_planes(uv, inverse)
    bounds = np.stack(_bounds(inverse), axis=1)
    start = 0
    widest = np.clip(np.minimum(right, width) - np.maximum(left, 0), 0, width) + 1
    most_pixels = np.cumsum(num_rows * widest)
    while start < len(uv):
        before = most_pixels[start - 1] if start else 0.0
        end = int(np.searchsorted(most_pixels, before + _PIXELS_A_BATCH, side='right'))
        end = max(end, start + 1)
        part = slice(start, end)
        start = end
        if num_rows[part].sum():
            _fill_batch(
                buffer,
                uv[part],
                planes[part],
                bounds[part],
                source[part],
                top[part],
                num_rows[part],
                width,
                accept,
            )


def _fill_batch(
    buffer: NDArray[np.uint64],
    uv: FloatArray,
    planes: FloatArray,
    bounds: FloatArray,
    source: IntArray,
    top: IntArray,
    num_rows: IntArray,
    width: int,
    accept: Accept | None,
) -> None:
    """Write the pixels of some triangles; nearer ones win whatever the order."""
    owner = np.repeat(np.arange(len(uv)), num_rows)  # (S,) triangle of each span
    row = np.arange(len(owner)) - np.repeat(np.cumsum(num_rows) - num_rows, num_rows)
    row += top[owner]
    left, right = _span_ends(uv, owner, row)
    first = np.clip(np.ceil(left), 0, width).astype(np.int64)
    length = np.clip(np.ceil(right), 0, width).astype(np.int64) - first
    kept = np.flatnonzero(length > 0)
    owner, row, first, length = owner[kept], row[kept], first[kept], length[kept]
    at_first, step = _depth_along_span(planes[owner], bounds[owner], row, first, length)
    # Column of each pixel = its place in the list of pixels + what its span adds.
    start = np.cumsum(length) - length
    place = np.arange(int(length.sum()))
    inverse = np.repeat(at_first - start * step, length) + np.repeat(step, length) * place
    key = inverse.astype(np.float32).view(np.uint32).astype(np.uint64) << np.uint64(32)
    key |= np.repeat(np.uint64(0xFFFFFFFF) - source[owner].astype(np.uint64), length)
    pixel = np.repeat(row * width + first - start, length) + place
    if accept is not None:
        solid = accept(pixel, np.repeat(source[owner], length))
        pixel, key = pixel[solid], key[solid]
    np.maximum.at(buffer, pixel, key)


def _depth_along_span(
    planes: FloatArray, bounds: FloatArray, row: IntArray, first: IntArray, length: IntArray
) -> tuple[FloatArray, FloatArray]:
    """
    Inverse depth at the first pixel of each span, and its change from pixel to pixel.

    Both ends are held within the range of the triangle's corners: the plane of a sliver is
    steep enough for rounding to throw it out of that range.
    """
    last = first + length - 1
    low, high = bounds.T
    constant = planes[:, 2] + planes[:, 1] * row
    at_first = np.clip(constant + planes[:, 0] * first, low, high)
    at_last = np.clip(constant + planes[:, 0] * last, low, high)
    return at_first, (at_last - at_first) / np.maximum(length - 1, 1)


def _span_ends(uv: FloatArray, owner: IntArray, row: IntArray) -> tuple[FloatArray, FloatArray]:
    """Where each row enters and leaves its triangle, in columns."""
    x, y = uv[:, :, 0], uv[:, :, 1]
    with np.errstate(divide='ignore', invalid='ignore'):
        slope = np.stack(
            [
                (x[:, 2] - x[:, 0]) / (y[:, 2] - y[:, 0]),
                (x[:, 1] - x[:, 0]) / (y[:, 1] - y[:, 0]),
                (x[:, 2] - x[:, 1]) / (y[:, 2] - y[:, 1]),
            ],
            axis=1,
        )  # (T, 3): long edge, upper edge, lower edge
    lower = (row >= y[owner, 1]).astype(np.int64)
    long_edge = x[owner, 0] + (row - y[owner, 0]) * slope[owner, 0]
    short_edge = x[owner, lower] + (row - y[owner, lower]) * slope[owner, 1 + lower]
    return np.minimum(long_edge, short_edge), np.maximum(long_edge, short_edge)


def fit_planes(uv: FloatArray, values: FloatArray) -> FloatArray:
    """
    Fit value = a * column + b * row + c through the corners of each triangle.

    Returns (T, 3) as a, b, c; a triangle without area gives its greatest value everywhere.
    """
    d1, d2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]  # (T, 2)
    v1, v2 = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    area = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    flat = np.abs(area) < 1e-9
    scale = 1.0 / np.where(flat, 1.0, area)
    a = (v1 * d2[:, 1] - v2 * d1[:, 1]) * scale
    b = (v2 * d1[:, 0] - v1 * d2[:, 0]) * scale
    c = values[:, 0] - a * uv[:, 0, 0] - b * uv[:, 0, 1]
    a[flat], b[flat], c[flat] = 0.0, 0.0, values[flat].max(axis=1)
    return np.stack([a, b, c], axis=1)
