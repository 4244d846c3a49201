# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

pytest.importorskip('rosbags')
pytest.importorskip('rclpy')
pytest.importorskip('anny_ros.msg')
from anny_ros.cli.demonstration.bag import BagWriter
from anny_ros.msg import Human, HumanArray
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader


def write(path, fails=None):
    with BagWriter(path) as bag:
        bag.add_topic('/anny/humans', 'anny_ros/msg/HumanArray')
        for second in (5, 7):
            message = HumanArray(humans=[Human(id='abcde', stature=1.5)])
            message.header.stamp.sec = second
            message.header.frame_id = 'camera'
            bag.write('/anny/humans', second * 10**9, serialize_message(message))
        if fails:
            raise fails


@pytest.mark.parametrize('what', ['file', 'folder'])
def test_reads_back_with_definitions_from_inside(tmp_path, what):
    path = tmp_path / 'demo.mcap'
    write(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['demo.mcap', 'metadata.yaml']
    with AnyReader([path if what == 'file' else tmp_path]) as reader:
        found = [
            (when, reader.deserialize(raw, connection.msgtype))
            for connection, when, raw in reader.messages()
        ]
    assert [when for when, _ in found] == [5 * 10**9, 7 * 10**9]
    assert [m.header.stamp.sec for _, m in found] == [5, 7]
    assert found[0][1].humans[0].id == 'abcde'
    assert found[0][1].humans[0].stature == 1.5
    assert found[0][1].humans[0].TRACKED == 1


def test_a_failure_leaves_nothing_and_an_interruption_what_was_written(tmp_path):
    path = tmp_path / 'demo.mcap'
    with pytest.raises(ZeroDivisionError):
        write(path, ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        write(path, KeyboardInterrupt())
    with AnyReader([path]) as reader:
        assert reader.message_count == 2


def test_a_second_run_replaces_the_first(tmp_path):
    write(tmp_path / 'demo.mcap')
    write(tmp_path / 'demo.mcap')
    assert len(list(tmp_path.iterdir())) == 2
