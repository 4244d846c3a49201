# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Stop in good order on Ctrl-C.

rclpy's own handler ends the ROS context at once; then nobody could tell viewers to remove their
markers. So programs initialise with ``SignalHandlerOptions.NO`` and use this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import signal
import threading


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """
    Give an event that SIGINT and SIGTERM set, while the context lasts.

    After the first signal the earlier handlers are back, so that a second one interrupts a stop
    that hangs. Only in the main thread.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        stop.set()
        restore()

    previous = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    try:
        yield stop
    finally:
        restore()
