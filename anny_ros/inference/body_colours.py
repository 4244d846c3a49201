# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What people wear, part by part of the body, as a feature whose cosine tells them apart.

Colours are read where points of a body's mesh appear in the picture, unless the body itself or
somebody in front hides them. The colours of a part are a distribution, not a mean: random Fourier
features of each colour are averaged (a kernel mean embedding), so that the cosine of two features
is large if the same parts show the same mixtures of colours. It needs a picture and bodies, so it
works with every estimator.
"""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.types import Detections
import cv2
import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

# First letters of the bones that a part hangs on; hands hold things, so they are none.
_PARTS: tuple[tuple[str, ...], ...] = (
    ('head', 'neck'),
    ('spine01', 'spine02', 'spine03', 'clavicle', 'breast'), ('spine', 'pelvis', 'root'),
    ('upperarm', 'shoulder'), ('lowerarm',), ('upperleg',), ('lowerleg',), ('foot', 'toe'),
)  # fmt: skip
_POINTS_A_PART = 28
_FREQUENCIES_A_PART = 16
FEATURE_SIZE = 2 * _FREQUENCIES_A_PART * len(_PARTS)
# Differences of Lab values (8-bit scale) that light alone makes between two looks at a person.
_LAB_SPREAD = np.array([40.0, 8.0, 8.0])
# A body is compared with what is in front of it on a grid of so many columns and rows.
_COLUMNS, _ROWS = 16, 26
# Points so far behind the nearest one of their cell are hidden: by the body itself, by others.
_BEHIND_ITSELF, _BEHIND_OTHERS = 0.1, 0.15  # metres
# A part of whose points this share is seen counts half (of its square).
_HALF_SEEN = 0.05
_NEAREST = 0.1  # metres


class BodyColours:
    """
    Describe people by the colours of their bodies.

    Parameters
    ----------
    body : BodyModel
        That of the people.

    """

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        rest = body.rest_surface('coarse')
        part_of_vertex = _parts_of(body.bones('coarse'))
        chosen = [
            _spread_out(rest, np.flatnonzero(part_of_vertex == part), _POINTS_A_PART)
            for part in range(len(_PARTS))
        ]
        self._points = np.concatenate(chosen)
        self._starts = np.cumsum([0, *(len(c) for c in chosen[:-1])])
        self._counts = np.array([len(c) for c in chosen], np.float32)
        rng = np.random.default_rng(0)
        frequencies = rng.normal(size=(3, _FREQUENCIES_A_PART)) / _LAB_SPREAD[:, None]
        self._frequencies = frequencies.astype(np.float32)

    def __call__(self, rgb: NDArray[np.uint8], people: Detections) -> Float32Array:
        """
        Describe people.

        Parameters
        ----------
        rgb : ndarray, (H, W, 3), uint8
        people : Detections
            N rows, of this picture.

        Returns
        -------
        ndarray, (N, FEATURE_SIZE), float32
            Of length 1, but zero for somebody of whom nothing is seen. Parts that are not seen
            are zero: they add nothing to a cosine, which so stays lower between looks at
            different parts.

        Notes
        -----
        Random Fourier features of a Gaussian kernel: Rahimi & Recht (2007); mean embeddings of
        distributions: Smola et al. (2007).

        """
        if len(people) == 0:
            return np.zeros((0, FEATURE_SIZE), np.float32)
        vertices = self._body.vertices(people, 'coarse')
        K = people.camera.K.astype(np.float32)
        depth = vertices[..., 2]
        plane = vertices[..., :2] / np.maximum(depth, _NEAREST)[..., None]
        uv = (plane * K[[0, 1], [0, 1]] + K[:2, 2]).astype(np.float32)
        seen = self._seen(uv, depth)
        size = np.array([rgb.shape[1], rgb.shape[0]]) - 1
        pixel = np.nan_to_num(uv[:, self._points]).round().clip(-1, size + 1).astype(np.intp)
        seen &= ((pixel >= 0) & (pixel <= size)).all(axis=-1)
        u, v = pixel.clip(0, size).transpose(2, 0, 1)
        lab = cv2.cvtColor(rgb[v, u], cv2.COLOR_RGB2LAB).astype(np.float32)
        return self._embedded(lab, seen)

    def _seen(self, uv: Float32Array, depth: Float32Array) -> NDArray[np.bool_]:
        """Which points (N, P) neither the body itself nor another one hides."""
        low, high = uv.min(axis=1), uv.max(axis=1)
        seen = (depth > _NEAREST)[:, self._points]
        for i in range(len(uv)):
            near = (low < high[i]).all(axis=1) & (high > low[i]).all(axis=1)
            near[i] = False
            cell_size = np.maximum((high[i] - low[i]) / [_COLUMNS, _ROWS], 1e-3)
            place = np.floor((uv[i] - low[i]) / cell_size).clip(0, [_COLUMNS - 1, _ROWS - 1])
            own = (place @ [1, _COLUMNS]).astype(np.intp)
            limit = _nearest(own, depth[i]) + _BEHIND_ITSELF
            if near.any():
                others = np.floor((uv[near].reshape(-1, 2) - low[i]) / cell_size)
                over = (others >= 0).all(axis=1) & (others < [_COLUMNS, _ROWS]).all(axis=1)
                cell = (others[over] @ [1, _COLUMNS]).astype(np.intp)
                hiding = _nearest(cell, depth[near].reshape(-1)[over]) + _BEHIND_OTHERS
                limit = np.minimum(limit, hiding)
            seen[i] &= depth[i, self._points] <= limit[own[self._points]]
        return seen

    def _embedded(self, lab: Float32Array, seen: NDArray[np.bool_]) -> Float32Array:
        """Features (N, FEATURE_SIZE) of colours (N, P, 3)."""
        phase = lab @ self._frequencies
        waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=-1)
        total = np.add.reduceat(waves * seen[..., None], self._starts, axis=1)  # (N, parts, D)
        count = np.add.reduceat(seen.astype(np.float32), self._starts, axis=1)
        share = count / self._counts
        weight = np.sqrt(share / (share + _HALF_SEEN)) / np.maximum(count, 1)
        feature = (total * weight[..., None]).reshape(len(lab), -1)
        length = np.linalg.norm(feature, axis=1, keepdims=True)
        return (feature / np.maximum(length, 1e-9)).astype(np.float32)


def _nearest(cell: NDArray[np.intp], depth: Float32Array) -> Float32Array:
    """Nearest depth in each cell, inf where there is none."""
    nearest = np.full(_COLUMNS * _ROWS, np.inf, np.float32)
    order = np.argsort(-depth)
    nearest[cell[order]] = depth[order]  # the last one stays
    return nearest


def _parts_of(bones: tuple[str, ...]) -> NDArray[np.int64]:
    """Part of each vertex, -1 for none, from the name of the bone that moves it most."""

    def part(bone: str) -> int:
        for index, stems in enumerate(_PARTS):
            if bone.startswith(stems):
                return index
        return -1

    return np.array([part(bone) for bone in bones])


def _spread_out(points: Float32Array, rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Choose rows whose points are far from each other, each the farthest from those before."""
    chosen = [rows[0]]
    distance = np.full(len(rows), np.inf)
    while len(chosen) < min(count, len(rows)):
        new = np.linalg.norm(points[rows] - points[chosen[-1]], axis=1)
        distance = np.minimum(distance, new)
        chosen.append(rows[int(distance.argmax())])
    return np.array(chosen)
