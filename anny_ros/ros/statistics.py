# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Counts and times of the pipeline, kept by the inference thread and read by the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import math
import threading


@dataclass(frozen=True)
class Report:
    """
    What happened since the node was activated, and since the last report.

    Parameters
    ----------
    processed, rejected, failed, resets : int
        Since activation: pictures worked on; unusable; on which the model failed; jumps of time.
    new_rejected, new_failed : int
        Of these, since the last report.
    rejected_people, new_rejected_people : int
        People who were left out because of numbers that are not finite, since activation and
        since the last report.
    fault, failure : str
        What was wrong with the newest unusable picture and failed inference; empty: nothing yet.
    rate : float, Hz
        Pictures processed in a second; NaN when there was none.
    stage_mean_ms, stage_max_ms : dict of str to float, milliseconds
        By stage, in the order of work.
    age_mean_ms, age_max_ms : float, milliseconds
        Of results when they were published; NaN when there was none.
    people : dict of str to int
        In the newest result, by state in lower case.
    frame_id, camera_source : str
        Of the newest result.

    """

    processed: int
    rejected: int
    failed: int
    resets: int
    new_rejected: int
    new_failed: int
    rejected_people: int
    new_rejected_people: int
    fault: str
    failure: str
    rate: float
    stage_mean_ms: dict[str, float]
    stage_max_ms: dict[str, float]
    age_mean_ms: float
    age_max_ms: float
    people: dict[str, int]
    frame_id: str
    camera_source: str
    stamp_stands_still: bool


@dataclass
class _Interval:
    """Sums since the last report."""

    pictures: int = 0
    rejected: int = 0
    failed: int = 0
    rejected_people: int = 0
    stage_sum: dict[str, float] = field(default_factory=dict)
    stage_max: dict[str, float] = field(default_factory=dict)
    age_sum: float = 0.0
    age_max: float = -math.inf


class Statistics:
    """Collect what the inference thread does; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processed = self._rejected = self._failed = self._resets = 0
        self._rejected_people = 0
        self._fault = self._failure = self._frame_id = self._camera_source = ''
        self._people: dict[str, int] = {}
        self._stamp: float | None = None
        self._stamp_stands_still = False
        self._interval = _Interval()

    def picture_processed(
        self,
        *,
        stamp: float,
        frame_id: str,
        camera_source: str,
        stages_ms: Mapping[str, float],
        age_ms: float,
        people: dict[str, int],
        rejected_people: int,
        reset: bool,
    ) -> None:
        """Count a picture whose result was published."""
        with self._lock:
            self._processed += 1
            self._resets += reset
            self._rejected_people += rejected_people
            self._frame_id, self._camera_source, self._people = frame_id, camera_source, people
            self._stamp_stands_still = stamp == self._stamp
            self._stamp = stamp
            interval = self._interval
            interval.pictures += 1
            interval.rejected_people += rejected_people
            for name, spent in stages_ms.items():
                interval.stage_sum[name] = interval.stage_sum.get(name, 0.0) + spent
                interval.stage_max[name] = max(interval.stage_max.get(name, 0.0), spent)
            interval.age_sum += age_ms
            interval.age_max = max(interval.age_max, age_ms)

    def picture_rejected(self, fault: str) -> None:
        """Count a picture that could not be used."""
        with self._lock:
            self._rejected += 1
            self._interval.rejected += 1
            self._fault = fault

    def inference_failed(self, failure: str) -> None:
        """Count a picture on which the model failed; it counts as rejected too."""
        with self._lock:
            self._rejected += 1
            self._failed += 1
            self._interval.failed += 1
            self._failure = failure

    def report(self, seconds: float) -> Report:
        """Sum up, and begin a new interval; the last one took so many seconds."""
        with self._lock:
            interval, self._interval = self._interval, _Interval()
            count = interval.pictures
            return Report(
                processed=self._processed,
                rejected=self._rejected,
                failed=self._failed,
                resets=self._resets,
                new_rejected=interval.rejected,
                new_failed=interval.failed,
                rejected_people=self._rejected_people,
                new_rejected_people=interval.rejected_people,
                fault=self._fault,
                failure=self._failure,
                rate=count / seconds if count else math.nan,
                stage_mean_ms={name: ms / count for name, ms in interval.stage_sum.items()},
                stage_max_ms=interval.stage_max,
                age_mean_ms=interval.age_sum / count if count else math.nan,
                age_max_ms=interval.age_max if count else math.nan,
                people=dict(self._people),
                frame_id=self._frame_id,
                camera_source=self._camera_source,
                stamp_stands_still=self._stamp_stands_still,
            )
