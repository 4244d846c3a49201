# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the cues of an assignment compare: tracks predicted into a picture, people found in it."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.geometry.camera import project
from anny_ros.tracking import motion
from anny_ros.tracking.motion import Measurements
from anny_ros.tracking.track import Tracks
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

DEFAULT_STATURE_STDDEV = 0.15


@dataclass(frozen=True)
class Candidates:
    """
    Tracks predicted into a picture, or people detected in it: what the cues compare.

    Parameters
    ----------
    place : ndarray, (M, 2), pixels
        Pelvis.
    place_covariance : ndarray, (M, 2, 2), square pixels
    box : ndarray, (M, 4), pixels
        x0, y0, x1, y1.
    log_depth, log_depth_variance : ndarray, (M,)
        Logarithm of z in metres.
    stature, stature_variance : ndarray, (M,), metres and square metres
        NaN where unknown.
    unseen : ndarray, (M,), seconds
        0 for detections.

    """

    place: Float64Array
    place_covariance: Float64Array
    box: Float64Array
    log_depth: Float64Array
    log_depth_variance: Float64Array
    stature: Float64Array
    stature_variance: Float64Array
    unseen: Float64Array

    @property
    def size(self) -> Float64Array:
        """Longer side of the box, at least one pixel, (M,)."""
        sides = np.maximum(self.box[:, 2] - self.box[:, 0], self.box[:, 3] - self.box[:, 1])
        return np.maximum(sides, 1.0)


def reestimated(old: Camera, new: Camera) -> Float64Array:
    """
    Map (3, 3) from the space of one estimate of a camera to that of the next.

    When a *guessed* field of view changes, people do not move in the picture but in space: the
    distance scales with the focal length (in units of the picture's width) and rays change.
    """
    resize = np.array([new.width / old.width, new.height / old.height, 1.0])
    focal = (new.K[0, 0] / new.width) / (old.K[0, 0] / old.width)
    shift = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # pixel centres to corners
    K_old = resize[:, None] * (old.K + shift)
    return np.asarray(focal * np.linalg.solve(new.K + shift, K_old))


def extents(people: Detections, log_depth: Float64Array) -> Float64Array:
    """Boxes (N, 4) relative to the pelvis, in metres in its plane, of people at a depth (N,)."""
    offset = people.bbox.astype(np.float64) - np.tile(project(people.position, people.camera.K), 2)
    return np.asarray(offset / _pixels_per_metre(people.camera, log_depth))


def measured_candidates(people: Detections, measured: Measurements) -> Candidates:
    """Describe people detected in a picture."""
    linear = people.camera.K[:2, :2].astype(np.float64)
    stature, variance = statures(people)
    spread = linear * measured.variances[:, None, :2]  # (N, 2, 2), K diag(variance)
    return Candidates(
        place=project(people.position, people.camera.K),
        place_covariance=spread @ linear.T,
        box=people.bbox.astype(np.float64),
        log_depth=measured.coordinates[:, 2],
        log_depth_variance=measured.variances[:, 2],
        stature=stature,
        stature_variance=variance,
        unseen=np.zeros(len(people)),
    )


def predicted_candidates(tracks: Tracks, camera: Camera, stamp: float) -> Candidates:
    """Describe tracks that are predicted to the time of a picture."""
    place, place_covariance = motion.places(tracks.mean, tracks.covariance, camera.K)
    log_depth = tracks.mean[:, 2]
    return Candidates(
        place=place,
        place_covariance=place_covariance,
        box=np.tile(place, 2) + tracks.extent * _pixels_per_metre(camera, log_depth),
        log_depth=log_depth,
        log_depth_variance=tracks.covariance[:, 2, 2],
        stature=tracks.stature,
        stature_variance=tracks.stature_variance,
        unseen=stamp - tracks.last_seen,
    )


def statures(people: Detections) -> tuple[Float64Array, Float64Array]:
    """Return statures and variances (N,); NaN and infinite where unknown."""
    stature = people.stature.astype(np.float64)
    stddev = people.stature_stddev.astype(np.float64)
    stddev = np.where(np.isfinite(stddev) & (stddev > 0), stddev, DEFAULT_STATURE_STDDEV)
    known = np.isfinite(stature) & (stature > 0)
    return np.where(known, stature, np.nan), np.where(known, stddev**2, np.inf)


def _pixels_per_metre(camera: Camera, log_depth: Float64Array) -> Float64Array:
    """Of the corners x0, y0, x1, y1 of boxes in the planes of depths (N,), (N, 4)."""
    focal = np.tile(np.diag(camera.K)[:2], 2)
    return np.asarray(focal * np.exp(-log_depth)[:, None])
