# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures and intrinsics of a ROS bag (mcap, db3, ROS 1), without a ROS installation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anny_ros.cli.sources import camera_from_k, made_up_header, OPTICAL_FRAME
from anny_ros.cli.sources.ros_image import camera_from_info, decode_compressed, decode_raw
from anny_ros.errors import InputError
from anny_ros.types import Camera, Frame

_RAW = 'sensor_msgs/msg/Image'
_COMPRESSED = 'sensor_msgs/msg/CompressedImage'
_INFO = 'sensor_msgs/msg/CameraInfo'
# More than are read ahead of the one that is worked on.
_HEADERS = 100
# Parts of a topic's name that say that its pictures are not what a camera sees.
_NOT_COLOUR = ('depth', 'disparity', 'mask', 'overlay', 'anonymized', 'debug')


class BagSource:
    """
    One camera of a bag.

    Parameters
    ----------
    path : Path
        A bag's file, or the folder that ``ros2 bag record`` made.
    topic : str or None
        Topic of the pictures, raw or compressed; None finds the only one.
    k : tuple of 0 or 4 floats, pixels
        Intrinsics for pictures without a usable camera_info.

    Raises
    ------
    InputError
        If this is no bag, or it is not clear which topic is meant.

    """

    def __init__(self, path: Path, topic: str | None = None, k: tuple[float, ...] = ()) -> None:
        self._path = path
        self._k = k
        self.fps: float | None = None
        self.warnings: list[str] = []
        self._headers: dict[float, tuple[int, str]] = {}  # of the newest pictures
        self._reader = open_bag(path)
        self._is_open = True
        try:
            topics = {c.topic: c.msgtype for c in self._reader.connections}
            self._topic = topic if topic is not None else _find_topic(path, topics)
            if topics.get(self._topic) not in (_RAW, _COMPRESSED):
                raise InputError(
                    f'{str(path)!r} has no pictures on {self._topic!r}; '
                    f'{_list_of(_image_topics(topics))}'
                )
            self._info_topic = _find_info_topic(self._topic, topics)
            self.num_frames: int | None = sum(
                c.msgcount for c in self._reader.connections if c.topic == self._topic
            )
            seconds = self._reader.duration * 1e-9
            if self.num_frames > 1 and seconds > 0:
                self.fps = (self.num_frames - 1) / seconds
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """Every picture with the newest camera_info; InputError if one cannot be used."""
        wanted = {self._topic, self._info_topic}
        connections = [c for c in self._reader.connections if c.topic in wanted]
        index = 0
        try:
            info = self._first_info()
            for connection, received, raw in self._reader.messages(connections):
                message = self._deserialise(raw, connection)
                if connection.topic == self._info_topic:
                    info = camera_from_info(message) or info
                    continue
                yield self._frame(message, connection.msgtype, received, info, index)
                index += 1
        finally:
            self.close()
        if index == 0:
            raise InputError(f'{str(self._path)!r} holds no picture on {self._topic!r}')

    def header(self, frame: Frame) -> tuple[int, str]:
        """Stamp in nanoseconds, as it was in the bag, and frame id of a picture."""
        return self._headers.get(frame.stamp) or made_up_header(frame)

    def close(self) -> None:
        """Let go of the file."""
        if self._is_open:
            self._is_open = False
            self._reader.close()

    def _frame(
        self, message: Any, msgtype: str, received: int, info: Camera | None, index: int
    ) -> Frame:
        """Make a frame of one message; its stamp, or the time of recording if it has none."""
        try:
            rgb = decode_raw(message) if msgtype == _RAW else decode_compressed(message)
        except InputError as mistake:
            raise InputError(f'picture {index} on {self._topic!r}: {mistake}') from None
        height, width = rgb.shape[:2]
        if info is not None and (info.width, info.height) != (width, height):
            self._warn(
                f'{self._info_topic} is for {info.width}x{info.height} but the pictures are '
                f'{width}x{height}, so it is not used'
            )
            info = None
        header = message.header.stamp
        nanoseconds = header.sec * 1_000_000_000 + header.nanosec
        stamp = header.sec + header.nanosec * 1e-9
        if stamp <= 0:
            self._warn(f'{self._topic} has no stamps, so the times of recording are used')
            nanoseconds, stamp = received, received * 1e-9
        self._headers[stamp] = (int(nanoseconds), message.header.frame_id or OPTICAL_FRAME)
        if len(self._headers) > _HEADERS:
            del self._headers[next(iter(self._headers))]
        return Frame(rgb, stamp, info or camera_from_k(self._k, width, height))

    def _first_info(self) -> Camera | None:
        """Intrinsics for pictures that come before the first camera_info."""
        if self._info_topic is None:
            return None
        connections = [c for c in self._reader.connections if c.topic == self._info_topic]
        for connection, _, raw in self._reader.messages(connections):
            camera = camera_from_info(self._deserialise(raw, connection))
            if camera is None:
                self._warn(f'{self._info_topic} holds no usable intrinsics, so it is not used')
            return camera
        return None

    def _deserialise(self, raw: bytes, connection: Any) -> Any:
        try:
            return self._reader.deserialize(raw, connection.msgtype)
        except Exception as error:
            raise InputError(
                f'a message on {connection.topic!r} of {str(self._path)!r} cannot be read '
                f'({error}); the bag is damaged'
            ) from error

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def open_bag(path: Path) -> Any:
    """Open a bag; whatever the library has against it becomes one sentence."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import get_typestore, Stores
    except ImportError:
        raise InputError(
            'reading a ROS bag needs the rosbags library; pip install rosbags'
        ) from None
    try:
        # For bags without message definitions (db3 before Iron); these three never changed.
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE))
        reader.open()
    except Exception as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise InputError(
            f'{str(path)!r} cannot be read as a ROS bag ({reason}); give the .mcap or .db3 file, '
            'or the folder that holds its metadata.yaml'
        ) from error
    return reader


def _image_topics(topics: dict[str, str]) -> list[str]:
    return sorted(t for t, msgtype in topics.items() if msgtype in (_RAW, _COMPRESSED))


def _list_of(topics: list[str]) -> str:
    return f'its image topics are {", ".join(topics)}' if topics else 'it has no image topic'


def _find_topic(path: Path, topics: dict[str, str]) -> str:
    """Find the only topic that shows colours, raw if it is there raw and compressed."""
    images = _image_topics(topics)
    if not images:
        raise InputError(
            f'{str(path)!r} has no image topic (sensor_msgs Image or CompressedImage); '
            'record the camera too'
        )
    colour = [t for t in images if not any(word in t.lower() for word in _NOT_COLOUR)] or images
    single = [t for t in colour if not (t.endswith('/compressed') and t[:-11] in colour)]
    if len(single) > 1:
        raise InputError(
            f'{str(path)!r} has several image topics; choose one with --topic: {", ".join(single)}'
        )
    return single[0]


def _find_info_topic(topic: str, topics: dict[str, str]) -> str | None:
    """Find the camera_info beside the pictures, or the only one there is."""
    infos = [t for t, msgtype in topics.items() if msgtype == _INFO]
    base = topic[: -len('/compressed')] if topic.endswith('/compressed') else topic
    sibling = base.rpartition('/')[0] + '/camera_info'
    if sibling in infos:
        return sibling
    return infos[0] if len(infos) == 1 else None
