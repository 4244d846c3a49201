# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/anonymized`` (and ``/compressed``): the picture with people replaced by their meshes."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.render.anonymise import anonymise
from anny_ros.ros import qos
from anny_ros.ros.pictures import encode_compressed_image, encode_image
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image


class AnonymizedPublisher(ScenePublisher):
    """
    Publish pictures without anybody's looks while somebody listens.

    Everybody whom the tracker knows is hidden, whatever is shown elsewhere, and every place that
    might show somebody else. Never made if publish.raw_images is false: the surroundings are
    pixels of the camera.
    """

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._raw = self.create(Image, '~/anonymized', qos.large_results())
        self._compressed = self.create(
            CompressedImage, '~/anonymized/compressed', qos.large_results()
        )

    @classmethod
    def allowed(cls, parameters: Parameters) -> bool:
        """Only while pictures of the camera may leave the node."""
        return parameters.publish.raw_images

    def wanted(self) -> bool:
        """While somebody listens."""
        return self.subscribed()

    def publish(self, result: Result) -> None:
        """Replace everybody and send the picture in the forms that are wanted."""
        everybody = result.everybody
        picture = anonymise(result.frame.rgb, everybody, self.body, everybody.humans.candidates)
        if self._raw.get_subscription_count():
            self._raw.publish(encode_image(picture, result.header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(encode_compressed_image(picture, result.header))
