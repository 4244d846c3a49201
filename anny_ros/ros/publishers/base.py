# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The one small interface of all publishers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.result import Result
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle.publisher import LifecyclePublisher
from rclpy.qos import QoSProfile


class ScenePublisher(ABC):
    """
    Publish one kind of output for every picture.

    Made when the node is configured and closed when it is cleaned up; ``start`` and ``stop``
    enclose the time that it is active. ``wanted`` and ``publish`` are called by the inference
    thread, everything else by the executor's while that thread does not run.

    Parameters
    ----------
    node : LifecycleNode
    body : BodyModel
    parameters : Parameters
        As configured; ``parameters`` is replaced when a dynamic one changes.

    """

    def __init__(self, node: LifecycleNode, body: BodyModel, parameters: Parameters) -> None:
        self.node = node
        self.body = body
        self.parameters = parameters
        self._publishers: list[LifecyclePublisher[Any]] = []

    @classmethod
    def allowed(cls, parameters: Parameters) -> bool:
        """Whether it may exist at all under these parameters."""
        return True

    @abstractmethod
    def wanted(self) -> bool:
        """Whether ``publish`` should be called for the next picture."""

    @abstractmethod
    def publish(self, result: Result) -> None:
        """Send what was made of one picture."""

    def start(self) -> None:  # noqa: B027  most need not
        """Do what is due when the node has become active."""

    def stop(self) -> None:  # noqa: B027
        """Tell listeners that nothing more comes; the publishers still send."""

    def close(self) -> None:
        """Give everything back."""
        for publisher in self._publishers:
            self.node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def create(self, kind: type[Any], topic: str, profile: QoSProfile) -> LifecyclePublisher[Any]:
        """Make a publisher that sends only while the node is active."""
        publisher = self.node.create_lifecycle_publisher(
            kind, topic, profile, qos_overriding_options=qos.overridable()
        )
        self._publishers.append(publisher)
        return publisher

    def subscribed(self) -> bool:
        """Whether somebody listens to any of its topics."""
        return any(publisher.get_subscription_count() > 0 for publisher in self._publishers)
