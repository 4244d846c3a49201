# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Broadcaster to listener over DDS; holds for the real tf2_ros and for the stand-in."""

import os
import time

from geometry_msgs.msg import TransformStamped
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.time import Time
from tf2_ros import Buffer, TransformBroadcaster, TransformListener

pytestmark = pytest.mark.ros


@pytest.fixture
def nodes():
    """Two nodes of a context of their own, and an executor that spins both."""
    context = rclpy.Context()
    # A domain that no other test process uses, so that nobody else's /tf is heard.
    rclpy.init(context=context, domain_id=os.getpid() % 100 + 1)
    pair = [rclpy.create_node(f'tf_{name}', context=context) for name in ('sender', 'receiver')]
    executor = SingleThreadedExecutor(context=context)
    for node in pair:
        executor.add_node(node)
    yield *pair, executor
    executor.shutdown()
    for node in pair:
        node.destroy_node()
    rclpy.shutdown(context=context)


def spin_until(executor, done, timeout=10.0):
    end = time.monotonic() + timeout
    while not done() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    return done()


def body(name, x):
    message = TransformStamped(child_frame_id=name)
    message.header.frame_id = 'camera'
    message.header.stamp.sec = 7
    message.header.stamp.nanosec = 250_000_000
    message.transform.translation.x = x
    message.transform.rotation.w = 1.0
    return message


def test_what_is_sent_can_be_looked_up_at_its_stamp(nodes):
    sender, receiver, executor = nodes
    broadcaster = TransformBroadcaster(sender)
    buffer = Buffer()
    listener = TransformListener(buffer, receiver)
    stamp = Time(seconds=7, nanoseconds=250_000_000)
    assert spin_until(executor, lambda: sender.count_subscribers('/tf') == 1)
    assert spin_until(executor, lambda: broadcaster.pub_tf.get_subscription_count() == 1)
    broadcaster.sendTransform([body('body_a', 1.0), body('body_b', 4.0)])
    broadcaster.sendTransform(body('body_c', 9.0))
    names = ('body_a', 'body_b', 'body_c')
    known = [lambda n=n: buffer.can_transform('camera', n, stamp) for n in names]
    assert spin_until(executor, lambda: all(k() for k in known))
    found = buffer.lookup_transform('body_a', 'body_b', stamp)
    assert found.transform.translation.x == pytest.approx(3.0)
    listener.unregister()
