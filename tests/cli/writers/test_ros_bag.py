# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``anny-ros track --bag`` on a small bag of a real picture, with the embedded model."""

from __future__ import annotations

from pathlib import Path
import struct

from anny_ros.cli.main import main
from anny_ros.cli.writers.ros_bag import RosBag
from anny_ros.errors import InputError
from anny_ros.parameters import Parameters
import cv2
import numpy as np
import pytest

rosbag2 = pytest.importorskip('rosbags.rosbag2')
pytest.importorskip('rclpy')
pytest.importorskip('anny_ros.msg')
from anny_ros.body import BodyModel  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402
from rosbags.typesys import get_typestore, Stores  # noqa: E402

STORE = get_typestore(Stores.ROS2_HUMBLE)
PICTURE = Path(__file__).parents[2] / 'data' / 'park_100.jpg'
NUM_PICTURES = 5
# Odd nanoseconds, which would not come through a float unchanged.
FIRST = 1_700_000_000_123_456_789
TYPES = {
    '/anny/body_model': 'anny_ros/msg/BodyModel',
    '/anny/humans': 'anny_ros/msg/HumanArray',
    '/tf': 'tf2_msgs/msg/TFMessage',
    '/anny/cues': 'anny_ros/msg/HumanCuesArray',
    '/anny/points': 'sensor_msgs/msg/PointCloud2',
    '/anny/meshes': 'anny_ros/msg/HumanMeshArray',
    '/anny/markers': 'visualization_msgs/msg/MarkerArray',
}


@pytest.fixture(scope='module')
def stamps():
    return [FIRST + 33_333_333 * k for k in range(NUM_PICTURES)]


@pytest.fixture(scope='module')
def recorded(tmp_path_factory, stamps):
    """Messages by topic of the written bag, in order: (time, message)."""
    folder = tmp_path_factory.mktemp('bag')
    jpeg = np.frombuffer(PICTURE.read_bytes(), np.uint8)
    kind = 'sensor_msgs/msg/CompressedImage'
    with rosbag2.Writer(
        folder / 'in', version=9, storage_plugin=rosbag2.StoragePlugin.MCAP
    ) as writer:
        topic = writer.add_connection('/front/image/compressed', kind, typestore=STORE)
        for now in stamps:
            time = STORE.types['builtin_interfaces/msg/Time'](*divmod(now, 1_000_000_000))
            header = STORE.types['std_msgs/msg/Header'](time, 'front_optical')
            message = STORE.types[kind](header, 'jpeg', jpeg)
            writer.write(topic, now + 5_000_000, STORE.serialize_cdr(message, kind))
    out = folder / 'out.mcap'
    command = ['track', str(folder / 'in'), '-o', str(folder / 't.jsonl'), '--bag', str(out)]
    assert main([*command, '--quiet']) == 0
    assert sorted(p.name for p in folder.iterdir()) == ['in', 'out.mcap', 't.jsonl']
    before = out.read_bytes()
    assert main([*command, '--quiet']) == 2  # never overwritten
    assert out.read_bytes() == before
    found = {}
    with AnyReader([out]) as reader:
        assert {c.topic: c.msgtype for c in reader.connections} == TYPES
        for connection, time, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            found.setdefault(connection.topic, []).append((time, message))
    return found


def stamp_of(header):
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def test_every_picture_has_its_people_under_its_own_stamp(recorded, stamps):
    for topic in ('/anny/humans', '/anny/meshes', '/anny/points', '/anny/cues'):
        assert [time for time, _ in recorded[topic]] == stamps
        assert [stamp_of(m.header) for _, m in recorded[topic]] == stamps
        assert {m.header.frame_id for _, m in recorded[topic]} == {'front_optical'}
    last = recorded['/anny/humans'][-1][1]
    assert len(last.humans) == 2
    assert all(3.0 < human.pose.pose.position.z < 30.0 for human in last.humans)


def test_topics_agree(recorded):
    humans = recorded['/anny/humans'][-1][1].humans
    (_, body), *others = recorded['/anny/body_model']
    assert not others
    meshes = recorded['/anny/meshes'][-1][1].meshes
    assert [mesh.id for mesh in meshes] == [human.id for human in humans]
    for mesh, human in zip(meshes, humans, strict=True):
        assert mesh.body_model == body.hash
        surface = mesh.vertices.reshape(-1, 3)
        assert len(surface) == body.triangles.max() + 1
        place = human.pose.pose.position
        assert np.abs(surface.mean(0) - [place.x, place.y, place.z]).max() < 0.6
    transforms = {
        t.child_frame_id: t.transform.translation for t in recorded['/tf'][-1][1].transforms
    }
    for human in humans:
        place = transforms[f'body_{human.id}']
        assert place.z == pytest.approx(human.pose.pose.position.z, abs=1e-5)
    cues = recorded['/anny/cues'][-1][1].cues
    assert [cue.id for cue in cues] == [human.id for human in humans]
    cloud = recorded['/anny/points'][-1][1]
    rows = [struct.unpack_from('<3fI', cloud.data, k * 16) for k in range(cloud.width)]
    assert {row[3] for row in rows} == {human.track_number for human in humans}


def test_markers_can_be_read(recorded):
    markers = recorded['/anny/markers'][-1][1].markers
    assert {marker.ns for marker in markers} == {'mesh', 'skeleton', 'label', 'trail'}
    trail = next(m for m in markers if m.ns == 'trail')
    assert len(trail.points) > 1
    assert cv2.norm(np.array([trail.color.r, trail.color.g, trail.color.b])) > 0.1


def test_a_wrong_place_is_refused(tmp_path):
    there = tmp_path / 'there.mcap'
    there.write_bytes(b'x')
    for path, words in (
        (tmp_path / 'o.db3', 'writes mcap'),
        (there, 'there already'),
        (tmp_path / 'no' / 'o.mcap', 'no folder'),
    ):
        with pytest.raises(InputError, match=words):
            RosBag.check(path)


def test_a_failure_leaves_nothing(tmp_path):
    bag = RosBag(tmp_path / 'o.mcap', BodyModel.load(), Parameters())
    bag.abort()
    assert list(tmp_path.iterdir()) == []
