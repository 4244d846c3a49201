# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""IDF1, HOTA, MOTA and switches of tracked boxes, computed by TrackEval."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
import io
from typing import Any

from anny_ros.geometry.boxes import overlap
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

# It prints what it could not import (readers of data sets, which are not used).
with redirect_stdout(io.StringIO()):
    from trackeval.metrics import CLEAR, HOTA, Identity

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_IOU = 0.5


@dataclass(frozen=True)
class Boxes:
    """Boxes (N, 4) of one picture in pixels and whose they are (N,)."""

    ids: IntArray
    boxes: Float64Array


class Ignorer:
    """
    Drops finds that lie on people who do not count, picture by picture.

    Finds are first matched to the people who count, where it is possible the same as before; what
    is left and lies on somebody who does not count (too much hidden, outside the picture) is
    neither right nor wrong.
    """

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def __call__(self, found: Boxes, truth: Boxes, counted: NDArray[np.bool_]) -> Boxes:
        """Return what is judged of the finds of the next picture; ``counted`` is (N,) of truth."""
        shared = overlap(truth.boxes, found.boxes)
        shared = np.where(np.isfinite(shared) & (shared >= LEAST_IOU), shared, 0.0)
        before = np.array([self._before.get(int(i), -1) for i in truth.ids], np.int64)
        again = (before[:, None] == found.ids) & (shared > 0)
        gain = np.where(counted[:, None], shared + 1000.0 * again, 0.0)
        rows, columns = _matched(gain)
        self._before.update(
            zip(truth.ids[rows].tolist(), found.ids[columns].tolist(), strict=True)
        )
        gain = np.where(counted[:, None], 0.0, shared)
        gain[:, columns] = 0.0
        _, ignored = _matched(gain)
        keep = ~np.isin(np.arange(len(found.ids)), ignored)
        return Boxes(found.ids[keep], found.boxes[keep])


def _matched(gain: Float64Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = linear_sum_assignment(gain, maximize=True)
    made = gain[rows, columns] > 0
    return rows[made], columns[made]


def evaluate(truth: Sequence[Boxes], found: Sequence[Boxes]) -> dict[str, Any]:
    """
    Compare tracks with the truth, picture by picture.

    Returns
    -------
    dict
        All fields of TrackEval's CLEAR, Identity and HOTA at an overlap of ``LEAST_IOU`` (HOTA
        over its own range); ``combined`` sums such results up.

    """
    truth_ids, found_ids = _numbered(truth), _numbered(found)
    data = {
        'num_gt_ids': len({int(i) for ids in truth_ids for i in ids}),
        'num_tracker_ids': len({int(i) for ids in found_ids for i in ids}),
        'num_gt_dets': sum(map(len, truth_ids)),
        'num_tracker_dets': sum(map(len, found_ids)),
        'num_timesteps': len(truth),
        'gt_ids': truth_ids,
        'tracker_ids': found_ids,
        'similarity_scores': [
            overlap(t.boxes, f.boxes) for t, f in zip(truth, found, strict=True)
        ],
    }
    return {name: metric.eval_sequence(data) for name, metric in _metrics().items()}


def combined(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Sum up the results of several sequences, by name."""
    return {
        name: metric.combine_sequences({key: value[name] for key, value in results.items()})
        for name, metric in _metrics().items()
    }


def figures(result: dict[str, Any]) -> dict[str, float]:
    """Take the figures that are shown out of a result."""
    return {
        'idf1': float(result['Identity']['IDF1']),
        'hota': float(np.mean(result['HOTA']['HOTA'])),
        'mota': float(result['CLEAR']['MOTA']),
        'switches': float(result['CLEAR']['IDSW']),
        'misses': float(result['CLEAR']['CLR_FN']),
        'false': float(result['CLEAR']['CLR_FP']),
    }


def _metrics() -> dict[str, Any]:
    quiet = {'PRINT_CONFIG': False, 'THRESHOLD': LEAST_IOU}
    return {'CLEAR': CLEAR(dict(quiet)), 'Identity': Identity(dict(quiet)), 'HOTA': HOTA()}


def _numbered(pictures: Sequence[Boxes]) -> list[IntArray]:
    """Rename ids to 0, 1, 2, …, as TrackEval wants them."""
    everybody = sorted({int(i) for picture in pictures for i in picture.ids})
    number = {name: i for i, name in enumerate(everybody)}
    return [np.array([number[int(i)] for i in p.ids], np.int64) for p in pictures]
