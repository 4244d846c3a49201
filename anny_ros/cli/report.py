# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Make a page of a run: who was there when, where they went, how far away, how long it took.

TRACKS is what `anny-ros track` wrote. The page is one HTML file that needs no network.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from anny_ros.errors import InputError

SUMMARY = 'a page of a run, for a browser'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument('tracks', metavar='TRACKS.jsonl', type=Path)
    parser.add_argument(
        '--output', '-o', type=Path, help='default: beside TRACKS.jsonl, ending in .html'
    )
    parser.add_argument('--title', help='what the run is called; default: the name of the file')


def run(arguments: argparse.Namespace) -> int:
    """Write the page; the exit code."""
    from anny_ros.cli.reporting.page import make_page
    from anny_ros.cli.reporting.recording import read_recording
    from anny_ros.cli.writers.part_file import PartFile

    output = arguments.output or arguments.tracks.with_suffix('.html')
    if output.resolve() == arguments.tracks.resolve():
        raise InputError('--output and TRACKS.jsonl are the same file; give another')
    recording = read_recording(arguments.tracks)
    target = PartFile(output)
    try:
        page = make_page(recording, arguments.title or arguments.tracks.stem)
        target.part.write_text(page, encoding='utf-8')
    except BaseException:
        target.discard()
        raise
    target.commit()
    print(f'wrote {output}', file=sys.stderr)
    return 0
