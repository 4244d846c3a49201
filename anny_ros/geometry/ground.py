# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
How far people are from where their feet touch the floor.

One picture leaves a person's size and distance open together: a body s times as large and s times
as far away looks the same. Feet on a known floor settle s. Everything here speaks of log s,
relative to what the estimator said.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.types import COCO_KEYPOINT_NAMES, Detections, FloatArray
import numpy as np
from numpy.typing import NDArray

# Ankles whose mean confidence is below this are taken for hidden.
_FEET_SEEN = 0.3
# A sole is this much off the floor though somebody stands: steps, shoes, errors of the pose.
_SOLE_STDDEV = 0.03  # metres
# Feet in the picture are off by this share of the body's size.
_FOOT_PLACE_STDDEV = 0.012
# Feet are read only if the line of sight meets the floor at more than this angle (radians).
_LEAST_GRAZING = 0.04
_ANKLES = [COCO_KEYPOINT_NAMES.index(f'{side}_ankle') for side in ('left', 'right')]


@dataclass(frozen=True)
class Ground:
    """
    A floor, as the camera sees it.

    Parameters
    ----------
    up : ndarray, (3,)
        Against gravity in the optical frame, unit length.
    camera_height : float, metres
        Of the camera above the floor; the floor is where ``up . x = -camera_height``.
    tilt_stddev : float, radians
        How well the direction is known.
    height_stddev : float, metres
        How well the height is known.

    Raises
    ------
    ValueError
        If ``up`` is no unit vector or the height is not positive.

    """

    up: FloatArray
    camera_height: float
    tilt_stddev: float = 0.01
    height_stddev: float = 0.02

    def __post_init__(self) -> None:
        up = np.asarray(self.up, np.float64)
        if up.shape != (3,) or abs(np.linalg.norm(up) - 1) > 1e-3:
            raise ValueError(f'up must be a unit vector (3,), got {self.up}')
        if not self.camera_height > 0:
            raise ValueError(
                f'the camera must be above the floor, got a height of {self.camera_height} m; '
                'check the transform from the camera to the floor frame'
            )
        object.__setattr__(self, 'up', up)

    @staticmethod
    def from_pose(rotation: FloatArray, translation: FloatArray) -> Ground:
        """
        Read the floor from the camera's pose.

        Parameters
        ----------
        rotation : ndarray, (3, 3)
            From the optical frame to a frame whose z points up.
        translation : ndarray, (3,), metres
            Of the camera in that frame, whose floor is z = 0.

        Returns
        -------
        Ground

        Raises
        ------
        ValueError
            If the camera is not above the floor.

        """
        return Ground(np.asarray(rotation, np.float64)[2], float(translation[2]))


@dataclass(frozen=True)
class ScaleMeasurement:
    """
    What one sensor says of the size and distance of N people.

    Parameters
    ----------
    log_scale : ndarray, (N,), float64
        Natural logarithm of true over estimated distance; 0 where nothing is known.
    stddev : ndarray, (N,), float64
        inf where nothing is known.

    """

    log_scale: FloatArray
    stddev: FloatArray

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of whom something is known, (N,)."""
        return np.isfinite(self.stddev)


def scale_from_ground(people: Detections, ground: Ground) -> ScaleMeasurement:
    """
    Compare the lower foot of each person with the floor.

    With f the lower sole, the body fits the floor when up . (s f) = -h, so s = h / (-up . f).
    Errors of the floor's height and tilt and of the foot carry over to log s.

    Parameters
    ----------
    people : Detections
        N rows.
    ground : Ground

    Returns
    -------
    ScaleMeasurement
        Unknown for people whose feet are hidden, cut off by the picture, or seen at so flat an
        angle that they say nothing.

    """
    ankles = people.keypoints_3d[:, _ANKLES].astype(np.float64)  # (N, 2, 3)
    # Soles move with the ankles; of both, ground_position is the middle.
    soles = ankles + (people.ground_position - ankles.mean(1))[:, None]
    drop = -(soles @ ground.up)  # (N, 2): below the camera
    lower = np.argmax(drop, axis=1)
    rows = np.arange(len(people))
    depth_below = drop[rows, lower]
    foot = soles[rows, lower]
    distance = np.linalg.norm(foot, axis=1)
    pixels = people.keypoints_2d[rows, np.array(_ANKLES)[lower]]
    size = np.array([people.camera.width, people.camera.height]) - 0.5
    inside = ((pixels > -0.5) & (pixels < size)).all(axis=1)
    confident = people.keypoint_confidences[rows, np.array(_ANKLES)[lower]] >= _FEET_SEEN
    grazing = depth_below / np.maximum(distance, 1e-6)
    known = inside & confident & (grazing > _LEAST_GRAZING)
    safe = np.where(known, depth_below, 1.0)
    log_scale = np.log(ground.camera_height / safe)
    horizontal = np.sqrt(np.maximum(distance**2 - depth_below**2, 0.0))
    foot_error = _FOOT_PLACE_STDDEV * people.stature.astype(np.float64)
    variance = (
        (ground.height_stddev / ground.camera_height) ** 2
        + (ground.tilt_stddev * horizontal / safe) ** 2
        + (_SOLE_STDDEV**2 + foot_error**2) / safe**2
    )
    return ScaleMeasurement(
        np.where(known, log_scale, 0.0), np.where(known, np.sqrt(variance), np.inf)
    )
