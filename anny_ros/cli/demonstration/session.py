# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""One run of the demo: start the graph, record it, stop it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack
import os
from pathlib import Path
import signal
import time
from typing import TYPE_CHECKING

from anny_ros.cli.demonstration.graph import Child, DemoError, private_environment
from anny_ros.cli.demonstration.share import fast_dds_profile
from anny_ros.errors import InputError

if TYPE_CHECKING:
    from anny_ros.cli.demonstration.recorder import Recorder

_STARTING = 180.0  # seconds that the node has to load its model
_SILENCE = 60.0  # seconds without a result until something must be wrong
_AFTERWARDS = 1.0  # seconds that the last messages have to arrive
_SETTLING = 0.5

_REMAPPINGS = ('image:=/camera/image_raw', 'camera_info:=/camera/camera_info')


def record(clip: Path, folder: Path, node_module: str = 'anny_ros.ros.node') -> bool:
    """
    Play a clip to the node and record what it answers in ``demo.mcap``.

    Parameters
    ----------
    clip : Path
    folder : Path
        For the bag, and ``log/`` (which exists) for what the processes say.
    node_module : str
        Run as the perception node.

    Returns
    -------
    bool
        Whether the user broke it off. AnnyError says that ROS is not there or a process failed.

    """
    variables = private_environment(fast_dds_profile(), folder / 'log')
    os.environ.update(variables)  # before rclpy is imported
    _require_ros()
    from anny_ros.cli.demonstration.bag import BagWriter
    from anny_ros.cli.demonstration.recorder import Recorder
    from anny_ros.cli.sources.video import VideoSource
    import rclpy
    from rclpy.signals import SignalHandlerOptions
    from tqdm import tqdm

    total = VideoSource(clip).num_frames
    with ExitStack() as undo:
        undo.enter_context(_termination_as_interrupt())
        node = Child('node', node_module, node_arguments(), folder / 'log', variables)
        undo.callback(node.stop)
        bag = undo.enter_context(BagWriter(folder / 'demo.mcap'))
        # Signals are ours: rclpy would end the context before the last messages are in.
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        undo.callback(rclpy.try_shutdown)
        bar = undo.enter_context(tqdm(total=total, unit=' pictures', desc='starting the node'))
        recorder = Recorder(bag, bar.update)
        undo.callback(recorder.close)
        try:
            _wait_until_ready(recorder, node)
            bar.set_description('tracking')
            bar.reset(total)
            player = _player(clip, folder, variables)
            undo.callback(player.stop)
            _follow(recorder, node, player)
        except KeyboardInterrupt:
            if not bar.n:
                raise
            return True
        finally:
            node.stop()
            recorder.spin(_AFTERWARDS)  # its farewell: markers that delete all
        if not bar.n:
            raise DemoError(f'the node published nothing; see {node.log}')
        if recorder.num_incomplete:
            tqdm.write(
                f'{recorder.num_incomplete} pictures came without some of their outputs; see '
                f'{node.log}'
            )
    return False


def _player(clip: Path, folder: Path, variables: dict[str, str]) -> Child:
    arguments = player_arguments(clip)
    return Child('player', 'anny_ros.ros.video_player', arguments, folder / 'log', variables)


def node_arguments() -> list[str]:
    """Arguments of the perception node."""
    parameters = {
        'publish.mesh': 'coarse',  # a bag of full meshes would take gigabytes
        'publish.attributes': 'true',  # tracks.jsonl has the age
        'camera.info_timeout': '0.0',  # the clips have none
    }
    return ['--ros-args', *_remapped(), *_set(parameters)]


def player_arguments(clip: Path) -> list[str]:
    """Arguments of the player: all of a picture is in the bag before the next."""
    from anny_ros.cli.demonstration.recorder import RECORDED

    parameters = {'video': str(clip), 'wait_for_results': 'true', 'stamps': 'clip'}
    # rate is an upper limit: as fast as the node is.
    parameters['rate'] = '1000.0'
    return ['--ros-args', *_remapped(), '-r', f'anny/humans:={RECORDED}', *_set(parameters)]


def _remapped() -> list[str]:
    return [word for rule in _REMAPPINGS for word in ('-r', rule)]


def _set(parameters: dict[str, str]) -> list[str]:
    return [w for name, value in parameters.items() for w in ('-p', f'{name}:={value}')]


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """End the children too when this process is told to end."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _require_ros() -> None:
    try:
        import anny_ros.msg  # noqa: F401
        import rclpy  # noqa: F401
    except ImportError as error:
        raise InputError(
            f'the demo needs ROS 2 and the built messages ({error}); source a ROS installation '
            'or run make setup'
        ) from None


def _wait_until_ready(recorder: Recorder, node: Child) -> None:
    """Wait until the node has loaded its model and everybody has found everybody."""
    end = time.monotonic() + _STARTING
    while not recorder.ready():
        node.check()
        if not node.running or time.monotonic() > end:
            raise DemoError(f'the node did not start: {node.last_words()}; see {node.log}')
        recorder.spin(0.1)
    recorder.spin(_SETTLING)


def _follow(recorder: Recorder, node: Child, player: Child) -> None:
    """Record until the player has ended."""
    from anny_ros.cli.demonstration.recorder import HUMANS

    received, since = 0, time.monotonic()
    while player.running:
        recorder.spin(0.2)
        node.check()
        if recorder.counts[HUMANS] != received:
            received, since = recorder.counts[HUMANS], time.monotonic()
        if time.monotonic() - since > _SILENCE:
            raise DemoError(f'no result for {_SILENCE:g} s; see {node.log} and {player.log}')
    player.check()
    recorder.spin(_AFTERWARDS)
