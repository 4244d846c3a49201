# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What an active node does: take pictures in, work on the newest, send results out."""

from __future__ import annotations

from collections.abc import Sequence

from anny_ros.inference import Estimator
from anny_ros.parameters import Parameters
from anny_ros.perception import Perception
from anny_ros.ros.cameras import Cameras
from anny_ros.ros.inputs import image_topic, Inputs
from anny_ros.ros.mailbox import Mailbox
from anny_ros.ros.pipeline import Pipeline
from anny_ros.ros.publishers import ScenePublisher
from anny_ros.ros.surroundings import SurroundingsWatch
from anny_ros.ros.worker import Worker
from anny_ros.tracking import Tracker
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image


class Work:
    """
    Subscriptions, mailbox, inference thread and pipeline; made when the node is activated.

    May be stopped and started again (``~/enable``); counts go on.

    Parameters
    ----------
    node : LifecycleNode
    parameters : Parameters
    estimator : Estimator
    tracker : Tracker
    publishers : sequence of ScenePublisher

    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: Parameters,
        estimator: Estimator,
        tracker: Tracker,
        publishers: Sequence[ScenePublisher],
    ) -> None:
        self.mailbox: Mailbox[Image | CompressedImage] = Mailbox()
        self.cameras = Cameras(
            parameters.camera.k, image_topic(node, parameters), node.get_logger()
        )
        self.surroundings = SurroundingsWatch(node, parameters)
        self.pipeline = Pipeline(
            perception=Perception(estimator, parameters, tracker=tracker),
            cameras=self.cameras,
            surroundings=self.surroundings,
            publishers=publishers,
            parameters=parameters,
            logger=node.get_logger(),
            clock=node.get_clock(),
        )
        self.inputs: Inputs | None = None  # there while it runs
        self._node = node
        self._parameters = parameters
        self._publishers = publishers
        self._worker: Worker[Image | CompressedImage] | None = None

    def start(self) -> None:
        """Subscribe and work; does nothing if it does so already."""
        if self.inputs is not None:
            return
        for publisher in self._publishers:
            publisher.start()
        self.surroundings.start()
        self.mailbox.open()
        self.inputs = Inputs(self._node, self._parameters, self.mailbox, self.cameras)
        self._worker = Worker(self.mailbox, self.pipeline, self.inputs.wait_for_camera_info)
        self._worker.start()

    def stop(self) -> None:
        """Unsubscribe, finish the picture at hand and tell viewers; may be called twice."""
        if self.inputs is None or self._worker is None:
            return
        self.inputs.close()
        self._worker.stop()
        self.surroundings.stop()
        self.inputs = self._worker = None
        for publisher in self._publishers:
            publisher.stop()
