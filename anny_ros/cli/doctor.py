# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Say what this machine can run, and what to do about what it cannot.

Leaves with 0 if anny-lite can run here, else with 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anny_ros.cli.checks import Check

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
    """Say which network a file of weights is for; 1 if none of ours."""
    from anny_ros.model.checkpoint import compare, read_state_dict

    state = read_state_dict(path)
    comparison = compare(state)
    numbers = sum(tensor.numel() for tensor in state.values())
    finite = all(bool(tensor.isfinite().all()) for tensor in state.values())
    print(f'{path}: {path.stat().st_size / 1e6:.0f} MB, {len(state)} tensors, {numbers:,} numbers')
    print(f'  looks like: {comparison.looks_like}')
    print(f'  {"✓" if comparison.fits else "✗"} {comparison.preset}: {comparison.summary()}')
    if not finite:
        print('  ✗ it holds numbers that are not finite\n      → download it again')
    if comparison.fits and finite:
        print(f'  use it with --model {path}, or model.checkpoint:={path}')
    elif not comparison.fits:
        print('      → take the unchanged multihmr2.pt')
    return 0 if comparison.fits and finite else 1
