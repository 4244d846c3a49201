# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Synthetic people: upright boxes of a given place and size, as an estimator would report them."""

from anny_ros.geometry.camera import project
from anny_ros.types import Camera, Detections
import numpy as np
import pytest

CAMERA = Camera.from_hfov(1.0, 1280, 720)


def people_at(
    positions,
    stamp=0.0,
    *,
    camera=CAMERA,
    score=0.9,
    stature=1.7,
    appearance=None,
    depth_share=0.08,
    num_joints=3,
    depth_noise=0.0,
    pixel_noise=0.0,
    rng=None,
):
    """
    Detections of people whose pelvises are at (N, 3).

    Noise is what a monocular estimator makes: pixels in the picture, a factor on the distance.
    """
    positions = np.asarray(positions, np.float64).reshape(-1, 3)
    num = len(positions)
    stature = np.broadcast_to(np.asarray(stature, np.float64), (num,))
    focal = camera.K[0, 0]
    centre = project(positions, camera.K)
    factor = np.ones(num)
    if rng is not None:
        centre = centre + pixel_noise * rng.normal(size=(num, 2))
        factor = np.exp(depth_noise * rng.normal(size=num))
    depth = positions[:, 2] * factor
    moved = np.column_stack([(centre - camera.K[:2, 2]) / focal * depth[:, None], depth])
    half = 0.5 * stature * focal / positions[:, 2]
    bbox = np.column_stack(
        [centre[:, 0] - 0.3 * half, centre[:, 1] - half, centre[:, 0] + 0.3 * half,
         centre[:, 1] + half]
    )  # fmt: skip
    ray = moved / np.linalg.norm(moved, axis=1, keepdims=True) if num else moved
    spread = (depth_share * depth)[:, None, None] ** 2 * ray[:, :, None] * ray[:, None, :]
    spread = spread + 0.02**2 * np.eye(3)
    eye = np.broadcast_to(np.eye(3), (num, num_joints, 3, 3))
    return Detections(
        stamp=stamp,
        camera=camera,
        score=np.broadcast_to(np.asarray(score, np.float32), (num,)),
        bbox=bbox,
        phenotype=np.full((num, 6), 0.5),
        rotations=eye,
        translation=moved,
        joint_positions=np.repeat(moved[:, None], num_joints, axis=1),
        joint_orientations=eye,
        joint_confidences=np.ones((num, num_joints)),
        keypoints_3d=np.repeat(moved[:, None], 17, axis=1),
        keypoints_2d=np.repeat(centre[:, None], 17, axis=1),
        keypoint_confidences=np.ones((num, 17)),
        position=moved,
        position_covariance=spread,
        head_position=moved - np.array([0, 0.7, 0]),
        ground_position=moved + np.array([0, 0.9, 0]),
        stature=stature,
        stature_stddev=np.full(num, 0.1),
        age_years=np.full(num, 30.0),
        minor_probability=np.zeros(num),
        appearance=np.zeros((num, 0)) if appearance is None else appearance,
    )


@pytest.fixture(name='people_at', scope='session')
def people_at_fixture():
    return people_at
