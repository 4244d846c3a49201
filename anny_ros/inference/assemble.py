# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From pose, shape and place of people to every row of Detections."""

from __future__ import annotations

from collections.abc import Mapping
import math

from anny_ros.body import BodyModel
from anny_ros.types import Camera, Detections, FloatArray
import numpy as np
import torch

# How far off an estimate is when the estimator does not say: shares of the distance along and
# across the viewing ray, of the stature, and of the age scale.
_DEPTH_SPREAD = 0.08
_LATERAL_SPREAD = 0.01
_STATURE_SPREAD = 0.07
_AGE_SPREAD = 0.12
_ADULT_AGE = 0.77  # Anny's age value at 18 years
_NEAREST = 0.05  # metres; nearer points are not projected


def ray_covariance(
    position: FloatArray, depth_stddev: FloatArray, lateral_stddev: FloatArray
) -> FloatArray:
    """
    Make covariances that are long along the viewing ray.

    Parameters
    ----------
    position : ndarray, (N, 3), metres
    depth_stddev, lateral_stddev : ndarray, (N,), metres
        Along and across the ray through each position.

    Returns
    -------
    ndarray, (N, 3, 3), float32, square metres

    """
    distance = np.linalg.norm(position, axis=1, keepdims=True)
    ray = position / np.maximum(distance, 1e-6)
    along = ray[:, :, None] * ray[:, None, :]
    depth = np.square(depth_stddev)[:, None, None]
    lateral = np.square(lateral_stddev)[:, None, None]
    return (depth * along + lateral * (np.eye(3) - along)).astype(np.float32)


def project_points(points: FloatArray, K: FloatArray) -> FloatArray:
    """Project (N, K, 3) to pixels (N, K, 2); points nearer than 5 cm as if they were there."""
    z = np.maximum(points[..., 2:], _NEAREST)
    uv = points[..., :2] / z
    return (uv * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]).astype(np.float32)


def body_boxes(joints: FloatArray, landmarks: FloatArray, K: FloatArray) -> FloatArray:
    """Boxes (N, 4), pixels, around projected joints (N, J, 3) and landmarks (N, L, 3)."""
    uv = project_points(np.concatenate([joints, landmarks], 1), K)
    return np.concatenate([uv.min(1), uv.max(1)], 1)


def minor_probability(age: FloatArray, age_stddev: FloatArray) -> FloatArray:
    """Probability (N,) of being under 18, from Anny's age value and its standard deviation."""
    z = (_ADULT_AGE - age) / np.maximum(age_stddev, 1e-3)
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z], np.float32)


def assemble_detections(
    body: BodyModel,
    *,
    stamp: float,
    camera: Camera,
    score: FloatArray,
    phenotype: FloatArray,
    rotations: FloatArray,
    translation: FloatArray,
    bbox: FloatArray | None = None,
    keypoint_confidences: FloatArray | None = None,
    joint_confidences: FloatArray | None = None,
    position_covariance: FloatArray | None = None,
    stature_stddev: FloatArray | None = None,
    age_stddev: FloatArray | None = None,
    appearance: FloatArray | None = None,
    measured_2d: FloatArray | None = None,
    timings_ms: Mapping[str, float] | None = None,
) -> Detections:
    """
    Fill in everything that follows from pose, shape and place.

    Parameters
    ----------
    body : BodyModel
    stamp : float, seconds
    camera : Camera
        Of the original picture.
    score : ndarray, (N,)
    phenotype : ndarray, (N, 6)
    rotations : ndarray, (N, J, 3, 3)
        Local-bone; the root's in the optical frame.
    translation : ndarray, (N, 3), metres
        Root joint, optical frame.
    bbox : ndarray, (N, 4), pixels, or None
        None takes the box of the projected joints, keypoints, soles and top of the head.
    keypoint_confidences, joint_confidences : ndarray, (N, 17), (N, J), or None
        None takes the score.
    position_covariance : ndarray, (N, 3, 3), or None
        None takes 8 % of the distance along the ray and 1 % across.
    stature_stddev : ndarray, (N,), metres, or None
        None takes 7 %.
    age_stddev : ndarray, (N,), or None
        In Anny's age value; None takes 0.12.
    appearance : ndarray, (N, A), or None
    measured_2d : ndarray, (N, 17, 2), pixels, or None
        None takes the projected keypoints.
    timings_ms : mapping or None

    Returns
    -------
    Detections

    """
    num_people = len(score)
    posed = body.pose(*(torch.as_tensor(a) for a in (phenotype, rotations, translation)))
    joints, landmarks = posed.joint_positions.numpy(), posed.landmarks.numpy()
    keypoints = landmarks[:, :17]
    position = keypoints[:, 11:13].mean(1)
    soles = [body.landmark_index(f'{s}_{p}') for s in ('left', 'right') for p in
             ('big_toe', 'small_toe', 'heel')]  # fmt: skip
    if bbox is None:
        bbox = body_boxes(joints, landmarks, camera.K)
    distance = np.linalg.norm(position, axis=1)
    if position_covariance is None:
        position_covariance = ray_covariance(
            position, _DEPTH_SPREAD * distance, _LATERAL_SPREAD * distance
        )
    stature = body.stature(phenotype)
    if age_stddev is None:
        age_stddev = np.full(num_people, _AGE_SPREAD)
    broadcast = np.asarray(score)[:, None]
    projected = project_points(keypoints, camera.K)
    return Detections(
        stamp=stamp,
        camera=camera,
        score=score,
        bbox=bbox,
        phenotype=phenotype,
        rotations=rotations,
        translation=translation,
        joint_positions=joints,
        joint_orientations=posed.joint_orientations.numpy(),
        joint_confidences=(
            np.repeat(broadcast, len(body.joint_names), 1)
            if joint_confidences is None
            else joint_confidences
        ),
        keypoints_3d=keypoints,
        keypoints_2d=projected,
        measured_2d=projected if measured_2d is None else measured_2d,
        keypoint_confidences=(
            np.repeat(broadcast, 17, 1) if keypoint_confidences is None else keypoint_confidences
        ),
        position=position,
        position_covariance=position_covariance,
        head_position=keypoints[:, 3:5].mean(1),
        ground_position=landmarks[:, soles].mean(1),
        stature=stature,
        stature_stddev=_STATURE_SPREAD * stature if stature_stddev is None else stature_stddev,
        age_years=body.age_years(phenotype),
        minor_probability=minor_probability(phenotype[:, 1], age_stddev),
        appearance=np.zeros((num_people, 0)) if appearance is None else appearance,
        timings_ms=timings_ms or {},
    )
