# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What bodies do, read from their joints: who faces the camera, comes nearer, raises a hand, sits.

Everything is geometry on the reconstructed body, with thresholds relative to the person's
stature, so that a child's cues are read like an adult's. ``up`` is the direction against gravity;
without anything better it is the camera's own up, which is wrong by the camera's pitch and roll.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
import math

from anny_ros.types import COCO_KEYPOINT_NAMES, Detections, FloatArray
import numpy as np
from numpy.typing import NDArray

# Against gravity for a camera that looks straight ahead (optical frame: y points down).
CAMERA_UP = (0.0, -1.0, 0.0)

# A hand is up when the wrist is this much of the stature above its shoulder and the forearm
# points up within this angle.
_RAISED_ABOVE_SHOULDER = 0.02
_RAISED_FOREARM = math.radians(60)
# Lying: the trunk leans more than this and the hips are lower than this share of the stature.
_LYING_LEAN = math.radians(55)
_LYING_HIPS = 0.32
# Hips of somebody upright are at 0.52 of the stature, of somebody on a chair at 0.25 to 0.35.
_LOW_HIPS = 0.42
_ANKLE_HEIGHT = 0.04
# Sitting: thighs away from vertical by more than this, feet this much before the hips.
_SEATED_THIGH = math.radians(50)
_SEATED_FEET = 0.13
# Least mean confidence of the joints that a cue is read from.
_SEEN = 0.15

_SIDES = ('left', 'right')
_INDEX = {name: row for row, name in enumerate(COCO_KEYPOINT_NAMES)}


class Posture(IntEnum):
    """How somebody holds the body."""

    UNKNOWN = 0
    STANDING = 1
    SITTING = 2
    CROUCHING = 3
    LYING = 4


class RaisedHand(IntFlag):
    """Hands that are up; a body's own left and right."""

    NONE = 0
    LEFT = 1
    RIGHT = 2


@dataclass(frozen=True)
class Cues:
    """
    One row a person; NaN or UNKNOWN where the picture does not show it.

    Parameters
    ----------
    facing_angle : ndarray, (N,), float32, radians
        Between the direction out of the chest and the direction to the camera, both seen from
        above; 0 faces the camera, pi shows the back. NaN for somebody who lies or is straight
        above or below the camera.
    distance : ndarray, (N,), float32, metres
        From the camera to the pelvis.
    approach_speed : ndarray, (N,), float32, metres per second
        How fast that distance shrinks; negative when the person goes away.
    raised_hands : ndarray, (N,), uint8
        Bits of ``RaisedHand``.
    posture : ndarray, (N,), uint8
        ``Posture``.

    """

    facing_angle: FloatArray
    distance: FloatArray
    approach_speed: FloatArray
    raised_hands: NDArray[np.uint8]
    posture: NDArray[np.uint8]


def read_cues(
    people: Detections,
    forward: FloatArray,
    velocity: FloatArray,
    up: FloatArray | tuple[float, float, float] = CAMERA_UP,
) -> Cues:
    """
    Read the cues of everybody.

    Parameters
    ----------
    people : Detections
        N rows.
    forward : ndarray, (N, 3)
        Direction out of the chest, optical frame, unit length
        (``BodyModel.body_orientation(people)[..., 0]``).
    velocity : ndarray, (N, 3), metres per second
        Of the pelvis along the axes of the optical frame.
    up : array, (3,)
        Against gravity in the optical frame; need not have length 1.

    Returns
    -------
    Cues

    Raises
    ------
    ValueError
        If ``up`` has no direction.

    """
    up = np.asarray(up, np.float64)
    length = np.linalg.norm(up)
    if up.shape != (3,) or not length > 0:
        raise ValueError(f'up must be a direction (3,), got {up}')
    up = up / length
    position = people.position.astype(np.float64)
    distance = np.linalg.norm(position, axis=1)
    towards = -position / np.maximum(distance, 1e-9)[:, None]
    posture = _postures(people, up)
    facing = _angle(_horizontal(forward, up), _horizontal(towards, up))
    facing[posture == Posture.LYING] = np.nan
    return Cues(
        facing_angle=facing.astype(np.float32),
        distance=distance.astype(np.float32),
        approach_speed=np.einsum('ni,ni->n', velocity, towards).astype(np.float32),
        raised_hands=_raised_hands(people, up),
        posture=posture,
    )


def _raised_hands(people: Detections, up: FloatArray) -> NDArray[np.uint8]:
    raised = np.zeros(len(people), np.uint8)
    for side, bit in (('left', RaisedHand.LEFT), ('right', RaisedHand.RIGHT)):
        rows = [_INDEX[f'{side}_{part}'] for part in ('shoulder', 'elbow', 'wrist')]
        shoulder, elbow, wrist = people.keypoints_3d[:, rows].astype(np.float64).swapaxes(0, 1)
        above = (wrist - shoulder) @ up / people.stature
        is_up = (above > _RAISED_ABOVE_SHOULDER) & (_angle(wrist - elbow, up) < _RAISED_FOREARM)
        is_up &= people.keypoint_confidences[:, rows[1:]].mean(1) >= _SEEN
        raised |= np.where(is_up, np.uint8(bit), np.uint8(0))
    return raised


def _postures(people: Detections, up: FloatArray) -> NDArray[np.uint8]:
    points = people.keypoints_3d.astype(np.float64)

    def middle(part: str) -> FloatArray:
        pair = points[:, [_INDEX[f'left_{part}'], _INDEX[f'right_{part}']]]
        result: FloatArray = pair.mean(1)
        return result

    stature = np.maximum(people.stature.astype(np.float64), 0.1)
    hips, shoulders, ankles = middle('hip'), middle('shoulder'), middle('ankle')
    lean = _angle(shoulders - hips, up)
    # Above the lower foot: the other one may be in the air.
    feet_below = np.stack([(hips - points[:, _INDEX[f'{s}_ankle']]) @ up for s in _SIDES])
    hip_height = feet_below.max(0) / stature + _ANKLE_HEIGHT
    thighs = [
        _angle(points[:, _INDEX[f'{s}_knee']] - points[:, _INDEX[f'{s}_hip']], -up) for s in _SIDES
    ]
    thigh = np.mean(thighs, axis=0)
    feet = np.linalg.norm(_horizontal(ankles - hips, up), axis=1) / stature
    posture = np.full(len(people), Posture.STANDING, np.uint8)
    low = hip_height < _LOW_HIPS
    posture[low] = Posture.CROUCHING
    posture[low & (thigh > _SEATED_THIGH) & (feet > _SEATED_FEET)] = Posture.SITTING
    posture[(lean > _LYING_LEAN) & (hip_height < _LYING_HIPS)] = Posture.LYING
    legs = [_INDEX[f'{s}_{part}'] for s in _SIDES for part in ('hip', 'knee')]
    posture[people.keypoint_confidences[:, legs].mean(1) < _SEEN] = Posture.UNKNOWN
    return posture


def _horizontal(vectors: FloatArray, up: FloatArray) -> FloatArray:
    result: FloatArray = vectors - (vectors @ up)[:, None] * up
    return result


def _angle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angle between vectors (N, 3) and (N, 3) or (3,) in radians; NaN where one is (nearly) 0."""
    b = np.broadcast_to(b, a.shape)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dot = np.einsum('ni,ni->n', a, b)
    cosine = np.clip(dot / np.where(lengths > 1e-6, lengths, np.nan), -1, 1)
    result: FloatArray = np.arccos(cosine)
    return result
