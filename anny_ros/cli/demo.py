# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Show the whole of it: the perception node tracks people in a clip, over real DDS.

A player publishes the clip as a camera would; the node answers; this program receives every
output, as any other program could, and leaves in the folder: demo.mcap (the outputs as a bag, for
Foxglove or RViz), tracks.jsonl, overlay.mp4 and demo.rrd (for rerun), all made from what was
received.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from anny_ros.errors import InputError

SUMMARY = 'the node itself over real DDS on a bundled clip'

CLIPS = ('street', 'park')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument(
        '--output', '-o', type=Path, default=Path('out/demo'), help='folder (default: out/demo)'
    )
    parser.add_argument(
        '--clip',
        default=CLIPS[0],
        metavar='NAME|FILE',
        help=f'{", ".join(CLIPS)}, or a video of your own (default: {CLIPS[0]})',
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 if people were received."""
    clip = _clip(arguments.clip)
    folder = _folder(arguments.output)
    from anny_ros.cli.demonstration.session import record
    from anny_ros.cli.demonstration.writing import write_outputs

    interrupted = record(clip, folder)
    presence = write_outputs(folder, clip)
    print(presence.table())
    print(f'\n{presence.num_people} people in {presence.num_pictures} pictures. In {folder}:')
    for name in ('overlay.mp4', 'tracks.jsonl', 'demo.mcap', 'demo.rrd'):
        path = folder / name
        if path.is_file():
            print(f'  {name:13} {path.stat().st_size / 1e6:7.1f} MB')
    if interrupted:
        return 130
    if not presence.num_people:
        print(f'anny-ros demo: nobody was seen; see {folder}/log', file=sys.stderr)
        return 1
    return 0


def _clip(name: str) -> Path:
    """Find a clip that ships with the package, or a file."""
    if name in CLIPS:
        from importlib import resources

        return Path(str(resources.files('anny_ros') / 'assets' / 'demo' / f'{name}.mp4'))
    path = Path(name)
    if not path.is_file():
        raise InputError(f'there is no clip {name!r}; give {", ".join(CLIPS)} or a video file')
    return path.resolve()


def _folder(path: Path) -> Path:
    """Make the folder for the outputs."""
    try:
        (path / 'log').mkdir(parents=True, exist_ok=True)
        probe = path / '.writable'
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f'cannot write into {str(path)!r} ({error.strerror}); give another --output'
        ) from None
    return path.resolve()
