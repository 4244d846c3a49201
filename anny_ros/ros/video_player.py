# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Play a clip as if it were a camera.

Publishes ``image`` (sensor_msgs/Image, rgb8) and, when its intrinsics are given,
``camera_info``. Ends with the clip unless it loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import sys
import threading
import time
from typing import Any

from anny_ros.cli.sources.video import VideoSource
from anny_ros.errors import AnnyError, ParameterError
from anny_ros.msg import HumanArray
from anny_ros.ros import qos
from anny_ros.ros.pictures import encode_image
from anny_ros.ros.signals import stop_on_signal
from anny_ros.types import Frame
from rcl_interfaces.msg import ParameterDescriptor
import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

_USUAL_FPS = 30.0
_USER_MISTAKE = 2  # exit status
_POLL = 0.1  # seconds
_LISTENER_TIMEOUT = 60.0  # seconds
_RESULT_TIMEOUT = 10.0  # seconds
_MATCHING = 0.5  # seconds

# Name, default, description.
_PARAMETERS: tuple[tuple[str, Any, str], ...] = (
    ('video', '', 'Path of the clip.'),
    ('rate', 0.0, 'Pictures in a second [Hz]; 0 is the rate of the clip.'),
    ('loop', False, 'Begin again at the end; stamps go on increasing.'),
    (
        'stamps',
        'clock',
        'clock: when a picture is published; clip: start of the node plus its time in the clip, '
        'whatever the rate.',
    ),
    (
        'wait_for_results',
        False,
        'Publish a picture only when the people of the one before were published on anny/humans, '
        'so that none is dropped; rate is then an upper limit.',
    ),
    (
        'wait_for_subscriber',
        5.0,
        'How long to wait for somebody to subscribe to image before playing [s], so that the '
        'beginning is not lost while nodes find each other.',
    ),
    (
        'k',
        Parameter.Type.DOUBLE_ARRAY,
        'Intrinsics fx, fy, cx, cy [px] for camera_info; not set: none is published.',
    ),
    ('frame_id', 'camera_optical_frame', 'Frame of the pictures.'),
)


class VideoPlayer(Node):
    """
    Publish the pictures of a clip.

    Parameters
    ----------
    kwargs
        Go to rclpy's Node.

    Raises
    ------
    AnnyError
        If the clip cannot be opened or a parameter is wrong.

    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('video_player', **kwargs)
        values = self._declare()
        self._path = Path(values['video'])
        self._k = tuple(values['k'] or ())
        self._loop: bool = values['loop']
        self._wait: bool = values['wait_for_results']
        self._clip_time: bool = values['stamps'] == 'clip'
        self._patience: float = values['wait_for_subscriber']
        self._frame_id: str = values['frame_id']
        self._check(values)
        self._source = VideoSource(self._path)
        self._fps = self._source.fps or _USUAL_FPS
        self._period = 1.0 / (values['rate'] or self._fps)
        options = qos.overridable
        self._images = self.create_publisher(
            Image, 'image', qos.pictures(), qos_overriding_options=options()
        )
        self._infos = None
        if self._k:
            self._infos = self.create_publisher(
                CameraInfo, 'camera_info', qos.pictures(), qos_overriding_options=options()
            )
        self._awaited: tuple[int, int] | None = None
        if self._wait:
            self._results = self.create_subscription(
                HumanArray, 'anny/humans', self._take_result, qos.results()
            )

    def play(self, stop: threading.Event) -> int:
        """
        Publish until the end of the clip or until ``stop`` is set.

        Returns
        -------
        int
            How many pictures were published.

        """
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self)

        def spin_until(done: Callable[[], bool], seconds: float) -> bool:
            end = time.monotonic() + seconds
            while not (done() or stop.is_set()) and (left := end - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=min(left, _POLL))
            return done()

        def never() -> bool:
            return False

        try:
            if self._wait and not spin_until(self._has_listener, _LISTENER_TIMEOUT):
                self.get_logger().warning('nobody subscribes to image and answers; playing anyway')
            if not self._wait and spin_until(self._has_subscriber, self._patience):
                spin_until(never, _MATCHING)  # the other side may find us a little later
            start, due, count = self.get_clock().now(), time.monotonic(), 0
            for clip_seconds, frame in self._pictures():
                executor.spin_once(timeout_sec=0)
                spin_until(never, due - time.monotonic())
                if stop.is_set():
                    break
                due = max(due + self._period, time.monotonic())
                self._publish(frame, start, clip_seconds)
                count += 1
                if self._wait and not spin_until(self._is_answered, _RESULT_TIMEOUT):
                    self.get_logger().warning(
                        f'no result of picture {count} within {_RESULT_TIMEOUT:g} s; going on'
                    )
            self.get_logger().info(f'published {count} pictures')
            return count
        finally:
            executor.shutdown()

    def _pictures(self) -> Iterator[tuple[float, Frame]]:
        """Every picture with its time since the first, across the loops."""
        offset, source = 0.0, self._source
        while True:
            first, seconds = None, 0.0
            for frame in source.frames():
                first = frame.stamp if first is None else first
                seconds = offset + frame.stamp - first
                yield seconds, frame
            if not self._loop:
                return
            offset = seconds + 1.0 / self._fps
            source = VideoSource(self._path)

    def _publish(self, frame: Frame, start: Time, clip_seconds: float) -> None:
        if self._clip_time:
            stamp = Time(
                nanoseconds=start.nanoseconds + round(clip_seconds * 1e9),
                clock_type=start.clock_type,
            )
        else:
            stamp = self.get_clock().now()
        header = Header(stamp=stamp.to_msg(), frame_id=self._frame_id)
        self._awaited = (header.stamp.sec, header.stamp.nanosec)
        if self._infos is not None:
            height, width = frame.rgb.shape[:2]
            self._infos.publish(camera_info(header, self._k, width, height))
        self._images.publish(encode_image(frame.rgb, header))

    def _take_result(self, message: HumanArray) -> None:
        if (message.header.stamp.sec, message.header.stamp.nanosec) == self._awaited:
            self._awaited = None

    def _is_answered(self) -> bool:
        return self._awaited is None

    def _has_subscriber(self) -> bool:
        return self._images.get_subscription_count() > 0

    def _has_listener(self) -> bool:
        answers = self.count_publishers(self._results.topic_name) > 0
        return answers and self._has_subscriber()

    def _declare(self) -> dict[str, Any]:
        values = {}
        for name, default, description in _PARAMETERS:
            descriptor = ParameterDescriptor(description=description, read_only=True)
            try:
                self.declare_parameter(name, default, descriptor)
            except InvalidParameterTypeException as error:
                raise ParameterError(
                    f'{name}: {error}; in ROS a whole number given for a float needs its point, '
                    'as in 25.0'
                ) from None
            values[name] = self.get_parameter_or(name).value
        return values

    def _check(self, values: dict[str, Any]) -> None:
        if not values['video']:
            raise ParameterError('video is not set; add -p video:=/path/to/clip.mp4')
        if not self._path.is_file():
            raise ParameterError(f'there is no file {values["video"]!r}; correct video')
        if not 0.0 <= self._patience <= 3600.0:
            raise ParameterError(f'wait_for_subscriber must be 0..3600 s, got {self._patience:g}')
        if values['stamps'] not in ('clock', 'clip'):
            raise ParameterError(f'stamps must be clock or clip, got {values["stamps"]!r}')
        if not 0.0 <= values['rate'] <= 1000.0:
            raise ParameterError(f'rate must be 0..1000 Hz, got {values["rate"]:g}')
        if len(self._k) not in (0, 4) or (self._k and min(self._k[:2]) <= 0):
            raise ParameterError(f'k must be fx, fy, cx, cy with fx, fy > 0, got {list(self._k)}')


def camera_info(header: Header, k: tuple[float, ...], width: int, height: int) -> CameraInfo:
    """Make the camera_info of a camera without distortion."""
    fx, fy, cx, cy = k
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def main(args: list[str] | None = None) -> int:
    """Play until the end or a signal; the exit status is 2 for a user's mistake."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    player = None
    try:
        with stop_on_signal() as stop:
            player = VideoPlayer()
            player.play(stop)
    except AnnyError as error:
        get_logger('video_player').fatal(str(error))
        return _USER_MISTAKE
    except ExternalShutdownException:
        pass
    finally:
        if player is not None:
            player.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
