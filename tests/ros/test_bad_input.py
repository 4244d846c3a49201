# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Bad pictures and camera_infos are counted, reported with the cure and survived."""

import math

from anny_ros.msg import CameraModel, HumanArray
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import pytest
import rclpy
from sensor_msgs.msg import CameraInfo, CompressedImage

pytestmark = pytest.mark.ros


def of_size_zero(image):
    image.width = image.height = image.step = 0
    image.data = b''


def of_another_encoding(image):
    image.encoding = '16UC1'


def with_small_step(image):
    image.step = 100


def cut_off(image):
    image.data = bytes(1000)


def status_of(graph, diagnostics, kind):
    name = f'{graph.namespace}/anny: {kind}'.lstrip('/')
    found = [s for message in diagnostics for s in message.status if s.name == name]
    return found[-1] if found else DiagnosticStatus()


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (of_size_zero, 'size 0x0'),
        (of_another_encoding, "encoding '16UC1' cannot be used"),
        (with_small_step, 'step of 100 bytes'),
        (cut_off, '1000 bytes of data'),
    ],
)
def test_bad_raw_picture(graph, make, spoil, text):
    node = graph.active_anny(diagnostics__period=0.1)
    got = graph.collect(HumanArray, 'anny/humans')
    diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
    pictures = graph.image_publisher()
    bad = make.image()
    spoil(bad)
    pictures.publish(bad)
    assert graph.spin_until(lambda: text in status_of(graph, diagnostics, 'Input').message), (
        status_of(graph, diagnostics, 'Input')
    )
    assert status_of(graph, diagnostics, 'Input').level == DiagnosticStatus.ERROR
    pictures.publish(make.image(0.1))
    assert graph.spin_until(lambda: got)
    statistics = node._work.pipeline.statistics
    assert graph.spin_until(lambda: statistics.report(1.0).processed == 1)
    assert statistics.report(1.0).rejected == 1


@pytest.mark.parametrize('data', [b'', b'no picture', b'\xff\xd8\xff\xe0 cut off'])
def test_bad_compressed_picture(graph, make, data):
    node = graph.active_anny(input__transport='compressed')
    pictures = graph.image_publisher(CompressedImage, 'image/compressed')
    pictures.publish(CompressedImage(header=make.header(), format='jpeg', data=data))
    statistics = node._work.pipeline.statistics
    reports = []
    assert graph.spin_until(lambda: reports.append(statistics.report(1.0)) or reports[-1].rejected)
    assert 'cannot be decoded' in reports[-1].fault
    assert not graph.estimator.frames


def test_failing_model_is_reported_and_survived(graph, make, capfd):
    graph.active_anny(diagnostics__period=0.1)
    got = graph.collect(HumanArray, 'anny/humans')
    diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
    pictures = graph.image_publisher()
    graph.estimator.fails = True
    pictures.publish(make.image())
    assert graph.spin_until(
        lambda: 'out of memory' in status_of(graph, diagnostics, 'Inference').message
    )
    graph.estimator.fails = False
    pictures.publish(make.image(0.1))
    assert graph.spin_until(lambda: got)
    assert 'RuntimeError: out of memory' in capfd.readouterr().err


def with_nan(info):
    info.k[0] = math.nan


def with_zero(info):
    info.k[0] = 0.0


def with_another_size(info):
    info.width = 320


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (with_nan, 'NaN'),
        (with_zero, 'not calibrated'),
        (with_another_size, 'is for 320x480 but the picture is 640x480'),
    ],
)
def test_bad_camera_info_is_ignored_until_right(graph, make, spoil, text):
    node = graph.active_anny(diagnostics__period=0.1, camera__k=[400.0, 400.0, 320.0, 240.0])
    got = graph.collect(HumanArray, 'anny/humans')
    diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
    infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 1)
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: infos.get_subscription_count() > 0)
    bad = make.camera_info()
    spoil(bad)
    infos.publish(bad)
    assert graph.spin_until(lambda: node._work.cameras.has_info)
    for i in range(3):
        pictures.publish(make.image(0.1 * i))
        assert graph.spin_until(lambda i=i: len(got) > i)
    assert got[-1].camera.source == CameraModel.PARAMETER
    assert node._work.cameras.health.ignored == 1
    assert graph.spin_until(lambda: text in status_of(graph, diagnostics, 'Input').message)
    infos.publish(make.camera_info())
    assert graph.spin_until(lambda: node._work.cameras.health.received == 2)
    pictures.publish(make.image(1.0))
    assert graph.spin_until(lambda: len(got) > 3)
    assert got[-1].camera.source == CameraModel.CAMERA_INFO
    assert node._work.cameras.health.fault == ''


def test_first_picture_waits_for_camera_info(graph, make):
    graph.active_anny(camera__info_timeout=20.0)
    got = graph.collect(HumanArray, 'anny/humans')
    infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 1)
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: infos.get_subscription_count() > 0)
    pictures.publish(make.image())
    graph.spin_for(0.5)
    assert not got
    infos.publish(make.camera_info())
    assert graph.spin_until(lambda: got)
    assert got[0].camera.source == CameraModel.CAMERA_INFO


def test_waiting_for_camera_info_has_an_end(graph, make):
    graph.active_anny(camera__info_timeout=0.5)
    got = graph.collect(HumanArray, 'anny/humans')
    infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 1)
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: infos.get_subscription_count() > 0)
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    assert got[0].camera.source == CameraModel.ESTIMATED


def test_deactivating_does_not_wait_for_camera_info(graph, make):
    node = graph.active_anny(camera__info_timeout=60.0)
    infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 1)
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: infos.get_subscription_count() > 0)
    pictures.publish(make.image())
    assert graph.spin_until(lambda: node._work.mailbox.counts[0])
    begin = graph.tester.get_clock().now()
    node.trigger_deactivate()
    assert (graph.tester.get_clock().now() - begin).nanoseconds < 2e9


def test_time_that_jumps_back_resets_the_tracks_and_says_so(graph, make, capfd):
    graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    for i, offset in enumerate((10.0, 10.1, 0.0)):
        pictures.publish(make.image(offset))
        assert graph.spin_until(lambda i=i: len(got) > i)
    before, after = ({h.id for h in message.humans} for message in got[1:])
    assert before
    assert after
    assert not before & after
    assert 'time jumped back' in capfd.readouterr().err


def test_pictures_of_another_type_on_the_topic(graph, make):
    graph.active_anny(diagnostics__period=0.1)
    diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
    elsewhere = rclpy.Context()  # one context cannot have two types on a topic
    rclpy.init(context=elsewhere)
    camera = rclpy.create_node('camera', context=elsewhere, namespace=graph.namespace)
    camera.create_publisher(CompressedImage, 'image', 1)
    wanted = 'has sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image: set input.transport'
    assert graph.spin_until(lambda: wanted in status_of(graph, diagnostics, 'Input').message)
    camera.destroy_node()
    rclpy.shutdown(context=elsewhere)
