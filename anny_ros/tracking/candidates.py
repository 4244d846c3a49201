# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the cues of an assignment compare: tracks predicted into a picture, people found in it."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.geometry.camera import project
from anny_ros.tracking import readout
from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.track import Tracks
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

NOWHERE = -1e6  # pixels


@dataclass(frozen=True)
class Candidates:
    """
    Tracks predicted into a picture, or people detected in it: what the cues compare.

    Parameters
    ----------
    place : ndarray, (M, 2), pixels
        Pelvis; far outside of any picture for people behind the camera.
    place_covariance : ndarray, (M, 2, 2), square pixels
    box : ndarray, (M, 4), pixels
        x0, y0, x1, y1.
    sizes, size_covariance : ndarray, (M, 2) and (M, 2, 2)
        Logarithms of distance and stature in metres, as the estimator sees them; whatever bias
        it has for a person, it will have again.
    unseen : ndarray, (M,), seconds
        0 for detections.

    """

    place: Float64Array
    place_covariance: Float64Array
    box: Float64Array
    sizes: Float64Array
    size_covariance: Float64Array
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
    """Boxes (N, 4) relative to the pelvis, in metres in its plane, of people at a depth (N,)."""
    offset = people.bbox.astype(np.float64) - np.tile(project(people.position, people.camera.K), 2)
    return np.asarray(offset / _pixels_per_metre(people.camera, depth))


def measured_candidates(people: Detections, measured: Measurements) -> Candidates:
    """Describe people detected in a picture."""
    linear = people.camera.K[:2, :2].astype(np.float64)
    z = people.position[:, 2] / np.linalg.norm(people.position, axis=1)
    angle = measured.variance[:, 0, 0] / z.astype(np.float64) ** 2
    return Candidates(
        place=project(people.position, people.camera.K),
        place_covariance=angle[:, None, None] * (linear @ linear.T),
        box=people.bbox.astype(np.float64),
        sizes=np.column_stack(
            [np.log(np.linalg.norm(measured.position, axis=1)), measured.log_stature]
        ),
        size_covariance=measured.variance[:, 2:, 2:],
        unseen=np.zeros(len(people)),
    )


def predicted_candidates(tracks: Tracks, camera: Camera, stamp: float) -> Candidates:
    """Describe tracks that are predicted to the time of a picture."""
    place, place_covariance = readout.places(tracks.state, camera.K)
    sizes, size_covariance = readout.expected_sizes(tracks.state)
    depth = readout.positions(tracks.state)[:, 2]
    behind = ~np.isfinite(place[:, 0])
    place[behind], place_covariance[behind], depth[behind] = NOWHERE, np.eye(2), 1.0
    return Candidates(
        place=place,
        place_covariance=place_covariance,
        box=np.tile(place, 2) + tracks.extent * _pixels_per_metre(camera, depth),
        sizes=sizes,
        size_covariance=size_covariance,
        unseen=stamp - tracks.last_seen,
    )


def _pixels_per_metre(camera: Camera, depth: Float64Array) -> Float64Array:
    """Of the corners x0, y0, x1, y1 of boxes in the planes of depths (N,), (N, 4)."""
    focal = np.tile(np.diag(camera.K)[:2], 2)
    return np.asarray(focal / depth[:, None])
