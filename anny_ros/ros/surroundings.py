# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What TF and a depth camera know at the stamp of a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import threading
import time
from typing import TypeVar

from anny_ros.errors import InputError
from anny_ros.geometry.ground import Ground
from anny_ros.parameters import Parameters
from anny_ros.perception import Surroundings, SurroundingsSource
from anny_ros.ros import qos
from anny_ros.ros.depth_pictures import decode_depth, DepthPictures
from anny_ros.ros.surroundings_poses import Poses
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

_DEPTH_TIMEOUT = 0.03  # seconds
_LOG_PERIOD = 5.0  # seconds between two lines about the same trouble

Value = TypeVar('Value')


@dataclass(frozen=True)
class SourceReport:
    """
    How one source of surroundings did.

    Parameters
    ----------
    name : str
        What it is.
    used, missed : int
        Pictures with and without it, since the node was activated.
    fault : str
        Why it was missing in the newest such picture since the last report; empty: in none.

    """

    name: str
    used: int
    missed: int
    fault: str


class SurroundingsWatch:
    """
    Gather surroundings for each picture, as the parameters want.

    Subscriptions are served by the executor's thread, ``source`` and what it gives are called by
    the inference thread, ``report`` by any.

    Parameters
    ----------
    node : LifecycleNode
    parameters : Parameters

    """

    def __init__(self, node: LifecycleNode, parameters: Parameters) -> None:
        self.newest = Surroundings()
        self._node = node
        self._frame = parameters.tracking.frame
        self._timeout = parameters.tracking.frame_timeout
        self._ground_frame = parameters.fusion.ground_frame
        self._depth_mode = parameters.fusion.depth
        self._depth = DepthPictures(parameters.fusion.depth_tolerance)
        self._depth_topic = str(node.resolve_topic_name('depth'))
        self._poses: Poses | None = None
        self._subscription: Subscription | None = None
        self._lock = threading.Lock()
        self._reports: dict[str, SourceReport] = {}

    def start(self) -> None:
        """Subscribe."""
        if self._frame or self._ground_frame:
            self._poses = Poses(self._node)
        if self._depth_mode != 'off':
            self._subscription = self._node.create_subscription(
                Image,
                'depth',
                self._depth.take,
                qos.pictures(),
                qos_overriding_options=qos.overridable(),
            )

    def stop(self) -> None:
        """Unsubscribe; may be called twice."""
        if self._poses is not None:
            self._poses.close()
            self._poses = None
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._depth.clear()

    def source(self, header: Header, width: int, height: int) -> SurroundingsSource | None:
        """
        Begin to watch for what belongs to a picture.

        Parameters
        ----------
        header : std_msgs/Header
            The picture's.
        width, height : int, pixels
            The picture's.

        Returns
        -------
        callable or None
            Gives the surroundings, waiting a little for what is late; also sets ``newest``. None:
            there is nothing to ask.

        """
        self.newest = Surroundings()
        if self._poses is None and self._depth_mode != 'on' and self._depth.silent:
            return None
        self._depth.expect(Time.from_msg(header.stamp).nanoseconds)
        return partial(self._look, header, width, height)

    def report(self) -> list[SourceReport]:
        """Sum up, and begin a new interval."""
        with self._lock:
            reports = list(self._reports.values())
            for one in reports:
                self._reports[one.name] = SourceReport(one.name, one.used, one.missed, '')
        return reports

    def _look(self, header: Header, width: int, height: int) -> Surroundings:
        deadline = time.monotonic() + self._timeout
        pose = ground = None
        if self._poses is not None and self._frame:
            wanted = (self._frame, 'tracking.frame', header, deadline)
            pose = self._tried(f'frame {self._frame}', partial(self._poses.pose, *wanted))
        if self._poses is not None and self._ground_frame:
            known = pose if self._ground_frame == self._frame else None
            ask = partial(self._ground, self._poses, header, deadline, known)
            ground = self._tried(f'floor {self._ground_frame}', ask)
        depth = None
        if self._depth_mode == 'on' or not self._depth.silent:
            depth = self._tried('depth', partial(self._depth_of, header, width, height))
        self.newest = Surroundings(pose, ground, depth)
        return self.newest

    def _ground(
        self, poses: Poses, header: Header, deadline: float, known: NDArray[np.float64] | None
    ) -> Ground:
        frame = self._ground_frame
        if known is None:
            known = poses.pose(frame, 'fusion.ground_frame', header, deadline)
        try:
            return Ground.from_pose(known[:3, :3], known[:3, 3])
        except ValueError as error:
            raise InputError(f'fusion.ground_frame {frame}: {error}') from None

    def _depth_of(self, header: Header, width: int, height: int) -> NDArray[np.float32]:
        message = self._depth.match(_DEPTH_TIMEOUT)
        if message is not None:
            return decode_depth(message, width, height, header.frame_id)
        if self._depth.silent:
            raise InputError(
                f'fusion.depth is on but nothing comes on {self._depth_topic}: start the depth '
                'camera or remap depth'
            )
        raise InputError(
            f'no depth picture on {self._depth_topic} has the stamp of the picture: let the '
            'camera driver synchronise them or raise fusion.depth_tolerance'
        )

    def _tried(self, name: str, ask: Callable[[], Value]) -> Value | None:
        """Ask a source; count and tell what is wrong with it."""
        value, fault = None, ''
        try:
            value = ask()
        except InputError as error:
            fault = str(error)
            self._node.get_logger().warning(
                f'{fault}; doing without', throttle_duration_sec=_LOG_PERIOD
            )
        with self._lock:
            before = self._reports.get(name, SourceReport(name, 0, 0, ''))
            self._reports[name] = SourceReport(
                name,
                before.used + (not fault),
                before.missed + bool(fault),
                fault or before.fault,
            )
        return value
