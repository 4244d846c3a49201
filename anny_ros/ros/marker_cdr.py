# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A visualization_msgs/MarkerArray written as CDR bytes, straight from numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anny_ros.ros.cdr import CdrWriter
import numpy as np
from numpy.typing import NDArray
from visualization_msgs.msg import Marker

_IDENTITY = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class MarkerSpec:
    """
    What is ours to say about one marker; the rest of the message stays at its default.

    Parameters
    ----------
    namespace, number : str, int
        Together they name the marker in a viewer.
    kind, action : int
        Constants of visualization_msgs/Marker.
    scale : tuple of 3 floats, metres
        Meaning by kind.
    colour : tuple of 4 floats
        Red, green, blue, opacity, each 0..1.
    position : tuple of 3 floats, metres
        In the frame of the header; points are relative to it.
    points : ndarray, (N, 3), metres, or None
        Any float type.
    corners : ndarray, (M,), integer, or None
        Rows of ``points`` to send, in order (three a triangle, two a line); None: each once.
    text : str
        For TEXT_VIEW_FACING.

    """

    namespace: str
    number: int
    kind: int = Marker.TRIANGLE_LIST
    action: int = Marker.ADD
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    points: NDArray[np.floating[Any]] | None = None
    corners: NDArray[np.integer[Any]] | None = None
    text: str = ''


class MarkerArrayWriter:
    """Write MarkerArrays into memory that is used again for each."""

    def __init__(self) -> None:
        self._writer = CdrWriter()

    def __call__(
        self, frame_id: str, sec: int, nanosec: int, markers: Sequence[MarkerSpec]
    ) -> bytes:
        """
        Serialise a MarkerArray.

        Parameters
        ----------
        frame_id, sec, nanosec : str, int, int
            Header of every marker.
        markers : sequence of MarkerSpec

        Returns
        -------
        bytes
            For ``publish`` of a publisher of visualization_msgs/MarkerArray.

        """
        self._writer.clear()
        self._writer.numbers('I', len(markers))
        for marker in markers:
            self._write(frame_id, sec, nanosec, marker)
        return self._writer.to_bytes()

    def _write(self, frame_id: str, sec: int, nanosec: int, marker: MarkerSpec) -> None:
        """Write the fields of visualization_msgs/Marker in their order."""
        out = self._writer
        out.numbers('iI', sec, nanosec)
        out.string(frame_id)
        out.string(marker.namespace)
        out.numbers('iii', marker.number, marker.kind, marker.action)
        out.numbers('7d', *marker.position, *_IDENTITY)
        out.numbers('3d', *marker.scale)
        out.numbers('4f', *marker.colour)
        out.numbers('iI', 0, 0)  # lifetime: for ever
        out.numbers('B', 0)  # frame_locked
        self._points(marker)
        out.numbers('I', 0)  # colors
        out.string('')  # texture_resource
        out.numbers('iI', 0, 0)  # texture: stamp, then frame, format, data
        out.strings(('', ''))
        out.numbers('I', 0)
        out.numbers('I', 0)  # uv_coordinates
        out.string(marker.text)
        out.string('')  # mesh_resource
        out.string('')  # mesh_file: filename, data
        out.numbers('I', 0)
        out.numbers('B', 0)  # mesh_use_embedded_materials

    def _points(self, marker: MarkerSpec) -> None:
        if marker.points is None:
            self._writer.numbers('I', 0)
            return
        points = marker.points
        count = len(points) if marker.corners is None else len(marker.corners)
        self._writer.numbers('I', count)
        room = self._writer.doubles(3 * count).reshape(-1, 3)
        if marker.corners is None:
            room[:] = points
        else:
            # 'clip' lets numpy write straight into the message; 'raise' would go round a buffer.
            doubles = np.ascontiguousarray(points, np.float64)
            np.take(doubles, marker.corners, axis=0, out=room, mode='clip')
