# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Documented behaviour of tf2_ros; holds for the real package and for the stand-in."""

import math

from geometry_msgs.msg import TransformStamped
import pytest
from rclpy.duration import Duration
from rclpy.time import Time
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)


def transform(parent, child, seconds, xyz=(0.0, 0.0, 0.0), yaw=0.0):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(seconds * 1e9)).to_msg()
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = map(float, xyz)
    r.z, r.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message


def at(seconds):
    return Time(nanoseconds=round(seconds * 1e9))


def filled(*transforms, cache_time=None):
    buffer = Buffer(cache_time)
    for message in transforms:
        buffer.set_transform(message, 'test')
    return buffer


def xyz_and_yaw(message):
    t, r = message.transform.translation, message.transform.rotation
    return pytest.approx((t.x, t.y, t.z), abs=1e-12), 2 * math.atan2(r.z, r.w)


def test_exact_stamp_and_header():
    found = filled(transform('map', 'body', 1.0, (1, 2, 3))).lookup_transform(
        'map', 'body', at(1.0)
    )
    assert (found.header.frame_id, found.child_frame_id) == ('map', 'body')
    assert found.header.stamp.sec == 1
    position, yaw = xyz_and_yaw(found)
    assert position == (1.0, 2.0, 3.0)
    assert yaw == pytest.approx(0.0)


def test_between_two_stamps_it_interpolates():
    buffer = filled(
        transform('map', 'body', 1.0, (0, 0, 0), yaw=0.0),
        transform('map', 'body', 2.0, (4, 0, 0), yaw=1.0),
    )
    position, yaw = xyz_and_yaw(buffer.lookup_transform('map', 'body', at(1.25)))
    assert position == (1.0, 0.0, 0.0)
    assert yaw == pytest.approx(0.25)


def test_rotation_takes_the_shorter_arc():
    last = transform('map', 'body', 2.0, yaw=1.0)
    r = last.transform.rotation
    r.z, r.w = -r.z, -r.w  # the same rotation, written with the other sign
    buffer = filled(transform('map', 'body', 1.0, yaw=0.0), last)
    rotation = buffer.lookup_transform('map', 'body', at(1.5)).transform.rotation
    assert abs(rotation.z) == pytest.approx(math.sin(0.25))


def test_inverse_and_chain():
    quarter = math.pi / 2
    buffer = filled(
        transform('map', 'camera', 1.0, (1, 0, 0), yaw=quarter),
        transform('camera', 'body', 1.0, (2, 0, 0)),
    )
    position, yaw = xyz_and_yaw(buffer.lookup_transform('map', 'body', at(1.0)))
    assert position == (1.0, 2.0, 0.0)
    assert yaw == pytest.approx(quarter)
    position, yaw = xyz_and_yaw(buffer.lookup_transform('body', 'map', at(1.0)))
    assert position == (-2.0, 1.0, 0.0)
    assert yaw == pytest.approx(-quarter)


def test_siblings_meet_at_their_parent():
    buffer = filled(
        transform('camera', 'body_a', 1.0, (1, 0, 0)),
        transform('camera', 'body_b', 1.0, (4, 5, 0)),
    )
    position, _ = xyz_and_yaw(buffer.lookup_transform('body_a', 'body_b', at(1.0)))
    assert position == (3.0, 5.0, 0.0)


def test_time_zero_is_the_latest_common_time():
    buffer = filled(
        transform('map', 'camera', 1.0, (0, 0, 0)),
        transform('map', 'camera', 3.0, (2, 0, 0)),
        transform('camera', 'body', 1.0),
        transform('camera', 'body', 2.0),
    )
    found = buffer.lookup_transform('map', 'body', Time())
    assert found.header.stamp.sec == 2
    position, _ = xyz_and_yaw(found)
    assert position == (1.0, 0.0, 0.0)


def test_static_transforms_hold_at_all_times():
    buffer = filled(transform('camera', 'body', 5.0, (1, 0, 0)))
    buffer.set_transform_static(transform('map', 'camera', 0.0, (0, 7, 0)), 'test')
    position, _ = xyz_and_yaw(buffer.lookup_transform('map', 'body', at(5.0)))
    assert position == (1.0, 7.0, 0.0)


@pytest.mark.parametrize('seconds', [0.5, 2.5], ids=['before', 'after'])
def test_outside_of_the_known_time(seconds):
    buffer = filled(transform('map', 'body', 1.0), transform('map', 'body', 2.0))
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform('map', 'body', at(seconds))
    assert not buffer.can_transform('map', 'body', at(seconds))


def test_old_transforms_are_forgotten():
    moments = [transform('map', 'body', s) for s in (1.0, 2.0, 9.0)]
    buffer = filled(*moments, cache_time=Duration(seconds=3))
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform('map', 'body', at(1.5))
    assert buffer.can_transform('map', 'body', at(9.0))


def test_unknown_frame():
    buffer = filled(transform('map', 'body', 1.0))
    with pytest.raises(LookupException, match='nobody'):
        buffer.lookup_transform('map', 'nobody', at(1.0))
    assert not buffer.can_transform('map', 'nobody', at(1.0))


def test_frames_of_two_trees():
    buffer = filled(transform('map', 'body', 1.0), transform('moon', 'rover', 1.0))
    with pytest.raises(ConnectivityException):
        buffer.lookup_transform('map', 'rover', at(1.0))


@pytest.mark.parametrize('name', ['', '/body'])
def test_malformed_names(name):
    buffer = filled(transform('map', 'body', 1.0))
    with pytest.raises(InvalidArgumentException):
        buffer.lookup_transform('map', name, at(1.0))


@pytest.mark.parametrize(
    'kind',
    [
        LookupException,
        ConnectivityException,
        ExtrapolationException,
        InvalidArgumentException,
    ],
)
def test_one_base_catches_all(kind):
    assert issubclass(kind, TransformException)


def test_a_transform_that_is_not_finite_is_left_out():
    buffer = filled(transform('map', 'body', 1.0))
    buffer.set_transform(transform('map', 'body', 2.0, (math.nan, 0, 0)), 'test')
    assert not buffer.can_transform('map', 'body', at(2.0))
