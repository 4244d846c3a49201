# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A clip as a camera, over real DDS."""

import os
import signal
import subprocess
import sys
import threading
import time

from anny_ros.errors import AnnyError
from anny_ros.msg import HumanArray
from anny_ros.ros.video_player import VideoPlayer
import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

pytestmark = pytest.mark.ros
NUM_PICTURES = 6


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """Six pictures at 20 Hz, each of its own grey."""
    path = tmp_path_factory.mktemp('clip') / 'clip.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 20.0, (64, 48))
    assert writer.isOpened()
    for index in range(NUM_PICTURES):
        writer.write(np.full((48, 64, 3), 30 * (index + 1), np.uint8))
    writer.release()
    return path


def make_player(graph, **parameters):
    player = VideoPlayer(
        context=graph.context,
        namespace=graph.namespace,
        parameter_overrides=[Parameter(k, value=v) for k, v in parameters.items()],
    )
    graph.nodes.append(player)  # not in the graph's executor: it has its own
    return player


def play(graph, player, done=None):
    """Play in a thread while the graph is spun; how many pictures were published."""
    stop, count = threading.Event(), []
    thread = threading.Thread(target=lambda: count.append(player.play(stop)))
    thread.start()
    try:
        graph.spin_until(lambda: count or (done and done()), 20)
    finally:
        stop.set()
        thread.join(10)
    graph.spin_for(0.2)
    return count[0]


def seconds_of(messages):
    return [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in messages]


def listen(graph, player):
    patient = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
    images = graph.collect(Image, 'image', patient)
    infos = graph.collect(CameraInfo, 'camera_info', patient)
    assert graph.spin_until(lambda: player._images.get_subscription_count() > 0)
    graph.spin_for(0.2)
    return images, infos


def test_plays_once_at_the_rate_of_the_clip(graph, clip):
    player = make_player(graph, video=str(clip), k=[50.0, 50.0, 31.5, 23.5])
    images, infos = listen(graph, player)
    assert play(graph, player) == NUM_PICTURES
    assert len(images) >= NUM_PICTURES - 1
    assert len(infos) >= NUM_PICTURES - 1
    greys = [int(np.frombuffer(image.data, np.uint8).mean()) for image in images]
    assert greys == sorted(greys)
    assert (images[0].width, images[0].height, images[0].encoding) == (64, 48, 'rgb8')
    assert images[0].header.frame_id == 'camera_optical_frame'
    assert list(infos[0].k[:3]) == [50.0, 0.0, 31.5]
    assert {m.header.stamp.nanosec for m in infos} >= {
        m.header.stamp.nanosec for m in images[1:-1]
    }
    assert np.median(np.diff(seconds_of(images))) == pytest.approx(0.05, abs=0.02)
    now = graph.tester.get_clock().now().nanoseconds * 1e-9
    assert now - 10 < seconds_of(images)[0] < now


def test_no_camera_info_without_intrinsics(graph, clip):
    make_player(graph, video=str(clip))
    assert graph.tester.count_publishers(f'{graph.namespace}/camera_info') == 0


def test_stamps_of_the_clip_go_on_increasing_over_loops(graph, clip):
    player = make_player(graph, video=str(clip), loop=True, stamps='clip', rate=100.0)
    images, _ = listen(graph, player)
    assert play(graph, player, done=lambda: len(images) > 2 * NUM_PICTURES) > 2 * NUM_PICTURES
    steps = np.diff(seconds_of(images))
    # Multiples of the clip's own 50 ms, whatever the rate (some may get lost).
    np.testing.assert_allclose(steps / 0.05, np.round(steps / 0.05), atol=0.01)
    assert steps.min() > 0.04


def test_waits_for_results(graph, clip, make):
    graph.estimator = make.estimator(graph.body, delay=0.1)
    node = graph.active_anny()
    results = graph.collect(HumanArray, 'anny/humans')
    player = make_player(graph, video=str(clip), wait_for_results=True, rate=100.0, stamps='clip')
    assert play(graph, player) == NUM_PICTURES
    assert len(results) == NUM_PICTURES
    assert node._work.mailbox.counts == (NUM_PICTURES, 0)
    np.testing.assert_allclose(np.diff(seconds_of(results)), 0.05, atol=1e-5)


@pytest.mark.parametrize(
    ('parameters', 'text'),
    [
        ({}, 'video is not set'),
        ({'video': '/no/such.mp4'}, "there is no file '/no/such.mp4'"),
        ({'video': __file__}, 'cannot be opened as a video'),
        ({'stamps': 'now'}, 'clock or clip'),
        ({'rate': -1.0}, 'rate must be'),
        ({'rate': 25}, '25.0'),
        ({'wait_for_subscriber': -1.0}, 'wait_for_subscriber must be'),
        ({'k': [1.0, 2.0]}, 'fx, fy, cx, cy'),
    ],
)
def test_wrong_parameters(graph, clip, parameters, text):
    values = {'video': str(clip), **parameters} if parameters else {}
    with pytest.raises(AnnyError, match=text):
        make_player(graph, **values)


def command(clip, *arguments):
    program = [sys.executable, '-m', 'anny_ros.ros.video_player', '--ros-args']
    return [*program, '-p', f'video:={clip}', '-p', 'wait_for_subscriber:=0.0', *arguments]


def test_command_ends_with_the_clip(clip):
    done = subprocess.run(command(clip), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert f'published {NUM_PICTURES} pictures' in done.stderr + done.stdout


def test_command_ends_with_2_for_a_wrong_clip():
    done = subprocess.run(command('/no/such.mp4'), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no file '/no/such.mp4'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_command_stops_on_ctrl_c(graph, clip):
    player = subprocess.Popen(
        command(clip, '-p', 'loop:=true', '-r', f'__ns:={graph.namespace}'),
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        own = ('video_player', graph.namespace)
        assert graph.spin_until(lambda: own in graph.tester.get_node_names_and_namespaces(), 30)
        begin = time.monotonic()
        player.send_signal(signal.SIGINT)
        _, errors = player.communicate(timeout=10)
        assert time.monotonic() - begin < 5
        assert player.returncode == 0
        assert 'Traceback' not in errors
    finally:
        player.kill()
        player.wait()
