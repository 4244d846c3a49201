# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a picture goes."""

from __future__ import annotations

import time


class Stopwatch:
    """Milliseconds by stage, in order; started when made."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage that began with the one before."""
        now = time.perf_counter()
        self.laps_ms[stage] = 1e3 * (now - self._last)
        self._last = now
