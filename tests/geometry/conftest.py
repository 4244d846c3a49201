# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Real bodies that stand on a floor below a camera."""

from anny_ros.body import BodyModel
from anny_ros.inference import assemble_detections
from anny_ros.types import Camera
import numpy as np
import pytest
import torch

CAMERA = Camera.from_hfov(1.1, 640, 480)


@pytest.fixture(scope='session')
def body():
    return BodyModel.load()


@pytest.fixture(scope='session')
def standing(body):
    """
    Make people at (x, z) who stand in shoes; the camera looks down by ``pitch``.

    Their toes hang at rest, so it is the ankles that are as high as those of people who stand.
    """

    def make(places, camera_height=1.2, pitch=0.0, yaw=0.3, age=0.67, camera=CAMERA):
        places = np.asarray(places, float)
        n = len(places)
        c, s = np.cos(yaw), np.sin(yaw)
        level = np.array([[c, s, 0], [0, 0, -1], [-s, c, 0]])
        a, b = np.cos(pitch), np.sin(pitch)
        tilt = np.array([[1, 0, 0], [0, a, -b], [0, b, a]])
        world = np.tile(np.eye(3), (n, len(body.joint_names), 1, 1))
        world[:, 0] = tilt @ level
        phenotype = np.tile([0.5, age, 0.5, 0.5, 0.5, 0.5], (n, 1)).astype(np.float32)
        rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))

        def at(translation):
            return assemble_detections(
                body, stamp=0.0, camera=camera, score=np.full(n, 0.9), phenotype=phenotype,
                rotations=rotations.numpy().astype(np.float32), translation=translation,
            )  # fmt: skip

        up = tilt @ [0.0, -1, 0]
        forward = tilt @ [0.0, 0, 1]
        start = places[:, :1] * [1.0, 0, 0] + places[:, 1:] * forward
        unmoved = at(start.astype(np.float32))
        ankles = unmoved.keypoints_3d[:, 15:].mean(axis=1) @ up
        shift = (0.055 * unmoved.stature + 0.02 - camera_height - ankles)[:, None] * up
        return at((start + shift).astype(np.float32)), up

    return make
