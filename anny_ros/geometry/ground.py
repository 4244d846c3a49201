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

# Ankles whose confidence is below this are taken for hidden.
_FEET_SEEN = 0.3
# Where the ankle of a foot on the floor is: a share of the stature, the sole of a shoe, and the
# standard deviation of this between people, shoes and steps (of rendered people of all ages who
# walk and stand; bare feet are off by the sole).
ANKLE_SHARE, SHOE_SOLE = 0.055, 0.02  # metres
_ANKLE_STDDEV = 0.015  # metres
# Feet in the picture are off by this share of the body's size, and by so many pixels.
_FOOT_PLACE_STDDEV = 0.012
_FOOT_PIXEL_STDDEV = 1.5
# The other foot counts by exp(-x) when it is x times this share of the stature higher.
_OTHER_FOOT = 0.02
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
        How well the direction is known; half a degree is what mounts and calibrations leave.
    height_stddev : float, metres
        How well the height is known.

    Raises
    ------
    ValueError
        If ``up`` is no unit vector or the height is not positive.

    """

    up: FloatArray
    camera_height: float
    tilt_stddev: float = 0.0087
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
    Compare the feet of each person with the floor.

    The ankle of a foot that stands is a c + b above the floor, with the stature a, the share
    c = ``ANKLE_SHARE`` and a shoe's sole b = ``SHOE_SOLE``. If it is d below a camera of height
    h, the body fits the floor when s (d + a c) + b = h, so s = (h - b) / (d + a c). Of both
    ankles the lower one counts, or their mean when they are about level. Errors of the floor's
    height and tilt and of the foot carry over to log s.

    Parameters
    ----------
    people : Detections
        N rows.
    ground : Ground

    Returns
    -------
    ScaleMeasurement
        Unknown for people whose lower foot is hidden, cut off by the picture, or seen at so
        flat an angle that it says nothing.

    """
    ankles = people.keypoints_3d[:, _ANKLES].astype(np.float64)  # (N, 2, 3)
    pixels = people.keypoints_2d[:, _ANKLES]
    stature = people.stature.astype(np.float64)
    size = np.array([people.camera.width, people.camera.height]) - 0.5
    seen = ((pixels > -0.5) & (pixels < size)).all(axis=2)
    seen &= people.keypoint_confidences[:, _ANKLES] >= _FEET_SEEN
    drops = -(ankles @ ground.up)  # (N, 2): below the camera
    rows, lower = np.arange(len(people)), np.argmax(drops, axis=1)
    higher = drops[rows, lower][:, None] - drops
    weights = seen * np.exp(-higher / (_OTHER_FOOT * stature[:, None]))
    weights[rows, lower] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    drop = (weights * drops).sum(axis=1) + ANKLE_SHARE * stature
    distance = np.linalg.norm(ankles[rows, lower], axis=1)
    known = seen[rows, lower] & (drop > _LEAST_GRAZING * distance)
    known &= ground.camera_height > 2 * SHOE_SOLE
    safe = np.where(known, drop, 1.0)
    log_scale = np.log(max(ground.camera_height - SHOE_SOLE, SHOE_SOLE) / safe)
    horizontal = np.sqrt(np.maximum(distance**2 - drop**2, 0.0))
    pixel = _FOOT_PIXEL_STDDEV * distance / people.camera.K[1, 1]
    foot = (weights**2).sum(axis=1) * ((_FOOT_PLACE_STDDEV * stature) ** 2 + pixel**2)
    variance = (
        (ground.height_stddev / ground.camera_height) ** 2
        + (ground.tilt_stddev * horizontal / safe) ** 2
        + (_ANKLE_STDDEV**2 + foot) / safe**2
    )
    return ScaleMeasurement(
        np.where(known, log_scale, 0.0), np.where(known, np.sqrt(variance), np.inf)
    )
