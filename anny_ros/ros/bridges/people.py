# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``people_bridge``: people_msgs/People for social costmap layers, in any TF frame."""

from __future__ import annotations

import sys
from typing import Any

from anny_ros.geometry.rotations import quat_xyzw_to_rotmat
from anny_ros.msg import Human, HumanArray
from anny_ros.ros import qos
from anny_ros.ros.bridges.base import declare, messages_of, run, sources_of
from geometry_msgs.msg import Point
import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

_STATES = {Human.TRACKED: 'tracked', Human.OCCLUDED: 'occluded'}
_LOG_PERIOD = 5.0  # seconds


class PeopleBridge(Node):
    """
    Translate each HumanArray to a People message of the same stamp.

    Parameters
    ----------
    kwargs
        Go to rclpy's Node.

    Raises
    ------
    AnnyError
        If people_msgs is not installed.
    ParameterError
        If a parameter is wrong.

    """

    def __init__(self, **kwargs: Any) -> None:
        people = messages_of('people_msgs', 'people_bridge')
        super().__init__('people_bridge', **kwargs)
        self._messages = people
        sources = sources_of(self)
        self._frame = declare(
            self, 'frame', 'odom', "Frame of the places; empty: the camera's optical frame."
        )
        self._publisher = self.create_publisher(people.People, 'people', qos.results())
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, self)
        for source in sources:
            self.create_subscription(
                HumanArray, f'{source}/humans', self._on_humans, qos.results()
            )

    def _on_humans(self, message: HumanArray) -> None:
        rotation, translation = np.eye(3), np.zeros(3)
        header = message.header
        if self._frame and self._frame != header.frame_id:
            try:
                found = self._buffer.lookup_transform(
                    self._frame, header.frame_id, Time.from_msg(header.stamp)
                ).transform
            except TransformException as error:
                self.get_logger().warning(
                    f'people are not sent: no transform from {header.frame_id} to {self._frame} '
                    f'at the time of the picture ({error}); publish it, or change the parameter '
                    'frame',
                    throttle_duration_sec=_LOG_PERIOD,
                )
                return
            q, t = found.rotation, found.translation
            rotation = quat_xyzw_to_rotmat(np.array([q.x, q.y, q.z, q.w]))
            translation = np.array([t.x, t.y, t.z])
        out = self._messages.People()
        out.header.stamp = header.stamp
        out.header.frame_id = self._frame or header.frame_id
        out.people = [
            self._person(human, rotation, translation)
            for human in message.humans
            if human.state in _STATES
        ]
        self._publisher.publish(out)

    def _person(self, human: Human, rotation: np.ndarray, translation: np.ndarray) -> Any:
        place, moving = human.pose.pose.position, human.twist.twist.linear
        position = rotation @ [place.x, place.y, place.z] + translation
        velocity = np.nan_to_num(rotation @ [moving.x, moving.y, moving.z])
        return self._messages.Person(
            name=human.id,
            position=Point(x=position[0], y=position[1], z=position[2]),
            velocity=Point(x=velocity[0], y=velocity[1], z=velocity[2]),
            reliability=float(np.clip(human.score, 0.0, 1.0)),
            tagnames=['state'],
            tags=[_STATES[human.state]],
        )


def main(args: list[str] | None = None) -> int:
    """Run the bridge; the exit status is 2 for a user's mistake."""
    return run(PeopleBridge, 'people_bridge', args)


if __name__ == '__main__':
    sys.exit(main())
