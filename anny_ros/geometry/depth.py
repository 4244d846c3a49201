# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How far people are from a depth picture that is registered to the colour picture."""

from __future__ import annotations

from typing import Any

from anny_ros.geometry.ground import ScaleMeasurement
from anny_ros.types import Camera, FloatArray
import numpy as np
from numpy.typing import NDArray

# Only skin that faces the camera this much is compared: at the silhouette depth pictures hold
# flying pixels, and a shift of a few pixels looks past the body.
_LEAST_FACING = 0.5
_LEAST_SAMPLES = 12
# Samples within this of the best agreement count as the body.
_WINDOW = 0.06
# Part of the samples that must agree; the rest may be holes' rims, occluders, background.
_LEAST_AGREEING = 0.25
# Farther off than so many standard deviations of the estimate is something else than the person.
_GATE = 4.0
# Error of a depth camera: share of the distance, and what clothes and the shape of the mesh add.
_SENSOR_SHARE = 0.01
_SURFACE_STDDEV = 0.02  # metres


def scale_from_depth(
    depth: NDArray[np.float32],
    camera: Camera,
    surfaces: FloatArray,
    triangles: NDArray[np.integer[Any]],
    prior_stddev: FloatArray,
) -> ScaleMeasurement:
    """
    Compare the surface of each person with the depth picture.

    The logarithm of measured over estimated depth is taken at many points of the skin; it is the
    same at all that are seen, so its densest value is looked for, with a preference for values
    that the estimate makes likely.

    Parameters
    ----------
    depth : ndarray, (H, W), float32, metres
        Along the optical axis; 0 or not finite where nothing was measured. Registered: pixel for
        pixel that of the colour picture, though perhaps of another size.
    camera : Camera
        Of the colour picture.
    surfaces : ndarray, (N, V, 3), metres
        Optical frame.
    triangles : ndarray, (F, 3)
        Counter-clockwise seen from outside.
    prior_stddev : ndarray, (N,)
        Standard deviation of the logarithm of the estimated distance.

    Returns
    -------
    ScaleMeasurement
        Unknown for people of whom too few pixels agree.

    """
    height, width = depth.shape
    factor = np.array([width / camera.width, height / camera.height])
    log_scale, stddev = np.zeros(len(surfaces)), np.full(len(surfaces), np.inf)
    for row, surface in enumerate(np.asarray(surfaces, np.float64)):
        ratios = _log_ratios(depth, camera, factor, surface, triangles)
        believed = ratios[np.abs(ratios) <= _GATE * prior_stddev[row] + _WINDOW]
        if len(believed) < _LEAST_SAMPLES:
            continue
        best, agreeing = _densest(believed, float(prior_stddev[row]))
        if agreeing < max(_LEAST_AGREEING * len(ratios), _LEAST_SAMPLES):
            continue
        log_scale[row] = best
        distance = np.linalg.norm(surface.mean(axis=0)) * np.exp(best)
        stddev[row] = np.hypot(_SENSOR_SHARE, _SURFACE_STDDEV / distance)
    return ScaleMeasurement(log_scale, stddev)


def _log_ratios(
    depth: NDArray[np.float32],
    camera: Camera,
    factor: FloatArray,
    surface: FloatArray,
    triangles: NDArray[np.integer[Any]],
) -> FloatArray:
    """Log of measured over estimated depth where the skin faces the camera."""
    corners = surface[triangles]  # (F, 3, 3)
    middle = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(middle, axis=1)
    facing = -np.einsum('fi,fi->f', normal, middle) / np.maximum(length, 1e-12)
    middle = middle[(facing > _LEAST_FACING) & (middle[:, 2] > 0.05)]
    uv = middle @ camera.K.T
    uv = (uv[:, :2] / uv[:, 2:] + 0.5) * factor
    column, row = np.floor(uv).astype(np.int64).T
    inside = (column >= 0) & (column < depth.shape[1]) & (row >= 0) & (row < depth.shape[0])
    column, row, z = column[inside], row[inside], middle[inside, 2]
    # An arm before the chest: only the nearest skin of each pixel is seen.
    cell = row * depth.shape[1] + column
    order = np.lexsort((z, cell))
    first = order[np.r_[True, np.diff(cell[order]) > 0]] if len(order) else order
    measured = depth[row[first], column[first]].astype(np.float64)
    good = np.isfinite(measured) & (measured > 0)
    result: FloatArray = np.log(measured[good] / z[first][good])
    return result


def _densest(ratios: FloatArray, prior_stddev: float) -> tuple[float, int]:
    """Median of the window with the most samples, weighted by the prior, and how many it holds."""
    ordered = np.sort(ratios)
    counts = np.searchsorted(ordered, ordered + _WINDOW, side='right') - np.arange(len(ordered))
    centre = ordered + 0.5 * _WINDOW
    worth = counts * np.exp(-0.5 * (centre / np.hypot(2 * prior_stddev, _WINDOW)) ** 2)
    begin = int(np.argmax(worth))
    chosen = ordered[begin : begin + counts[begin]]
    return float(np.median(chosen)), len(chosen)
