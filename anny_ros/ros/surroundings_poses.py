# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where the camera was when a picture was taken, from TF."""

from __future__ import annotations

import time

from anny_ros.errors import InputError
from anny_ros.geometry.rotations import quat_xyzw_to_rotmat
import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from std_msgs.msg import Header
from tf2_ros import Buffer, ExtrapolationException, TransformException, TransformListener


class Poses:
    """
    Listen to TF and answer for the stamps of pictures.

    The executor's thread fills the buffer; ``pose`` is called by the inference thread.

    Parameters
    ----------
    node : LifecycleNode

    """

    def __init__(self, node: LifecycleNode) -> None:
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()

    def pose(
        self, frame: str, parameter: str, header: Header, deadline: float
    ) -> NDArray[np.float64]:
        """
        Look up the optical frame's pose when a picture was taken.

        Only what is on its way is waited for: the frames are known and their newest transform is
        older than the picture.

        Parameters
        ----------
        frame : str
        parameter : str
            Name of the parameter that the frame is from, for error messages.
        header : std_msgs/Header
            The picture's.
        deadline : float, seconds of ``time.monotonic``

        Returns
        -------
        ndarray, (4, 4), float64
            From the optical frame to ``frame``.

        Raises
        ------
        InputError
            If TF does not know it, or not in time.

        """
        source = header.frame_id
        if not source:
            raise InputError(
                f'pictures have no frame_id, so {parameter} cannot be used: let the camera driver '
                'fill in header.frame_id'
            )
        stamp = Time.from_msg(header.stamp)
        try:
            return self._look_up(frame, source, stamp, None)
        except ExtrapolationException:
            pass  # known, but not at that time
        except TransformException as error:
            raise InputError(
                f'there is no transform from {source} to {frame} ({error}): let the robot publish '
                f'it, or correct {parameter}'
            ) from None
        try:
            newest = self._buffer.lookup_transform(frame, source, Time())
            ahead = Time.from_msg(newest.header.stamp).nanoseconds - stamp.nanoseconds
            if ahead < 0:
                wait = max(deadline - time.monotonic(), 0.0)
                return self._look_up(frame, source, stamp, Duration(seconds=wait))
        except TransformException:
            raise InputError(
                f'the transform from {source} to {frame} comes too late: let odometry publish it '
                'sooner, or raise tracking.frame_timeout'
            ) from None
        raise InputError(
            f'the transform from {source} to {frame} is {ahead * 1e-9:.1f} s newer than the '
            'picture: let both take the time from one clock (use_sim_time for a bag)'
        )

    def _look_up(
        self, frame: str, source: str, stamp: Time, timeout: Duration | None
    ) -> NDArray[np.float64]:
        wait = Duration() if timeout is None else timeout
        found = self._buffer.lookup_transform(frame, source, stamp, wait).transform
        q, t = found.rotation, found.translation
        pose = np.eye(4)
        pose[:3, :3] = quat_xyzw_to_rotmat(np.array([q.x, q.y, q.z, q.w]))
        pose[:3, 3] = t.x, t.y, t.z
        return pose
