# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/body_model``: what the arrays of the other messages mean, sent once and latched."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.msg import BodyModel as BodyModelMessage
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.conversions import body_model
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode


class BodyModelPublisher(ScenePublisher):
    """Publish the BodyModel of ``~/meshes`` when the node becomes active."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(BodyModelMessage, '~/body_model', qos.latched())

    def wanted(self) -> bool:
        """Never for a picture: it is latched."""
        return False

    def publish(self, result: Result) -> None:
        """Do nothing: it does not change from picture to picture."""

    def start(self) -> None:
        """Send it."""
        self._publisher.publish(body_model(self.body, self.parameters.publish.mesh))
