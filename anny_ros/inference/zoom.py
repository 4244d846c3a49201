# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Enlarged looks at parts of a large picture, for people who are too small on the canvas.

All windows of a picture go onto canvases of one shape, so that they and the whole picture are
one batch of a fixed size. Where to look is a function of the picture's stamp and of where the
tracker expects people, so a recording gives the same answer again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import random

from anny_ros.geometry.camera import crop_camera, Letterbox
from anny_ros.inference.preprocess import fill_canvas
from anny_ros.types import Camera, FloatArray
import numpy as np
from numpy.typing import NDArray

# Pictures that the canvas shrinks less than this are looked at as a whole only.
LEAST_SHRINKING = 1.5
# People are small if their boxes are shorter than this share of the canvas's longest side.
SMALL = 0.125
# Windows around people show the picture's own pixels, but are no smaller than this share of it.
SMALLEST_WINDOW = 1 / 3
# The search for new people: so many tiles a side at most, each larger by this share than needed.
MOST_TILES = 4
OVERLAP = 0.2
# An expected person counts as looked at in a window if the box is within it by this share of its
# size; a person who was found in it counts as whole if it is this share.
MARGIN = 0.05
FOUND_MARGIN = 0.02


@dataclass(frozen=True)
class View:
    """
    A window of the picture on a canvas.

    Parameters
    ----------
    left, top : int, pixels
        First column and row of the window.
    letterbox : Letterbox
        From the window to the canvas.

    """

    left: int
    top: int
    letterbox: Letterbox

    @property
    def window(self) -> NDArray[np.float64]:
        """Edges x0, y0, x1, y1 in pixels of the picture."""
        box = self.letterbox
        right, bottom = self.left + box.picture_width, self.top + box.picture_height
        return np.array([self.left, self.top, right, bottom]) - 0.5

    def canvas(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the canvas (H', W', 3), given the whole picture (H, W, 3)."""
        box = self.letterbox
        rows = slice(self.top, self.top + box.picture_height)
        columns = slice(self.left, self.left + box.picture_width)
        return fill_canvas(rgb[rows, columns], box)

    def camera(self, picture: Camera) -> Camera:
        """Return the camera of the canvas, given that of the whole picture."""
        box = self.letterbox
        size = (box.picture_width, box.picture_height)
        return box.canvas_camera(crop_camera(picture, self.left, self.top, *size))

    def shows_whole(self, bbox: FloatArray, picture: Camera) -> NDArray[np.bool_]:
        """
        Tell who is not cut off by the window's edge.

        Parameters
        ----------
        bbox : ndarray, (N, 4), pixels
            x0, y0, x1, y1 in the picture.
        picture : Camera

        Returns
        -------
        ndarray, (N,), bool
            Whether the window has all that the picture has of each. Somebody whose box reaches
            an edge of the window that is not the picture's may go on beyond it.

        """
        size = np.array([picture.width, picture.height])
        box = _clipped(bbox, np.array([0, 0, *size]) - 0.5)
        return _inside(box, self.window, size, FOUND_MARGIN) & (box[:, 2:] > box[:, :2]).all(1)


def whole_picture(width: int, height: int, longest: int, multiple: int) -> View:
    """View of all of a picture; see ``Letterbox.fit``."""
    return View(0, 0, Letterbox.fit(width, height, longest, multiple))


def zoomed_views(
    whole: View, expected: FloatArray | None, stamp: float, count: int
) -> Sequence[View]:
    """
    Choose windows to look at besides the whole picture.

    Windows are around people who are expected and small, chosen at random where there are too
    many, but one is always left for the search (with a single window, every other time on
    average): tiles that cover the picture, drawn at random.

    Parameters
    ----------
    whole : View
        Of the whole picture.
    expected : ndarray, (K, 4), pixels, or None
        Boxes x0, y0, x1, y1 where people were a moment ago.
    stamp : float, seconds
        Of the picture; seeds what is drawn.
    count : int
        0 to 4.

    Returns
    -------
    sequence of View
        ``count`` of them, on canvases of the same shape as the whole picture's; none if the
        canvas is not much smaller than the picture.

    """
    box = whole.letterbox
    size = np.array([box.picture_width, box.picture_height])
    on_canvas = max(box.resized_width, box.resized_height)
    shrinking = size.max() / on_canvas
    if count == 0 or shrinking < LEAST_SHRINKING:
        return []
    draw = random.Random(stamp)
    num_tiles = 1 if count > 1 else draw.randrange(2)
    share = max(1 / shrinking, SMALLEST_WINDOW)
    window = np.round(share * size).astype(int)
    small = _small(expected, size, SMALL * on_canvas * shrinking)
    corners = _around(small[draw.sample(range(len(small)), len(small))], size, window)
    views = [_view(whole, corner, window) for corner in corners[: count - num_tiles]]
    a_side = min(max(int(shrinking), 2), MOST_TILES)
    tile = np.round((1 + OVERLAP) / a_side * size).astype(int)
    cells = [(i, j) for j in range(a_side) for i in range(a_side)]
    for cell in draw.sample(cells, count - len(views)):
        corner = np.round(np.array(cell) / (a_side - 1) * (size - tile)).astype(int)
        views.append(_view(whole, corner, tile))
    return views


def _view(whole: View, corner: NDArray[np.int_], size: NDArray[np.int_]) -> View:
    width, height = map(int, size)
    letterbox = replace(whole.letterbox, picture_width=width, picture_height=height)
    return View(int(corner[0]), int(corner[1]), letterbox)


def _clipped(bbox: FloatArray, window: FloatArray) -> NDArray[np.float64]:
    """Parts (N, 4) of boxes inside of a window; empty ones have no area."""
    lowest, highest = np.tile(window[:2], 2), np.tile(window[2:], 2)
    return np.clip(np.asarray(bbox, np.float64), lowest, highest)


def _inside(
    boxes: NDArray[np.float64], window: FloatArray, size: NDArray[np.int_], margin: float
) -> NDArray[np.bool_]:
    """Which boxes (N, 4) of a picture keep a margin from a window's edges inside of it."""
    space = margin * (window[2:] - window[:2])
    low = np.where(window[:2] > 0, window[:2] + space, -0.5)
    high = np.where(window[2:] < size - 1, window[2:] - space, size - 0.5)
    return np.all((boxes[:, :2] >= low) & (boxes[:, 2:] <= high), axis=1)


def _small(
    expected: FloatArray | None, size: NDArray[np.int_], limit: float
) -> NDArray[np.float64]:
    """Boxes (S, 4) that show in a picture of a size and have no side longer than a limit."""
    if expected is None:
        return np.zeros((0, 4))
    boxes = _clipped(expected, np.array([0, 0, *size]) - 0.5)
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes[(sides.min(1) > 0) & (sides.max(1) < limit)]


def _around(
    boxes: NDArray[np.float64], size: NDArray[np.int_], window: NDArray[np.int_]
) -> list[NDArray[np.int_]]:
    """Corners of windows that have all boxes in them, the first box's first."""
    corners = []
    while len(boxes):
        centre = (boxes[0, :2] + boxes[0, 2:]) / 2
        corner = np.clip(np.round(centre - window / 2), 0, size - window).astype(int)
        corners.append(corner)
        done = _inside(boxes, np.array([*corner, *(corner + window)]) - 0.5, size, MARGIN)
        done[0] = True
        boxes = boxes[~done]
    return corners
