# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Write a recording anew with everybody replaced by their mesh.

IN is a ROS 2 bag (mcap, db3, or the folder of one) or a video; OUT is the same kind. In a bag
every topic with colour pictures is rewritten, every other one is copied byte for byte. People are
found first, in all pictures; if that is interrupted, the same command goes on where it stopped.
Look at the result before you give it to anybody: whoever is found in no picture stays visible.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
import json
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from anny_ros.cli.options import add_model_options, parameters_from
from anny_ros.errors import InputError

if TYPE_CHECKING:
    from anny_ros.cli.anonymization.hiding import LeakReport
    from anny_ros.cli.anonymization.scan import ScanStore
    from anny_ros.inference import Estimator
    from anny_ros.types import Frame

SUMMARY = 'the same recording, with people replaced by their meshes'

_BAGS = ('.mcap', '.db3')
# Lowest score of somebody who is hidden with a body of their own; the node's default is for
# those who want to see people, this for those who must not miss one.
_THRESHOLD = 0.1
_BIRTH_SCORE = 0.25
# Pictures before the place where an interrupted run goes on, so that it knows who is there.
_WARM_UP = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument('input', metavar='IN', type=Path)
    parser.add_argument('output', metavar='OUT', type=Path)
    parser.add_argument(
        '--drop', action='append', default=[], metavar='TOPIC', help='leave a topic out'
    )
    parser.add_argument(
        '--keep',
        action='append',
        default=[],
        metavar='TOPIC',
        help='copy a topic as it is although it holds pictures',
    )
    parser.add_argument('--report', type=Path, metavar='FILE.json', help='write the counts there')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Anonymise a recording; the exit code."""
    source, output = arguments.input, arguments.output
    if not source.exists():
        raise InputError(f'there is no file or folder {str(source)!r}; check the path')
    if output.exists():
        raise InputError(f'{str(output)!r} is there already; delete it, or give another name')
    if not output.parent.is_dir():
        raise InputError(f'there is no folder {str(output.parent)!r}; make it')
    is_bag = source.suffix in (*_BAGS, '.bag') or (source / 'metadata.yaml').is_file()
    _check_kind(output, is_bag)
    if not is_bag and (arguments.drop or arguments.keep):
        raise InputError('--drop and --keep are for bags, but the input is none; leave them out')
    parameters = parameters_from(arguments)
    chosen = {setting.partition('=')[0].strip() for setting in arguments.settings}
    lower = {'detection.threshold': _THRESHOLD, 'tracking.birth_score': _BIRTH_SCORE}
    parameters = parameters.with_values({k: v for k, v in lower.items() if k not in chosen})

    from anny_ros.cli.anonymization.scan import ScanStore
    from anny_ros.inference import Estimator

    estimator = Estimator.load(arguments.model, parameters)
    store = ScanStore(
        output.with_name(f'.{output.name}.scan'),
        {
            'input': str(source.resolve()),
            'size': _size(source),
            'model': estimator.name,
            'weights': arguments.model,
            'parameters': json.loads(json.dumps(asdict(parameters))),
        },
    )
    work = _anonymize_bag if is_bag else _anonymize_video
    try:
        report = work(arguments, estimator, store)
    except BaseException:
        store.flush()
        store.delete_if_empty()
        raise
    store.delete()
    if arguments.report:
        arguments.report.write_text(json.dumps(asdict(report), indent=2) + '\n')
    print(_in_words(report, output), file=sys.stderr)
    return 0


def _check_kind(output: Path, is_bag: bool) -> None:
    if is_bag and output.suffix not in (*_BAGS, ''):
        raise InputError(
            f'a bag becomes a bag: name OUT *.mcap or *.db3 (or a folder), not {output.name!r}'
        )
    if not is_bag and output.suffix.lower() != '.mp4':
        raise InputError(f'a video becomes an mp4: name OUT *.mp4, not {output.name!r}')


def _anonymize_bag(
    arguments: argparse.Namespace, estimator: Estimator, store: ScanStore
) -> LeakReport:
    from anny_ros.cli.anonymization.bag_copy import BagToCopy
    from anny_ros.cli.anonymization.hiding import hide, LeakReport, with_neighbours

    bag = BagToCopy(arguments.input, set(arguments.drop), set(arguments.keep))
    report = LeakReport()
    try:
        for topic in bag.picture_topics:
            pictures = (item for item in bag.pictures(topic) if item[1] is not None)
            _scan(estimator, store, topic, _frames(pictures), bag.count(topic), arguments.quiet)
        hidden = {t: with_neighbours(store.read(t), report) for t in bag.picture_topics}

        def replace(topic: str, rgb: Any) -> Any:
            if rgb is None:
                report.dropped += 1
                return None
            return hide(rgb, next(hidden[topic]), estimator.body)

        with _bar(bag.count(), 'writing', ' messages', arguments.quiet) as bar:
            bag.copy(arguments.output, replace, bar.update)
    finally:
        bag.close()
    return report


def _anonymize_video(
    arguments: argparse.Namespace, estimator: Estimator, store: ScanStore
) -> LeakReport:
    from anny_ros.cli.anonymization.hiding import hide, LeakReport, with_neighbours
    from anny_ros.cli.sources.video import VideoSource
    from anny_ros.cli.writers.overlay_video import OverlayVideo

    report = LeakReport()
    k = estimator.parameters.camera.k
    source = VideoSource(arguments.input, k)
    try:
        _scan(estimator, store, '', source.frames(), source.num_frames, arguments.quiet)
    finally:
        source.close()
    again = VideoSource(arguments.input, k)
    writer = OverlayVideo(arguments.output, again.fps)
    try:
        hidden = with_neighbours(store.read(''), report)
        with _bar(again.num_frames, 'writing', ' pictures', arguments.quiet) as bar:
            for frame, picture in zip(again.frames(), hidden, strict=True):
                writer.picture(hide(frame.rgb, picture, estimator.body))
                bar.update()
        writer.close()
    except BaseException:
        writer.abort()
        raise
    finally:
        again.close()
    return report


def _scan(
    estimator: Estimator,
    store: ScanStore,
    stream: str,
    frames: Iterator[Frame],
    num_frames: int | None,
    quiet: bool,
) -> None:
    """Find everybody in each picture of a stream that is not stored yet."""
    from anny_ros.cli.anonymization.scan import Found
    from anny_ros.perception import Perception

    known = store.count(stream)
    first_number = store.highest_number(stream) if known else 0
    perception = Perception(estimator)
    with _bar(num_frames, f'finding people {stream}'.rstrip(), ' pictures', quiet) as bar:
        for index, frame in enumerate(frames):
            if index >= known - _WARM_UP:
                scene = perception(frame)
                if index >= known:
                    store.add(stream, Found.of(scene, first_number))
            bar.update()
    store.flush()


def _frames(pictures: Iterator[Any]) -> Iterator[Frame]:
    from anny_ros.types import Frame

    for stamp, rgb in pictures:
        yield Frame(rgb, stamp)


def _bar(total: int | None, what: str, unit: str, quiet: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=unit, disable=quiet)


def _size(source: Path) -> int:
    files = source.rglob('*') if source.is_dir() else [source]
    return sum(path.stat().st_size for path in files if path.is_file())


def _in_words(report: LeakReport, output: Path) -> str:
    sentence = (
        f'wrote {output}: {report.pictures} pictures, people in {report.with_people}; doubtful '
        f'finds hidden in {report.with_candidates}, people hidden because a neighbouring picture '
        f'shows them in {report.filled_in}'
    )
    if report.dropped:
        sentence += f'; {report.dropped} unreadable pictures left out'
    return sentence + '. Whoever is found in no picture stays visible: look before you share it.'
