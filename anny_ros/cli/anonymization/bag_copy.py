# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A ROS 2 bag copied message by message, with some topics' pictures replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import shutil
import tempfile
from typing import Any

from anny_ros.cli.sources.bag import open_bag
from anny_ros.cli.sources.ros_image import decode_compressed, decode_raw
from anny_ros.errors import InputError
import cv2
import numpy as np
from numpy.typing import NDArray

_RAW = 'sensor_msgs/msg/Image'
_COMPRESSED = 'sensor_msgs/msg/CompressedImage'
# Pictures that are not colours (depth, disparity) or that cannot be read here.
_OTHER_PICTURES = frozenset(
    {
        'stereo_msgs/msg/DisparityImage',
        'theora_image_transport/msg/Packet',
        'ffmpeg_image_transport_msgs/msg/FFMPEGPacket',
        'foxglove_msgs/msg/CompressedVideo',
        'foxglove_msgs/msg/CompressedImage',
        'foxglove_msgs/msg/RawImage',
    }
)
_WRITTEN_AS_THEY_WERE = {
    'rgb8': None,
    'bgr8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGB2RGBA,
    'bgra8': cv2.COLOR_RGB2BGRA,
    'mono8': cv2.COLOR_RGB2GRAY,
}
_JPEG_QUALITY = 92
_NO_DIGEST = 'RIHS01_' + 64 * '0'


class BagToCopy:
    """
    A bag whose colour pictures can be read and replaced.

    Parameters
    ----------
    path : Path
        A bag's file, or its folder.
    drop, keep : set of str
        Topics to leave out; topics to copy as they are although they hold pictures.

    Attributes
    ----------
    picture_topics : list of str
        Those whose pictures are replaced.

    Raises
    ------
    InputError
        If it cannot be read, is of ROS 1, or holds pictures that cannot be anonymised and are
        neither dropped nor kept.

    """

    def __init__(self, path: Path, drop: set[str], keep: set[str]) -> None:
        self.path = path
        self._reader = open_bag(path)
        try:
            self._check(drop, keep)
        except BaseException:
            self.close()
            raise

    def _check(self, drop: set[str], keep: set[str]) -> None:
        if not self._reader.is2:
            raise InputError(
                f'{str(self.path)!r} is a bag of ROS 1; convert it first with rosbags-convert'
            )
        topics = {c.topic: c.msgtype for c in self._reader.connections}
        unknown = sorted((drop | keep) - set(topics))
        if unknown:
            raise InputError(
                f'{str(self.path)!r} has no topic {unknown[0]!r}; it has '
                f'{", ".join(sorted(topics))}'
            )
        self._drop = drop
        self.picture_topics = []
        for topic, msgtype in sorted(topics.items()):
            if topic in drop | keep:
                continue
            if msgtype in _OTHER_PICTURES or (
                msgtype in (_RAW, _COMPRESSED) and not self._is_colour(topic)
            ):
                raise InputError(
                    f'{topic!r} holds pictures ({msgtype}) in which people cannot be found; leave '
                    f'it out with --drop {topic}, or copy it as it is with --keep {topic}'
                )
            if msgtype in (_RAW, _COMPRESSED):
                self.picture_topics.append(topic)
        if not self.picture_topics:
            raise InputError(f'{str(self.path)!r} has no colour pictures: nothing to anonymize')

    def count(self, topic: str | None = None) -> int:
        """Count the messages of a topic, or of all."""
        return sum(c.msgcount for c in self._reader.connections if topic in (None, c.topic))

    def pictures(self, topic: str) -> Iterator[tuple[float, NDArray[np.uint8] | None]]:
        """Stamp and RGB picture of every message of a topic; None for one that is broken."""
        chosen = [c for c in self._reader.connections if c.topic == topic]
        for connection, received, raw in self._reader.messages(chosen):
            message = self._reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
            yield stamp if stamp > 0 else received * 1e-9, self._decode(message, connection)

    def copy(
        self,
        output: Path,
        replace: Callable[[str, NDArray[np.uint8] | None], NDArray[np.uint8] | None],
        done: Callable[[], object],
    ) -> None:
        """
        Write the bag anew.

        Parameters
        ----------
        output : Path
            ``.mcap`` or ``.db3``, or a folder as ``ros2 bag record`` makes it; it appears when
            all is written.
        replace : callable
            From topic and picture to the new one; None leaves the message out. Called for every
            message of ``picture_topics``, in the order of ``pictures``.
        done : callable
            Called after each message.

        """
        from rosbags.rosbag2 import StoragePlugin, Writer

        plugin = StoragePlugin.SQLITE3 if output.suffix == '.db3' else StoragePlugin.MCAP
        folder = Path(tempfile.mkdtemp(prefix=f'.{output.stem}-', dir=output.parent))
        try:
            writer = Writer(folder / output.stem, version=9, storage_plugin=plugin)
            with writer:
                self._write(writer, replace, done)
            written = folder / output.stem
            if output.suffix in ('.mcap', '.db3'):
                written = written / f'{output.stem}{output.suffix}'
            written.replace(output)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader.stack:
            self._reader.close()

    def _write(
        self,
        writer: Any,
        replace: Callable[[str, NDArray[np.uint8] | None], NDArray[np.uint8] | None],
        done: Callable[[], object],
    ) -> None:
        targets = {}
        for connection in self._reader.connections:
            if connection.topic not in self._drop:
                targets[connection.id, id(connection.owner)] = writer.add_connection(
                    connection.topic,
                    connection.msgtype,
                    msgdef=connection.msgdef.data or '',
                    rihs01=connection.digest or _NO_DIGEST,
                    serialization_format=connection.ext.serialization_format,
                    offered_qos_profiles=connection.ext.offered_qos_profiles,
                )
        for connection, time, raw in self._reader.messages():
            target = targets.get((connection.id, id(connection.owner)))
            if target is not None and connection.topic in self.picture_topics:
                message = self._reader.deserialize(raw, connection.msgtype)
                new = replace(connection.topic, self._decode(message, connection))
                if new is not None:
                    writer.write(target, time, self._encode(message, connection.msgtype, new))
            elif target is not None:
                writer.write(target, time, bytes(raw))
            done()

    def _is_colour(self, topic: str) -> bool:
        """Whether the first picture of a topic can be read as colours or grey."""
        for _, picture in self.pictures(topic):
            return picture is not None
        return True

    def _decode(self, message: Any, connection: Any) -> NDArray[np.uint8] | None:
        try:
            raw = connection.msgtype == _RAW
            return decode_raw(message) if raw else decode_compressed(message)
        except InputError:
            return None

    def _encode(self, message: Any, msgtype: str, rgb: NDArray[np.uint8]) -> bytes:
        """Serialise the message with another picture, in its own encoding where that can be."""
        from dataclasses import replace

        if msgtype == _COMPRESSED:
            png = 'png' in message.format.lower()
            how = [] if png else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            _, coded = cv2.imencode('.png' if png else '.jpg', rgb[..., ::-1], how)
            changed = replace(message, data=np.asarray(coded, np.uint8).reshape(-1))
        else:
            encoding = message.encoding if message.encoding in _WRITTEN_AS_THEY_WERE else 'rgb8'
            conversion = _WRITTEN_AS_THEY_WERE[encoding]
            pixels = rgb if conversion is None else cv2.cvtColor(rgb, conversion)
            data = np.ascontiguousarray(pixels, np.uint8).reshape(-1)
            changed = replace(
                message, encoding=encoding, step=len(data) // rgb.shape[0], data=data,
                height=rgb.shape[0], width=rgb.shape[1],
            )  # fmt: skip
        return bytes(self._reader.typestore.serialize_cdr(changed, msgtype))
