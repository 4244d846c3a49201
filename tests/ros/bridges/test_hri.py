# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``hri_bridge`` beside a running node, over real DDS."""

import sys

from anny_ros.errors import AnnyError
from anny_ros.msg import HumanArray
from anny_ros.ros.bridges import hri
from anny_ros.ros.bridges.hri import HriBridge
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image

hri_msgs = pytest.importorskip('hri_msgs.msg')
pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def bridge(graph, **parameters):
    return graph.add(
        HriBridge(
            context=graph.context,
            namespace=graph.namespace,
            parameter_overrides=[Parameter(k, value=v) for k, v in parameters.items()],
            cli_args=['--ros-args', '-r', f'/humans/bodies/tracked:={graph.namespace}/tracked'],
        )
    )


class Player:
    """Publish pictures one after another."""

    def __init__(self, graph, make):
        self.graph, self.make, self.count = graph, make, 0
        self.publisher = graph.image_publisher()

    def until(self, done):
        for _ in range(60):
            self.publisher.publish(self.make.image(0.1 * self.count))
            self.count += 1
            if self.graph.spin_until(done, 0.2):
                return
        raise AssertionError('what was waited for did not come')


def test_the_set_of_bodies_and_what_each_says(graph, make):
    graph.active_anny()
    bridge(graph)
    lists = graph.collect(hri_msgs.IdsList, 'tracked', LATCHED)
    humans = graph.collect(HumanArray, 'anny/humans')
    player = Player(graph, make)
    player.until(lambda: lists and len(lists[-1].ids) == 2)
    name = lists[-1].ids[0]
    topics = {
        'roi': hri_msgs.NormalizedRegionOfInterest2D, 'skeleton2d': hri_msgs.Skeleton2D,
        'posture': hri_msgs.BodyPosture,
    }  # fmt: skip
    got = {t: graph.collect(k, f'/humans/bodies/{name}/{t}') for t, k in topics.items()}
    player.until(lambda: all(got.values()))
    roi, skeleton = got['roi'][-1], got['skeleton2d'][-1]
    assert graph.spin_until(lambda: any(m.header == skeleton.header for m in humans))
    (message,) = [m for m in humans if m.header == skeleton.header]
    (human,) = [h for h in message.humans if h.id == name]
    assert 0 <= roi.xmin < roi.xmax <= 1
    assert 0 <= roi.ymin < roi.ymax <= 1
    assert (roi.xmax - roi.xmin) * 640 == pytest.approx(human.bbox[2], abs=1)
    coco = np.array(human.body.coco_keypoints_2d).reshape(-1, 2)
    points = np.array([[p.x * 640 - 0.5, p.y * 480 - 0.5] for p in skeleton.skeleton])
    code = hri_msgs.Skeleton2D
    for point, row in ((code.NOSE, 0), (code.LEFT_WRIST, 9), (code.RIGHT_KNEE, 14),
                       (code.LEFT_EYE, 1), (code.RIGHT_EAR, 4)):  # fmt: skip
        np.testing.assert_allclose(points[point], coco[row], atol=0.05)
    np.testing.assert_allclose(points[code.NECK], coco[5:7].mean(0), atol=0.05)
    assert got['posture'][-1].posture == hri_msgs.BodyPosture.STANDING

    # Somebody goes: a new list, and their topics end.
    people = graph.estimator.people
    graph.estimator.people = people[[1]]
    player.until(lambda: len(lists[-1].ids) == 1)
    gone = ({*lists[-2].ids} - {*lists[-1].ids}).pop()
    assert graph.spin_until(
        lambda: not graph.tester.get_publishers_info_by_topic(f'/humans/bodies/{gone}/roi')
    )
    # The list is sent when it changes, not with every picture.
    count = len(lists)
    player.until(lambda: player.count % 6 == 0)
    assert len(lists) == count


def test_a_camera_that_falls_silent_has_nobody_in_view(graph, make):
    graph.active_anny()
    bridge(graph)
    lists = graph.collect(hri_msgs.IdsList, 'tracked', LATCHED)
    Player(graph, make).until(lambda: lists and len(lists[-1].ids) == 2)
    assert graph.spin_until(lambda: lists[-1].ids == [], 6.0)


def test_pictures_of_bodies_only_where_they_are_allowed(graph, make):
    graph.active_anny()
    bridge(graph, cropped=True)
    lists = graph.collect(hri_msgs.IdsList, 'tracked', LATCHED)
    player = Player(graph, make)
    player.until(lambda: lists and lists[-1].ids)
    crops = graph.collect(Image, f'/humans/bodies/{lists[-1].ids[0]}/cropped')
    player.until(lambda: crops)
    crop = crops[-1]
    assert crop.encoding == 'rgb8'
    assert 0 < crop.width < 640
    assert len(crop.data) == 3 * crop.width * crop.height


def test_no_picture_leaves_it_by_default(graph, make):
    graph.active_anny()
    bridge(graph)
    lists = graph.collect(hri_msgs.IdsList, 'tracked', LATCHED)
    Player(graph, make).until(lambda: lists and lists[-1].ids)
    names = [name for name, _ in graph.tester.get_topic_names_and_types()]
    assert f'/humans/bodies/{lists[-1].ids[0]}/roi' in names
    assert not [name for name in names if name.endswith('/cropped')]


def test_without_hri_msgs_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, 'hri_msgs.msg', None)
    with pytest.raises(AnnyError, match='needs the package hri_msgs, which is not installed'):
        HriBridge()
    assert hri.main([]) == 2


def test_wrong_sources_are_refused(graph):
    with pytest.raises(AnnyError, match='sources'):
        bridge(graph, sources=[''])
