# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From the network's numbers to people in space: selection, camera, pose, place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
from typing import Any

from anny_ros.geometry.camera import backproject, Letterbox
from anny_ros.geometry.rotations import rotmat_to_ray
from anny_ros.inference.backends import RawPeople
from anny_ros.model.pose import joint_rotations, MULTIHMR2, PersonConvention
from anny_ros.types import Camera, CameraSource, FloatArray, PHENOTYPE_NAMES
import numpy as np
from numpy.typing import NDArray

# The predicted focal length wanders by this much from picture to picture. Reported by users of
# the published network, not measured here.
FOCAL_STDDEV_RATIO = 0.076
# Assumed errors of a placed person with a known camera: distance along the viewing ray, and
# the face across it. Not measured: there are no weights that we could measure with.
DEPTH_STDDEV_RATIO = 0.05
LOCATION_STDDEV_PX = 4.0
_LEAST_SCALE = 1e-5  # pixels per metre
_ROWS = ('score', 'phenotype', 'rotations', 'anchor', 'appearance')


@dataclass(frozen=True)
class FoundPeople:
    """
    Everybody above the threshold, in the order of the queries.

    Parameters
    ----------
    score : ndarray, (N,), float32
    phenotype : ndarray, (N, 6), float32
    rotations : ndarray, (N, 74, 3, 3), float32
        As the network's convention has them; row 0 is in the optical frame.
    anchor : ndarray, (N, 3), float64, metres
        Where the anchor of the network's convention is (Multi-HMR 2: ``face_centre``), optical
        frame.
    appearance : ndarray, (N, A), float32
        Length 1.
    num_rejected : int
        Queries that were left out because of numbers that are not finite.

    """

    score: FloatArray
    phenotype: FloatArray
    rotations: FloatArray
    anchor: FloatArray
    appearance: FloatArray
    num_rejected: int = 0

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: Any) -> FoundPeople:
        """Take rows, by mask or by index."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROWS})

    @staticmethod
    def concatenate(parts: Sequence[FoundPeople]) -> FoundPeople:
        """Stack the people of several (at least one)."""
        rows = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _ROWS}
        return FoundPeople(**rows, num_rejected=sum(p.num_rejected for p in parts))


def predicted_camera(hfov: float, letterbox: Letterbox) -> Camera:
    """
    Camera of the canvas as the network guesses it.

    Parameters
    ----------
    hfov : float, radians
        Of the canvas; finite.
    letterbox : Letterbox

    Returns
    -------
    Camera
        Source ESTIMATED.

    """
    hfov = min(max(hfov, 0.01), math.pi - 0.01)
    stddev = FOCAL_STDDEV_RATIO * math.sin(hfov)  # d hfov = sin(hfov) * d f / f
    return Camera.from_hfov(
        hfov, letterbox.width, letterbox.height, CameraSource.ESTIMATED, stddev
    )


def picture_camera(canvas: Camera, letterbox: Letterbox) -> Camera:
    """Camera of the original picture; the deviation of hfov stays that of the focal length."""
    camera = letterbox.picture_camera(canvas)
    ratio = math.sin(camera.hfov) / math.sin(canvas.hfov)
    return replace(camera, hfov_stddev=canvas.hfov_stddev * ratio)


def find_people(
    raw: RawPeople,
    canvas: Camera,
    threshold: float,
    convention: PersonConvention = MULTIHMR2,
) -> FoundPeople:
    """
    Select and decode people.

    Parameters
    ----------
    raw : RawPeople
    canvas : Camera
        Of the canvas, from the user or from ``predicted_camera``; depth follows its focal length.
    threshold : float
        Confidence must be greater than this.
    convention : PersonConvention
        Of the network; world-aligned rotations are handed on as they are.

    Returns
    -------
    FoundPeople
        N = 0 is legal. Queries with numbers that are not finite are left out and counted.

    """
    kept = raw.confidence > threshold  # (Q,), False for NaN
    with np.errstate(all='ignore'):  # whatever is not finite is found below
        found = _decoded(raw, kept, canvas, convention)
    finite = np.ones(len(found), bool)
    for name in _ROWS:
        array = getattr(found, name)
        finite &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    num_rejected = int((~finite).sum() + np.isnan(raw.confidence).sum())
    return replace(found if finite.all() else found[finite], num_rejected=num_rejected)


def _decoded(
    raw: RawPeople, kept: NDArray[np.bool_], canvas: Camera, convention: PersonConvention
) -> FoundPeople:
    pixels_per_metre = np.exp(raw.log_pixels_per_metre[kept].astype(np.float64))
    depth = canvas.K[0, 0] / np.maximum(pixels_per_metre, _LEAST_SCALE)  # (N,)
    # The network counts pixels from a corner, our cameras from a centre.
    anchor = backproject(raw.location[kept] - 0.5, depth, canvas.K)  # (N, 3)
    appearance = raw.appearance[kept].astype(np.float64)
    length = np.linalg.norm(appearance, axis=1, keepdims=True)
    rotations = joint_rotations(raw.pose[kept], convention.turned_bones)
    if convention.root_along_ray:
        rotations[:, 0] = rotmat_to_ray(anchor) @ rotations[:, 0]
    return FoundPeople(
        score=raw.confidence[kept],
        phenotype=raw.shape[kept, : len(PHENOTYPE_NAMES)],
        rotations=rotations,
        anchor=anchor,
        appearance=(appearance / np.maximum(length, 1e-12)).astype(np.float32),
    )


def position_covariance(positions: FloatArray, camera: Camera, focal: FloatArray) -> FloatArray:
    """
    How sure the place of a person is.

    Three independent errors: distance along the viewing ray (5 % of it), the face across the ray
    (4 pixels of the canvas), and, where the camera is estimated, the focal length, which moves
    people along the optical axis (depth is proportional to it while x and y do not depend on it).
    The first two figures are assumptions.

    Parameters
    ----------
    positions : ndarray, (N, 3), metres
        Optical frame.
    camera : Camera
        Of the picture; its ``hfov_stddev`` gives the error of the focal length.
    focal : ndarray, (N,), pixels
        Focal length of the canvas that each was found on.

    Returns
    -------
    ndarray, (N, 3, 3), float64, square metres

    """
    positions = np.asarray(positions, np.float64)
    distance = np.linalg.norm(positions, axis=1)  # (N,)
    ray = positions / np.maximum(distance, 1e-9)[:, None]
    along = ray[:, :, None] * ray[:, None, :]  # (N, 3, 3)
    sigma_along = DEPTH_STDDEV_RATIO * distance
    sigma_across = LOCATION_STDDEV_PX * distance / focal
    focal_ratio = camera.hfov_stddev / math.sin(camera.hfov)
    covariance: FloatArray = sigma_along[:, None, None] ** 2 * along
    covariance += sigma_across[:, None, None] ** 2 * (np.eye(3) - along)
    covariance[:, 2, 2] += (focal_ratio * positions[:, 2]) ** 2
    return covariance
