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
MARKERS = '/anny/markers'
RECORDED = '/demo/recorded'

# Topic, type, latched.
_TOPICS: tuple[tuple[str, type[Any], bool], ...] = (
    (HUMANS, HumanArray, False),
    (MESHES, HumanMeshArray, False),
    (BODY_MODEL, BodyModel, True),
    (MARKERS, MarkerArray, False),
    (OVERLAY, Image, False),
    ('/anny/overlay/compressed', CompressedImage, False),
    ('/anny/stats', PipelineStats, False),
    ('/diagnostics', DiagnosticArray, False),
    ('/tf', TFMessage, False),
)
# Begin with the picture's header.
_WITH_HEADER = (HumanArray, HumanMeshArray, Image, CompressedImage)
# Sequences whose elements begin with it.
_OF_STAMPED = (MarkerArray, TFMessage)
# Come with every picture. The large ones are sent with depth 1, so a picture is acknowledged when
# all of them are here: else the next one's replace those that are not yet fetched.
_EVERY_PICTURE = frozenset({HUMANS, MESHES, MARKERS, OVERLAY, f'{OVERLAY}/compressed'})
_PATIENCE = 3.0  # seconds after HumanArray until what is missing is given up
_DEPTH = 20


class Recorder:
    """
    Receive, record, and tell the player on ``RECORDED`` when all of a picture is in the bag.

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
        self._arrived: set[str] = set()
        self._humans: bytes | None = None  # of the picture that is not acknowledged yet
        self._humans_at = 0.0
        self.num_incomplete = 0
        self._node = rclpy.create_node('anny_demo_recorder')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._recorded = self._node.create_publisher(HumanArray, RECORDED, 1)
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
            self._executor.spin_once(timeout_sec=min(left, 0.1))
            if self._humans and time.monotonic() - self._humans_at > _PATIENCE:
                self.num_incomplete += 1
                self._acknowledge()

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
        stamp = self._newest_stamp
        if kind in _WITH_HEADER:
            stamp = self._newest_stamp = _stamp(raw)
        elif kind in _OF_STAMPED and int.from_bytes(raw[4:8], 'little'):
            # after the number of elements; a farewell has no stamp of its own
            stamp = _stamp(raw[:4] + raw[8:]) or stamp
        self._bag.write(topic, stamp, raw)
        self._arrived.add(topic)
        if topic == HUMANS:
            self._humans, self._humans_at = raw, time.monotonic()
            self._on_humans()
        if self._humans and self._arrived >= _EVERY_PICTURE:
            self._acknowledge()

    def _acknowledge(self) -> None:
        assert self._humans is not None
        self._recorded.publish(self._humans)
        self._humans = None
        self._arrived.clear()


def _stamp(raw: bytes) -> int:
    """Stamp in nanoseconds of a message that begins with its header."""
    header = deserialize_message(raw, Header)
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
