# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/points``: sparse surfaces of people, for costmaps and collision monitors."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.result import Result
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('track_number', '<u4')])
_FIELDS = [
    PointField(name='x', offset=0, datatype=PointField.FLOAT32, count=1),
    PointField(name='y', offset=4, datatype=PointField.FLOAT32, count=1),
    PointField(name='z', offset=8, datatype=PointField.FLOAT32, count=1),
    PointField(name='track_number', offset=12, datatype=PointField.UINT32, count=1),
]


class PointsPublisher(ScenePublisher):
    """
    Publish a PointCloud2 for every picture while it is subscribed to.

    People who are occluded are in it where they are predicted to be; an empty cloud says that
    nobody is there.
    """

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        super().__init__(node, body, parameters)
        self._publisher = self.create(PointCloud2, '~/points', qos.large_results())
        self._spacing = 0.0
        self._resolution = ''
        self._vertices = np.zeros(0, np.intp)

    def wanted(self) -> bool:
        """While somebody listens."""
        return self.subscribed()

    def publish(self, result: Result) -> None:
        """Send the surface points of everybody who is not LOST."""
        chosen = self.parameters.points
        if chosen.spacing != self._spacing:
            self._spacing = chosen.spacing
            self._resolution, self._vertices = sparse_vertices(self.body, chosen.spacing)
        rows = result.visible_rows
        surfaces = self.body.vertices(result.scene.humans[rows], self._resolution)
        points = surfaces[:, self._vertices]  # (M, P, 3)
        soles = result.scene.humans.ground_position[rows]
        height = (points - soles[:, None]) @ np.asarray(result.up, np.float32)  # (M, P)
        kept = (height >= chosen.min_height) & (height <= chosen.max_height)
        numbers = np.broadcast_to(result.scene.track_numbers[rows, None], kept.shape)
        self._publisher.publish(point_cloud(result.header, points[kept], numbers[kept]))


def sparse_vertices(body: BodyModel, spacing: float) -> tuple[str, NDArray[np.intp]]:
    """
    Choose vertices of the body about so far apart.

    Parameters
    ----------
    body : BodyModel
    spacing : float, metres

    Returns
    -------
    resolution : str
        Coarsest surface whose vertices lie close enough.
    index : ndarray, (P,)
        One vertex for each cube of that size that the standing body passes through.

    """
    for resolution in ('coarse', 'full'):
        surface = body.rest_surface(resolution)  # (V, 3)
        cubes = np.floor(surface / spacing).astype(np.int64)
        _, index = np.unique(cubes, axis=0, return_index=True)
        # Most cubes hold several vertices: the surface has enough of them.
        if len(index) < 0.7 * len(surface):
            break
    return resolution, np.sort(index)


def point_cloud(header: Header, points: FloatArray, numbers: NDArray[np.uint32]) -> PointCloud2:
    """Make a cloud of points (P, 3) with the track number (P,) of each."""
    rows = np.empty(len(points), _POINT)
    for column, name in enumerate('xyz'):
        rows[name] = points[:, column]
    rows['track_number'] = numbers
    cloud = PointCloud2(
        header=header,
        height=1,
        width=len(rows),
        fields=_FIELDS,
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=rows.nbytes,
        is_dense=True,
    )
    cloud.data = rows.tobytes()
    return cloud
