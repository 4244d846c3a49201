# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A robot's own program: decodes one HumanArray and the HumanMeshArray of the same picture."""

import sys
import time

from anny_ros.msg import HumanArray, HumanMeshArray
import numpy as np
import rclpy


def main(namespace):
    rclpy.init()
    node = rclpy.create_node('consumer', namespace=namespace)
    humans, meshes = {}, {}

    def keep(into):
        def callback(message):
            into[message.header.stamp.sec, message.header.stamp.nanosec] = message

        return callback

    node.create_subscription(HumanArray, 'anny/humans', keep(humans), 10)
    node.create_subscription(HumanMeshArray, 'anny/meshes', keep(meshes), 10)
    end = time.monotonic() + 30
    while not humans.keys() & meshes.keys() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    stamp = max(humans.keys() & meshes.keys())
    people, surfaces = humans[stamp].humans, meshes[stamp].meshes
    vertices = np.stack([np.frombuffer(m.vertices, np.float32).reshape(-1, 3) for m in surfaces])
    same = [human.id for human in people] == [mesh.id for mesh in surfaces]
    sys.stdout.write(
        f'people={len(people)} vertices={vertices.shape[1]} mean_z={vertices[..., 2].mean()} '
        f'same_stamp={same}\n'
    )
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main(sys.argv[1])
