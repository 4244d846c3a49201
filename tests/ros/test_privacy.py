# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What leaves the node, read byte by byte over real DDS."""

import importlib
import math

from anny_ros.msg import BodyPose, HumanArray
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros

_RUN = 8  # bytes of a picture in a row that must not be found again
_PICTURES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')


def noise(make, offset):
    image = make.image(offset)
    image.data = np.random.default_rng(7).integers(0, 256, len(image.data), np.uint8).tobytes()
    return image


def get_message(kind):
    package, _, name = kind.split('/')
    return getattr(importlib.import_module(f'{package}.msg'), name)


def published(graph, node):
    """Topics of the node itself: name and type."""
    found = graph.tester.get_publisher_names_and_types_by_node(node.get_name(), graph.namespace)
    return {name: kinds[0] for name, kinds in found}


def listen_to_everything(graph, topics):
    """Serialised messages of each topic, as they come."""
    got = {}
    for name, kind in topics.items():
        latched = name.endswith('/body_model')
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        got[name] = []
        graph.tester.create_subscription(
            get_message(kind), name, got[name].append, QoSProfile(depth=10, durability=durability),
            raw=True,
        )  # fmt: skip
    return got


def play(graph, make, publisher, until, make_image=noise):
    for i in range(60):
        publisher.publish(make_image(make, 0.1 * i))
        if graph.spin_until(until, 0.3):
            return
    raise AssertionError('what was waited for did not come')


def holds_pixels(raw, picture):
    """Whether some run of the picture's bytes is in a message."""
    starts = np.random.default_rng(1).integers(0, len(picture) - _RUN, 4000)
    return any(picture[s : s + _RUN] in raw for s in starts.tolist())


def test_no_pixel_leaves_a_node_that_may_not_send_pictures(graph, make):
    node = graph.active_anny(publish__raw_images=False, tf__joints='all', publish__mesh='coarse')
    assert graph.spin_until(lambda: len(published(graph, node)) > 8)
    topics = published(graph, node)
    assert not [kind for kind in topics.values() if kind in _PICTURES]
    got = listen_to_everything(graph, topics)
    wanted = [n for n in got if n.startswith(graph.namespace) and 'transition' not in n
              and not n.endswith(('/parameter_events', '/rosout', '/followed_pose'))]  # fmt: skip
    assert {'humans', 'meshes', 'markers', 'points', 'cues', 'stats', 'body_model'} <= {
        name.rpartition('/')[2] for name in wanted
    }
    play(graph, make, graph.image_publisher(), lambda: all(got[name] for name in wanted))
    picture = bytes(noise(make, 0.0).data)
    assert holds_pixels(b'before' + picture[5000:9000] + b'after', picture)
    for name, messages in got.items():
        for raw in messages:
            assert not holds_pixels(bytes(raw), picture), name


def test_the_overlay_shows_pixels_and_the_anonymised_picture_shows_nobody(graph, make):
    graph.active_anny()
    shown = graph.collect(Image, 'anny/anonymized')
    small = graph.collect(CompressedImage, 'anny/anonymized/compressed')
    overlays = graph.collect(Image, 'anny/overlay')
    play(graph, make, graph.image_publisher(), lambda: shown and small and overlays)
    picture = bytes(noise(make, 0.0).data)
    assert holds_pixels(bytes(overlays[-1].data), picture)
    before = np.frombuffer(picture, np.uint8).reshape(480, 640, 3)
    after = np.frombuffer(bytes(shown[-1].data), np.uint8).reshape(480, 640, 3)
    same = (before == after).all(axis=2)
    people = graph.estimator.people
    K = people.camera.K
    for row in range(len(people)):
        surface = graph.body.vertices(people[row], 'coarse')[0]
        u, v = np.round((surface @ K.T)[:, :2] / surface[:, 2:]).astype(int).T
        inside = (u >= 0) & (u < 640) & (v >= 0) & (v < 480)
        assert same[v[inside], u[inside]].mean() < 0.01
    assert same[:, :20].all()


def test_people_who_are_not_published_are_hidden_too(graph, make):
    graph.active_anny(publish__tentative=False, tracking__confirm_time=10.0)
    humans = graph.collect(HumanArray, 'anny/humans')
    shown = graph.collect(Image, 'anny/anonymized')
    play(graph, make, graph.image_publisher(), lambda: len(shown) >= 2 and len(humans) >= 2)
    assert all(not message.humans for message in humans)
    before = np.frombuffer(bytes(noise(make, 0.0).data), np.uint8)
    after = np.frombuffer(bytes(shown[-1].data), np.uint8)
    assert 0.05 < (before != after).mean() < 0.7


def test_age_and_gender_are_not_told_unless_asked(graph, make):
    graph.active_anny()
    humans = graph.collect(HumanArray, 'anny/humans')
    play(graph, make, graph.image_publisher(), lambda: humans and humans[-1].humans)
    for human in humans[-1].humans:
        assert math.isnan(human.age_years)
        assert math.isnan(human.minor_probability)
        phenotype = list(human.body.phenotype)
        hidden = [i for i, value in enumerate(phenotype) if math.isnan(value)]
        assert hidden == [BodyPose.GENDER, BodyPose.AGE]
