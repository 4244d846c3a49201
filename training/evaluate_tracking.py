# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure the tracker on sequences with known truth, beside the published algorithm.

Both see the same detections: those of a perfect but noisy estimator in simulated worlds
(``sequence_detections``), with appearance features and without, and, given the data folder,
those of anny-lite in rendered videos (``sequence_pictures``). A person counts when at least half
of them can be seen; whoever is shown on somebody who does not count, or outside of the picture,
is neither right nor wrong. Of our scenes everybody but the LOST is judged, of the published
tracker every detection with its number.

Covariances are checked on people who are seen and TRACKED: the share of errors inside of
the 95 % ellipsoid. What the filter of poses does is measured on held-out motion
(``sequence_poses``), and what a floor and depth pictures do for distances (``evaluate_fusion``).
Prints tables, then each figure that has a target beside it (``tracking_targets``), and writes
``tracking.json``, a figure a key.

Seeds up to 100 were looked at while the tracker was written; the default is none of them.

    python -m training.evaluate_tracking --data DATA --output out/evaluation
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import AnnyError
from anny_ros.geometry.boxes import overlap
from anny_ros.tracking import Tracker
from anny_ros.types import Detections, Scene, TrackState
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.bench_tracker import measure as update_times
from benchmarks.reference_tracker import ReferenceTracker
from training.sequence_detections import detect
from training.sequences import observe, Sequence, worlds
from training.tracking_metrics import Boxes, combined, evaluate, figures, Ignorer
from training.tracking_targets import targets

Float64Array = NDArray[np.float64]

# Whoever is visible less than this does not count.
LEAST_VISIBLE = 0.5
LEAST_IOU = 0.5
# 95 % quantile of the chi-squared distribution with 3 degrees of freedom.
INSIDE = 7.815
SHOWN = ('idf1', 'hota', 'mota', 'switches')
VARIANTS = ('features', 'no_features')
ERRORS = ('position_inside_95', 'velocity_inside_95', 'distance_jitter_ratio')
# Of the update whose time is measured: as long as a feature gets, and how many.
FEATURES, UPDATES = 4096, 60
UNMEASURED = 'no data folder was given; pass --data'


@dataclass
class Errors:
    """
    Normalised squared errors of people who are seen, and the steps of their distances.

    ``raw`` and ``shown`` are changes from picture to picture of the error of the logarithm of the
    distance, before and after the tracker.
    """

    position: list[float] = field(default_factory=list)
    velocity: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Share of errors inside of the 95 % ellipsoids, and the ratio of the jitters."""
        jitter = [float(np.sqrt(np.mean(np.square(v)))) for v in (self.raw, self.shown)]
        return {
            'position_inside_95': float(np.mean(np.array(self.position) <= INSIDE)),
            'velocity_inside_95': float(np.mean(np.array(self.velocity) <= INSIDE)),
            'distance_jitter_raw': jitter[0],
            'distance_jitter_shown': jitter[1],
            'distance_jitter_ratio': jitter[0] / jitter[1],
        }


def track(sequence: Sequence, pictures: list[Detections], with_pose: bool = True) -> list[Scene]:
    """Scenes of our tracker; ``with_pose`` tells it how the camera moves."""
    tracker = Tracker(seed=0)
    poses = list(sequence.world_from_camera) if with_pose else [None] * len(pictures)
    return [tracker.update(people, pose) for people, pose in zip(pictures, poses, strict=True)]


def ours(scenes: list[Scene]) -> list[Boxes]:
    """Boxes of scenes that are judged."""
    return [
        Boxes(scene.track_numbers[rows].astype(np.int64), scene.humans.bbox[rows].astype(float))
        for scene in scenes
        for rows in [(scene.states != TrackState.LOST) & (scene.humans.position[:, 2] > 0)]
    ]


def theirs(pictures: list[Detections]) -> list[Boxes]:
    """Boxes of the published tracker."""
    tracker = ReferenceTracker()
    return [
        Boxes(tracker.update(people, frame), people.bbox.astype(float))
        for frame, people in enumerate(pictures)
    ]


def judge(sequence: Sequence, found: list[Boxes]) -> dict[str, Any]:
    """Results of TrackEval."""
    truth, kept, ignorer = [], [], Ignorer()
    size = np.array([sequence.camera.width, sequence.camera.height])
    for f, boxes in enumerate(found):
        counted = sequence.visible[f] >= LEAST_VISIBLE
        everybody = Boxes(np.arange(len(counted)), sequence.box[f])
        centre = 0.5 * (boxes.boxes[:, :2] + boxes.boxes[:, 2:])
        inside = ((centre >= 0) & (centre < size)).all(axis=1)
        boxes = Boxes(boxes.ids[inside], boxes.boxes[inside])
        kept.append(ignorer(boxes, everybody, counted))
        truth.append(Boxes(everybody.ids[counted], everybody.boxes[counted]))
    return evaluate(truth, kept)


def collect_errors(
    errors: Errors, sequence: Sequence, pictures: list[Detections], scenes: list[Scene]
) -> None:
    """Add the errors of people who are seen and TRACKED to ``errors``."""
    before: dict[tuple[int, int], tuple[float, float]] = {}
    for f, (people, scene) in enumerate(zip(pictures, scenes, strict=True)):
        now: dict[tuple[int, int], tuple[float, float]] = {}
        rows = np.flatnonzero(scene.states == TrackState.TRACKED)
        for row, person in _owners(scene.humans.bbox[rows], sequence, f):
            row = rows[row]
            truth = sequence.position[f, person]
            errors.position.append(
                _squared(scene.humans.position[row] - truth, scene.humans.position_covariance[row])
            )
            errors.velocity.append(
                _squared(
                    scene.velocity[row] - sequence.velocity[f, person],
                    scene.velocity_covariance[row],
                )
            )
            near = np.linalg.norm(
                people.keypoints_2d[:, 0] - scene.humans.keypoints_2d[row, 0], axis=1
            )
            measured = people.position[int(np.argmin(near))]
            key = (person, int(scene.track_numbers[row]))
            now[key] = tuple(
                float(np.log(np.linalg.norm(p) / np.linalg.norm(truth)))
                for p in (measured, scene.humans.position[row])
            )  # type: ignore[assignment]
            if key in before:
                errors.raw.append(now[key][0] - before[key][0])
                errors.shown.append(now[key][1] - before[key][1])
        before = now


def _owners(boxes: Any, sequence: Sequence, frame: int) -> list[tuple[int, int]]:
    """Pairs of a row of boxes and the person who counts and covers it best."""
    shared = overlap(boxes.astype(float), sequence.box[frame])
    shared = np.where(sequence.visible[frame] >= LEAST_VISIBLE, np.nan_to_num(shared), 0.0)
    best = shared.argmax(axis=1) if len(shared) else np.zeros(0, np.intp)
    return [(i, int(p)) for i, p in enumerate(best) if shared[i, p] >= LEAST_IOU]


def _squared(error: Any, covariance: Any) -> float:
    error = error.astype(np.float64)
    return float(error @ np.linalg.solve(covariance.astype(np.float64), error))


def compare(
    prefix: str, runs: Iterable[tuple[Sequence, list[Detections]]]
) -> dict[str, float | None]:
    """Figures of both trackers on some sequences and of all together, by dotted names."""
    errors = Errors()
    results: dict[str, dict[str, Any]] = {'ours': {}, 'reference': {}}
    for sequence, pictures in runs:
        scenes = track(sequence, pictures)
        results['ours'][sequence.name] = judge(sequence, ours(scenes))
        results['reference'][sequence.name] = judge(sequence, theirs(pictures))
        collect_errors(errors, sequence, pictures, scenes)
    document: dict[str, float | None] = {}
    for who, result in results.items():
        for where, values in {**result, 'all': combined(result)}.items():
            for key, value in figures(values).items():
                document[f'{prefix}.{where}.{who}.{key}'] = value
    for key, value in errors.figures().items():
        document[f'{prefix}.all.ours.{key}'] = value
    return document


def simulated(seed: int, features: bool) -> Iterator[tuple[Sequence, list[Detections]]]:
    """Every simulated world, and what a noisy estimator reports of it."""
    for i, world in enumerate(worlds(seed)):
        sequence = observe(world)
        yield sequence, detect(sequence, 1000 * seed + i, features=features)


def rendered(data: Path, seed: int) -> Iterator[tuple[Sequence, list[Detections]]]:
    """Render videos and find people in them with anny-lite; takes minutes."""
    from anny_ros.inference import Estimator

    from training.pictures.scene import Studio
    from training.sequence_pictures import film, SCENARIOS

    studio, estimator = Studio.open(data, 'heldout'), Estimator.load('anny-lite')
    for scenario in tqdm(SCENARIOS, desc='rendered videos'):
        yield film(studio, estimator, scenario, seed)


def measure(data: Path | None, seed: int) -> dict[str, Any]:
    """All figures, by dotted names; null with a reason where there is no data."""
    document: dict[str, Any] = {}
    for variant in VARIANTS:
        document |= compare(variant, simulated(seed, variant == 'features'))
    document['update_ms.people_40'] = float(np.median(update_times(40, FEATURES, UPDATES)[5:]))
    if data is None:
        return document | {
            'rendered.all.ours.idf1': None,
            'poses.jitter_ratio': None,
            'distance.noisy-truth.all.ground.median': None,
            'reason': UNMEASURED,
        }
    from training.evaluate_fusion import evaluate_distances
    from training.sequence_poses import measure_smoothing

    document |= compare('rendered', rendered(data, seed + 1))
    document |= evaluate_distances(data, seed + 2)
    return document | {f'poses.{k}': v for k, v in measure_smoothing(data, seed).items()}


def table(document: dict[str, Any]) -> str:
    """Show the figures for people."""
    lines = []
    for prefix in (*VARIANTS, 'rendered'):
        names = [key.split('.') for key in document if key.startswith(f'{prefix}.')]
        if len(names) < 2:
            continue
        lines += ['', f'{prefix:21}' + ''.join(f'{key:>18}' for key in SHOWN),
                  f'{"":21}' + f'{"ours":>9}{"reference":>9}' * len(SHOWN)]  # fmt: skip
        for place in dict.fromkeys(name[1] for name in names):
            cells = ''
            for key in SHOWN:
                for who in ('ours', 'reference'):
                    value = document[f'{prefix}.{place}.{who}.{key}']
                    cells += f'{value:9.0f}' if key == 'switches' else f'{value:9.3f}'
            lines.append(f'{place:21}{cells}')
        lines += [f'{key:21} {document[f"{prefix}.all.ours.{key}"]:8.3f}' for key in ERRORS]
    lines += ['', *(f'{k:30} {v:8.3f}' for k, v in document.items() if k[:6] == 'poses.' and v)]
    if 'distance.noisy-truth.all.alone.median' in document:
        from training import evaluate_fusion

        lines += ['', evaluate_fusion.table(document)]
    lines += ['', *(target.line() for target in targets(document))]
    if 'reason' in document:
        lines.append(
            f'rendered videos, poses and distances were not measured: {document["reason"]}'
        )
    return '\n'.join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description='Measure the tracker.')
    parser.add_argument('--data', type=Path, help='folder with poses.npz, garments and textures')
    parser.add_argument('--output', type=Path, default=Path('out/evaluation'))
    parser.add_argument('--seed', type=int, default=200)
    arguments = parser.parse_args()
    try:
        document = measure(arguments.data, arguments.seed)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    print(table(document))
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / 'tracking.json'
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in document.items()}
    path.write_text(json.dumps(rounded, indent=1) + '\n', encoding='utf-8')
    print(f'figures are in {path}')


if __name__ == '__main__':
    main()
