# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``people_bridge`` beside a running node, over real DDS."""

import sys

from anny_ros.errors import AnnyError
from anny_ros.msg import HumanArray
from anny_ros.ros.bridges import people
from anny_ros.ros.bridges.people import PeopleBridge
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
import numpy as np
import pytest
from rclpy.parameter import Parameter
from tf2_ros import TransformBroadcaster

people_msgs = pytest.importorskip('people_msgs.msg')
pytestmark = pytest.mark.ros


def bridge(graph, **parameters):
    return graph.add(
        PeopleBridge(
            context=graph.context,
            namespace=graph.namespace,
            parameter_overrides=[Parameter(k, value=v) for k, v in parameters.items()],
        )
    )


def place(person):
    return np.array([person.position.x, person.position.y, person.position.z])


def pelvis(human):
    point = human.pose.pose.position
    return np.array([point.x, point.y, point.z])


def test_places_in_odom(graph, make):
    graph.active_anny()
    bridge(graph)
    sent = graph.collect(people_msgs.People, 'people')
    humans = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    broadcaster = TransformBroadcaster(graph.tester)
    # The camera looks along odom's x from 1.5 m up: right is -y, down is -z.
    mount = Transform(
        translation=Vector3(x=2.0, y=-1.0, z=1.5),
        rotation=Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5),
    )
    for i in range(60):
        header = make.header(0.1 * i)
        pose = TransformStamped(header=header, child_frame_id=header.frame_id, transform=mount)
        pose.header.frame_id = 'odom'
        broadcaster.sendTransform(pose)
        graph.spin_for(0.05)
        pictures.publish(make.image(0.1 * i))
        if graph.spin_until(lambda: sent and len(sent[-1].people) == 2, 0.3):
            break
    message = sent[-1]
    assert message.header.frame_id == 'odom'
    assert graph.spin_until(lambda: any(m.header.stamp == message.header.stamp for m in humans))
    (found,) = [m for m in humans if m.header.stamp == message.header.stamp]
    for person in message.people:
        (human,) = [h for h in found.humans if h.id == person.name]
        x, y, z = pelvis(human)
        np.testing.assert_allclose(place(person), [2 + z, -1 - x, 1.5 - y], atol=1e-5)
        assert person.reliability == pytest.approx(human.score, abs=1e-6)
        assert dict(zip(person.tagnames, person.tags, strict=True)) == {'state': 'tracked'}


def test_without_a_transform_nothing_is_sent_but_in_the_cameras_frame(graph, make):
    graph.active_anny()
    bridge(graph, frame='')
    sent = graph.collect(people_msgs.People, 'people')
    pictures = graph.image_publisher()
    for i in range(60):
        pictures.publish(make.image(0.1 * i))
        if graph.spin_until(lambda: sent and len(sent[-1].people) == 2, 0.2):
            break
    assert sent[-1].header.frame_id == 'camera_optical_frame'
    assert {person.position.z > 3 for person in sent[-1].people} == {True}


def test_an_unknown_frame_is_waited_for(graph, make):
    graph.active_anny()
    bridge(graph, frame='map')
    sent = graph.collect(people_msgs.People, 'people')
    humans = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    for i in range(4):
        pictures.publish(make.image(0.1 * i))
        graph.spin_until(lambda i=i: len(humans) > i)
    graph.spin_for(0.3)
    assert not sent


def test_without_people_msgs_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, 'people_msgs.msg', None)
    with pytest.raises(AnnyError, match='needs the package people_msgs'):
        PeopleBridge()
    assert people.main([]) == 2
