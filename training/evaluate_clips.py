# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure an estimator on real clips: who is found, and how well bodies lie on the 2D keypoints.

* Recall and precision on the labelled frames of ``street.mp4`` (IoU of at least 0.3). People
  marked as hard and finds in the ignored regions count neither way.
* Reprojection: distance between the body's 12 limb joints in the picture and those of the 2D
  network, as a share of the person's height, where the network is fairly sure; median by clip.

Prints a table and writes ``clips.json``, ``labelled.png`` (labels white, finds green, missed red,
false orange) and, unless ``keypoints`` is evaluated, ``bodies.png``.

    python -m training.evaluate_clips DATA_DIR --output out/evaluation
    python -m training.evaluate_clips DATA_DIR --model keypoints      the 2D network alone
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import AnnyError, InputError
from anny_ros.geometry.boxes import overlap
from anny_ros.keypoints.movenet import KeypointDetector
from anny_ros.types import Frame
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

LEAST_IOU = 0.3
LIMBS = slice(5, 17)
# Keypoints below this confidence are wrong too often to measure against.
LEAST_CONFIDENCE = 0.3
REPROJECTION_CLIPS = {'park.mp4': 5, 'street.mp4': 8}  # every how many frames
BONES = (
    (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15),
    (12, 14), (14, 16),
)  # fmt: skip
_WHITE, _GREEN, _RED, _ORANGE = (255, 255, 255), (60, 220, 60), (255, 40, 40), (255, 150, 0)

FloatArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Found:
    """People of one picture: boxes (N, 4), scores (N,), keypoints (N, 17, 2) in pixels."""

    bbox: FloatArray
    score: FloatArray
    keypoints: FloatArray


Finder = Callable[[NDArray[np.uint8]], Found]


@dataclass(frozen=True)
class Labels:
    """Labels of one frame: boxes (N, 4), which are hard (N,), regions to ignore (M, 4)."""

    boxes: FloatArray
    hard: NDArray[np.bool_]
    ignore: FloatArray


@dataclass(frozen=True)
class Verdict:
    """Rows of the labels that were missed or met, and of the finds that are false."""

    missed: list[int]
    met: dict[int, int]
    false: list[int]


def read_frames(path: Path, wanted: set[int] | None = None) -> Iterator[tuple[int, Any]]:
    """Frames of a clip by number, as RGB; InputError if it cannot be read."""
    capture = cv2.VideoCapture(str(path))
    index = 0
    while True:
        read, picture = capture.read()
        if not read:
            break
        if wanted is None or index in wanted:
            yield index, np.ascontiguousarray(picture[..., ::-1])
        index += 1
    if index == 0:
        raise InputError(f'{path} cannot be read; pass the folder that holds clips/')


def read_labels(path: Path) -> dict[int, Labels]:
    """Labels of ``street_boxes.json`` by frame."""
    if not path.is_file():
        raise InputError(f'there is no {path}; pass the folder that holds clips/')
    document = json.loads(path.read_text(encoding='utf-8'))
    ignore = np.array(document['ignore'], np.float64).reshape(-1, 4)
    return {
        int(frame): Labels(
            np.array([person['box'] for person in people.values()], np.float64).reshape(-1, 4),
            np.array([person.get('hard', False) for person in people.values()], bool),
            ignore,
        )
        for frame, people in document['frames'].items()
    }


def judge(found: FloatArray, labels: Labels) -> Verdict:
    """Match finds to labels, each to one at most, so that the overlap is largest in all."""
    shared = overlap(labels.boxes, found)
    rows, columns = linear_sum_assignment(np.where(shared >= LEAST_IOU, shared, 0.0), True)
    pairs = {
        int(r): int(c) for r, c in zip(rows, columns, strict=True) if shared[r, c] >= LEAST_IOU
    }
    middle = (found[:, None, :2] + found[:, None, 2:]) / 2  # (N, 1, 2)
    inside = (middle > labels.ignore[None, :, :2]) & (middle < labels.ignore[None, :, 2:])
    ignored = np.any(np.all(inside, axis=-1), axis=1)
    return Verdict(
        missed=[r for r in range(len(labels.boxes)) if r not in pairs and not labels.hard[r]],
        met={r: c for r, c in pairs.items() if not labels.hard[r]},
        false=[c for c in range(len(found)) if c not in pairs.values() and not ignored[c]],
    )


def measure_labelled(clips: Path, finder: Finder) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Recall and precision, and a picture of all labelled frames."""
    labels = read_labels(clips / 'street_boxes.json')
    met = missed = false = 0
    overlaps: list[float] = []
    panels = []
    for index, rgb in read_frames(clips / 'street.mp4', set(labels)):
        found = finder(rgb)
        verdict = judge(found.bbox, labels[index])
        met, missed = met + len(verdict.met), missed + len(verdict.missed)
        false += len(verdict.false)
        shared = overlap(labels[index].boxes, found.bbox)
        overlaps.extend(shared[r, c] for r, c in verdict.met.items())
        panels.append(_draw_labelled(rgb, index, found, labels[index], verdict))
    figures = {
        'labelled_people': float(met + missed),
        'recall': met / max(met + missed, 1),
        'precision': met / max(met + false, 1),
        'mean_iou': float(np.mean(overlaps)) if overlaps else 0.0,
    }
    return figures, tile(panels, 3, 768)


def measure_reprojection(
    clips: Path, finder: Finder, detector: KeypointDetector
) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Median distance of limb joints from the 2D network's, and a picture of some frames."""
    figures: dict[str, float] = {}
    panels = []
    for name, step in REPROJECTION_CLIPS.items():
        errors: list[FloatArray] = []
        people = 0
        for index, rgb in read_frames(clips / name):
            if index % step:
                continue
            seen, found = detector(rgb), finder(rgb)
            shared = overlap(seen.bbox, found.bbox)
            rows, columns = linear_sum_assignment(shared, True)
            for r, c in zip(rows, columns, strict=True):
                if shared[r, c] < LEAST_IOU:
                    continue
                people += 1
                height = float((seen.bbox[r, 2:] - seen.bbox[r, :2]).max())
                apart = np.linalg.norm(seen.keypoints[r] - found.keypoints[c], axis=-1)[LIMBS]
                errors.append(apart[seen.confidences[r, LIMBS] >= LEAST_CONFIDENCE] / height)
            if index % (step * 5) == 0:
                panels.append(_draw_bodies(rgb, f'{name} {index}', found))
        every = np.concatenate([np.zeros(0), *errors])
        stem = name.split('.')[0]
        figures[f'reprojection_median_{stem}'] = float(np.median(every)) if len(every) else 1.0
        figures[f'reprojection_p90_{stem}'] = float(np.quantile(every, 0.9)) if len(every) else 1.0
        figures[f'reprojection_people_{stem}'] = float(people)
    return figures, tile(panels, 4, 480)


def tile(panels: list[NDArray[np.uint8]], columns: int, width: int) -> NDArray[np.uint8]:
    """One picture of many, each shrunk to fit ``width`` and three quarters of it."""
    small = [_fitted(panel, width, width * 3 // 4) for panel in panels]
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    rows = [np.hstack(small[i : i + columns]) for i in range(0, len(small), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


def _fitted(panel: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    scale = min(width / panel.shape[1], height / panel.shape[0])
    small = cv2.resize(panel, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:height, :width]
    return canvas


def _draw_labelled(
    rgb: NDArray[np.uint8], index: int, found: Found, labels: Labels, verdict: Verdict
) -> NDArray[np.uint8]:
    picture = _draw_bodies(rgb, str(index), found)
    for row, box in enumerate(labels.boxes):
        _rectangle(picture, box, _RED if row in verdict.missed else _WHITE)
    for row, (box, score) in enumerate(zip(found.bbox, found.score, strict=True)):
        colour = _ORANGE if row in verdict.false else _GREEN
        _rectangle(picture, box, colour)
        corner = tuple(int(v) for v in box[:2])
        cv2.putText(picture, f'{score:.2f}', corner, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    return picture


def _draw_bodies(rgb: NDArray[np.uint8], text: str, found: Found) -> NDArray[np.uint8]:
    picture = rgb.copy()
    thickness = max(round(rgb.shape[0] / 500), 1)
    for keypoints in found.keypoints:
        for a, b in BONES:
            start, end = (tuple(int(v) for v in np.rint(keypoints[k])) for k in (a, b))
            cv2.line(picture, start, end, _GREEN, thickness, cv2.LINE_AA)
    size = rgb.shape[0] / 700
    cv2.putText(
        picture, text, (8, int(30 * size)), cv2.FONT_HERSHEY_SIMPLEX, size, _RED, thickness
    )
    return picture


def _rectangle(picture: NDArray[np.uint8], box: FloatArray, colour: tuple[int, ...]) -> None:
    low, high = (tuple(int(v) for v in np.rint(corner)) for corner in (box[:2], box[2:]))
    cv2.rectangle(picture, low, high, colour, 1)


def make_finder(model: str, detector: KeypointDetector) -> Finder:
    """``keypoints`` for the 2D network alone, otherwise as ``Estimator.load`` takes it."""
    if model == 'keypoints':

        def find_keypoints(rgb: NDArray[np.uint8]) -> Found:
            seen = detector(rgb)
            return Found(seen.bbox, seen.score, seen.keypoints)

        return find_keypoints
    from anny_ros.inference.estimator import Estimator

    estimator = Estimator.load(model)

    def find_bodies(rgb: NDArray[np.uint8]) -> Found:
        people = estimator(Frame(rgb, 0.0))
        return Found(people.bbox, people.score, people.keypoints_2d)

    return find_bodies


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description='Measure an estimator on real clips.')
    parser.add_argument('data', type=Path, metavar='DATA_DIR', help='folder that holds clips/')
    parser.add_argument('--output', type=Path, default=Path('out/evaluation'))
    parser.add_argument(
        '--model', default='anny-lite', help='anny-lite, keypoints, or the path of a checkpoint'
    )
    arguments = parser.parse_args()
    try:
        evaluate(arguments.data / 'clips', arguments.model, arguments.output)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')


def evaluate(clips: Path, model: str, output: Path) -> dict[str, float]:
    """Measure, print, and write everything into ``output``; the figures are returned."""
    detector = KeypointDetector(threads=1)
    finder = make_finder(model, detector)
    figures, picture = measure_labelled(clips, finder)
    output.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(output / 'labelled.png'), picture[..., ::-1])
    if model != 'keypoints':
        more, picture = measure_reprojection(clips, finder, detector)
        figures.update(more)
        cv2.imwrite(str(output / 'bodies.png'), picture[..., ::-1])
    document = {'model': model, **{key: round(value, 4) for key, value in figures.items()}}
    (output / 'clips.json').write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')
    for key, value in figures.items():
        print(f'{key:28} {value:8.3f}')
    print(f'pictures and clips.json are in {output}')
    return figures


if __name__ == '__main__':
    main()
