# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A bag (mcap) of what was received, with the definitions of our own messages inside."""

from __future__ import annotations

from pathlib import Path
import shutil
import tempfile
from types import TracebackType
from typing import Any

from anny_ros.cli.demonstration.share import share_file
from anny_ros.errors import InputError

_OWN_MESSAGES = (
    'BodyModel', 'BodyPose', 'CameraModel', 'Human', 'HumanArray', 'HumanCues', 'HumanCuesArray',
    'HumanMesh', 'HumanMeshArray', 'PipelineStats',
)  # fmt: skip


class BagWriter:
    """
    Write received messages as they came.

    Parameters
    ----------
    path : Path
        Of the .mcap file; it appears when all is written.
    metadata : bool
        Whether its metadata.yaml is put beside it, so that the folder is a bag too.

    Raises
    ------
    InputError
        If the rosbags library or the definitions of our messages are missing, or the folder
        cannot be written to.

    """

    def __init__(self, path: Path, *, metadata: bool = True) -> None:
        try:
            from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        except ImportError:
            raise InputError(
                'writing a bag needs the rosbags library; pip install rosbags'
            ) from None
        self._path = path
        self._metadata = metadata
        self._typestore = own_typestore()
        try:
            self._folder = Path(tempfile.mkdtemp(prefix='.bag-', dir=path.parent))
        except OSError as error:
            raise InputError(
                f'cannot write {str(path)!r}: {error.strerror}; choose a folder that you may '
                'write to'
            ) from None
        self._writer = Writer(
            self._folder / path.stem, version=9, storage_plugin=StoragePlugin.MCAP
        )
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> BagWriter:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.abort()

    def open(self) -> None:
        """Begin to write."""
        self._writer.open()

    def close(self) -> None:
        """Finish the file and put it in its place."""
        try:
            self._writer.close()
            folder = self._folder / self._path.stem
            (folder / self._path.name).replace(self._path)
            if self._metadata:
                (folder / 'metadata.yaml').replace(self._path.with_name('metadata.yaml'))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def abort(self) -> None:
        """Throw away what was written."""
        try:
            self._writer.abort()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add_topic(self, topic: str, msgtype: str, latched: bool = False) -> None:
        """Announce a topic; every message must belong to one."""
        from rosbags.interfaces import (
            Qos,
            QosDurability,
            QosHistory,
            QosLiveliness,
            QosReliability,
            QosTime,
        )

        for_ever = QosTime(0x7FFFFFFF, 0xFFFFFFFF)
        qos = Qos(
            QosHistory.KEEP_LAST,
            1 if latched else 10,
            QosReliability.RELIABLE,
            QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
            for_ever,
            for_ever,
            QosLiveliness.AUTOMATIC,
            for_ever,
            False,
        )
        self._connections[topic] = self._writer.add_connection(
            topic, msgtype, typestore=self._typestore, offered_qos_profiles=[qos]
        )

    def write(self, topic: str, nanoseconds: int, raw: bytes) -> None:
        """Append a message in CDR."""
        self._writer.write(self._connections[topic], nanoseconds, raw)


def own_typestore() -> Any:
    """Types of ROS and ours, as the rosbags library knows them."""
    from rosbags.typesys import get_types_from_msg, get_typestore, Stores

    store = get_typestore(getattr(Stores, 'ROS2_JAZZY', Stores.ROS2_HUMBLE))
    types: dict[str, Any] = {}
    for name in _OWN_MESSAGES:
        path = share_file(f'msg/{name}.msg')
        if path is None:
            raise InputError(
                f'the definition of {name} is missing from this installation; build the package '
                'anew (make setup, or colcon build)'
            )
        types.update(get_types_from_msg(path.read_text(), f'anny_ros/msg/{name}'))
    store.register(types)
    return store
