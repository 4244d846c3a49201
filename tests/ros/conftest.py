# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A ROS graph of its own for each test process, and an estimator that answers at once."""

import os
from pathlib import Path
import tempfile

ROOT = Path(__file__).parents[2]

# Before rclpy is imported.
os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_PYTHON_CHECK_FIELDS', '1')
os.environ.setdefault('ROS_LOG_DIR', tempfile.mkdtemp(prefix='anny_ros_test_log_'))
os.environ.setdefault(
    'FASTDDS_DEFAULT_PROFILES_FILE', str(ROOT / 'config' / 'fastdds_profile.xml')
)

from collections.abc import Callable, Iterator  # noqa: E402
from dataclasses import replace  # noqa: E402
import itertools  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from anny_ros.body import BodyModel  # noqa: E402
from anny_ros.inference import assemble_detections, Estimator  # noqa: E402
from anny_ros.parameters import Parameters  # noqa: E402
from anny_ros.ros.node import AnnyNode  # noqa: E402
from anny_ros.types import Camera, Detections, Frame  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import rclpy  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
import torch  # noqa: E402

# Rest axes of the body (x left, y back, z up) of somebody who faces the camera.
FACING_THE_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# Columns out of the chest, to the left, up: what REP-155 wants of the same person.
BODY_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
STAMP = (1_700_000_000, 123_456_789)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_counter = itertools.count()


@pytest.fixture(scope='session')
def body() -> BodyModel:
    return BodyModel.load()


def standing_people(body: BodyModel, num_people: int, width: int, height: int) -> Detections:
    """People who stand side by side 4 m away and face the camera."""
    world = np.tile(np.eye(3), (num_people, len(body.joint_names), 1, 1))
    world[:, 0] = FACING_THE_CAMERA
    phenotype = np.tile([0.5, 0.67, 0.5, 0.5, 0.5, 0.5], (num_people, 1)).astype(np.float32)
    rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))
    translation = np.zeros((num_people, 3), np.float32)
    translation[:, 0] = 1.2 * (np.arange(num_people) - (num_people - 1) / 2)
    translation[:, 2] = 4.0
    return assemble_detections(
        body,
        stamp=0.0,
        camera=Camera.from_hfov(1.2, width, height),
        score=np.full(num_people, 0.9, np.float32),
        phenotype=phenotype,
        rotations=rotations.numpy().astype(np.float32),
        translation=translation,
        appearance=np.eye(max(num_people, 2), dtype=np.float32)[:num_people],
    )


class InstantEstimator(Estimator):
    """Finds the same people in every picture, after ``delay`` seconds."""

    name = 'instant'
    backend = 'fake'

    def __init__(self, body: BodyModel, num_people: int = 2, delay: float = 0.0) -> None:
        self.body = body
        self.delay = delay
        self.parameters = Parameters()
        self.frames: list[Frame] = []
        self.thresholds: list[float] = []
        self.people = standing_people(body, num_people, 640, 480)
        self.fails = False
        self.keep_frames = True

    def __call__(self, frame: Frame) -> Detections:
        if self.keep_frames:
            self.frames.append(frame)
        self.thresholds.append(self.parameters.detection.threshold)
        if self.delay:
            time.sleep(self.delay)
        if self.fails:
            raise RuntimeError('out of memory')
        height, width = frame.rgb.shape[:2]
        camera = frame.camera or Camera.from_hfov(1.2, width, height)
        return replace(
            self.people, stamp=frame.stamp, camera=camera, timings_ms={'network': 1e3 * self.delay}
        )


class Graph:
    """Nodes of one context and an executor that the test spins; everything has a namespace."""

    def __init__(self, body: BodyModel) -> None:
        self.body = body
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.namespace = f'/t{os.getpid()}_{next(_counter)}'
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes: list[Any] = []
        self.tester = self.add(
            rclpy.create_node('tester', context=self.context, namespace=self.namespace)
        )
        self.estimator = InstantEstimator(body)

    def add(self, node: Any) -> Any:
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def anny(
        self,
        estimator_factory: Callable[[Parameters], Estimator] | None = None,
        **parameters: Any,
    ) -> AnnyNode:
        """Make an unconfigured node; dots in parameter names are written as two underscores."""
        overrides = [
            Parameter(name.replace('__', '.'), value=value) for name, value in parameters.items()
        ]
        return self.add(
            AnnyNode(
                estimator_factory=estimator_factory or (lambda _: self.estimator),
                context=self.context,
                namespace=self.namespace,
                parameter_overrides=overrides,
            )
        )

    def active_anny(self, **parameters: Any) -> AnnyNode:
        node = self.anny(**parameters)
        assert node.trigger_configure() == node.trigger_activate()
        return node

    def spin_until(self, done: Callable[[], Any], timeout: float = 10.0) -> Any:
        end = time.monotonic() + timeout
        while not (result := done()) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        return result

    def spin_for(self, seconds: float) -> None:
        self.spin_until(lambda: False, seconds)

    def collect(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> list[Any]:
        """Subscribe; the list grows while the graph is spun."""
        messages: list[Any] = []
        self.tester.create_subscription(kind, topic, messages.append, qos)
        return messages

    def image_publisher(self, kind: type = Image, topic: str = 'image') -> Any:
        """Make a publisher of pictures and wait until the node has found it."""
        publisher = self.tester.create_publisher(kind, topic, BEST_EFFORT)
        assert self.spin_until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def call(self, kind: type, service: str, request: Any) -> Any:
        client = self.tester.create_client(kind, service)
        assert self.spin_until(client.service_is_ready)
        future = client.call_async(request)
        assert self.spin_until(future.done)
        return future.result()

    def close(self) -> None:
        for node in self.nodes:
            node.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def graph(body: BodyModel) -> Iterator[Graph]:
    graph = Graph(body)
    yield graph
    graph.close()
    alive = [thread.name for thread in threading.enumerate() if thread.name == 'inference']
    assert not alive, 'the inference thread outlived its node'


def make_header(offset: float = 0.0, frame_id: str = 'camera_optical_frame') -> Header:
    """Header at ``STAMP`` plus an offset in seconds, exact to the nanosecond."""
    nanoseconds = STAMP[0] * 1_000_000_000 + STAMP[1] + round(offset * 1e9)
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(nanoseconds, 1_000_000_000)
    return header


def make_image(
    offset: float = 0.0, width: int = 640, height: int = 480, encoding: str = 'rgb8'
) -> Image:
    channels = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}[encoding]
    image = Image(header=make_header(offset), width=width, height=height, encoding=encoding)
    image.step = width * channels
    image.data = bytes(image.step * height)
    return image


def make_camera_info(width: int = 640, height: int = 480, f: float = 500.0) -> CameraInfo:
    return CameraInfo(
        header=make_header(),
        width=width,
        height=height,
        d=[0.0] * 5,
        k=[f, 0.0, (width - 1) / 2, 0.0, f, (height - 1) / 2, 0.0, 0.0, 1.0],
        p=[0.9 * f, 0.0, width / 2, 0.0, 0.0, 0.9 * f, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


class Builders:
    """What tests build messages with (test modules cannot import this file)."""

    image = staticmethod(make_image)
    camera_info = staticmethod(make_camera_info)
    header = staticmethod(make_header)
    people = staticmethod(standing_people)
    estimator = InstantEstimator
    body_axes = BODY_AXES
    root = ROOT


@pytest.fixture(scope='session')
def make() -> type[Builders]:
    return Builders
