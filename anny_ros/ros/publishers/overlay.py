# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/overlay`` (and ``/compressed``): the picture with everybody's mesh drawn over it."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.render import draw_scene
from anny_ros.ros import qos
from anny_ros.ros.pictures import encode_compressed_image, encode_image
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image


class OverlayPublisher(ScenePublisher):
    """Publish the overlay while somebody listens; never made if publish.raw_images is false."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._raw = self.create(Image, '~/overlay', qos.large_results())
        self._compressed = self.create(
            CompressedImage, '~/overlay/compressed', qos.large_results()
        )

    @classmethod
    def allowed(cls, parameters: Parameters) -> bool:
        """Only while pictures of the camera may leave the node."""
        return parameters.publish.raw_images

    def wanted(self) -> bool:
        """While somebody listens."""
        return self.subscribed()

    def publish(self, result: Result) -> None:
        """Draw everybody over the picture and send it in the forms that are wanted."""
        drawn = draw_scene(result.frame.rgb, result.scene, self.body)
        if self._raw.get_subscription_count():
            self._raw.publish(encode_image(drawn, result.header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(encode_compressed_image(drawn, result.header))
