# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure a model on rendered people and on real clips, beside MediaPipe pose on the same pictures.

    python -m training.evaluate DATA [--quick] [--model anny-lite] [--output out/evaluation]

Prints a table and writes ``model.json`` (a figure a key; null with a reason where it could not be
measured) and ``worst.png``. The rendered pictures and MediaPipe's environment are kept in
OUTPUT.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import sys
from typing import Any

from anny_ros.cli.benchmarks.report import CannotMeasure, Report
from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.keypoints.movenet import KeypointDetector
from anny_ros.types import Detections, Scene
import cv2
import torch

from training import evaluate_clips
from training.evaluation import clips, mediapipe_pose, rendered, sets, worst
from training.evaluation.mediapipe_pose import Poses
from training.evaluation.people import Estimates
from training.evaluation.report import model_files, table

PICTURES, QUICK_PICTURES = 400, 2 * sets.SHARD
QUICK_FRAMES = 60
_NOBODY = 'there is nobody to take it of'
_NO_STATURE = 'MediaPipe says nothing of statures'


def _add(
    report: Report, prefix: str, found: dict[str, float | None], reason: str = _NOBODY
) -> None:
    for name, value in found.items():
        key = f'{prefix}.{name}'
        report.results[key] = None if value is None else round(float(value), 5)
        if value is None:
            report.reasons[key] = reason


def _add_mediapipe(report: Report, prefix: str, found: dict[str, float | None]) -> None:
    stature = {name: value for name, value in found.items() if 'stature' in name}
    _add(report, prefix, {k: v for k, v in found.items() if k not in stature})
    _add(report, prefix, stature, _NO_STATURE)


def measure_rendered(
    report: Report, estimator: Estimator, pictures: list[rendered.Shown], output: Path
) -> tuple[list[Detections], rendered.Judged]:
    """Our model alone; what it found is returned. Writes ``worst.png``."""
    known = rendered.run(estimator, pictures, known=True)
    judged = rendered.judge(pictures, [Estimates.of(people) for people in known])
    _add(report, 'rendered.model', rendered.by_group(judged.outcome))
    _add(report, 'rendered.model', {'precision': judged.precision})
    guessed = rendered.run(estimator, pictures, known=False)
    blind = rendered.judge(pictures, [Estimates.of(people) for people in guessed])
    _add(report, 'rendered.model_camera_not_known', rendered.by_group(blind.outcome))
    picture = worst.sheet(pictures, known, judged, estimator.body)
    cv2.imwrite(str(output / 'worst.png'), picture[..., ::-1])
    return known, judged


def measure_clips(
    report: Report, folder: Path, estimator: Estimator, model: str, most: int | None
) -> dict[str, list[Scene]]:
    """Our model on the clips; the scenes of each are returned."""
    detector = KeypointDetector(threads=1)
    finder = evaluate_clips.make_finder(model, detector)
    found, _ = evaluate_clips.measure_labelled(folder, finder)
    _add(report, 'clips.model_without_tracking.street', found)
    found, _ = evaluate_clips.measure_reprojection(folder, finder, detector)
    for stem in (Path(name).stem for name in clips.RATES):
        people = found[f'reprojection_people_{stem}']
        both = {f'reprojection_{k}': found[f'reprojection_{k}_{stem}'] for k in ('median', 'p90')}
        empty: dict[str, float | None] = dict.fromkeys(both)
        _add(report, f'clips.model_without_tracking.{stem}', {'reprojection_people': people})
        _add(report, f'clips.model_without_tracking.{stem}', {**(both if people else empty)})
    labels = evaluate_clips.read_labels(folder / 'street_boxes.json')
    scenes: dict[str, list[Scene]] = {}
    for name, rate in clips.RATES.items():
        stem = Path(name).stem
        scenes[name] = clips.follow(folder / name, rate, estimator, most)
        _add(report, f'clips.model.{stem}', clips.steadiness(clips.our_tracks(scenes[name])))
        if name == 'street.mp4':
            boxes = {k: s.humans.bbox[clips.tracked(s)] for k, s in enumerate(scenes[name])}
            _add(report, f'clips.model.{stem}', clips.recall_precision(labels, boxes))
    return scenes


def mediapipe_on_pictures(
    report: Report, pictures: list[rendered.Shown], ours: rendered.Judged, poses: Poses
) -> None:
    """MediaPipe on the rendered set, and both on the people whom both found."""
    for where, in_boxes in (('whole', False), ('boxes', True)):
        finds = rendered.mediapipe_finds(pictures, poses, in_boxes)
        theirs = rendered.judge(pictures, finds)
        _add_mediapipe(report, f'rendered.mediapipe_{where}', rendered.by_group(theirs.outcome))
        _add(report, f'rendered.mediapipe_{where}', {'precision': theirs.precision})
        both = ours.outcome.found & theirs.outcome.found
        prefix = f'beside_mediapipe_{where}'
        _add(report, f'{prefix}.model', rendered.by_group(ours.outcome, both))
        _add_mediapipe(report, f'{prefix}.mediapipe', rendered.by_group(theirs.outcome, both))


def mediapipe_on_clips(
    report: Report, folder: Path, scenes: dict[str, list[Scene]], poses: Poses, first_job: int
) -> None:
    """MediaPipe on the clips; steadiness of both in the pictures in which both have somebody."""
    labels = evaluate_clips.read_labels(folder / 'street_boxes.json')
    for job, (name, shown) in enumerate(scenes.items(), first_job):
        stem = Path(name).stem
        ours = clips.our_tracks(shown)
        for where, in_boxes in (('whole', False), ('boxes', True)):
            kept = clips.only(poses, job, in_boxes)
            finds = clips.mediapipe_finds(shown, kept)
            prefix = f'clips.mediapipe_{where}.{stem}'
            if name == 'street.mp4':
                boxes = {k: found.bbox for k, (found, _) in enumerate(finds)}
                _add(report, prefix, clips.recall_precision(labels, boxes))
            off = {'off_own_points_median': clips.off_own_points(finds, shown)}
            _add(report, prefix, off)
            a, b = clips.in_common(ours, clips.mediapipe_tracks(shown, kept))
            _add(report, f'clips.beside_mediapipe_{where}.{stem}.model', clips.steadiness(a))
            _add(report, f'clips.beside_mediapipe_{where}.{stem}.mediapipe', clips.steadiness(b))


def without_mediapipe(report: Report, reason: str) -> None:
    """Name every figure that needs MediaPipe, and why it is not there."""
    missing: dict[str, float | None] = dict.fromkeys(rendered.keys())
    for where in ('whole', 'boxes'):
        _add(report, f'rendered.mediapipe_{where}', {**missing, 'precision': None}, reason)
        for who in ('model', 'mediapipe'):
            _add(report, f'beside_mediapipe_{where}.{who}', missing, reason)
        for stem in (Path(name).stem for name in clips.RATES):
            prefix = f'clips.mediapipe_{where}.{stem}'
            if stem == 'street':
                _add(report, prefix, dict.fromkeys(clips.FOUND), reason)
            _add(report, prefix, {'off_own_points_median': None}, reason)
            for who in ('model', 'mediapipe'):
                prefix = f'clips.beside_mediapipe_{where}.{stem}.{who}'
                _add(report, prefix, dict.fromkeys(clips.STEADINESS), reason)


def evaluate(data: Path, model: str, output: Path, quick: bool) -> dict[str, Any]:
    """
    Measure everything.

    Parameters
    ----------
    data : Path
        Folder of the data pack, with ``clips``.
    model : str
        As ``Estimator.load`` takes it.
    output : Path
        Where ``worst.png`` goes, and where rendered pictures and MediaPipe's environment are kept.
    quick : bool
        A fifth of the pictures, and the first pictures of the clips.

    Returns
    -------
    dict
        What goes into ``model.json``.

    Raises
    ------
    AnnyError
        If something is missing.

    """
    folder = data / 'clips'
    evaluate_clips.read_labels(folder / 'street_boxes.json')  # before the long work
    report = Report({}, {})
    estimator = Estimator.load(model)
    output.mkdir(parents=True, exist_ok=True)
    count = QUICK_PICTURES if quick else PICTURES
    shards = sets.rendered(data, count, output / 'pictures')
    pictures = rendered.read_shards(shards)
    known, judged = measure_rendered(report, estimator, pictures, output)
    scenes = measure_clips(report, folder, estimator, model, QUICK_FRAMES if quick else None)
    jobs = rendered.jobs(pictures, known)
    jobs += [clips.jobs(folder / name, shown) for name, shown in scenes.items()]
    try:
        python = mediapipe_pose.environment((output / 'mediapipe').resolve())
        poses = mediapipe_pose.run(python, jobs, (output / 'mediapipe_run').resolve())
    except CannotMeasure as error:
        without_mediapipe(report, str(error))
    else:
        mediapipe_on_pictures(report, pictures, judged, poses)
        mediapipe_on_clips(report, folder, scenes, poses, len(pictures))
    document = report.as_object()
    document['versions']['mediapipe'] = mediapipe_pose.VERSION
    document['model'] = {'name': model, 'files': model_files(model)}
    document['set'] = {
        'pictures': len(pictures),
        'people': len(judged.outcome),
        'seed': sets.SEED,
        'fingerprint': shards[0].parent.name,
    }
    return document


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, metavar='DATA', help='folder of the data pack')
    parser.add_argument('--quick', action='store_true', help='fewer pictures')
    parser.add_argument(
        '--model', default='anny-lite', help='anny-lite, or the path of a checkpoint'
    )
    parser.add_argument('--output', type=Path, default=Path('out/evaluation'))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        document = evaluate(options.data, options.model, options.output, options.quick)
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    path = options.output / 'model.json'
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + '\n', encoding='utf-8')
    print(table(document))
    print(f'\nfigures are in {path}, the worst cases in {options.output / "worst.png"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
