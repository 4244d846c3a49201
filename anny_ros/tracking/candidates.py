# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the cues of an assignment compare: tracks predicted into a picture, people found in it."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.geometry.camera import project
from anny_ros.tracking import motion
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
        Pelvis; NaN for a track that is not in front of the camera.
    place_covariance : ndarray, (M, 2, 2), square pixels
    box : ndarray, (M, 4), pixels
        x0, y0, x1, y1.
    log_distance, log_distance_variance : ndarray, (M,)
    stature, stature_variance : ndarray, (M,), metres and square metres
        NaN where unknown.
    unseen : ndarray, (M,), seconds
        0 for detections.

    """

    place: Float64Array
    place_covariance: Float64Array
    box: Float64Array
    log_distance: Float64Array
    log_distance_variance: Float64Array
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


def extents(people: Detections, depth: Float64Array) -> Float64Array:
    """Boxes (N, 4) relative to the pelvis, in metres in its plane, of people at ``depth`` (N,)."""
    place = project(people.position, people.camera.K)
    K = people.camera.K
    offset = people.bbox.astype(np.float64) - np.tile(place, 2)
    focal = np.array([K[0, 0], K[1, 1], K[0, 0], K[1, 1]])
    return np.asarray(offset * depth[:, None] / focal)


def measured_candidates(
    people: Detections, R: Float64Array, depth_stddev: Float64Array
) -> Candidates:
    """Describe people detected in a picture."""
    position = people.position.astype(np.float64)
    mean = np.concatenate([position, np.zeros_like(position)], axis=1)
    place, place_covariance = motion.project_uncertain(mean, R, people.camera.K)
    stature, variance = statures(people)
    return Candidates(
        place=place,
        place_covariance=place_covariance,
        box=people.bbox.astype(np.float64),
        log_distance=np.log(np.linalg.norm(position, axis=1)),
        log_distance_variance=depth_stddev**2,
        stature=stature,
        stature_variance=variance,
        unseen=np.zeros(len(people)),
    )


def predicted_candidates(tracks: Tracks, camera: Camera, stamp: float) -> Candidates:
    """Describe tracks that are predicted to the time of a picture."""
    K = camera.K
    position = tracks.mean[:, :3]
    distance = np.maximum(np.linalg.norm(position, axis=1), 1e-3)
    place, place_covariance = motion.project_uncertain(tracks.mean, tracks.covariance, K)
    place_covariance[np.isnan(place[:, 0])] = np.eye(2)
    depth = np.maximum(position[:, 2], 0.05)
    box = tracks.extent * np.array([K[0, 0], K[1, 1], K[0, 0], K[1, 1]]) / depth[:, None]
    rays = position / distance[:, None]
    along = np.einsum('ni,nij,nj->n', rays, tracks.covariance[:, :3, :3], rays)
    return Candidates(
        place=place,
        place_covariance=place_covariance,
        box=box + np.tile(np.nan_to_num(place), 2),
        log_distance=np.log(distance),
        log_distance_variance=along / distance**2,
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
