# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The perception node with an estimator that takes a given time and finds a given number of people.

``python -m anny_ros.cli.benchmarks.standin_node MILLISECONDS PEOPLE --ros-args …``
"""

from __future__ import annotations

import sys
import time
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.inference import Estimator
from anny_ros.inference.assemble import assemble_detections
from anny_ros.parameters import Parameters
from anny_ros.ros import node as ros_node
from anny_ros.types import Camera, Detections, Frame
import numpy as np
import torch


class StandIn(Estimator):
    """People who stand in a row; the answer comes after a fixed time."""

    name, backend = 'stand-in', 'none'

    def __init__(self, parameters: Parameters, seconds: float, num_people: int) -> None:
        torch.set_num_threads(1)  # as anny-lite does
        self.parameters = parameters
        self.body = BodyModel.load()
        self._seconds = seconds
        self._people: Detections | None = None
        self._num_people = num_people

    def __call__(self, frame: Frame) -> Detections:
        """Wait, then say the same as always."""
        end = time.perf_counter() + self._seconds
        if self._people is None:
            height, width = frame.rgb.shape[:2]
            self._people = self._stand(Camera.from_hfov(1.2, width, height))
        people = self._people
        # Sleeping lets other threads work, as a network in native code does.
        time.sleep(max(end - time.perf_counter(), 0.0))
        from dataclasses import replace

        return replace(people, stamp=frame.stamp, camera=frame.camera or people.camera)

    def _stand(self, camera: Camera) -> Detections:
        n, num_joints = self._num_people, len(self.body.joint_names)
        rotations = np.tile(np.eye(3), (n, num_joints, 1, 1))
        rotations[:, 0] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
        places = np.stack([np.arange(n) - n / 2, np.zeros(n), np.full(n, 6.0)], axis=1)
        return assemble_detections(
            self.body,
            stamp=0.0,
            camera=camera,
            score=np.full(n, 0.9),
            phenotype=np.full((n, 6), 0.5),
            rotations=rotations,
            translation=places,
        )


def main() -> int:
    """Run the node."""
    seconds, num_people = float(sys.argv[1]) * 1e-3, int(sys.argv[2])

    def make(parameters: Parameters) -> Estimator:
        return StandIn(parameters, seconds, num_people)

    original: Any = ros_node.AnnyNode

    def with_stand_in(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, estimator_factory=make, **options)

    ros_node.AnnyNode = with_stand_in  # type: ignore[assignment,misc]
    return ros_node.main(sys.argv[:1] + sys.argv[3:])


if __name__ == '__main__':
    sys.exit(main())
