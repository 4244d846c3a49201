# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``/tf``: a frame ``body_<id>`` for each person, and those of the joints where wanted."""

from __future__ import annotations

from collections.abc import Sequence

from anny_ros.body import BodyModel
from anny_ros.body.rep155 import link_frames, LINK_NAMES
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.parameters import Parameters
from anny_ros.ros.conversions import quaternion, xyz
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from anny_ros.types import FloatArray
from geometry_msgs.msg import Transform, TransformStamped, Vector3
import numpy as np
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header
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
        if self.parameters.tf.joints != 'none':
            transforms += joint_transforms(result, all_joints=self.parameters.tf.joints == 'all')
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
    rows = result.visible_rows
    return _transforms(
        result.header,
        [f'body_{result.scene.ids[row]}' for row in rows],
        result.scene.humans.position[rows],
        result.body_orientations[rows],
    )


def joint_transforms(result: Result, *, all_joints: bool) -> list[TransformStamped]:
    """
    Make the transforms of the joints of each person who is not LOST, from ``body_<id>``.

    Parameters
    ----------
    result : Result
    all_joints : bool
        Besides the links of REP-155 every joint of the body model, by its own name and in its
        bone's own axes (y along the bone).

    Returns
    -------
    list of TransformStamped

    """
    rows = result.visible_rows
    people = result.scene.humans[rows]
    names: list[str] = list(LINK_NAMES)
    origins, rotations = link_frames(result.body, people)
    if all_joints:
        names += result.body.joint_names
        origins = np.concatenate([origins, people.joint_positions], axis=1)
        rotations = np.concatenate([rotations, people.joint_orientations], axis=1)
    transforms = []
    for i, row in enumerate(rows):
        body = result.body_orientations[row].astype(np.float64)
        person = result.scene.ids[row]
        transforms += _transforms(
            Header(stamp=result.header.stamp, frame_id=f'body_{person}'),
            [f'{name}_{person}' for name in names],
            (origins[i] - people.position[i]) @ body,
            body.T @ rotations[i],
        )
    return transforms


def _transforms(
    header: Header, names: Sequence[str], origins: FloatArray, rotations: FloatArray
) -> list[TransformStamped]:
    """One transform a name: origins (K, 3) and rotations (K, 3, 3) in the header's frame."""
    quats = rotmat_to_quat_xyzw(rotations)  # (K, 4)
    return [
        TransformStamped(
            header=header,
            child_frame_id=name,
            transform=Transform(
                translation=Vector3(**xyz(origins[k])), rotation=quaternion(quats[k])
            ),
        )
        for k, name in enumerate(names)
    ]
