# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The tracks that are alive, as arrays, and the life of a track.

::

    first seen ─► TENTATIVE ─seen for confirm_time─► TRACKED ◄──────────── seen again
                      │                                 │ not seen              │
              unseen for confirm_time                   ▼                       │
                      │                             OCCLUDED ─occlusion_time─► LOST
                      ▼                                                         │
                  removed  ◄──────────────────── unseen for memory ─────────────┘
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking.appearance import Galleries
from anny_ros.types import Detections, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Differences of stamps are rounded; a limit counts as met within this, in seconds.
TIME_TOLERANCE = 1e-6
# Pictures of one person share the same bias: a mean of statures is never trusted beyond this share
# of one picture's standard deviation.
STATURE_BIAS_SHARE = 0.3


@dataclass
class Tracks:
    """
    T tracks in the order of their numbers.

    Parameters
    ----------
    ids : ndarray, (T,), str
    numbers : ndarray, (T,), uint32
    born, last_seen : ndarray, (T,), float64, seconds
    confirmed : ndarray, (T,), bool
        Was TRACKED once.
    confidence : ndarray, (T,), float64
        Identity confidence, 0..1.
    mean, covariance : ndarray, (T, 6) and (T, 6, 6), float64
        Motion state, see ``motion``.
    extent : ndarray, (T, 4), float64, metres
        Box when last seen, relative to the pelvis, in its plane of constant depth.
    depth_stddev : ndarray, (T,), float64
        Of the last measurement, share of the distance.
    stature, stature_variance : ndarray, (T,), float64, metres and square metres
        Running estimate; NaN and infinite until measured.
    galleries : Galleries
        T rows.
    bodies : Detections
        T rows: each as last seen, unmoved.

    """

    ids: NDArray[np.str_]
    numbers: NDArray[np.uint32]
    born: Float64Array
    last_seen: Float64Array
    confirmed: NDArray[np.bool_]
    confidence: Float64Array
    mean: Float64Array
    covariance: Float64Array
    extent: Float64Array
    depth_stddev: Float64Array
    stature: Float64Array
    stature_variance: Float64Array
    galleries: Galleries
    bodies: Detections

    @classmethod
    def none(cls, bodies: Detections) -> Tracks:
        """No track; ``bodies`` says how many joints and features a row will have."""
        return cls(
            ids=np.zeros(0, '<U5'),
            numbers=np.zeros(0, np.uint32),
            born=np.zeros(0),
            last_seen=np.zeros(0),
            confirmed=np.zeros(0, bool),
            confidence=np.zeros(0),
            mean=np.zeros((0, 6)),
            covariance=np.zeros((0, 6, 6)),
            extent=np.zeros((0, 4)),
            depth_stddev=np.zeros(0),
            stature=np.zeros(0),
            stature_variance=np.zeros(0),
            galleries=Galleries.empty(0, bodies.appearance.shape[1]),
            bodies=bodies[:0],
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, keep: NDArray[np.bool_]) -> Tracks:
        """Return the tracks of a mask (T,)."""
        rows = np.flatnonzero(keep)
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = value.take(rows) if field.name == 'galleries' else value[rows]
        return Tracks(**values)

    def joined(self, other: Tracks) -> Tracks:
        """Return these tracks followed by others."""
        values: dict[str, Any] = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name == 'galleries':
                values[field.name] = mine.joined(theirs)
            elif field.name == 'bodies':
                values[field.name] = Detections.concatenate([mine, theirs])
            else:
                values[field.name] = np.concatenate([mine, theirs])
        return Tracks(**values)

    def states(self, stamp: float, parameters: TrackingParameters) -> NDArray[np.uint8]:
        """``TrackState`` of each track (T,) at a time, from when it was last seen."""
        unseen = stamp - self.last_seen
        state = np.full(len(self), TrackState.LOST, np.uint8)
        state[unseen <= parameters.occlusion_time + TIME_TOLERANCE] = TrackState.OCCLUDED
        state[unseen <= 0] = TrackState.TRACKED
        state[~self.confirmed] = TrackState.TENTATIVE
        return state

    def alive(self, stamp: float, parameters: TrackingParameters) -> NDArray[np.bool_]:
        """Which tracks (T,) go on after a picture in which some were not seen."""
        limit = np.where(self.confirmed, parameters.memory, parameters.confirm_time)
        return np.asarray(stamp - self.last_seen <= limit + TIME_TOLERANCE)


def fused_statures(
    stature: Float64Array,
    variance: Float64Array,
    measured: Float64Array,
    measured_variance: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """
    Merge running statures (R,) with measured ones; NaN with infinite variance means unknown.

    The means are weighted by inverse variance.
    """
    weight, measured_weight = 1.0 / variance, 1.0 / measured_variance
    total = weight + measured_weight
    known = total > 0
    total = np.where(known, total, 1.0)
    merged = np.nan_to_num(stature) * weight + np.nan_to_num(measured) * measured_weight
    floor = np.minimum(variance, STATURE_BIAS_SHARE**2 * measured_variance)
    merged_variance = np.where(known, np.maximum(1.0 / total, floor), np.inf)
    return np.where(known, merged / total, np.nan), merged_variance
