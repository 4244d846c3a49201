# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
An occupancy grid that is marked as nav2_costmap_2d's obstacle layer marks it.

For every point of the newest cloud, seen from a camera at a known place on a robot: skipped if it
is lower or higher than an obstacle may be or farther away than is looked at, else its cell is
marked. Prints the marked cells' middles, metres ahead of and to the left of the camera.
"""

import json
import sys
import time

import numpy as np
import rclpy
from sensor_msgs.msg import PointCloud2

RESOLUTION = 0.05
LEAST_HEIGHT, GREATEST_HEIGHT, GREATEST_RANGE = 0.05, 2.0, 8.0


def marked_cells(points, camera_height):
    """Middles (C, 2) of the cells that points (P, 3) of the optical frame mark."""
    ahead, left, up = points[:, 2], -points[:, 0], camera_height - points[:, 1]
    kept = (up >= LEAST_HEIGHT) & (up <= GREATEST_HEIGHT)
    kept &= np.hypot(ahead, left) <= GREATEST_RANGE
    cells = np.unique(np.floor(np.stack([ahead, left], 1)[kept] / RESOLUTION), axis=0)
    return (cells + 0.5) * RESOLUTION


def main(namespace, camera_height):
    rclpy.init()
    node = rclpy.create_node('costmap', namespace=namespace)
    clouds = []
    node.create_subscription(PointCloud2, 'anny/points', clouds.append, 10)
    end = time.monotonic() + 60
    while not any(cloud.width for cloud in clouds) and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    cloud = next(cloud for cloud in clouds if cloud.width)
    rows = np.frombuffer(bytes(cloud.data), np.uint8).reshape(-1, cloud.point_step)
    points = rows[:, :12].copy().view(np.float32)
    sys.stdout.write(json.dumps(marked_cells(points, camera_height).tolist()))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main(sys.argv[1], float(sys.argv[2]))
