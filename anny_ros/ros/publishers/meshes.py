# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/meshes``: the surfaces of the people in the picture, while somebody listens."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.msg import HumanMeshArray
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.conversions import human_mesh_array
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode


class MeshesPublisher(ScenePublisher):
    """Publish a HumanMeshArray for every picture while it is subscribed to."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(HumanMeshArray, '~/meshes', qos.large_results())

    def wanted(self) -> bool:
        """While somebody listens."""
        return self.subscribed()

    def publish(self, result: Result) -> None:
        """Send the HumanMeshArray of a picture."""
        self._publisher.publish(human_mesh_array(result))
