# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import project
from anny_ros.types import Camera
import numpy as np
import pytest

from training.pictures.labels import camera_truth, KeypointState, Labels, pose_bodies

CAMERA = Camera.from_hfov(1.2, 640, 480)
# Man, child of about 5 years, old person.
PHENOTYPES = np.array(
    [
        [0.2, 0.67, 0.5, 0.5, 0.4, 0.5],
        [0.9, 0.20, 0.5, 0.6, 0.5, 0.5],
        [0.5, 0.95, 0.3, 0.8, 0.3, 0.4],
    ],
    np.float32,
)


@pytest.fixture(scope='session')
def body():
    return BodyModel.load()


@pytest.fixture(scope='session')
def camera():
    return CAMERA


@pytest.fixture(scope='session')
def make_labels(body):
    """Labels of upright people with their backs to the camera, at places (N, 3) of their roots."""

    def make(places, visible=1.0, inside=1.0):
        places = np.asarray(places, np.float64).reshape(-1, 3)
        num = len(places)
        E = np.tile(np.eye(3), (num, len(body.joint_names), 1, 1))
        # World: z up; the camera looks along +y, with the optical frame x right, y down, z ahead.
        # Anny's rest faces -y, so a half turn shows the back.
        E[:, 0] = np.diag([-1.0, -1.0, 1.0])
        R = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
        phenotype = np.resize(PHENOTYPES, (num, 6)).astype(np.float32)
        world = places @ R  # of the optical frame
        poses = pose_bodies(body, phenotype, E, world)
        truth = camera_truth(body, poses, R, np.zeros(3))
        uv = project(truth['keypoints_3d'], CAMERA.K).astype(np.float32)
        low, high = uv.min(axis=1), uv.max(axis=1)
        return Labels(
            identity=np.arange(num),
            keypoints_2d=uv,
            keypoint_state=np.full((num, 17), KeypointState.VISIBLE, np.uint8),
            bbox=np.concatenate([low - 5, high + 5], axis=1).astype(np.float32),
            visible_share=np.resize(np.float32(visible), num),
            inside_share=np.resize(np.float32(inside), num),
            pixels=np.full(num, 1000, np.float32),
            **truth,
        )

    return make


@pytest.fixture(scope='session')
def labels(make_labels):
    """Three people side by side, all of whom count."""
    return make_labels([[-1.2, 0, 4.0], [0, 0.3, 3.5], [1.3, 0, 4.5]])
