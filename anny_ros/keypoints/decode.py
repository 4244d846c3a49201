# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
From the heads of MoveNet MultiPose to people: centres, then each one's 17 keypoints.

The published decoder has room for six people, ties a keypoint to the person's box, and weighs
heat by a distance that depends on the size of the picture. This one takes everybody, looks around
the regressed position within a distance that depends on the size of the *person*, and reads
each person's own heat, so that scores do not depend on the picture's size or on neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anny_ros.keypoints.hints import NUM_HINTS
import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

STRIDE = 4  # pixels a cell
# Where cell 0 without offset is, counted from the centre of the first pixel. The original decoder
# has it at the picture's edge (-0.5); mirrored pictures (1,002 keypoints) and pictures of two
# sizes (1,641) show both coordinates to be 0.2 to 0.25 pixels short of the truth then.
ORIGIN = -0.25
# A centre is the highest of this many cells around it.
_CENTRE_WINDOW = 5
# Standard deviation of a keypoint about its regressed position: share of the longer side of the
# person's box, and at least this many cells.
_SPREAD = 0.07
_LEAST_SPREAD = 1.5
_MOST_SPREAD = 12.0


@dataclass(frozen=True)
class Heads:
    """
    What the network says about a batch of B pictures, a cell being 4 x 4 pixels.

    Parameters
    ----------
    centre_heat : ndarray, (B, 1, R, C), float32
        0..1, high in the middle of a person.
    box_size, centre_offset : ndarray, (B, 2, R, C), float32, cells
        Height and width of the box; y and x from the cell to the box's centre.
    regressed : ndarray, (B, 34, R, C), float32, cells
        y and x from a person's centre cell to each keypoint.
    keypoint_heat : ndarray, (B, 17, R, C), float32
    keypoint_offset : ndarray, (B, 34, R, C), float32, cells
        y and x from the cell to the keypoint.
    hints : ndarray, (B, NUM_HINTS, R / 8, C / 8), float32
        Of the person in the middle; see ``hints``.

    """

    centre_heat: FloatArray
    box_size: FloatArray
    centre_offset: FloatArray
    regressed: FloatArray
    keypoint_heat: FloatArray
    keypoint_offset: FloatArray
    hints: NDArray[np.float32]


@dataclass(frozen=True)
class People:
    """
    N people: where their centre, box and keypoints are.

    As decoded, coordinates are in pixels of the network's input, counted from the centre of the
    first one; ``mapped`` takes them to the original picture.

    Parameters
    ----------
    picture : ndarray, (N,), intp
        Which picture of the batch.
    centre_heat : ndarray, (N,), float32
    keypoints : ndarray, (N, 17, 2), float32, pixels
    confidences : ndarray, (N, 17), float32
        Heat times closeness to the regressed position, 0..1; not a probability.
    box : ndarray, (N, 4), float32, pixels
        x0, y0, x1, y1 as the network's box head has it, not clipped.
    hints : ndarray, (N, NUM_HINTS), float32
        See ``hints``; NaN where nobody looked.

    """

    picture: NDArray[np.intp]
    centre_heat: FloatArray
    keypoints: FloatArray
    confidences: FloatArray
    box: FloatArray
    hints: FloatArray

    def __len__(self) -> int:
        return len(self.centre_heat)

    def __getitem__(self, rows: Any) -> People:
        """Take rows by a slice, an index array or a mask."""
        return People(
            self.picture[rows],
            self.centre_heat[rows],
            self.keypoints[rows],
            self.confidences[rows],
            self.box[rows],
            self.hints[rows],
        )

    def mapped(self, scale: FloatArray, offset: FloatArray) -> People:
        """
        Copy in other coordinates: ``scale`` times what is here, plus ``offset``.

        Parameters
        ----------
        scale, offset : ndarray, (N, 2) or (2,), x and y

        """
        scale, offset = np.asarray(scale, np.float32), np.asarray(offset, np.float32)
        corners = self.box.reshape(-1, 2, 2)
        return People(
            self.picture,
            self.centre_heat,
            self.keypoints * scale[..., None, :] + offset[..., None, :],
            self.confidences,
            (corners * scale[..., None, :] + offset[..., None, :]).reshape(-1, 4),
            self.hints,
        )

    @staticmethod
    def nobody() -> People:
        """Zero rows."""
        return People(
            np.zeros(0, np.intp),
            np.zeros(0, np.float32),
            np.zeros((0, 17, 2), np.float32),
            np.zeros((0, 17), np.float32),
            np.zeros((0, 4), np.float32),
            np.zeros((0, NUM_HINTS), np.float32),
        )

    @staticmethod
    def concatenate(parts: Sequence[People]) -> People:
        """Stack rows of several, at least one."""
        return People(
            np.concatenate([p.picture for p in parts]),
            np.concatenate([p.centre_heat for p in parts]),
            np.concatenate([p.keypoints for p in parts]),
            np.concatenate([p.confidences for p in parts]),
            np.concatenate([p.box for p in parts]),
            np.concatenate([p.hints for p in parts]),
        )


def decode_people(heads: Heads, least_heat: float) -> People:
    """
    Find everybody whose centre is warmer than ``least_heat``.

    Parameters
    ----------
    heads : Heads
    least_heat : float
        0..1; people are local maxima of the centre's heat above it.

    Returns
    -------
    People
        Ordered by picture, then by falling centre heat; may be nobody.

    """
    picture, row, column = _centres(heads.centre_heat[:, 0], least_heat)
    heat = heads.centre_heat[picture, 0, row, column]
    order = np.lexsort((-heat, picture))
    picture, row, column, heat = picture[order], row[order], column[order], heat[order]
    cell = np.stack([row, column], axis=-1).astype(np.float32)  # (N, 2), y before x
    size = np.maximum(heads.box_size[picture, :, row, column], 1.0)  # (N, 2)
    middle = cell + heads.centre_offset[picture, :, row, column]
    regressed = heads.regressed[picture, :, row, column].reshape(-1, 17, 2) + cell[:, None]
    spread = np.clip(_SPREAD * size.max(axis=1), _LEAST_SPREAD, _MOST_SPREAD)
    keypoints = np.empty((len(heat), 17, 2), np.float32)
    confidences = np.empty((len(heat), 17), np.float32)
    for i, p in enumerate(picture):
        keypoints[i], confidences[i] = _keypoints(
            heads.keypoint_heat[p], heads.keypoint_offset[p], regressed[i], float(spread[i])
        )
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)[:, [1, 0, 3, 2]]
    return People(
        picture=picture,
        centre_heat=heat,
        keypoints=keypoints[..., ::-1] * STRIDE + ORIGIN,
        confidences=confidences,
        box=(corners * STRIDE + ORIGIN).astype(np.float32),
        hints=np.full((len(heat), NUM_HINTS), np.nan, np.float32),
    )


def _centres(heat: FloatArray, least_heat: float) -> tuple[NDArray[np.intp], ...]:
    """Local maxima of (B, R, C) above ``least_heat``: picture, row, column."""
    window = np.ones((_CENTRE_WINDOW, _CENTRE_WINDOW), np.uint8)
    highest = np.stack([cv2.dilate(h, window) for h in heat])
    return np.nonzero((heat >= highest) & (heat > least_heat))


def _keypoints(
    heat: FloatArray, offset: FloatArray, regressed: FloatArray, spread: float
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (17, 2) y, x in cells and confidences (17,) of one person."""
    rows, columns = heat.shape[1:]
    radius = int(np.ceil(2.5 * spread))
    span = np.arange(-radius, radius + 1)
    nearest = np.rint(regressed).astype(np.intp)  # (17, 2)
    y = nearest[:, 0, None] + span  # (17, S)
    x = nearest[:, 1, None] + span
    inside = ((y >= 0) & (y < rows))[:, :, None] & ((x >= 0) & (x < columns))[:, None, :]
    joint = np.arange(17)
    window = heat[
        joint[:, None, None],
        np.clip(y, 0, rows - 1)[:, :, None],
        np.clip(x, 0, columns - 1)[:, None, :],
    ]  # (17, S, S)
    scale = -0.5 / spread**2
    closeness_y = np.exp(scale * np.square(y - regressed[:, 0, None]))
    closeness_x = np.exp(scale * np.square(x - regressed[:, 1, None]))
    weighed = np.where(inside, window * closeness_y[:, :, None] * closeness_x[:, None, :], 0.0)
    best = weighed.reshape(17, -1).argmax(axis=1)
    by, bx = y[joint, best // len(span)], x[joint, best % len(span)]
    by_in, bx_in = np.clip(by, 0, rows - 1), np.clip(bx, 0, columns - 1)
    moved = offset.reshape(17, 2, rows, columns)[joint, :, by_in, bx_in]  # (17, 2)
    seen = weighed.reshape(17, -1)[joint, best]
    found = np.stack([by, bx], axis=-1) + moved
    return np.where(seen[:, None] > 0, found, regressed), seen
