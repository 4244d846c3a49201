# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Find faces with MediaPipe; a script for MediaPipe's own environment, not for ours.

    python -I face_runner.py PICTURES... RESULTS.npz

Every picture is looked at as a whole and in overlapping tiles of a third of its shorter side,
enlarged, so that small faces are found too, by both models of face detection (short and full
range) with their published threshold.

RESULTS holds a row a find: ``picture``, ``box`` (4,) x0, y0, x1, y1 in pixels of the picture, and
``score``; and ``version``. One face is found many times.
"""

import sys

import cv2
import mediapipe
import numpy as np

THRESHOLD = 0.5
SHARE = 3
LEAST_SIDE = 384  # pixels to which a tile is enlarged


def tiles(width, height):
    """Columns and rows (x0, y0, x1, y1) of the picture and of squares, half overlapping."""
    yield 0, 0, width, height
    side = min(width, height) // SHARE
    for y in np.linspace(0, height - side, int(np.ceil(2 * height / side)) - 1).astype(int):
        for x in np.linspace(0, width - side, int(np.ceil(2 * width / side)) - 1).astype(int):
            yield int(x), int(y), int(x) + side, int(y) + side


def find(models, rgb):
    """Boxes and scores in one picture (H, W, 3)."""
    for x0, y0, x1, y1 in tiles(rgb.shape[1], rgb.shape[0]):
        part = np.ascontiguousarray(rgb[y0:y1, x0:x1])
        scale = max(1.0, LEAST_SIDE / min(part.shape[:2]))
        if scale > 1:
            part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        for model in models:
            for found in model.process(part).detections or ():
                b = found.location_data.relative_bounding_box
                box = np.array([b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height])
                yield box * ([x1 - x0, y1 - y0] * 2) + [x0, y0, x0, y0], found.score[0]


def main():
    """Look at every picture."""
    make = mediapipe.solutions.face_detection.FaceDetection
    models = [make(model_selection=k, min_detection_confidence=THRESHOLD) for k in range(2)]
    rows = []
    for number, path in enumerate(sys.argv[1:-1]):
        rgb = np.ascontiguousarray(cv2.imread(path)[..., ::-1])
        rows += [(number, *found) for found in find(models, rgb)]
    np.savez(
        sys.argv[-1],
        version=mediapipe.__version__,
        picture=np.array([row[0] for row in rows], int),
        box=np.array([row[1] for row in rows], float).reshape(-1, 4),
        score=np.array([row[2] for row in rows], float),
    )


if __name__ == '__main__':
    main()
