# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How tracks are shown: the Scene of a picture, made from the tracks that are alive."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import readout
from anny_ros.tracking.track import Tracks
from anny_ros.types import Detections, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Of the logarithm of a stature; beyond, it is not known.
MAX_STATURE_VARIANCE = 1.0
# Largest correction of the distance of a person who is seen, beside that of the stature, as a log
# ratio: beyond, the body would no longer cover the person in the picture.
MAX_DEPTH_SHIFT = 0.1


def make_scene(
    tracks: Tracks,
    detections: Detections,
    parameters: TrackingParameters,
    reset: bool,
    pose: Float64Array | None,
) -> Scene:
    """Show who is alive at the stamp of the picture, seen from a ``pose`` of the camera."""
    stamp = detections.stamp
    states = tracks.states(stamp, parameters)
    shown = (states != TrackState.TENTATIVE) | (tracks.last_seen >= stamp)
    tracks, states = tracks.take(shown), states[shown]
    seen = tracks.last_seen >= stamp
    log_stature, stature_variance = readout.statures(tracks.state)
    stature_variance += tracks.extra_stature_variance
    stature = np.exp(log_stature)
    position = shown_positions(tracks, seen)
    velocity, velocity_covariance = readout.velocities(tracks.state)
    extra = tracks.extra_variance[:, None, None]
    velocity_covariance += extra * velocity[:, :, None] * velocity[:, None, :]
    known = stature_variance < MAX_STATURE_VARIANCE
    bodies = replace(
        tracks.poses.bodies(tracks.bodies),
        stamp=stamp,
        camera=detections.camera,
        timings_ms=detections.timings_ms,
        candidates=detections.candidates,
        position_covariance=shown_covariances(tracks, position, seen).astype(np.float32),
        stature=np.where(known, stature, np.nan).astype(np.float32),
        stature_stddev=np.where(known, stature * np.sqrt(stature_variance), np.nan),
        phenotype=tracks.phenotype.astype(np.float32),
    )
    humans = bodies.moved((position - bodies.position).astype(np.float32))
    # Whoever is seen covers the pixels that were seen, at whatever distance.
    humans = replace(humans, bbox=np.where(seen[:, None], tracks.bodies.bbox, humans.bbox))
    return Scene(
        stamp=stamp,
        camera=detections.camera,
        humans=humans,
        ids=tuple(str(name) for name in tracks.ids),
        track_numbers=tracks.numbers,
        states=states,
        identity_confidence=tracks.confidence.astype(np.float32),
        age=stamp - tracks.born,
        time_since_observed=stamp - tracks.last_seen,
        velocity=velocity.astype(np.float32),
        velocity_covariance=velocity_covariance.astype(np.float32),
        reset=reset,
        world_from_camera=pose,
    )


def shown_positions(tracks: Tracks, seen: NDArray[np.bool_]) -> Float64Array:
    """
    Where people are shown, (T, 3).

    Seen ones stay on the ray of their measured pelvis, at the filtered distance; beyond what the
    stature does (``observe.resized``) it changes by at most ``MAX_DEPTH_SHIFT``. The others are
    where they are predicted.
    """
    measured = tracks.bodies.position.astype(np.float64)
    predicted = readout.positions(tracks.state)
    shift = tracks.state.mean[:, 2] - np.log(np.linalg.norm(measured, axis=1))
    on_ray = measured * np.exp(np.clip(shift, -MAX_DEPTH_SHIFT, MAX_DEPTH_SHIFT))[:, None]
    return np.where(seen[:, None], on_ray, predicted)


def shown_covariances(
    tracks: Tracks, position: Float64Array, seen: NDArray[np.bool_]
) -> Float64Array:
    """
    Covariances (T, 3, 3) of ``shown_positions``, square metres.

    Along the ray that of the filter, across it that of the last look for people who are seen and
    that of the filter for the others.
    """
    outer = position[:, :, None] * position[:, None, :]
    squared = np.einsum('ni,ni->n', position, position)[:, None, None]
    along = (tracks.state.covariance[:, 2, 2])[:, None, None] * outer
    across = tracks.lateral_variance[:, None, None] * (squared * np.eye(3) - outer)
    covariance = np.where(
        seen[:, None, None], along + across, readout.position_covariances(tracks.state)
    )
    return np.asarray(covariance + tracks.extra_variance[:, None, None] * outer)
