# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure what is reported of joints that cannot be seen: beyond the picture's edge, or hidden.

People who are well seen are cut off, or covered by another part of the picture, from below or
from the side, and looked at again as ``measure_keypoint_noise`` does; run that first, this adds to
its file.

    python -m training.measure_hidden_keypoints DATA_DIR --output training/keypoint_noise.json

Fields of ``unseen`` in the JSON, for ``outside`` and ``hidden`` (lengths are shares of the
person's size; D distances of the true joint beyond the edge)

* ``distance`` (D): lower limits.
* ``kept`` (D): share that is reported with a confidence of at least 0.1.
* ``apart`` (D, Q): quantiles, at ``probabilities``, of the distance of those from the truth.
* ``back`` (D, Q): of how far inside of the edge they are reported.
* ``logit``, ``logit_std`` (D): of their confidences.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import AnnyError
from anny_ros.keypoints.decode import FloatArray
from anny_ros.keypoints.movenet import judge_crops, SECOND_LOOK_HEAT
from anny_ros.keypoints.network import MoveNet
from anny_ros.keypoints.second_look import look_again
import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluate_clips import read_frames
from training.measure_keypoint_noise import (
    BOX_ERROR,
    degraded,
    large_looks,
    LEAST_SCORE,
    MIRRORED,
    PROBABILITIES,
    TRUSTED_SPREAD,
    well_seen,
    window,
    write_noise,
)

DISTANCES = (0.0, 0.05, 0.15, 0.3)
_SIZES_PX = (90, 140, 220)
_CLIPS = (('park.mp4', 9, 0.4), ('street.mp4', 36, 1.3))
_LEAST_CONFIDENCE = 0.1
_MARGIN = 0.06


@dataclass(frozen=True)
class Unseen:
    """
    Reports of K joints that cannot be seen.

    Parameters
    ----------
    beyond, apart, back : ndarray, (K,)
        How far the truth is beyond the edge, the report from the truth, and inside of the edge.
    confidence : ndarray, (K,)

    """

    beyond: FloatArray
    apart: FloatArray
    back: FloatArray
    confidence: FloatArray


def measure_unseen(
    network: MoveNet, clips: Path, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Look at people of both clips; returns the field ``unseen``."""
    reports: dict[str, list[Unseen]] = {'outside': [], 'hidden': []}
    for name, step, scale in _CLIPS:
        for index, picture in read_frames(clips / name):
            boxes = well_seen(network, picture, scale) if index % step == 0 else ()
            for box in boxes:
                for kind, unseen in _looks_at_person(network, picture, box, rng):
                    reports[kind].append(unseen)
    return {kind: summarise_unseen(found) for kind, found in reports.items()}


def _looks_at_person(
    network: MoveNet, picture: NDArray[np.uint8], box: FloatArray, rng: np.random.Generator
) -> Iterator[tuple[str, Unseen]]:
    large = large_looks(network, picture, box)
    if len(large) < 7:
        return
    points = np.stack(large)
    truth = np.median(points, axis=0)
    extent = float((truth.max(axis=0) - truth.min(axis=0)).max())
    longer = float((box[2:] - box[:2]).max())
    spread = np.median(np.linalg.norm(points - truth, axis=-1), axis=0) / extent
    for size in _SIZES_PX:
        if size > 1.3 * longer:
            continue
        for kind in ('outside', 'hidden'):
            for axis in (0, 1):
                shown, A = window(picture, box, size, int(2.6 * size), rng.random() < 0.5)
                there = truth @ A[:, :2].T + A[:, 2]
                there = there[MIRRORED] if A[0, 0] < 0 else there
                sure = (spread[MIRRORED] if A[0, 0] < 0 else spread) < TRUSTED_SPREAD
                unit = extent * size / longer
                unseen = _look(network, degraded(shown, rng), there, unit, kind, axis, rng, sure)
                if unseen is not None:
                    yield kind, unseen


def _look(
    network: MoveNet,
    shown: NDArray[np.uint8],
    truth: FloatArray,
    size: float,
    kind: str,
    axis: int,
    rng: np.random.Generator,
    sure: NDArray[np.bool_],
) -> Unseen | None:
    """Cut or cover a person from somewhere on along x (axis 0) or y (1), and look."""
    low, high = truth.min(axis=0), truth.max(axis=0)
    edge = int(low[axis] + rng.uniform(0.4, 0.95) * (high[axis] - low[axis]))
    before = (slice(None), slice(None, edge)) if axis == 0 else (slice(None, edge), slice(None))
    beyond = (truth[:, axis] - edge) / size
    if (beyond[5:] < 0).sum() < 3:
        return None
    around = np.concatenate([low - _MARGIN * size, high + _MARGIN * size])
    if kind == 'outside':
        shown = np.ascontiguousarray(shown[before])
        around[2 + axis] = edge
    else:
        cover = np.roll(shown, shown.shape[0] // 2, axis=(0, 1))[::-1].copy()
        cover[before] = shown[before]
        shown = cv2.GaussianBlur(cover, (0, 0), 0.5).astype(np.uint8)
        around[2 + axis] = edge + 0.1 * size
    boxes = (around + BOX_ERROR * size * rng.normal(size=4))[None].astype(np.float32)
    people, inside = look_again(network, shown, boxes, SECOND_LOOK_HEAT)
    target, score = judge_crops(people, inside, boxes)
    rows = np.flatnonzero(target & (score >= LEAST_SCORE))
    if not len(rows):
        return None
    keypoints, confidence = people.keypoints[rows[0]], people.confidences[rows[0]]
    wanted = np.flatnonzero((beyond > 0) & sure & (np.arange(17) >= 5))
    return Unseen(
        beyond[wanted],
        np.linalg.norm(keypoints - truth, axis=-1)[wanted] / size,
        (edge - keypoints[wanted, axis]) / size,
        confidence[wanted],
    )


def summarise_unseen(reports: list[Unseen]) -> dict[str, Any]:
    """Make the tables of one kind."""
    beyond, apart, back, confidence = (
        np.concatenate([getattr(report, name) for report in reports])
        for name in ('beyond', 'apart', 'back', 'confidence')
    )
    rows: dict[str, list[Any]] = {
        name: [] for name in ('kept', 'apart', 'back', 'logit', 'logit_std')
    }
    for low, high in zip(DISTANCES, (*DISTANCES[1:], np.inf), strict=True):
        there = (beyond >= low) & (beyond < high)
        kept = there & (confidence >= _LEAST_CONFIDENCE)
        logit = np.log(confidence[kept] / (1 - np.minimum(confidence[kept], 0.99)))
        rows['kept'].append(round(float(kept.sum() / max(there.sum(), 1)), 3))
        for name, values in (('apart', apart), ('back', back)):
            rows[name].append(np.round(np.quantile(values[kept], PROBABILITIES), 3).tolist())
        rows['logit'].append(round(float(logit.mean()), 3))
        rows['logit_std'].append(round(float(logit.std()), 3))
    return {'distance': list(DISTANCES), 'joints': len(beyond), **rows}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('data', type=Path, metavar='DATA_DIR', help='folder that holds clips/')
    parser.add_argument(
        '--output', type=Path, default=Path(__file__).with_name('keypoint_noise.json')
    )
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    try:
        unseen = measure_unseen(MoveNet(threads=1), arguments.data / 'clips', rng)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    noise = json.loads(arguments.output.read_text(encoding='utf-8'))
    write_noise(arguments.output, {**noise, 'unseen': unseen})
    for kind, table in unseen.items():
        print(f'{kind}: {table["joints"]} joints, {table["kept"]} reported')


if __name__ == '__main__':
    main()
