# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
``/tf``: a frame ``body_<id>`` for each person, and those of the joints where wanted.

With ``tf.prediction_horizon`` it says where people will be. Then what the camera does meanwhile
matters; where the scene's velocities are relative to a frame that stands still, people are sent
in that frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from anny_ros.body import BodyModel
from anny_ros.body.rep155 import link_frames, LINK_NAMES
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.parameters import Parameters
from anny_ros.ros.conversions import quaternion, xyz
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from anny_ros.tracking.prediction import predicted
from anny_ros.types import FloatArray, Scene
from geometry_msgs.msg import Transform, TransformStamped, Vector3
import numpy as np
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

_HERE: FloatArray = np.eye(4)


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
        horizon = self.parameters.tf.prediction_horizon
        if horizon > 0:
            found = predicted_result(result, horizon, self.parameters.tracking.frame)
            if found is None:
                return
            result, pose = found
        else:
            pose = _HERE
        transforms = body_transforms(result, pose)
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


def predicted_result(
    result: Result, horizon: float, frame: str
) -> tuple[Result, FloatArray] | None:
    """
    Say where people will be.

    Parameters
    ----------
    result : Result
    horizon : float, seconds
    frame : str
        The one that velocities are relative to; empty: the optical frame.

    Returns
    -------
    result : Result
        People ``horizon`` later, in the optical frame of the picture; its header has the later
        stamp and the frame to send them in.
    pose : ndarray, (4, 4)
        From the optical frame of the picture to the frame of the header.

    None if the camera's pose in ``frame`` is not known: frames of people must not change their
    parent from picture to picture.

    """
    scene, header = result.scene, result.header
    pose = _HERE
    if frame:
        if scene.world_from_camera is None:
            return None
        pose = scene.world_from_camera
    stamp = Time.from_msg(header.stamp) + Duration(seconds=horizon)
    later = Header(stamp=stamp.to_msg(), frame_id=frame or header.frame_id)
    people: Scene = predicted(scene, scene.stamp + horizon)
    moved = Result(
        later, result.frame, people, result.body, result.resolution, result.everybody, result.up
    )
    return moved, pose


def body_transforms(result: Result, pose: FloatArray = _HERE) -> list[TransformStamped]:
    """
    Make a transform for each person who is not LOST.

    ``pose`` (4, 4) goes from the optical frame to that of the result's header.
    """
    rows = result.visible_rows
    R, t = pose[:3, :3], pose[:3, 3]
    return _transforms(
        result.header,
        [f'body_{result.scene.ids[row]}' for row in rows],
        result.scene.humans.position[rows] @ R.T + t,
        R @ result.body_orientations[rows],
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
