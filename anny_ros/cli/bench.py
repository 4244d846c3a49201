# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure speed side by side with the usual ways, and print ratios.

Everything runs on this machine in one go: markers as bytes against Point objects, a mesh decoded
from its buffer against a list, the body model against the official one, the node against the bare
estimator, tracking of the bundled clips with the time of each stage, and the single-shot network.
What cannot be measured here is null in the JSON, with the reason.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
import os
from pathlib import Path
import sys
import tempfile
from typing import Any, TYPE_CHECKING

from anny_ros.errors import InputError

if TYPE_CHECKING:
    from anny_ros.cli.benchmarks.report import Report

SUMMARY = 'speed, side by side with the usual ways'

SUBJECTS = ('messages', 'skinning', 'node', 'tracking', 'network')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures there too')
    parser.add_argument(
        '--only', choices=SUBJECTS, action='append', help='measure this alone; may be repeated'
    )
    parser.add_argument(
        '--full', action='store_true', help='the full-size network on a CPU too (slow, 2 GB)'
    )
    parser.add_argument('--model', default='', metavar='FILE', help='track with this one too')
    parser.add_argument(
        '--max-frames', type=int, metavar='N', help='track at most N pictures of each clip'
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; 0 even if some figures could not be measured."""
    from anny_ros.cli.benchmarks.report import Report
    from anny_ros.cli.demonstration.graph import private_environment
    from anny_ros.cli.demonstration.share import fast_dds_profile
    from anny_ros.cli.writers.part_file import PartFile

    if arguments.model and not Path(arguments.model).exists():
        raise InputError(f'there is no checkpoint {arguments.model!r}; check the path')
    target = PartFile(arguments.json) if arguments.json else None
    report = Report()
    folder = tempfile.TemporaryDirectory()
    # Before the first use of DDS in this process, which reads them once.
    os.environ.update(private_environment(fast_dds_profile(), Path(folder.name)))
    try:
        for subject, keys, measure in _measurements(arguments):
            if arguments.only and subject not in arguments.only:
                continue
            print(f'measuring: {subject} …', file=sys.stderr, flush=True)
            _try(report, keys, measure)
        found = report.as_object()
        print(_table(found))
        if target is not None:
            target.part.write_text(json.dumps(found, indent=2, allow_nan=False) + '\n')
            target.commit()
            target = None
    finally:
        if target is not None:
            target.discard()
        folder.cleanup()
    return 0


Measurement = tuple[str, tuple[str, ...], 'Callable[[Report], None]']


def _measurements(arguments: argparse.Namespace) -> list[Measurement]:
    """Every subject: its name, its keys, how to measure it."""
    from anny_ros.cli.benchmarks import messages, network, node, skinning, tracking

    return [
        ('messages', messages.KEYS, messages.measure),
        ('skinning', skinning.KEYS, skinning.measure),
        ('node', node.KEYS, node.measure),
        (
            'tracking',
            tracking.KEYS,
            lambda report: tracking.measure(report, arguments.model, arguments.max_frames),
        ),
        ('network', network.KEYS, lambda report: network.measure(report, arguments.full)),
    ]


def _try(report: Report, keys: tuple[str, ...], measure: Callable[[Report], None]) -> None:
    """Measure one subject; what is in its way becomes the reason."""
    from anny_ros.cli.benchmarks.report import CannotMeasure
    from anny_ros.errors import AnnyError

    try:
        measure(report)
    except (CannotMeasure, AnnyError, ImportError) as error:
        report.missing(keys, ' '.join(str(error).split()))


def _table(found: dict[str, Any]) -> str:
    """Make lines for people."""
    machine, results, reasons = found['machine'], found['results'], found['reasons']
    lines = [
        f'{machine["cpu"]}, {machine["cores"]} cores, GPU: {machine["gpu"] or "none"}, '
        f'load {machine["load"]}',
        ', '.join(f'{name} {version}' for name, version in found['versions'].items()),
        '',
    ]
    for key, value in results.items():
        if value is None:
            lines.append(f'{key}: not measured ({reasons[key]})')
        elif isinstance(value, list):
            lines += [f'{key}:', *(f'  {_flat(entry)}' for entry in value)]
        else:
            lines.append(f'{key}: {_flat(value)}')
    return '\n'.join(lines)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return '  '.join(
            f'{k}={{{_flat(v)}}}' if isinstance(v, dict) else f'{k}={_flat(v)}'
            for k, v in value.items()
        )
    if isinstance(value, float):
        return f'{value:.3g}' if abs(value) < 100 else f'{value:.0f}'
    return str(value)
