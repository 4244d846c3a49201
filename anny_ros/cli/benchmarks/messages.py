# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Markers as bytes against Point objects, and a mesh from a buffer against one from a list."""

from __future__ import annotations

from typing import Any

from anny_ros.cli.benchmarks.report import CannotMeasure, Report
from anny_ros.cli.benchmarks.timing import side_by_side
import numpy as np

KEYS = ('markers_bytes_over_points', 'mesh_decode_over_list')


def measure(report: Report, seconds: float = 4.0) -> None:
    """Fill in ``KEYS``."""
    try:
        import rclpy
        from visualization_msgs.msg import MarkerArray
    except ImportError as error:
        raise CannotMeasure(f'needs ROS 2 ({error})') from None
    from anny_ros.body import BodyModel

    body = BodyModel.load()
    triangles = np.ascontiguousarray(body.triangles('full'), np.intp)
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(body.num_vertices('full'), 3)).astype(np.float32)
    rclpy.init(args=[])
    try:
        node = rclpy.create_node('anny_bench')
        publisher = node.create_publisher(MarkerArray, 'anny_bench/markers', 1)
        _markers(report, publisher, vertices, triangles.ravel(), seconds)
    finally:
        rclpy.try_shutdown()
    _decoding(report, vertices, seconds / 4)


def _markers(report: Report, publisher: Any, vertices: Any, corners: Any, seconds: float) -> None:
    """Build and publish one person's full mesh, 27,420 triangles, nobody listening."""
    from anny_ros.ros.marker_cdr import MarkerArrayWriter, MarkerSpec
    from geometry_msgs.msg import Point
    from visualization_msgs.msg import Marker, MarkerArray

    spec = MarkerSpec('mesh', 1, points=vertices, corners=corners)
    writer = MarkerArrayWriter()

    def as_points() -> None:
        marker = Marker(type=Marker.TRIANGLE_LIST, action=Marker.ADD, id=1, ns='mesh')
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in vertices[corners].tolist()]
        publisher.publish(MarkerArray(markers=[marker]))

    def as_bytes() -> None:
        publisher.publish(writer('camera', 0, 0, [spec]))

    def with_fresh_buffers() -> None:
        publisher.publish(MarkerArrayWriter()('camera', 0, 0, [spec]))

    points, fresh, reused = side_by_side(as_points, with_fresh_buffers, as_bytes, seconds=seconds)
    report.results['markers_bytes_over_points'] = round(points / reused, 1)
    report.results['markers_bytes_over_points_fresh_buffers'] = round(points / fresh, 1)
    report.results['markers_ms'] = {
        'points': round(points, 3), 'bytes': round(reused, 3), 'bytes_fresh': round(fresh, 3)
    }  # fmt: skip


def _decoding(report: Report, vertices: Any, seconds: float) -> None:
    """Vertices of a received HumanMesh as an array: from its buffer, or from a list of floats."""
    from anny_ros.msg import HumanMesh
    from anny_ros.ros.conversions import floats
    from rclpy.serialization import deserialize_message, serialize_message

    raw = serialize_message(HumanMesh(vertices=floats(vertices)))
    received = deserialize_message(raw, HumanMesh).vertices
    listed = received.tolist()

    def from_buffer() -> object:
        return [np.frombuffer(received, np.float32).reshape(-1, 3) for _ in range(100)]

    def from_list() -> object:
        return np.array(listed, np.float32).reshape(-1, 3)

    buffers, as_list = side_by_side(from_buffer, from_list, seconds=seconds)
    report.results['mesh_decode_over_list'] = round(as_list / (buffers / 100), 1)
