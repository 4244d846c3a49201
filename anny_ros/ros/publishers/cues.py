# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/cues``: facing, approaching, raised hands and posture, while somebody listens."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.msg import HumanCues, HumanCuesArray
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode


class CuesPublisher(ScenePublisher):
    """Publish a HumanCuesArray for every picture while it is subscribed to."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(HumanCuesArray, '~/cues', qos.results())

    def wanted(self) -> bool:
        """While somebody listens."""
        return self.subscribed()

    def publish(self, result: Result) -> None:
        """Send the cues of a picture."""
        self._publisher.publish(human_cues_array(result))


def human_cues_array(result: Result) -> HumanCuesArray:
    """Make the message of the cues of everybody who is not LOST."""
    scene, cues = result.scene, result.cues
    return HumanCuesArray(
        header=result.header,
        cues=[
            HumanCues(
                id=scene.ids[row],
                track_number=int(scene.track_numbers[row]),
                facing_angle=float(cues.facing_angle[row]),
                distance=float(cues.distance[row]),
                approach_speed=float(cues.approach_speed[row]),
                raised_hands=int(cues.raised_hands[row]),
                posture=int(cues.posture[row]),
            )
            for row in result.visible_rows
        ],
    )
