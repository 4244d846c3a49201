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
from anny_ros.tracking.motion import SIZE, State
from anny_ros.tracking.smoothing import Poses
from anny_ros.types import Detections, PHENOTYPE_NAMES, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Differences of stamps are rounded; a limit counts as met within this, in seconds.
TIME_TOLERANCE = 1e-6


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
    state : State
        Where they are and how they move, see ``motion``.
    extent : ndarray, (T, 4), float64, metres
        Box when last seen, relative to the pelvis, in its plane of constant depth.
    lateral_variance : ndarray, (T,), float64, square radians
        Of the direction of the last measurement.
    extra_variance, extra_stature_variance : ndarray, (T,), float64
        Of the logarithms of distance and stature, beyond what the filter knows.
    phenotype : ndarray, (T, 6), float64
        Running mean of an identity's life.
    phenotype_weight : ndarray, (T,), float64
        Summed weights of its pictures.
    galleries : Galleries
        T rows.
    poses : Poses
        Filtered bodies, relative to the pelvis.
    bodies : Detections
        T rows: each as last seen, unmoved, but of the fused size.

    """

    ids: NDArray[np.str_]
    numbers: NDArray[np.uint32]
    born: Float64Array
    last_seen: Float64Array
    confirmed: NDArray[np.bool_]
    confidence: Float64Array
    state: State
    extent: Float64Array
    lateral_variance: Float64Array
    extra_variance: Float64Array
    extra_stature_variance: Float64Array
    phenotype: Float64Array
    phenotype_weight: Float64Array
    galleries: Galleries
    poses: Poses
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
            state=State(np.zeros((0, SIZE)), np.zeros((0, SIZE, SIZE)), np.zeros((0, 3, 3))),
            extent=np.zeros((0, 4)),
            lateral_variance=np.zeros(0),
            extra_variance=np.zeros(0),
            extra_stature_variance=np.zeros(0),
            phenotype=np.zeros((0, len(PHENOTYPE_NAMES))),
            phenotype_weight=np.zeros(0),
            galleries=Galleries.empty(0, bodies.appearance.shape[1]),
            poses=Poses.of(bodies[:0]),
            bodies=bodies[:0],
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, keep: NDArray[np.bool_]) -> Tracks:
        """Return the tracks of a mask (T,); these themselves if it takes all."""
        if keep.all():
            return self
        rows = np.flatnonzero(keep)
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = value.take(rows) if field.name == 'galleries' else value[rows]
        return Tracks(**values)

    def joined(self, other: Tracks) -> Tracks:
        """Return these tracks followed by others."""
        if not len(other):
            return self
        values: dict[str, Any] = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if field.name in ('galleries', 'state', 'poses'):
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
