# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``/tf``: a frame ``body_<id>`` for each person, child of the picture's frame."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.parameters import Parameters
from anny_ros.ros.conversions import quaternion, xyz
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from geometry_msgs.msg import Transform, TransformStamped, Vector3
from rclpy.lifecycle import LifecycleNode
from tf2_ros import TransformBroadcaster


class TfPublisher(ScenePublisher):
    """Broadcast REP-155 body frames at the picture's stamp, all of a picture in one message."""

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._broadcaster = TransformBroadcaster(node)
        self._last_stamp: tuple[int, int] | None = None

    def wanted(self) -> bool:
        """Unless tf.enable is off."""
        return self.parameters.tf.enable

    def publish(self, result: Result) -> None:
        """Send a picture's transforms, if its stamp is a new one."""
        stamp = (result.header.stamp.sec, result.header.stamp.nanosec)
        # tf2 warns about every transform that comes twice with the same stamp.
        if stamp == self._last_stamp or not result.header.frame_id:
            return
        self._last_stamp = stamp
        transforms = body_transforms(result)
        if transforms:
            self._broadcaster.sendTransform(transforms)

    def start(self) -> None:
        """Begin anew."""
        self._last_stamp = None

    def close(self) -> None:
        """Give the broadcaster back."""
        self.node.destroy_publisher(self._broadcaster.pub_tf)
        super().close()


def body_transforms(result: Result) -> list[TransformStamped]:
    """Make a transform for each person who is not LOST."""
    scene = result.scene
    quats = rotmat_to_quat_xyzw(result.body_orientations)  # (N, 4)
    return [
        TransformStamped(
            header=result.header,
            child_frame_id=f'body_{scene.ids[row]}',
            transform=Transform(
                translation=Vector3(**xyz(scene.humans.position[row])),
                rotation=quaternion(quats[row]),
            ),
        )
        for row in result.visible_rows
    ]
