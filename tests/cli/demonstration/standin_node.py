# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The perception node with an estimator that answers at once: two people who stand still."""

from __future__ import annotations

import sys

from anny_ros.body import BodyModel
from anny_ros.inference import Estimator
from anny_ros.inference.assemble import assemble_detections
from anny_ros.ros import node
from anny_ros.types import Camera
import numpy as np

# From the body's axes (x left, y back, z up) to the optical frame, facing the camera.
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


class Standing(Estimator):
    """Two people in fixed poses."""

    name, backend = 'standing', 'none'

    def __init__(self, parameters):
        self.parameters = parameters
        self.body = BodyModel.load()

    def __call__(self, frame):
        rng = np.random.default_rng(0)
        height, width = frame.rgb.shape[:2]
        num_joints = len(self.body.joint_names)
        rotations = np.tile(np.eye(3), (2, num_joints, 1, 1))
        rotations[:, 0] = UPRIGHT
        rotations[1, self.body.joint_index('upperarm01.L')] = np.linalg.qr(
            np.eye(3) + 0.3 * rng.normal(size=(3, 3))
        )[0]
        return assemble_detections(
            self.body,
            stamp=frame.stamp,
            camera=frame.camera or Camera.from_hfov(1.2, width, height),
            score=np.array([0.9, 0.8]),
            phenotype=np.array([[0.5] * 6, [0.2, 0.7, 0.4, 0.5, 0.6, 0.5]]),
            rotations=rotations,
            translation=np.array([[-0.8, 0.2, 4.0], [0.9, 0.2, 5.0]]),
        )


if __name__ == '__main__':
    node.AnnyNode.__init__.__kwdefaults__['estimator_factory'] = Standing
    sys.exit(node.main())
