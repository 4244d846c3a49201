# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/stats`` and ``/diagnostics``, once a period."""

from __future__ import annotations

import time

from anny_ros.inference import Estimator
from anny_ros.inference.gpu_memory import gpu_memory
from anny_ros.msg import PipelineStats
from anny_ros.parameters import Parameters
from anny_ros.ros import qos
from anny_ros.ros.conversions import floats
from anny_ros.ros.diagnostics import (
    inference_status,
    input_status,
    InputState,
    surroundings_status,
    tracking_status,
)
from anny_ros.ros.inputs import image_topic
from anny_ros.ros.statistics import Report
from anny_ros.ros.work import Work
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header


class Reports:
    """
    Publish how the node does; made when it is configured, sending while it is active.

    Parameters
    ----------
    node : LifecycleNode
    parameters : Parameters
    estimator : Estimator

    """

    def __init__(self, node: LifecycleNode, parameters: Parameters, estimator: Estimator) -> None:
        self._node = node
        self._estimator = estimator
        self._device = parameters.inference.device
        self._period = parameters.diagnostics.period
        self._topic = image_topic(node, parameters)
        compressed = parameters.input.transport == 'compressed'
        kind = CompressedImage if compressed else Image
        self._wanted_type = f'sensor_msgs/msg/{kind.__name__}'
        self._stats = node.create_lifecycle_publisher(
            PipelineStats, '~/stats', qos.results(), qos_overriding_options=qos.overridable()
        )
        self._diagnostics = node.create_lifecycle_publisher(
            DiagnosticArray,
            '/diagnostics',
            qos.results(),
            qos_overriding_options=qos.overridable(),
        )
        self._last = time.monotonic()

    def start(self, work: Work) -> None:
        """Begin to report about what an active node does."""
        self._work = work
        self._last = time.monotonic()
        # The steady clock: a paused simulation must not silence the diagnostics.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(self._period, self.send, clock=steady)

    def stop(self) -> None:
        """Send no more."""
        self._node.destroy_timer(self._timer)

    def close(self) -> None:
        """Give the publishers back."""
        self._node.destroy_lifecycle_publisher(self._stats)
        self._node.destroy_lifecycle_publisher(self._diagnostics)

    def send(self) -> None:
        """Publish both now."""
        now = time.monotonic()
        report = self._work.pipeline.statistics.report(now - self._last)
        self._last = now
        received, dropped = self._work.mailbox.counts
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=report.frame_id)
        self._stats.publish(stats_message(header, received, dropped, report))
        name = self._node.get_fully_qualified_name().lstrip('/')
        model = (self._estimator.name, self._estimator.backend, self._device)
        statuses = [
            input_status(name, self._input_state(received, dropped, now), report),
            inference_status(name, *model, report, gpu_memory()),
            tracking_status(name, report),
            surroundings_status(name, self._work.surroundings.report(), report.frame_id),
        ]
        self._diagnostics.publish(DiagnosticArray(header=header, status=statuses))

    def _input_state(self, received: int, dropped: int, now: float) -> InputState:
        inputs = self._work.inputs
        arrival = None if inputs is None else inputs.last_arrival
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        return InputState(
            enabled=inputs is not None,
            topic=self._topic,
            publisher_types=tuple(info.topic_type for info in publishers),
            wanted_type=self._wanted_type,
            seconds_since_picture=None if arrival is None else now - arrival,
            received=received,
            dropped=dropped,
            camera=self._work.cameras.health,
        )


def stats_message(header: Header, received: int, dropped: int, report: Report) -> PipelineStats:
    """Make the message of a report."""
    return PipelineStats(
        header=header,
        received=received,
        processed=report.processed,
        dropped=dropped,
        rejected=report.rejected,
        rate=report.rate,
        stages=list(report.stage_mean_ms),
        stage_ms_mean=floats(np.array(list(report.stage_mean_ms.values()))),
        stage_ms_max=floats(np.array(list(report.stage_max_ms.values()))),
        people=sum(report.people.values()),
        result_age_ms_mean=_float32(report.age_mean_ms),
        result_age_ms_max=_float32(report.age_max_ms),
    )


def _float32(value: float) -> float:
    """Keep a number inside of what a float32 field takes (a stamp of 0 makes results very old)."""
    return float(np.clip(value, -3e38, 3e38))
