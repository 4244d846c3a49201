# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Run a recording through the estimator and the tracker, and write who was where, and how.

INPUT is a video file, a folder of pictures, one picture, or a ROS bag (mcap, db3; the file or its
folder). The result is a file of JSON lines: a header, then a line a picture with its people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
import errno
from pathlib import Path
import sys
import time
from typing import Any, Protocol, TYPE_CHECKING, TypeVar

from anny_ros.cli.options import add_model_options, parameters_from
from anny_ros.errors import InputError

if TYPE_CHECKING:
    from anny_ros.cli.refinement import TracksRefinement
    from anny_ros.cli.sources import Source
    from anny_ros.types import Frame, Scene

SUMMARY = 'video, pictures or ROS bag in, tracks out'

_RESOLUTION = 'coarse'
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument('input', metavar='INPUT', type=Path)
    parser.add_argument(
        '--output', '-o', type=Path, default=Path('tracks.jsonl'), help='default: tracks.jsonl'
    )
    parser.add_argument('--overlay', type=Path, metavar='OUT.mp4', help='video with the meshes')
    parser.add_argument('--rerun', type=Path, metavar='OUT.rrd', help='recording for rerun')
    parser.add_argument(
        '--bag', type=Path, metavar='OUT.mcap', help='ROS bag with the topics of the node'
    )
    parser.add_argument('--topic', help='pictures of a bag; default: the only image topic')
    parser.add_argument(
        '--fps', type=float, default=30.0, help='of a folder of pictures (default: 30)'
    )
    parser.add_argument('--max-frames', type=int, metavar='N', help='stop after N pictures')
    parser.add_argument(
        '--refine',
        action='store_true',
        help='when all is seen, refine each track as a whole: less jitter and nearer to the '
        'keypoints, in every output; takes longer',
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar, no summary')
    add_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Track a recording; the exit code."""
    if arguments.max_frames is not None and arguments.max_frames < 1:
        raise InputError(f'--max-frames must be at least 1, got {arguments.max_frames}')
    parameters = parameters_from(arguments)
    _check_outputs(arguments)

    from anny_ros.cli.sources import open_source
    from anny_ros.cli.writers.jsonl import JsonlWriter
    from anny_ros.cli.writers.overlay_video import OverlayVideo

    def opened() -> Source:
        return open_source(arguments.input, arguments.topic, parameters.camera.k, arguments.fps)

    source = opened()
    with closing(source), _outputs() as writers:
        tracks = writers.add(JsonlWriter(arguments.output))
        overlay = arguments.overlay and writers.add(OverlayVideo(arguments.overlay, source.fps))

        from anny_ros.inference import Estimator
        from anny_ros.perception import Perception

        estimator = Estimator.load(arguments.model, parameters)
        recording = None
        if arguments.rerun:
            from anny_ros.cli.writers.rerun_file import RerunFile
            from anny_ros.render.lines import bone_ends

            body = estimator.body
            recording = writers.add(
                RerunFile(arguments.rerun, body.triangles(_RESOLUTION), bone_ends(body))
            )
        bag = None
        if arguments.bag:
            from anny_ros.cli.writers.ros_bag import RosBag

            bag = writers.add(RosBag(arguments.bag, estimator.body, parameters))
        perception = Perception(estimator, parameters)
        job = _Job(source, perception, tracks, overlay, recording, bag)
        if arguments.refine:
            from anny_ros.cli.refinement import TracksRefinement

            job.refinement = TracksRefinement(estimator.body)
        interrupted = job.run(arguments.max_frames, arguments.quiet)
        if job.refinement is not None:
            interrupted |= job.refine(job.refinement, opened, arguments.quiet)
    for sentence in [*source.warnings, *_rejected(perception.num_rejected)]:
        print(f'anny-ros track: {sentence}', file=sys.stderr)
    if interrupted or not arguments.quiet:
        start = 'interrupted: ' if interrupted else ''
        print(f'{start}{job.summary()}; wrote {arguments.output}', file=sys.stderr)
    return 130 if interrupted else 0


def _rejected(num_people: int) -> list[str]:
    if not num_people:
        return []
    return [
        f'{num_people} times somebody was left out because of numbers that are not finite; try '
        '--set inference.dtype=float32'
    ]


@dataclass
class _Job:
    """One recording on its way."""

    source: Source
    perception: Any
    tracks: Any
    overlay: Any
    recording: Any
    bag: Any
    refinement: TracksRefinement | None = None
    took_ms: list[float] = field(default_factory=list)
    num_frames: int = 0
    seconds: float = 0.0
    people: set[str] = field(default_factory=set)

    def run(self, max_frames: int | None, quiet: bool) -> bool:
        """Work through the pictures; True if the user broke it off."""
        from anny_ros.cli.sources.read_ahead import read_ahead
        from tqdm import tqdm

        known = [n for n in (self.source.num_frames, max_frames) if n]
        frames = read_ahead(self.source.frames())
        start = time.monotonic()
        bar = tqdm(
            total=min(known, default=None), unit=' pictures', desc='tracking', disable=quiet
        )
        try:
            with bar:
                for frame in frames:
                    self._one(frame)
                    bar.set_postfix_str(f'{len(self.people)} people', refresh=False)
                    bar.update()
                    if self.num_frames == max_frames:
                        break
        except KeyboardInterrupt:
            if not self.num_frames:
                raise
            return True
        finally:
            self.seconds = time.monotonic() - start
            frames.close()
        return False

    def refine(
        self, refinement: TracksRefinement, opened: Callable[[], Source], quiet: bool
    ) -> bool:
        """
        Refine and write what waited for it; True if the user broke it off.

        ``opened`` opens the same input once more, for its pictures. What is broken off is written
        as it was tracked.
        """
        from anny_ros.cli.sources.read_ahead import read_ahead
        from tqdm import tqdm

        scenes, interrupted = refinement.scenes, False
        total = refinement.num_sightings
        with tqdm(total=total, unit=' bodies', desc='refining', disable=quiet) as bar:
            try:
                scenes = list(refinement.refined(bar.update))
            except KeyboardInterrupt:
                interrupted = True
        if not (self.overlay or self.recording or self.bag):
            for index, scene in enumerate(scenes):
                self.tracks.scene(index, scene, self.took_ms[index])
            return interrupted
        with (
            closing(opened()) as again,
            closing(read_ahead(again.frames())) as frames,
            tqdm(total=len(scenes), unit=' pictures', desc='writing', disable=quiet) as bar,
        ):
            for index, (scene, frame) in enumerate(zip(scenes, frames, strict=False)):
                self._write(index, again, frame, scene)
                bar.update()
        return interrupted

    def summary(self) -> str:
        """One line for the user."""
        rate = self.num_frames / self.seconds if self.seconds > 0 else 0.0
        return (
            f'{self.num_frames} pictures in {self.seconds:.1f} s ({rate:.1f} a second), '
            f'{len(self.people)} people'
        )

    def _one(self, frame: Frame) -> None:
        if self.num_frames == 0:
            height, width = frame.rgb.shape[:2]
            self.tracks.header(width, height, self.source.fps, self._model())
        begin = time.perf_counter()
        scene = self.perception(frame)
        self.took_ms.append(1e3 * (time.perf_counter() - begin))
        if self.refinement is None:
            self._write(self.num_frames, self.source, frame, scene)
        else:
            self.refinement.add(scene, self.perception.detections)
        self.people.update(scene.ids)
        self.num_frames += 1

    def _write(self, index: int, source: Source, frame: Frame, scene: Scene) -> None:
        self.tracks.scene(index, scene, self.took_ms[index])
        self._draw(frame, scene)
        if self.bag:
            self.bag.scene(frame, scene, *source.header(frame))

    def _draw(self, frame: Frame, scene: Scene) -> None:
        if not (self.overlay or self.recording):
            return
        from anny_ros.render import draw_scene

        body = self.perception.estimator.body
        vertices = body.vertices(scene.humans, _RESOLUTION)
        if self.overlay:
            self.overlay.picture(draw_scene(frame.rgb, scene, body, _RESOLUTION, vertices))
        if self.recording:
            self.recording.scene(frame.rgb, scene, vertices)

    def _model(self) -> dict[str, str]:
        from anny_ros import __version__

        estimator = self.perception.estimator
        return {
            'name': estimator.name,
            'backend': estimator.backend,
            'body': estimator.body.name,
            'anny_ros': __version__,
        }


class _Writer(Protocol):
    def close(self) -> None: ...

    def abort(self) -> None: ...


AnyWriter = TypeVar('AnyWriter', bound=_Writer)


class _Writers:
    """Outputs that are finished or thrown away together."""

    def __init__(self) -> None:
        self.all: list[_Writer] = []

    def add(self, writer: AnyWriter) -> AnyWriter:
        """Take charge of one more and return it."""
        self.all.append(writer)
        return writer


@contextmanager
def _outputs() -> Iterator[_Writers]:
    """Finish every output if all went well (or the user broke it off), else leave none."""
    writers = _Writers()
    try:
        yield writers
        while writers.all:
            writers.all[0].close()
            writers.all.pop(0)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise InputError(f'writing failed ({error.strerror}); make room and try again') from error
    finally:
        for writer in writers.all:
            writer.abort()


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse outputs that would overwrite each other, the input or a bag."""
    if arguments.bag:
        from anny_ros.cli.writers.ros_bag import RosBag

        RosBag.check(arguments.bag)
    paths = {
        '--output': arguments.output,
        '--overlay': arguments.overlay,
        '--rerun': arguments.rerun,
        '--bag': arguments.bag,
    }
    seen = {arguments.input.resolve(): 'INPUT'}
    for option, path in paths.items():
        if path is None:
            continue
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f'{option} and {other} are the same file {str(path)!r}; give another')
