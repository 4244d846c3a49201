# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the node would publish for a recording, without a node: messages as on the wire."""

from __future__ import annotations

from typing import Any, Protocol

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.ros.publishers import ScenePublisher
from anny_ros.ros.publishers.body_model import BodyModelPublisher
from anny_ros.ros.publishers.cues import CuesPublisher
from anny_ros.ros.publishers.humans import HumansPublisher
from anny_ros.ros.publishers.markers import MarkersPublisher
from anny_ros.ros.publishers.meshes import MeshesPublisher
from anny_ros.ros.publishers.points import PointsPublisher
from anny_ros.ros.publishers.tf import TfPublisher
from anny_ros.ros.result import Result, shown_people
from anny_ros.types import Frame, Scene
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

# What follows from people and a picture alone. Who is followed is asked of a running node, and
# counts and times (stats, diagnostics) would be those of the command.
_PUBLISHERS: tuple[type[ScenePublisher], ...] = (
    BodyModelPublisher,
    HumansPublisher,
    TfPublisher,
    CuesPublisher,
    PointsPublisher,
    MeshesPublisher,
    MarkersPublisher,
)
_NAMESPACE = '/anny'


class Sink(Protocol):
    """Where messages go."""

    def add_topic(self, topic: str, msgtype: str, latched: bool = False) -> None:
        """Announce a topic, before its first message."""

    def write(self, topic: str, nanoseconds: int, raw: bytes) -> None:
        """Take a message in CDR."""


class OfflinePublishers:
    """
    The node's own publishers, sending to a sink.

    Parameters
    ----------
    sink : Sink
    body : BodyModel
    parameters : Parameters

    """

    def __init__(self, sink: Sink, body: BodyModel, parameters: Parameters) -> None:
        self._body = body
        self._parameters = parameters
        self._node = _Node(sink)
        self._publishers = [kind(self._node, body, parameters) for kind in _PUBLISHERS]
        self._is_started = False

    def scene(self, frame: Frame, scene: Scene, nanoseconds: int, frame_id: str) -> None:
        """
        Send what belongs to one picture.

        Parameters
        ----------
        frame : Frame
        scene : Scene
            Everybody, of every state.
        nanoseconds : int
            Stamp of the picture.
        frame_id : str
            Its optical frame.

        """
        header = Header(frame_id=frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 1_000_000_000)
        self._node.nanoseconds = nanoseconds
        if not self._is_started:
            self._is_started = True
            for publisher in self._publishers:
                publisher.start()
        shown = shown_people(scene, tentative=self._parameters.publish.tentative)
        resolution = self._parameters.publish.mesh
        result = Result(header, frame, shown, self._body, resolution, everybody=scene)
        for publisher in self._publishers:
            if publisher.wanted():
                publisher.publish(result)


class _Node:
    """Of a LifecycleNode what publishers use."""

    def __init__(self, sink: Sink) -> None:
        self.nanoseconds = 0
        self._sink = sink

    def create_publisher(
        self, kind: type[Any], topic: str, qos: QoSProfile, **_: Any
    ) -> _Publisher:
        """Make a publisher whose messages go to the sink."""
        name = topic.replace('~', _NAMESPACE, 1)
        msgtype = f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'
        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        self._sink.add_topic(name, msgtype, latched)
        return _Publisher(self, self._sink, name)

    create_lifecycle_publisher = create_publisher


class _Publisher:
    """Always listened to."""

    def __init__(self, node: _Node, sink: Sink, topic: str) -> None:
        self._node = node
        self._sink = sink
        self._topic = topic

    def get_subscription_count(self) -> int:
        """One: the sink."""
        return 1

    def publish(self, message: Any) -> None:
        """Pass a message on, which may be in CDR already."""
        raw = message if isinstance(message, bytes) else serialize_message(message)
        self._sink.write(self._topic, self._node.nanoseconds, bytes(raw))
