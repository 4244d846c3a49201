# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``anny-ros track`` on the bundled clips, and where its time goes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
import time
from typing import Any

from anny_ros.cli.benchmarks.report import Report
import numpy as np

KEYS = ('track_fps',)

_CLIPS = ('street', 'park')
_WARM_UP = 3


def measure(report: Report, model: str = '', max_frames: int | None = None) -> None:
    """
    Fill in ``KEYS``: an entry for each backend and clip.

    Parameters
    ----------
    report : Report
    model : str
        Measure this one besides anny-lite.
    max_frames : int or None
        Of each clip.

    """
    from anny_ros.inference import Estimator

    entries = []
    for name in ['anny-lite'] + [model] * bool(model and model != 'anny-lite'):
        estimator = Estimator.load(name)
        entries += [_one(estimator, clip, max_frames) for clip in _CLIPS]
    report.results['track_fps'] = entries


def _one(estimator: Any, clip: str, max_frames: int | None) -> dict[str, Any]:
    """Track one clip as the verb does, decoding ahead, without writing."""
    from importlib import resources

    from anny_ros.cli.sources.read_ahead import read_ahead
    from anny_ros.cli.sources.video import VideoSource
    from anny_ros.perception import Perception

    path = Path(str(resources.files('anny_ros') / 'assets' / 'demo' / f'{clip}.mp4'))
    perception = Perception(estimator)
    stages: defaultdict[str, list[float]] = defaultdict(list)
    start = clock = time.perf_counter()
    frames = read_ahead(VideoSource(path).frames())
    shape, count, people = (0, 0), 0, 0
    for index, frame in enumerate(frames):
        if index == _WARM_UP:
            start = time.perf_counter()
        waited = time.perf_counter()
        scene = perception(frame)
        perceived = time.perf_counter()
        if index >= _WARM_UP:
            stages['wait for picture'].append(1e3 * (waited - clock))
            timings_ms = scene.humans.timings_ms
            for stage, took in timings_ms.items():
                stages[stage].append(took)
            rest = 1e3 * (perceived - waited) - sum(timings_ms.values())
            stages['rest of perception'].append(rest)
            count += 1
            people += len(scene)
        clock = time.perf_counter()
        shape = frame.rgb.shape[:2]
        if index + 1 == max_frames:
            break
    frames.close()
    seconds = clock - start
    return {
        'model': estimator.name,
        'backend': estimator.backend,
        'clip': clip,
        'width': shape[1],
        'height': shape[0],
        'fps': round(count / seconds, 2) if count else None,
        'people_a_picture': round(people / max(count, 1), 1),
        'stages_ms_mean': {k: round(float(np.mean(v)), 2) for k, v in stages.items()},
    }
