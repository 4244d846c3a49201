# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a look at people changes: tracks of those who are seen again, and of those who are new."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import motion, readout
from anny_ros.tracking.appearance import Galleries
from anny_ros.tracking.candidates import extents
from anny_ros.tracking.correction import correct
from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.smoothing import Poses
from anny_ros.tracking.track import TIME_TOLERANCE, Tracks
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

# A shape is remembered over this summed weight of pictures; a full view weighs 1.
MAX_PHENOTYPE_WEIGHT = 600.0
_PLACES = (
    'translation', 'joint_positions', 'keypoints_3d', 'position', 'head_position',
    'ground_position',
)  # fmt: skip
# What a track hands over when it goes on as another reading of the pictures has it.
_CARRIED = (
    'last_seen', 'state', 'extent', 'lateral_variance', 'extra_variance',
    'extra_stature_variance', 'phenotype', 'phenotype_weight', 'galleries', 'poses',
)  # fmt: skip


def again(
    tracks: Tracks,
    rows: NDArray[np.intp],
    people: Detections,
    measured: Measurements,
    features: Float32Array,
    parameters: TrackingParameters,
) -> None:
    """Correct the tracks ``rows`` in place, each with a person, a measurement and a feature."""
    since = people.stamp - tracks.last_seen[rows]
    tracks.state[rows] = correct(tracks.state[rows], measured, since)
    tracks.extent[rows] = extents(people, readout.positions(tracks.state[rows])[:, 2])
    tracks.lateral_variance[rows] = measured.variance[:, 0, 0]
    tracks.extra_variance[rows] = measured.extra_variance
    tracks.extra_stature_variance[rows] = measured.extra_stature_variance
    weight = picture_weights(people)
    total = tracks.phenotype_weight[rows] + weight
    share = (weight / total)[:, None]
    tracks.phenotype[rows] += share * (people.phenotype - tracks.phenotype[rows])
    tracks.phenotype_weight[rows] = np.minimum(total, MAX_PHENOTYPE_WEIGHT)
    tracks.last_seen[rows] = people.stamp
    age = people.stamp - tracks.born[rows]
    tracks.confirmed[rows] |= age >= parameters.confirm_time - TIME_TOLERANCE
    tracks.galleries.add(rows, features, people.stamp)
    bodies = resized(people, readout.statures(tracks.state[rows])[0])
    if parameters.smoothing:
        tracks.poses[rows] = tracks.poses[rows].followed(bodies, since)
    else:
        tracks.poses[rows] = Poses.of(bodies)
    tracks.bodies = _with_rows(tracks.bodies, rows, bodies)


def begin(
    people: Detections,
    measured: Measurements,
    features: Float32Array,
    ids: NDArray[np.str_],
    numbers: NDArray[np.uint32],
    confidence: Float64Array,
    parameters: TrackingParameters,
) -> Tracks:
    """Make a track of each of N people, with their ids, numbers and identity confidences."""
    num = len(people)
    state = motion.initiate(measured)
    galleries = Galleries.empty(num, features.shape[1])
    galleries.add(np.arange(num), features, people.stamp)
    return Tracks(
        ids=ids,
        numbers=numbers,
        born=np.full(num, people.stamp),
        last_seen=np.full(num, people.stamp),
        confirmed=np.full(num, parameters.confirm_time <= 0),
        confidence=confidence,
        state=state,
        extent=extents(people, readout.positions(state)[:, 2]),
        lateral_variance=measured.variance[:, 0, 0],
        extra_variance=measured.extra_variance,
        extra_stature_variance=measured.extra_stature_variance,
        phenotype=people.phenotype.astype(np.float64),
        phenotype_weight=picture_weights(people),
        galleries=galleries,
        poses=Poses.of(people),
        bodies=people,
    )


def otherwise(
    tracks: Tracks,
    alternatives: Tracks,
    columns: NDArray[np.intp],
    taken: NDArray[np.intp],
    people: Detections,
) -> NDArray[np.intp]:
    """
    Let tracks go on as their alternatives, in place; who they are stays.

    Parameters
    ----------
    tracks : Tracks
        T tracks, corrected with a picture.
    alternatives : Tracks
        A rows with numbers of ``tracks``, corrected with the same picture but for their bodies.
    columns, taken : ndarray, (A,) and (T,)
        Which of ``people`` they took, or -1.
    people : Detections

    Returns
    -------
    ndarray, (A,)
        Rows of ``tracks`` that changed.

    """
    rows = np.searchsorted(tracks.numbers, alternatives.numbers)
    seen = np.flatnonzero(columns >= 0)
    bodies = resized(people[columns[seen]], readout.statures(alternatives.state[seen])[0])
    poses = Poses.of(bodies)
    # Whoever took the find until now filtered its body.
    takers = taken == columns[seen, None]
    known = np.flatnonzero(takers.any(axis=1))
    poses[known] = tracks.poses[takers[known].argmax(axis=1)]
    alternatives.poses[seen] = poses
    for name in _CARRIED:
        getattr(tracks, name)[rows] = getattr(alternatives, name)
    bodies = _with_rows(alternatives.bodies, seen, bodies)
    tracks.bodies = _with_rows(tracks.bodies, rows, bodies)
    return rows


def resized(people: Detections, log_stature: Float64Array) -> Detections:
    """
    Give bodies another stature.

    Each is scaled about the camera, so that it covers the same pixels: a person who is taller by
    a tenth is farther by a tenth. Bodies of unknown stature stay.

    Parameters
    ----------
    people : Detections
        N rows.
    log_stature : ndarray, (N,)
        Logarithms of metres.

    Returns
    -------
    Detections

    """
    with np.errstate(invalid='ignore', divide='ignore'):
        shift = log_stature - np.log(people.stature.astype(np.float64))
    scale = np.exp(np.where(np.isfinite(shift), shift, 0.0)).astype(np.float32)
    changed: dict[str, Any] = {}
    for name in _PLACES:
        points = getattr(people, name)
        changed[name] = points * scale.reshape(-1, *[1] * (points.ndim - 1))
    return replace(people, **changed)


def picture_weights(people: Detections) -> Float64Array:
    """How much each person's (N,) shape in this picture says: score times what was visible."""
    visible = people.keypoint_confidences[:, 5:].astype(np.float64).mean(axis=1)
    weight = people.score.astype(np.float64) * np.nan_to_num(visible)
    return np.asarray(np.clip(weight, 0.01, 1.0))


def _with_rows(bodies: Detections, rows: NDArray[np.intp], people: Detections) -> Detections:
    """Copy of ``bodies`` with people in some of its rows."""
    changed: dict[str, Any] = {}
    for field in fields(Detections):
        old = getattr(bodies, field.name)
        if isinstance(old, np.ndarray) and field.name != 'candidates':
            changed[field.name] = old.copy()
            changed[field.name][rows] = getattr(people, field.name)
    return replace(bodies, **changed)
