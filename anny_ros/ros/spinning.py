# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How every node of ours is spun."""

from __future__ import annotations

import threading

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

_POLL = 0.2  # seconds between two looks at whether a signal came


def spin(node: Node, stop: threading.Event) -> None:
    """Spin until ``stop`` is set or the ROS context ends."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    try:
        while node.context.ok() and not stop.is_set():
            executor.spin_once(timeout_sec=_POLL)
    except ExternalShutdownException:
        pass
    finally:
        executor.shutdown()
