# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/humans``: everybody in the picture, for every picture."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.msg import HumanArray
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.conversions import human_array
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode


class HumansPublisher(ScenePublisher):
    """Publish a HumanArray for every picture, also when nobody is there or listens."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(HumanArray, '~/humans', qos.results())

    def wanted(self) -> bool:
        """Say yes, always."""
        return True

    def publish(self, result: Result) -> None:
        """Send the HumanArray of a picture."""
        attributes = self.parameters.publish.attributes
        self._publisher.publish(human_array(result, attributes=attributes))
