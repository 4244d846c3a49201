# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The processes of the demo, in a ROS domain of their own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
from typing import IO

from anny_ros.errors import AnnyError

_PATIENCE = 15.0  # seconds that a process has to end after a signal
_LAST_LINES = 6


class DemoError(AnnyError):
    """A part of the demo did not do what it should."""


def private_environment(profile: Path | None, log_folder: Path) -> dict[str, str]:
    """
    Make variables that keep a graph on this machine and away from other graphs.

    Parameters
    ----------
    profile : Path or None
        Fast DDS profile under which large pictures arrive.
    log_folder : Path
        For ROS's own logs.

    Returns
    -------
    dict of str to str
        To be set before rclpy is imported, and given to every child.

    """
    variables = {
        # A domain of its own, so that other nodes of this machine are not heard.
        'ROS_DOMAIN_ID': str(random.SystemRandom().randint(1, 100)),
        'ROS_LOG_DIR': str(log_folder),
    }
    if os.environ.get('ROS_DISTRO') == 'humble':
        variables['ROS_LOCALHOST_ONLY'] = '1'
    else:
        variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    if profile is not None:
        variables['FASTDDS_DEFAULT_PROFILES_FILE'] = str(profile)
    return variables


class Child:
    """
    A Python module that runs as a process, its output in a file.

    Parameters
    ----------
    name : str
        For people.
    module : str
        Run as ``python -m module``.
    arguments : list of str
    log_folder : Path
    variables : mapping of str to str
        Added to this process's environment.

    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: list[str],
        log_folder: Path,
        variables: Mapping[str, str],
    ) -> None:
        self.name = name
        self.log = log_folder / f'{name}.log'
        self._output: IO[bytes] = self.log.open('wb')
        self._process = subprocess.Popen(
            [sys.executable, '-u', '-m', module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
            start_new_session=True,  # a Ctrl-C is for the demo, which then ends its children
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise DemoError if it has ended with an error."""
        code = self._process.poll()
        if code:
            raise DemoError(
                f'the {self.name} ended with {code}: {self.last_words()}; all of it is in '
                f'{self.log}'
            )

    def last_words(self) -> str:
        """Read the last lines of its output."""
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return ' | '.join(lines[-_LAST_LINES:]) or 'it said nothing'

    def stop(self) -> None:
        """End it, gently first."""
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not self.running:
                break
            with suppress(ProcessLookupError):
                self._process.send_signal(ending)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
        self._output.close()
