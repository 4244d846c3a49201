# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Picture to the canvas that the single-shot network sees.

The resize is Pillow's bicubic one, on 8-bit colours, because the network was trained on it;
OpenCV's INTER_CUBIC is another filter and has no antialiasing.
"""

from __future__ import annotations

from anny_ros.geometry.camera import Letterbox
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BICUBIC = getattr(Image, 'Resampling', Image).BICUBIC  # Pillow 9.0 (Humble) has no Resampling


def letterbox_picture(
    rgb: NDArray[np.uint8], *, longest: int, multiple: int
) -> tuple[NDArray[np.uint8], Letterbox]:
    """
    Resize a picture and centre it on a black canvas.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
        Not changed.
    longest : int, pixels
        Longest side after the resize; smaller pictures are enlarged.
    multiple : int, pixels
        Both sides of the canvas are a multiple of this.

    Returns
    -------
    canvas : ndarray, (H', W', 3), uint8
    letterbox : Letterbox
        Maps pixels and cameras between picture and canvas.

    """
    height, width = rgb.shape[:2]
    box = Letterbox.fit(width, height, longest, multiple)
    return fill_canvas(rgb, box), box


def fill_canvas(rgb: NDArray[np.uint8], box: Letterbox) -> NDArray[np.uint8]:
    """Resize a picture (H, W, 3) and place it as a letterbox says; the canvas (H', W', 3)."""
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    resized = picture.resize((box.resized_width, box.resized_height), _BICUBIC)
    canvas = np.zeros((box.height, box.width, 3), np.uint8)
    rows = slice(box.top, box.top + box.resized_height)
    columns = slice(box.left, box.left + box.resized_width)
    canvas[rows, columns] = np.asarray(resized)
    return canvas
