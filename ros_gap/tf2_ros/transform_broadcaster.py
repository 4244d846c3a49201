# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Publishes transforms."""

from __future__ import annotations

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage


class TransformBroadcaster:
    """
    Publishes on /tf.

    Parameters
    ----------
    node : rclpy.node.Node
    qos : QoSProfile or None
        None: reliable, depth 100.

    """

    def __init__(self, node: Node, qos: QoSProfile | None = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, '/tf', qos or QoSProfile(depth=100))

    def sendTransform(  # noqa: N802  (the real name)
        self, transform: TransformStamped | list[TransformStamped]
    ) -> None:
        """Publish one transform, or several in one message."""
        transforms = transform if isinstance(transform, list) else [transform]
        self.pub_tf.publish(TFMessage(transforms=transforms))
