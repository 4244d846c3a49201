# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Frames of joints in TF, looked up by a listener over real DDS."""

from anny_ros.body.rep155 import LINK_NAMES
from anny_ros.msg import HumanArray
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.time import Time
from tf2_ros import Buffer, TransformListener

pytestmark = pytest.mark.ros


@pytest.fixture
def listener(graph):
    buffer = Buffer()
    return TransformListener(buffer, graph.tester), buffer


def play(graph, make, humans, count, start=0):
    pictures = graph.image_publisher() if start == 0 else play.pictures
    play.pictures = pictures
    for i in range(start, start + count):
        before = len(humans)
        pictures.publish(make.image(0.1 * i))
        assert graph.spin_until(lambda n=before: len(humans) > n)
    return start + count


def test_joints_are_where_the_message_says(graph, make, listener, body):
    node = graph.active_anny(tf__joints='rep155')
    _, buffer = listener
    humans = graph.collect(HumanArray, 'anny/humans')
    end = play(graph, make, humans, 3)
    human, header = humans[-1].humans[0], humans[-1].header
    stamp = Time.from_msg(header.stamp)
    names = [f'{link}_{human.id}' for link in LINK_NAMES]
    assert graph.spin_until(
        lambda: all(buffer.can_transform(header.frame_id, n, stamp) for n in names)
    )
    joints = np.frombuffer(human.body.joint_positions, np.float32).reshape(-1, 3)
    for link, joint in (('l_elbow', 'lowerarm01.L'), ('r_ankle', 'foot.R'), ('p_head', 'head')):
        found = buffer.lookup_transform(header.frame_id, f'{link}_{human.id}', stamp)
        place = found.transform.translation
        expected = joints[body.joint_index(joint)]
        np.testing.assert_allclose([place.x, place.y, place.z], expected, atol=1e-4)
        assert found.header.stamp == header.stamp
    assert not buffer.can_transform(header.frame_id, f'spine03_{human.id}', stamp)

    assert node.set_parameters([Parameter('tf.joints', value='all')])[0].successful
    play(graph, make, humans, 2, end)
    stamp = Time.from_msg(humans[-1].header.stamp)
    frame = f'spine03_{human.id}'
    assert graph.spin_until(lambda: buffer.can_transform(header.frame_id, frame, stamp))
    found = buffer.lookup_transform(header.frame_id, frame, stamp).transform
    row = body.joint_index('spine03')
    quats = np.frombuffer(humans[-1].humans[0].body.joint_orientations, np.float32).reshape(-1, 4)
    got = np.array([found.rotation.x, found.rotation.y, found.rotation.z, found.rotation.w])
    assert abs(got @ quats[row]) == pytest.approx(1.0, abs=1e-5)


def test_without_being_asked_there_are_body_frames_alone(graph, make, listener):
    graph.active_anny()
    _, buffer = listener
    humans = graph.collect(HumanArray, 'anny/humans')
    play(graph, make, humans, 2)
    human, header = humans[-1].humans[0], humans[-1].header
    stamp = Time.from_msg(header.stamp)
    assert graph.spin_until(
        lambda: buffer.can_transform(header.frame_id, f'body_{human.id}', stamp)
    )
    assert not buffer.can_transform(header.frame_id, f'l_elbow_{human.id}', stamp)
