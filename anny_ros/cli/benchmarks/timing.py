# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Times of several ways of doing the same, taken in turns."""

from __future__ import annotations

from collections.abc import Callable
import gc
import time

import numpy as np


def side_by_side(
    *ways: Callable[[], object],
    seconds: float = 3.0,
    least_rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """
    Time ways against each other.

    They run in turns, so that whatever else the machine does falls on all of them; the garbage
    collector is off meanwhile.

    Parameters
    ----------
    ways : callables
    seconds : float
        About how long to go on.
    least_rounds : int
        But at least so often.
    clock : callable
        Gives the time in seconds. For what runs in one thread, ``time.thread_time`` counts its
        own work alone, however busy the machine is.

    Returns
    -------
    list of float, milliseconds
        Median of each.

    """
    for way in ways:
        way()
    taken: list[list[float]] = [[] for _ in ways]
    end = time.perf_counter() + seconds
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        while time.perf_counter() < end or len(taken[0]) < least_rounds:
            for way, times in zip(ways, taken, strict=True):
                start = clock()
                way()
                times.append(clock() - start)
    finally:
        if was_enabled:
            gc.enable()
    return [1e3 * float(np.median(times)) for times in taken]
