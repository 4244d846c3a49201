# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Show what the pictures look like: a sheet of them, with keypoints and boxes if asked for.

    python -m training.pictures.contact_sheet DATA --output out/contact.png [--labels]
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from anny_ros.errors import AnnyError
import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures.labels import KeypointState
from training.pictures.materials import Materials
from training.pictures.pack import SPLITS
from training.pictures.scene import FigurePool, Picture, sample_picture, Studio

_COLOURS = {
    KeypointState.VISIBLE: (60, 230, 60),
    KeypointState.SELF_HIDDEN: (250, 220, 40),
    KeypointState.HIDDEN: (240, 60, 60),
    KeypointState.OUTSIDE: (120, 120, 120),
}


def draw_labels(picture: Picture) -> NDArray[np.uint8]:
    """Return the picture with boxes, visible shares and keypoints coloured by their state."""
    out = picture.rgb.copy()
    labels = picture.labels
    for i in range(len(labels)):
        if labels.pixels[i] < 1:
            continue
        x0, y0, x1, y1 = (int(c) for c in np.clip(labels.bbox[i], -5000, 5000))
        cv2.rectangle(out, (x0, y0), (x1, y1), (255, 255, 255), 1)
        text = f'{labels.visible_share[i]:.2f} {labels.stature[i]:.2f}m'
        cv2.putText(
            out, text, (max(x0, 1), max(y0, 9)), cv2.FONT_HERSHEY_PLAIN, 0.7, (255, 255, 0)
        )
        for point, state in zip(labels.keypoints_2d[i], labels.keypoint_state[i], strict=True):
            if np.isfinite(point).all() and np.abs(point).max() < 5000:
                centre = (round(float(point[0])), round(float(point[1])))
                cv2.circle(out, centre, 2, _COLOURS[KeypointState(state)], -1)
    return out


def make_sheet(
    pictures: list[NDArray[np.uint8]], columns: int, cell: int = 336
) -> NDArray[np.uint8]:
    """Fit pictures into square cells of a sheet."""
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * cell, columns * cell, 3), np.uint8)
    for i, picture in enumerate(pictures):
        scale = cell / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        y, x = (i // columns) * cell, (i % columns) * cell
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small[:cell, :cell]
    return sheet


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--output', type=Path, default=Path('out/contact.png'))
    parser.add_argument('--count', type=int, default=24)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--split', choices=SPLITS, default='train')
    parser.add_argument('--backgrounds', type=Path)
    parser.add_argument('--labels', action='store_true')
    options = parser.parse_args(arguments)
    try:
        studio = Studio.open(options.data, options.split, options.backgrounds)
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    rng = np.random.default_rng(options.seed)
    pool = FigurePool(studio, rng, renewal=2.0)
    materials = Materials(rng, studio.backgrounds, renewal=0.7)
    pictures = [sample_picture(studio, pool, materials, rng) for _ in range(options.count)]
    drawn = [draw_labels(p) if options.labels else p.rgb for p in pictures]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.output), make_sheet(drawn, 6)[..., ::-1])
    print(f'{options.output}: {len(pictures)} pictures')
    return 0


if __name__ == '__main__':
    sys.exit(main())
