# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A ROS node that receives every output of the perception node and puts it into a bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import time
from typing import Any

from anny_ros.cli.demonstration.bag import BagWriter
from anny_ros.msg import BodyModel, HumanArray, HumanMeshArray, PipelineStats
from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

HUMANS = '/anny/humans'
MESHES = '/anny/meshes'
BODY_MODEL = '/anny/body_model'
OVERLAY = '/anny/overlay'

# Topic, type, latched.
_TOPICS: tuple[tuple[str, type[Any], bool], ...] = (
    (HUMANS, HumanArray, False),
    (MESHES, HumanMeshArray, False),
    (BODY_MODEL, BodyModel, True),
    ('/anny/markers', MarkerArray, False),
    (OVERLAY, Image, False),
    ('/anny/overlay/compressed', CompressedImage, False),
    ('/anny/stats', PipelineStats, False),
    ('/diagnostics', DiagnosticArray, False),
    ('/tf', TFMessage, False),
)
# Their header is the picture's.
_OF_A_PICTURE = (HumanArray, HumanMeshArray, Image, CompressedImage)
# Large and sent with depth 1: with room here none is lost while another is written.
_DEPTH = 20


class Recorder:
    """
    Receive and record.

    rclpy must be initialised. Messages are kept as they come, undecoded, under the stamp of the
    picture that they belong to; those without one (diagnostics) under the newest picture's.

    Parameters
    ----------
    bag : BagWriter
    on_humans : callable
        Called for each HumanArray.

    """

    def __init__(self, bag: BagWriter, on_humans: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._bag = bag
        self._on_humans = on_humans
        self._newest_stamp = time.time_ns()
        self._node = rclpy.create_node('anny_demo_recorder')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        for topic, kind, latched in _TOPICS:
            self._subscribe(topic, kind, latched)

    def ready(self) -> bool:
        """Whether every topic has found its publisher, and the camera's topic its subscriber."""
        listening = self._node.count_subscribers('/camera/image_raw') > 0
        return listening and all(self._node.count_publishers(t) for t, _, _ in _TOPICS)

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _subscribe(self, topic: str, kind: type[Any], latched: bool) -> None:
        msgtype = f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'
        self._bag.add_topic(topic, msgtype, latched)
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        profile = QoSProfile(
            depth=1 if latched else _DEPTH,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=durability,
        )
        self._node.create_subscription(
            kind, topic, lambda raw: self._take(topic, kind, bytes(raw)), profile, raw=True
        )

    def _take(self, topic: str, kind: type[Any], raw: bytes) -> None:
        self.counts[topic] += 1
        if kind in _OF_A_PICTURE:
            self._newest_stamp = _stamp(raw)
        self._bag.write(topic, self._newest_stamp, raw)
        if topic == HUMANS:
            self._on_humans()


def _stamp(raw: bytes) -> int:
    """Stamp in nanoseconds of a message that begins with its header."""
    header = deserialize_message(raw, Header)
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
