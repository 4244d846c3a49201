# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Whoever comes and goes turns the work for a topic on and off."""

from anny_ros.msg import HumanArray, HumanCuesArray, HumanMeshArray
from anny_ros.ros.publishers import anonymized, cues, markers, meshes, overlay, points
import pytest
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

pytestmark = pytest.mark.ros

# Topic, its type, and the function that is the work for it.
COSTLY = [
    ('anny/meshes', HumanMeshArray, (meshes, 'human_mesh_array')),
    ('anny/markers', MarkerArray, (markers.MarkersPublisher, '_person')),
    ('anny/points', PointCloud2, (points, 'point_cloud')),
    ('anny/cues', HumanCuesArray, (cues, 'human_cues_array')),
    ('anny/overlay', Image, (overlay, 'draw_scene')),
    ('anny/overlay/compressed', CompressedImage, (overlay, 'draw_scene')),
    ('anny/anonymized', Image, (anonymized, 'anonymise')),
    ('anny/anonymized/compressed', CompressedImage, (anonymized, 'anonymise')),
]
FUNCTIONS = {f'{owner.__name__}.{name}': (owner, name) for _, _, (owner, name) in COSTLY}


@pytest.fixture
def done(monkeypatch):
    """How often each function has worked."""
    counts = dict.fromkeys(FUNCTIONS, 0)
    for key, (owner, name) in FUNCTIONS.items():
        real = getattr(owner, name)

        def counted(*arguments, key=key, real=real):
            counts[key] += 1
            return real(*arguments)

        monkeypatch.setattr(owner, name, counted)
    return counts


def test_work_is_done_only_for_topics_that_somebody_listens_to(graph, make, done):
    graph.active_anny(publish__mesh='coarse')
    humans = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()

    def play(count):
        """Send so many pictures, one after the other."""
        for _ in range(count):
            known = len(humans)
            pictures.publish(make.image(0.1 * known))
            assert graph.spin_until(lambda known=known: len(humans) > known, 30)

    play(3)
    assert set(done.values()) == {0}
    for topic, kind, (owner, name) in COSTLY:
        own = f'{owner.__name__}.{name}'
        before = dict(done)
        received = []
        listener = graph.tester.create_subscription(kind, topic, received.append, 10)
        for _ in range(60):
            play(1)
            if graph.spin_until(lambda received=received: received, 0.2):
                break
        assert received, topic
        play(1)
        # What is done for one topic is not done for another.
        assert {key for key in done if done[key] > before[key]} == {own}, topic
        graph.tester.destroy_subscription(listener)
        publisher_sees = [
            p for output in graph.nodes[-1]._outputs for p in output._publishers
            if p.topic_name.endswith(f'/{topic}')
        ]  # fmt: skip
        assert len(publisher_sees) == 1
        assert graph.spin_until(lambda p=publisher_sees[0]: p.get_subscription_count() == 0, 30)
        play(1)  # one may have been on its way
        after = done[own]
        play(2)
        assert done[own] == after, topic
