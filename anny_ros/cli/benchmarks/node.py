# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the node adds to the bare estimator, and what it does under too many pictures."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import tempfile
import time
from typing import Any

from anny_ros.cli.benchmarks.report import CannotMeasure, Report
import numpy as np

KEYS = ('node_overhead_ms', 'overload')

_SIZE = (480, 640)
_PEOPLE = 3
_STARTING = 120.0
_WARM_UP = 2.0  # seconds that are not counted
_PAGE = os.sysconf('SC_PAGE_SIZE') if hasattr(os, 'sysconf') else 4096


@dataclass(frozen=True)
class Answers:
    """
    What came of a stream of pictures.

    Parameters
    ----------
    ages_ms : ndarray, (N,)
        From publishing a picture to receiving its people.
    sent : int
    rss_growth_mb : float
        Of the node, between the end of the warm-up and the end.
    stages_ms : dict of str to float
        Mean of each stage within the node, over its last report.

    """

    ages_ms: np.ndarray[Any, np.dtype[np.float64]]
    sent: int
    rss_growth_mb: float
    stages_ms: dict[str, float]


def measure(report: Report, seconds: float = 10.0) -> None:
    """
    Fill in ``KEYS``, over real DDS with the node in a process of its own.

    The estimator is a stand-in that takes a known time, so what is left is the node: picture in,
    decoding, tracker, messages out, and the way through DDS both ways.
    """
    try:
        import anny_ros.msg  # noqa: F401
        import rclpy  # noqa: F401
    except ImportError as error:
        raise CannotMeasure(f'needs ROS 2 and the built messages ({error})') from None
    estimator_ms = 5.0
    calm = stream(estimator_ms, rate=30.0, seconds=seconds)
    overhead = calm.ages_ms - estimator_ms
    report.results['node_overhead_ms'] = _percentiles(overhead, 50, 99)
    report.results['node_overhead_pictures'] = {'sent': calm.sent, 'answered': len(overhead)}
    report.results['node_stages_ms_mean'] = {k: round(v, 2) for k, v in calm.stages_ms.items()}
    slow_ms = 80.0
    busy = stream(slow_ms, rate=60.0, seconds=seconds)
    report.results['overload'] = {
        'age_ms_p99': _percentiles(busy.ages_ms, 99)['p99'],
        'inference_ms_p50': slow_ms,
        'rss_growth_mb': round(busy.rss_growth_mb, 2),
        'sent': busy.sent,
        'answered': len(busy.ages_ms),
    }


def stream(estimator_ms: float, rate: float, seconds: float) -> Answers:
    """
    Send pictures to a node whose estimator takes a given time.

    The environment of this process must keep the graph private and name the Fast DDS profile.

    Parameters
    ----------
    estimator_ms : float
    rate : float, Hz
    seconds : float
        After the warm-up.

    Returns
    -------
    Answers

    """
    from anny_ros.cli.demonstration.graph import Child

    settings = ['--ros-args', '-p', 'camera.info_timeout:=0.0']
    arguments = [str(estimator_ms), str(_PEOPLE), *settings]
    module = 'anny_ros.cli.benchmarks.standin_node'
    with tempfile.TemporaryDirectory() as folder:
        child = Child('node', module, arguments, Path(folder), {})
        try:
            return _converse(child, rate, seconds)
        finally:
            child.stop()


def _converse(child: Any, rate: float, seconds: float) -> Answers:
    from anny_ros.msg import HumanArray, PipelineStats
    from anny_ros.ros import qos
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import Image

    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node('anny_bench_camera', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    ages: list[tuple[float, float]] = []
    sent_at: dict[tuple[int, int], float] = {}

    def take(message: Any) -> None:
        now = time.perf_counter()
        start = sent_at.pop((message.header.stamp.sec, message.header.stamp.nanosec), None)
        if start is not None:
            ages.append((start, 1e3 * (now - start)))

    node.create_subscription(HumanArray, 'anny/humans', take, qos.results())
    stages: dict[str, float] = {}

    def take_stats(message: Any) -> None:
        stages.update(zip(message.stages, map(float, message.stage_ms_mean), strict=True))

    node.create_subscription(PipelineStats, 'anny/stats', take_stats, qos.results())
    publisher = node.create_publisher(Image, 'image', qos.pictures())
    picture = _picture(*_SIZE)
    try:
        _wait_for(node, publisher, executor, child)
        begin = time.perf_counter()
        end = begin + _WARM_UP + seconds
        due, num_sent, rss = begin, 0, None
        while (now := time.perf_counter()) < end:
            if now >= due:
                due += 1.0 / rate
                picture.header.stamp = node.get_clock().now().to_msg()
                stamp = picture.header.stamp
                sent_at[stamp.sec, stamp.nanosec] = time.perf_counter()
                publisher.publish(picture)
                num_sent += now >= begin + _WARM_UP
            if rss is None and now >= begin + _WARM_UP:
                rss = _rss(child)
            executor.spin_once(timeout_sec=max(min(due - time.perf_counter(), 0.05), 0.0))
        growth = _rss(child) - (rss or 0.0)
        child.check()
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    counted = [age for start, age in ages if start >= begin + _WARM_UP]
    if not counted:
        raise CannotMeasure(f'the node answered nothing: {child.last_words()}')
    return Answers(np.array(counted), num_sent, growth, stages)


def _picture(height: int, width: int) -> Any:
    from sensor_msgs.msg import Image

    pixels = bytes(3 * width * height)
    picture = Image(height=height, width=width, encoding='rgb8', step=3 * width, data=pixels)
    picture.header.frame_id = 'camera'
    return picture


def _wait_for(node: Any, publisher: Any, executor: Any, child: Any) -> None:
    """Wait until the node listens and answers."""
    end = time.monotonic() + _STARTING
    while not (publisher.get_subscription_count() and node.count_publishers('anny/humans')):
        executor.spin_once(timeout_sec=0.1)
        if not child.running or time.monotonic() > end:
            raise CannotMeasure(f'the node did not start: {child.last_words()}')


def _rss(child: Any) -> float:
    """Resident memory of a process in MB; 0 where the system does not tell."""
    try:
        pages = int(Path(f'/proc/{child.pid}/statm').read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * _PAGE / 1e6


def _percentiles(values: Any, *which: int) -> dict[str, float]:
    return {f'p{p}': round(float(np.percentile(values, p)), 2) for p in which}
