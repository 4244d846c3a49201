# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""One sheet of the worst cases: the mesh over the picture, the true skeleton, and the error."""

from __future__ import annotations

from typing import Any

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import crop_camera, scale_camera
from anny_ros.render.overlay import draw_meshes
from anny_ros.types import Detections
import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluate_clips import BONES
from training.evaluation.errors import Outcome
from training.evaluation.rendered import Judged, read_rgb, Shown

Picture = NDArray[np.uint8]

_CELL, _TEXT, _COLUMNS = 300, 52, 6
_MARGIN = 0.3
_WHITE, _YELLOW, _INK_TITLE = (255, 255, 255), (255, 220, 60), (120, 200, 255)
_INK = np.array([[0.25, 0.75, 1.0]])
_RESOLUTION = 'coarse'


def worst(outcome: Outcome) -> list[tuple[str, NDArray[np.intp]]]:
    """Rows of people who count, the worst first, by kind of error; nobody comes twice."""
    met = outcome.counts & outcome.found
    kinds: list[tuple[str, NDArray[np.bool_], NDArray[Any]]] = [
        ('largest error of the joints (PA-MPJPE)', met, outcome.pa_mpjpe),
        ('facing elsewhere', met, outcome.heading),
        ('largest error of the distance', met, np.abs(outcome.distance)),
        ('missed, the largest', outcome.counts & ~outcome.found, outcome.size),
    ]
    taken = np.zeros(len(outcome), bool)
    chosen = []
    for name, who, error in kinds:
        rows = np.flatnonzero(who & ~taken)
        rows = rows[np.argsort(-error[rows], kind='stable')][:_COLUMNS]
        taken[rows] = True
        chosen.append((name, rows))
    return chosen


def describe(outcome: Outcome, row: int) -> tuple[str, str]:
    """Two lines on a person: who, and how wrong."""
    who = (
        f'{outcome.age[row]:.0f} years  {outcome.size[row]:.0f} px  '
        f'{100 * min(outcome.visible[row], outcome.inside[row]):.0f} % seen'
    )
    if outcome.row[row] < 0:
        return who, 'missed'
    errors = (
        f'PA {1000 * outcome.pa_mpjpe[row]:.0f} mm  {outcome.heading[row]:.0f} deg  '
        f'dist {100 * np.expm1(outcome.distance[row]):+.0f} %'
    )
    return who, errors


def panel(picture: Shown, found: Detections, person: int, row: int, body: BodyModel) -> Picture:
    """One person enlarged: the mesh if there is one, the true skeleton in white."""
    rgb = read_rgb(picture)
    height, width = rgb.shape[:2]
    box = np.clip(picture.labels.bbox[person], 0, [width, height, width, height])
    side = max(int((1 + 2 * _MARGIN) * (box[2:] - box[:2]).max()), 24)
    left, top = (int(v) for v in (box[:2] + box[2:] - side) / 2)
    # The window may reach outside of the picture: what is there is black.
    window = np.zeros((side, side, 3), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    window[y0 - top : y1 - top, x0 - left : x1 - left] = rgb[y0:y1, x0:x1]
    camera = scale_camera(crop_camera(picture.camera, left, top, side, side), _CELL, _CELL)
    cell = cv2.resize(window, (_CELL, _CELL), interpolation=cv2.INTER_LINEAR)
    if row >= 0:
        vertices = body.vertices(found[row], _RESOLUTION)
        draw_meshes(cell, vertices, body.triangles(_RESOLUTION), camera.K, _INK, np.array([0.65]))
    points = (picture.labels.keypoints_2d[person] - (left, top) + 0.5) * _CELL / side - 0.5
    for a, b in BONES:
        if np.isfinite(points[[a, b]]).all() and np.abs(points[[a, b]]).max() < 10 * _CELL:
            ends = [tuple(round(float(v)) for v in points[k]) for k in (a, b)]
            cv2.line(cell, ends[0], ends[1], _WHITE, 1, cv2.LINE_AA)
    return np.asarray(cell, np.uint8)


def sheet(
    pictures: list[Shown], found: list[Detections], judged: Judged, body: BodyModel
) -> Picture:
    """Draw the worst cases; a row a kind of error."""
    outcome = judged.outcome
    bands = []
    for title, rows in worst(outcome):
        band = np.zeros((_CELL + _TEXT, _COLUMNS * _CELL, 3), np.uint8)
        _write(band, title if len(rows) else f'{title}: nobody', (4, 14), _INK_TITLE)
        for k, i in enumerate(rows):
            number, x = int(outcome.picture[i]), k * _CELL
            band[_TEXT:, x : x + _CELL] = panel(
                pictures[number], found[number], int(outcome.person[i]), int(outcome.row[i]), body
            )
            who, errors = describe(outcome, int(i))
            _write(band, f'picture {number}: {who}', (x + 4, 30), _WHITE)
            _write(band, errors, (x + 4, 46), _YELLOW)
        bands.append(band)
    return np.vstack(bands)


def _write(canvas: Picture, text: str, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
