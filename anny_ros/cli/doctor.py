# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Say what this machine can run, and what to do about what it cannot.

Leaves with 0 if anny-lite can run here, else with 1. With --checkpoint: 0 if the file can be used,
1 if it is another model or has numbers that are not finite, 2 if it cannot be read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import shlex

from anny_ros.cli.checks import Check
from anny_ros.errors import ModelError

SUMMARY = 'what this machine can run; each ✗ with its cure'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument(
        '--checkpoint', type=Path, metavar='FILE', help='say what this file of weights is instead'
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the report; the exit code."""
    if arguments.checkpoint is not None:
        return _describe_checkpoint(arguments.checkpoint)
    from anny_ros import __version__
    from anny_ros.cli import checks

    print(f'anny_ros {__version__}')
    can_run = True
    for title, check in (
        ('Machine', checks.check_python),
        ('Libraries', checks.check_libraries),
        ('Weights', checks.check_weights),
        ('GPU', checks.check_gpu),
        ('Engines', checks.check_engines),
        ('ROS', checks.check_ros),
        ('Result', checks.check_anny_lite),
    ):
        print(f'\n{title}')
        for found in check():
            print(_line(found))
            can_run = can_run and (found.ok or not found.needed)
    print('\nanny-lite can run here.' if can_run else '\nanny-lite cannot run here yet; see ✗.')
    return 0 if can_run else 1


def _line(found: Check) -> str:
    mark = '✓' if found.ok else '✗'
    line = f'  {mark} {found.name}: {found.says}'
    if found.ok or not found.cure:
        return line
    return f'{line}\n      → {found.cure}' + ('' if found.needed else ' (optional)')


def _describe_checkpoint(path: Path) -> int:
    """Say which network a file of weights is for; 1 if it cannot run here."""
    try:
        from anny_ros.inference.engines import file_sha256
        from anny_ros.model.checkpoint import compare, not_finite
        from anny_ros.model.checkpoint_file import read_checkpoint
    except ImportError as error:
        raise ModelError(f'{error.name} is missing; pip install {error.name}') from error

    file = read_checkpoint(path)
    comparison = compare(file.tensors)
    name = comparison.config.name
    size, digest = path.stat().st_size, file_sha256(path)
    numbers = sum(tensor.numel() for tensor in file.tensors.values())
    foreign = f' and {file.num_foreign} of body models' if file.num_foreign else ''
    print(
        f'{path}: {size / 1e6:.0f} MB, {file.form}, {len(file.tensors)} tensors{foreign}, '
        f'{numbers:,} numbers ({", ".join(file.dtypes)}), sha256 {digest[:12]}'
    )
    if not comparison.fits:
        says = f'looks like {comparison.looks_like}; of {name}: {comparison.summary()}'
        print(_line(Check('not usable', False, says, 'take the unchanged multihmr2.pt', True)))
        return 1
    broken = not_finite(file.tensors)
    if broken:
        says = f'numbers in {len(broken)} tensors are not finite (first: {broken[0]})'
        print(_line(Check(name, False, says, 'download it again', True)))
        return 1
    use = f'use it: anny-ros track INPUT --model {shlex.quote(str(path))}'
    print(_line(Check(name, True, f'all tensors fit{_recorded(name, digest)}; {use}')))
    return 0


def _recorded(name: str, digest: str) -> str:
    """Compare with the SHA-256 that others record: a hint, as we never saw that file."""
    from anny_ros.model.checkpoint_kind import RECORDED_SHA256

    if name not in RECORDED_SHA256:
        return ''
    found = 'the' if digest == RECORDED_SHA256[name] else 'not the'
    return f', {found} sha256 that others record for it'
