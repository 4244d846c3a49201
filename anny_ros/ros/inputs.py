# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions of the node: pictures and camera_info."""

from __future__ import annotations

import time
from typing import Any

from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.cameras import Cameras
from anny_ros.ros.mailbox import Mailbox
from rclpy.lifecycle import LifecycleNode
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

_POLL = 0.05  # seconds


def image_topic(node: LifecycleNode, parameters: Parameters) -> str:
    """Resolve the topic of the pictures."""
    # Compressed pictures are found beside the raw ones, whatever `image` is remapped to.
    suffix = '/compressed' if parameters.input.transport == 'compressed' else ''
    return str(node.resolve_topic_name('image')) + suffix


class Inputs:
    """
    Put every picture into the mailbox and every camera_info into ``cameras``.

    Parameters
    ----------
    node : LifecycleNode
    parameters : Parameters
    mailbox : Mailbox
    cameras : Cameras

    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: Parameters,
        mailbox: Mailbox[Image | CompressedImage],
        cameras: Cameras,
    ) -> None:
        self.topic = image_topic(node, parameters)
        self.last_arrival: float | None = None  # of the steady clock
        self._node = node
        self._timeout = parameters.camera.info_timeout
        self._mailbox = mailbox
        self._cameras = cameras
        self._give_up: float | None = None
        kind = CompressedImage if parameters.input.transport == 'compressed' else Image
        self._subscriptions: list[Subscription] = [
            self._subscribe(kind, self.topic, self._take_picture),
            self._subscribe(CameraInfo, 'camera_info', cameras.update),
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def wait_for_camera_info(self) -> None:
        """
        Hold back the first pictures until their camera_info has come.

        Only if somebody publishes one, and not longer than ``camera.info_timeout`` after the
        first picture. Called by the inference thread.
        """
        if self._cameras.has_info:
            return
        if self._give_up is None:
            self._give_up = time.monotonic() + self._timeout
        topic = self._node.resolve_topic_name('camera_info')
        while (
            time.monotonic() < self._give_up
            and not self._mailbox.closed
            and self._node.count_publishers(topic) > 0
            and not self._cameras.wait(_POLL)
        ):
            pass

    def _subscribe(self, kind: type[Any], topic: str, callback: Any) -> Subscription:
        return self._node.create_subscription(
            kind, topic, callback, qos.pictures(), qos_overriding_options=qos.overridable()
        )

    def _take_picture(self, message: Image | CompressedImage) -> None:
        self.last_arrival = time.monotonic()
        self._mailbox.put(message)
