# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Cut a surface into parts that know few shapes; see ``anny_ros.body.surface``.

Every reachable rest shape is a weighted mean of those at the corners of the phenotypes, so an
error there bounds the error everywhere: what is found equal at the corners is equal.
"""

from __future__ import annotations

from anny_ros.body.surface import Part
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]

_LARGEST = 768  # vertices: the smaller the fewer shapes, but each part costs some microseconds
_CUT = 1e-8  # metres
_FLIP = np.array([-1.0, 1.0, 1.0])


def cut(coefficients: FloatArray, rest: FloatArray) -> list[Part]:
    """
    Make the parts of a surface.

    Parameters
    ----------
    coefficients : (C, B)
        Of the shared basis, at all corners.
    rest : (C, V, 3), metres
        Rest vertices there.

    Returns
    -------
    list of Part

    """
    partner, exact = _mirror_images(rest)
    runs = _left_runs(partner)
    if not all(_is_range(_images(run, partner)) for run in runs):  # halves in different order
        partner, exact = np.arange(len(partner)), np.zeros(len(partner), bool)
        runs = _left_runs(partner)
    parts = [
        _part(coefficients, rest, vertices, partner, exact)
        for run in runs
        for vertices in np.array_split(run, -(-len(run) // _LARGEST))
    ]
    covered = np.concatenate(
        [
            np.arange(start, start + count)
            for p in parts
            for start, count in ((p.start, p.count), (p.mirror_start, len(p.mirror)))
        ]
    )
    assert np.array_equal(np.sort(covered), np.arange(len(partner)))
    return parts


def _mirror_images(rest: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the partner (V,) of each vertex, and whether it is its mirror image in all shapes."""
    mean = rest.mean(0)
    itself = np.arange(len(mean))
    partner = np.asarray(cKDTree(mean).query(mean * _FLIP)[1])
    if not np.array_equal(partner[partner], itself):
        return itself, np.zeros(len(mean), bool)  # a mesh that was not made from one half
    exact = np.abs(rest[:, partner] * _FLIP - rest).max((0, 2)) < _CUT
    return partner, exact


def _left_runs(partner: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Find runs of vertices left of the middle, or in it: before their partners, or their own."""
    here = np.arange(len(partner))
    is_left = partner >= here
    runs = np.split(here, np.flatnonzero(np.diff(is_left.astype(int))) + 1)
    return [run for run in runs if is_left[run[0]]]


def _images(vertices: NDArray[np.int64], partner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Partners of those vertices that are not in the middle."""
    images = partner[vertices]
    return images[images > vertices]


def _is_range(index: NDArray[np.int64]) -> bool:
    return np.array_equal(index, index[:1] + np.arange(len(index)))


def _part(
    coefficients: FloatArray,
    rest: FloatArray,
    vertices: NDArray[np.int64],
    partner: NDArray[np.int64],
    exact: NDArray[np.bool_],
) -> Part:
    images = _images(vertices, partner)
    # partners that are no mirror images get points of their own
    odd = images[~exact[images]]
    points = np.concatenate([rest[:, vertices], rest[:, odd] * _FLIP], 1)
    mirror = partner[images] - vertices[0]
    mirror[~exact[images]] = len(vertices) + np.arange(len(odd))
    basis, mixing = _local_basis(coefficients, points)
    return Part(
        basis=basis.astype(np.float32),
        mixing=mixing.astype(np.float32),
        start=int(vertices[0]),
        count=len(vertices),
        mirror_start=int(images[0]) if len(images) else 0,
        mirror=mirror,
    )


def _local_basis(coefficients: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the shapes (R, 3 U) that points (C, U, 3) really have, and their mixing (B, R)."""
    planes = rest.transpose(0, 2, 1).reshape(len(rest), -1)
    centre, mean = coefficients.mean(0), planes.mean(0)
    u, s, vt = np.linalg.svd(coefficients - centre, full_matrices=False)
    reached = s > 1e-13 * s[0]
    u, s, vt = u[:, reached], s[reached], vt[reached]
    left, size, right = np.linalg.svd(u.T @ (planes - mean), full_matrices=False)
    rank = int((size > _CUT).sum())  # u, left and right are orthonormal: no error is larger
    left, right = left[:, :rank][:, ::-1], (size[:, None] * right)[:rank][::-1]
    mix = vt.T / s @ left  # (B, R - 1)
    error = np.abs((coefficients - centre) @ mix @ right + mean - planes).max()
    assert error < 2 * _CUT, f'{error:.1e} m'
    return np.concatenate([right, mean[None]]), np.pad(mix, ((0, 0), (0, 1)))
