# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/followed_pose``: where the selected person is, and ``~/select_human``, which selects."""

from __future__ import annotations

import threading

from anny_ros.body import BodyModel
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.conversions import quaternion, xyz
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from anny_ros.srv import SelectHuman
from anny_ros.tracking.selection import Selection, SelectionMode
from anny_ros.types import TrackState
from geometry_msgs.msg import Point, PoseStamped
from rclpy.lifecycle import LifecycleNode


class FollowedPosePublisher(ScenePublisher):
    """
    Publish the pose of the followed person for every picture in which they are not LOST.

    While they are occluded it is where they are predicted to be. When nothing is sent any more,
    there is nobody to follow: consumers stop by their own timeout.
    """

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(PoseStamped, '~/followed_pose', qos.results())
        self._lock = threading.Lock()  # the service runs in the executor's thread
        self._selection = Selection()
        self._selection.select(SelectionMode[parameters.follow.select.upper()])
        self._newest: Result | None = None
        self._service = node.create_service(SelectHuman, '~/select_human', self._select)

    def wanted(self) -> bool:
        """Say yes: whom to follow is settled by every picture, whoever listens."""
        return True

    def publish(self, result: Result) -> None:
        """Send the pose, if somebody is followed."""
        with self._lock:
            self._newest = result
            row = self._row(result)
        if row is None or result.scene.states[row] == TrackState.LOST:
            return
        pose = PoseStamped(header=result.header)
        pose.pose.position = Point(**xyz(result.scene.humans.position[row]))
        (xyzw,) = rotmat_to_quat_xyzw(result.body_orientations[[row]])
        pose.pose.orientation = quaternion(xyzw)
        self._publisher.publish(pose)

    def stop(self) -> None:
        """Forget the scene; the choice stays."""
        with self._lock:
            self._newest = None

    def close(self) -> None:
        """Take the service away too."""
        self.node.destroy_service(self._service)
        super().close()

    def _row(self, result: Result) -> int | None:
        if self._selection.mode == SelectionMode.NOBODY:
            return None
        cues = result.cues
        return self._selection.update(result.scene, cues.distance, cues.raised_hands)

    def _select(
        self, request: SelectHuman.Request, response: SelectHuman.Response
    ) -> SelectHuman.Response:
        with self._lock:
            scene = None if self._newest is None else self._newest.scene
            known = () if scene is None else scene.ids
            try:
                mode = SelectionMode(request.mode)
            except ValueError:
                response.message = (
                    f'mode must be 0 (nobody), 1 (by id), 2 (nearest) or 3 (raised hand), got '
                    f'{request.mode}'
                )
                return response
            if mode == SelectionMode.BY_ID and request.id not in known:
                response.message = (
                    f'nobody of id {request.id!r} is being tracked; known: '
                    f'{", ".join(known) or "nobody"}'
                )
                return response
            self._selection.select(mode, request.id)
            row = None if self._newest is None else self._row(self._newest)
        response.success = True
        if mode == SelectionMode.NOBODY:
            response.message = 'nobody is followed'
        elif row is None or scene is None:
            response.message = 'waiting for somebody to follow'
        else:
            response.track_number = int(scene.track_numbers[row])
            response.message = f'{scene.ids[row]} is followed'
        return response
