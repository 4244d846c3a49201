# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The life of the node, over real DDS."""

import os
import signal
import subprocess
import sys
import time

from anny_ros.errors import ModelError
from anny_ros.msg import BodyModel, HumanArray
import pytest
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import Marker, MarkerArray

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def topics_of(graph, node):
    names = graph.tester.get_publisher_names_and_types_by_node(node.get_name(), graph.namespace)
    return {name.removeprefix(graph.namespace) for name, _ in names}


def test_what_a_transition_makes_its_opposite_destroys(graph):
    node = graph.anny()
    entities = ('_publishers', '_subscriptions', '_services', '_timers')

    def counts():
        return [len(getattr(node, name)) for name in entities]

    unconfigured = counts()
    for _ in range(2):
        assert node.trigger_configure() == SUCCESS
        inactive = counts()
        assert inactive > unconfigured
        for _ in range(2):
            assert node.trigger_activate() == SUCCESS
            assert counts()[1] == inactive[1] + 3, 'image, camera_info and depth'
            assert node.trigger_deactivate() == SUCCESS
            assert counts() == inactive
        assert node.trigger_cleanup() == SUCCESS
        assert counts() == unconfigured


@pytest.mark.parametrize('until', ['unconfigured', 'inactive', 'active'])
def test_shutdown_from_every_state(graph, until):
    node = graph.anny()
    if until != 'unconfigured':
        assert node.trigger_configure() == SUCCESS
    if until == 'active':
        assert node.trigger_activate() == SUCCESS
    assert node.trigger_shutdown() == SUCCESS
    assert not node._subscriptions


def test_works_only_while_active(graph, make):
    node = graph.anny()
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.tester.create_publisher(type(make.image()), 'image', 1)
    node.trigger_configure()
    pictures.publish(make.image())
    graph.spin_for(0.3)
    assert not got
    node.trigger_activate()
    assert graph.spin_until(lambda: pictures.get_subscription_count() > 0)
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    node.trigger_deactivate()
    count = len(got)
    pictures.publish(make.image(1.0))
    graph.spin_for(0.3)
    assert len(got) == count


def test_missing_weights_fail_with_one_sentence(graph, capfd):
    def no_weights(parameters):
        raise ModelError('weights are missing; set model.checkpoint')

    node = graph.anny(no_weights)
    before = len(node._publishers)
    assert node.trigger_configure() == FAILURE
    assert len(node._publishers) == before
    logged = capfd.readouterr().err
    assert 'weights are missing; set model.checkpoint' in logged
    assert 'Traceback' not in logged
    node._estimator_factory = lambda _: graph.estimator
    assert node.trigger_configure() == SUCCESS


def test_defect_while_configuring_is_told_and_leaves_nothing(graph, capfd):
    def broken(parameters):
        raise RuntimeError('a bug')

    node = graph.anny(broken)
    before = len(node._publishers)
    assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    assert 'RuntimeError: a bug' in capfd.readouterr().err
    assert len(node._publishers) == before
    node._estimator_factory = lambda _: graph.estimator
    assert node.trigger_configure() == SUCCESS


@pytest.mark.parametrize(
    ('name', 'value', 'text'),
    [
        ('model__name', 'yolo', 'model.name must be one of anny-lite, multihmr2'),
        ('camera__k', [0.0, 500.0, 320.0, 240.0], 'camera.k must be fx, fy, cx, cy'),
        ('camera__k', [500.0, 500.0], 'camera.k must be 0 or 4 finite numbers'),
    ],
)
def test_wrong_value_fails_to_configure(graph, capfd, name, value, text):
    node = graph.anny(**{name: value})
    assert node.trigger_configure() == FAILURE
    assert text in capfd.readouterr().err


def test_parameters_reach_the_estimator_at_the_next_picture(graph, make):
    node = graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    assert graph.estimator.thresholds == [-1.0]
    request = SetParametersAtomically.Request()
    request.parameters = [Parameter('detection.threshold', value=0.7).to_parameter_msg()]
    response = graph.call(SetParametersAtomically, 'anny/set_parameters_atomically', request)
    assert response.result.successful
    pictures.publish(make.image(0.1))
    assert graph.spin_until(lambda: len(got) == 2)
    assert graph.estimator.thresholds == [-1.0, 0.7]
    assert node._tracker.parameters == graph.estimator.parameters.tracking


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('detection.threshold', 1.5, 'out of range'),
        ('detection.threshold', float('nan'), 'range'),
        ('detection.threshold', 'high', 'type'),
        ('publish.attributes', True, 'read-only'),
    ],
)
def test_wrong_parameter_is_refused_and_nothing_changes(graph, name, value, reason):
    node = graph.active_anny()
    before = node.get_parameter(name).value
    memory = node.get_parameter('tracking.memory').value
    assert memory != 9.0
    request = SetParametersAtomically.Request()
    request.parameters = [
        Parameter('tracking.memory', value=9.0).to_parameter_msg(),
        Parameter(name, value=value).to_parameter_msg(),
    ]
    response = graph.call(SetParametersAtomically, 'anny/set_parameters_atomically', request)
    assert not response.result.successful
    assert reason in response.result.reason
    assert node.get_parameter(name).value == before
    assert node.get_parameter('tracking.memory').value == memory


def test_enable_stops_and_starts_the_work(graph, make):
    graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    markers = graph.collect(MarkerArray, 'anny/markers')
    assert graph.call(SetBool, 'anny/enable', SetBool.Request(data=False)).success
    assert graph.spin_until(lambda: pictures.get_subscription_count() == 0)
    assert graph.spin_until(lambda: markers)
    assert markers[-1].markers[0].action == Marker.DELETEALL
    assert graph.call(SetBool, 'anny/enable', SetBool.Request(data=True)).success
    assert graph.spin_until(lambda: pictures.get_subscription_count() == 1)
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)


def test_reset_tracks_gives_new_identities(graph, make):
    graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    pictures.publish(make.image())
    assert graph.spin_until(lambda: len(got) == 1)
    pictures.publish(make.image(0.1))
    assert graph.spin_until(lambda: len(got) == 2)
    assert [h.id for h in got[0].humans] == [h.id for h in got[1].humans]
    assert graph.call(Trigger, 'anny/reset_tracks', Trigger.Request()).success
    pictures.publish(make.image(0.2))
    assert graph.spin_until(lambda: len(got) == 3)
    ids = [{human.id for human in message.humans} for message in got]
    assert not ids[2] & ids[1]
    assert min(h.track_number for h in got[2].humans) > 2


def test_services_of_an_inactive_node_say_so(graph):
    node = graph.anny()
    node.trigger_configure()
    answer = graph.call(SetBool, 'anny/enable', SetBool.Request(data=True))
    assert not answer.success
    assert 'activate' in answer.message


def test_body_model_is_latched(graph, body):
    graph.active_anny(publish__mesh='coarse')
    late = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    got = graph.collect(BodyModel, 'anny/body_model', late)
    assert graph.spin_until(lambda: got)
    assert got[0].hash == body.hash('coarse')
    assert len(got[0].triangles) == 3 * 2454


def test_quality_of_service_can_be_overridden_again_and_again(graph):
    name = f'qos_overrides.{graph.namespace}/image.subscription.reliability'
    node = graph.anny(**{name: 'reliable'})
    node.trigger_configure()
    for _ in range(2):
        node.trigger_activate()
        (found,) = graph.tester.get_subscriptions_info_by_topic(f'{graph.namespace}/image')
        assert found.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        node.trigger_deactivate()


def command(*arguments):
    return [sys.executable, '-m', 'anny_ros.ros.node', '--ros-args', *arguments]


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (('-p', 'detection.threshold:=high'), 'detection.threshold must be a float'),
        (('-p', 'detection.threshold:=3.0'), 'detection.threshold'),
        (('-p', 'model.name:=yolo'), 'model.name must be one of'),
        (('-p', 'model.name:=multihmr2'), 'model.checkpoint'),
        (('-p', 'model.name:=multihmr2', '-p', 'model.checkpoint:=/no/such.pt'), '/no/such.pt'),
    ],
)
def test_command_ends_with_2_and_one_sentence(arguments, text):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert text in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_command_stops_in_good_order(graph, number):
    node = subprocess.Popen(
        [*command('-r', f'__ns:={graph.namespace}'), '-p', 'autostart:=false'],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        own = ('anny', graph.namespace)
        assert graph.spin_until(lambda: own in graph.tester.get_node_names_and_namespaces(), 30)
        begin = time.monotonic()
        node.send_signal(number)
        _, errors = node.communicate(timeout=10)
        assert time.monotonic() - begin < 5
        assert node.returncode == 0
        assert 'Traceback' not in errors
    finally:
        node.kill()
        node.wait()
