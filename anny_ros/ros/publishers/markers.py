# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/markers``: meshes, skeletons, names and trails for RViz and Foxglove."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.render.colours import track_colour
from anny_ros.render.lines import bone_ends, Trails
from anny_ros.ros import qos
from anny_ros.ros.conversions import xyz
from anny_ros.ros.marker_cdr import MarkerArrayWriter, MarkerSpec
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from anny_ros.types import Scene, TrackState
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

_NAMESPACES = ('mesh', 'skeleton', 'label', 'trail')
_OPACITY = {TrackState.TENTATIVE: 0.5, TrackState.TRACKED: 1.0, TrackState.OCCLUDED: 0.3}
_LABEL_ABOVE_HEAD = 0.3  # metres, in the picture's up direction


class MarkersPublisher(ScenePublisher):
    """
    Publish a MarkerArray for every picture while it is subscribed to.

    A marker is named by its namespace (mesh, skeleton, label, trail) and the track number. The
    meshes are written as bytes: a Python object a vertex would take hundreds of milliseconds.

    """

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(MarkerArray, '~/markers', qos.large_results())
        self._write = MarkerArrayWriter()
        triangles = body.triangles(parameters.publish.mesh)
        self._corners = np.ascontiguousarray(triangles, np.intp).ravel()
        self._bones = bone_ends(body)
        self._trails = Trails()
        self._shown: set[int] = set()

    def wanted(self) -> bool:
        """While somebody listens."""
        wanted = self.subscribed()
        if not wanted:
            self._forget()
        return wanted

    def publish(self, result: Result) -> None:
        """Send the MarkerArray of a picture, with DELETE for people who are gone."""
        scene = result.scene
        numbers = [int(scene.track_numbers[row]) for row in result.visible_rows]
        self._trails.extend(scene, result.visible_rows)
        markers = []
        for number in sorted(self._shown.difference(numbers)):
            markers += [MarkerSpec(name, number, action=Marker.DELETE) for name in _NAMESPACES]
            self._trails.forget(number)
        for index, row in enumerate(result.visible_rows):
            markers += self._person(scene, int(row), result.vertices[index])
        self._shown = set(numbers)
        self._send(result.header, markers)

    def stop(self) -> None:
        """Let viewers delete every marker."""
        self._send(Header(), [MarkerSpec('', 0, action=Marker.DELETEALL)])
        self._forget()

    def _send(self, header: Header, markers: list[MarkerSpec]) -> None:
        stamp = header.stamp
        self._publisher.publish(self._write(header.frame_id, stamp.sec, stamp.nanosec, markers))

    def _forget(self) -> None:
        self._trails.clear()
        self._shown.clear()

    def _person(self, scene: Scene, row: int, vertices: NDArray[np.float32]) -> list[MarkerSpec]:
        number = int(scene.track_numbers[row])
        people = scene.humans
        opacity = _OPACITY[TrackState(int(scene.states[row]))]
        colour = (*track_colour(number), opacity)
        head = xyz(people.head_position[row])
        trail = self._trails[number]
        return [
            MarkerSpec('mesh', number, colour=colour, points=vertices, corners=self._corners),
            MarkerSpec(
                'skeleton',
                number,
                kind=Marker.LINE_LIST,
                scale=(0.015, 0.0, 0.0),
                colour=colour,
                points=people.joint_positions[row],
                corners=self._bones,
            ),
            MarkerSpec(
                'label',
                number,
                kind=Marker.TEXT_VIEW_FACING,
                scale=(0.0, 0.0, 0.15),
                position=(head['x'], head['y'] - _LABEL_ABOVE_HEAD, head['z']),
                text=f'{scene.ids[row]}  {people.stature[row]:.2f} m',
            ),
            MarkerSpec(
                'trail',
                number,
                kind=Marker.LINE_STRIP,
                # A line needs two points; viewers complain about fewer.
                action=Marker.ADD if len(trail) > 1 else Marker.DELETE,
                scale=(0.02, 0.0, 0.0),
                colour=colour,
                points=trail if len(trail) > 1 else None,
            ),
        ]
