# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How tracks are shown: the Scene of a picture, made from the tracks that are alive."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import motion
from anny_ros.tracking.track import Tracks
from anny_ros.types import Detections, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Pictures of one person share the same bias: the share of one picture's distance variance that
# stays however many were averaged.
DEPTH_BIAS_SHARE = 0.5
# Largest correction of the distance of a person who is seen, as a log ratio: beyond, the body
# would no longer cover the person in the picture.
MAX_DEPTH_SHIFT = 0.1


def make_scene(
    tracks: Tracks, detections: Detections, parameters: TrackingParameters, reset: bool
) -> Scene:
    """Show who is alive at the stamp of the picture."""
    stamp = detections.stamp
    states = tracks.states(stamp, parameters)
    shown = (states != TrackState.TENTATIVE) | (tracks.last_seen >= stamp)
    tracks, states = tracks.take(shown), states[shown]
    position = shown_positions(tracks, stamp)
    velocity, velocity_covariance = motion.velocities(tracks.mean, tracks.covariance)
    covariance = motion.position_covariances(tracks.mean, tracks.covariance)
    share = tracks.depth_stddev**2
    bias = np.maximum(share - motion.MAX_DEPTH_JITTER**2, DEPTH_BIAS_SHARE * share)
    covariance += bias[:, None, None] * position[:, :, None] * position[:, None, :]
    variance = np.where(np.isfinite(tracks.stature_variance), tracks.stature_variance, np.nan)
    bodies = replace(
        tracks.bodies,
        stamp=stamp,
        camera=detections.camera,
        timings_ms=detections.timings_ms,
        position_covariance=covariance.astype(np.float32),
        stature=tracks.stature.astype(np.float32),
        stature_stddev=np.sqrt(variance).astype(np.float32),
    )
    return Scene(
        stamp=stamp,
        camera=detections.camera,
        humans=bodies.moved((position - bodies.position).astype(np.float32)),
        ids=tuple(str(name) for name in tracks.ids),
        track_numbers=tracks.numbers,
        states=states,
        identity_confidence=tracks.confidence.astype(np.float32),
        age=stamp - tracks.born,
        time_since_observed=stamp - tracks.last_seen,
        velocity=velocity.astype(np.float32),
        velocity_covariance=velocity_covariance.astype(np.float32),
        reset=reset,
    )


def shown_positions(tracks: Tracks, stamp: float) -> Float64Array:
    """
    Where people are shown, (T, 3).

    Seen ones stay on the ray of their measured pelvis, at the filtered distance; it changes
    by at most ``MAX_DEPTH_SHIFT``. The others are where they are predicted.
    """
    measured = tracks.bodies.position.astype(np.float64)
    shift = tracks.mean[:, 2] - np.log(measured[:, 2])
    on_ray = measured * np.exp(np.clip(shift, -MAX_DEPTH_SHIFT, MAX_DEPTH_SHIFT))[:, None]
    seen = tracks.last_seen >= stamp
    return np.where(seen[:, None], on_ray, motion.positions(tracks.mean))
