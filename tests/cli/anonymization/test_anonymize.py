# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The whole command on small bags and videos of a real picture, with the embedded model."""

from __future__ import annotations

import json
from pathlib import Path

from anny_ros.cli.main import main
from anny_ros.inference.lite import LiteEstimator
import cv2
import numpy as np
import pytest

rosbag2 = pytest.importorskip('rosbags.rosbag2')
from rosbags.highlevel import AnyReader  # noqa: E402
from rosbags.typesys import get_typestore, Stores  # noqa: E402

STORE = get_typestore(Stores.ROS2_HUMBLE)
TYPES = STORE.types
PICTURE = Path(__file__).parents[2] / 'data' / 'park_100.jpg'
NUM_PICTURES = 6
SIZE = (480, 270)
# Where the walking woman and the jumping man are in that picture, rows then columns.
WOMAN = (slice(145, 250), slice(255, 300))


@pytest.fixture(scope='module')
def rgb():
    bgr = cv2.imread(str(PICTURE))
    return cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA)[..., ::-1].copy()


def header(stamp):
    time = TYPES['builtin_interfaces/msg/Time'](int(stamp), round(stamp % 1 * 1e9))
    return TYPES['std_msgs/msg/Header'](time, 'camera')


def image(rgb, stamp, encoding='rgb8'):
    pixels = {'rgb8': rgb, 'bgr8': rgb[..., ::-1], '16UC1': rgb[..., :2]}[encoding]
    return TYPES['sensor_msgs/msg/Image'](
        header(stamp), rgb.shape[0], rgb.shape[1], encoding, 0, pixels[0].size,
        np.ascontiguousarray(pixels).reshape(-1),
    )  # fmt: skip


def compressed(rgb, stamp):
    data = cv2.imencode('.jpg', rgb[..., ::-1])[1].reshape(-1)
    return TYPES['sensor_msgs/msg/CompressedImage'](header(stamp), 'jpeg', data)


def write_bag(path, rgb, plugin, *, broken=False, depth=False):
    """Two cameras (raw bgr8, jpeg) and two topics that must not change."""
    text, twist = 'std_msgs/msg/String', 'geometry_msgs/msg/Twist'
    raw, jpeg = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
    with rosbag2.Writer(path, version=9, storage_plugin=plugin) as writer:

        def topic(name, kind):
            return writer.add_connection(name, kind, typestore=STORE)

        topics = {name: (topic(name, kind), kind) for name, kind in {
            '/front/image_raw': raw, '/rear/image_raw/compressed': jpeg, '/chat': text,
            '/cmd_vel': twist}.items()}  # fmt: skip
        if depth:
            topics['/front/depth'] = (topic('/front/depth', raw), raw)

        def put(name, time, message):
            connection, kind = topics[name]
            writer.write(connection, time, STORE.serialize_cdr(message, kind))

        vector = TYPES['geometry_msgs/msg/Vector3']
        for i in range(NUM_PICTURES):
            now = 1_000_000_000_000 + 100_000_000 * i
            stamp = now * 1e-9
            put('/front/image_raw', now, image(rgb, stamp, 'bgr8'))
            put('/rear/image_raw/compressed', now + 1, compressed(rgb, stamp))
            put('/chat', now + 2, TYPES[text](f'hello {i}'))
            put('/cmd_vel', now + 2, TYPES[twist](vector(i, 0, 0), vector(0, 0, -0.5 * i)))
            if depth:
                put('/front/depth', now + 3, image(rgb, stamp, '16UC1'))
        if broken:
            bad = TYPES[jpeg](header(stamp), 'jpeg', np.frombuffer(b'not a jpeg', np.uint8))
            put('/rear/image_raw/compressed', now + 9, bad)
    return path


def messages(path):
    with AnyReader([path]) as reader:
        return [
            (c.topic, c.msgtype, time, bytes(raw), reader.deserialize(raw, c.msgtype))
            for c, time, raw in reader.messages()
        ]


def test_a_bag_keeps_all_but_the_people(rgb, tmp_path, capsys):
    for plugin, suffix in (
        (rosbag2.StoragePlugin.MCAP, '.mcap'), (rosbag2.StoragePlugin.SQLITE3, '.db3'),
    ):  # fmt: skip
        source = write_bag(tmp_path / f'in{suffix[1:]}', rgb, plugin, broken=True)
        output = tmp_path / f'out{suffix}'
        counts = tmp_path / 'counts.json'
        assert main(
            ['anonymize', str(source), str(output), '--quiet', '--report', str(counts)]
        ) == 0  # fmt: skip
        before, after = messages(source), messages(output)
        others = [m[:4] for m in before if 'image' not in m[0]]
        assert [m[:4] for m in after if 'image' not in m[0]] == others
        assert len(others) == 2 * NUM_PICTURES
        pictures = [m for m in after if 'image' in m[0]]
        assert [m[:3] for m in pictures] == [m[:3] for m in before if 'image' in m[0]][:-1]
        for topic, _, _, raw, message in pictures:
            if topic == '/front/image_raw':
                assert (message.encoding, message.step) == ('bgr8', 3 * SIZE[0])
                new = message.data.reshape(SIZE[1], SIZE[0], 3)[..., ::-1]
            else:
                assert message.format == 'jpeg'
                new = cv2.imdecode(message.data, 1)[..., ::-1]
            assert raw not in [m[3] for m in before]
            changed = np.abs(new.astype(int) - rgb).max(axis=2) > 12
            assert changed[WOMAN].mean() > 0.7
            assert changed[:, 340:].mean() < 0.1
        told = json.loads(counts.read_text())
        assert told['pictures'] == told['with_people'] == 2 * NUM_PICTURES
        assert told['dropped'] == 1
        assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith('.')) == []
        assert 'look before you share it' in capsys.readouterr().err


def test_a_run_that_was_interrupted_goes_on(rgb, tmp_path, monkeypatch):
    source = write_bag(tmp_path / 'in', rgb, rosbag2.StoragePlugin.MCAP)
    output = tmp_path / 'out.mcap'
    work = LiteEstimator.__call__
    seen = []

    def counted(self, frame):
        if len(seen) == NUM_PICTURES + 2:
            raise KeyboardInterrupt
        seen.append(frame.stamp)
        return work(self, frame)

    monkeypatch.setattr(LiteEstimator, '__call__', counted)
    command = ['anonymize', str(source), str(output), '--quiet']
    assert main(command) == 130
    assert not output.exists()
    kept = list(tmp_path.glob('.out.mcap.scan/*.npz'))
    assert len(kept) == 2
    # Other settings are another run.
    assert main([*command, '--set', 'detection.threshold=0.2']) == 2
    seen.clear()
    monkeypatch.setattr(LiteEstimator, '__call__', lambda s, f: seen.append(0) or work(s, f))
    assert main(command) == 0
    # Only the second camera: what was done of it is seen again, to know who is there.
    assert len(seen) == NUM_PICTURES + NUM_PICTURES
    assert len([m for m in messages(output) if 'image' in m[0]]) == 2 * NUM_PICTURES
    assert not list(tmp_path.glob('.out*'))


def test_pictures_without_colours_need_a_decision(rgb, tmp_path, capsys):
    source = write_bag(tmp_path / 'in', rgb, rosbag2.StoragePlugin.MCAP, depth=True)
    output = tmp_path / 'out.mcap'
    command = ['anonymize', str(source), str(output), '--quiet']
    assert main(command) == 2
    assert '--drop /front/depth' in capsys.readouterr().err
    assert main([*command, '--drop', '/front/depth']) == 0
    assert '/front/depth' not in {m[0] for m in messages(output)}
    output.unlink()
    assert main([*command, '--keep', '/front/depth']) == 0
    before, after = (
        [m[:4] for m in messages(p) if m[0] == '/front/depth'] for p in (source, output)
    )
    assert before == after


def test_a_video(rgb, tmp_path):
    source, output = tmp_path / 'in.mp4', tmp_path / 'out.mp4'
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*'mp4v'), 10, SIZE)
    for _ in range(NUM_PICTURES):
        writer.write(rgb[..., ::-1])
    writer.release()
    assert main(['anonymize', str(source), str(output), '--quiet']) == 0
    capture = cv2.VideoCapture(str(output))
    count = 0
    while True:
        read, bgr = capture.read()
        if not read:
            break
        count += 1
        changed = np.abs(bgr[..., ::-1].astype(int) - rgb).max(axis=2) > 12
        assert changed[WOMAN].mean() > 0.7
    assert count == NUM_PICTURES


def test_mistakes_end_in_one_sentence_and_leave_nothing(rgb, tmp_path, capsys):
    bag = write_bag(tmp_path / 'in', rgb, rosbag2.StoragePlugin.MCAP)
    there = tmp_path / 'there.mcap'
    there.write_bytes(b'x')
    video = tmp_path / 'clip.mp4'
    video.write_bytes(b'no video')
    cases = [
        ([tmp_path / 'none.mcap', tmp_path / 'o.mcap'], 'there is no file'),
        ([bag, there], 'there already'),
        ([bag, tmp_path / 'no' / 'o.mcap'], 'no folder'),
        ([bag, tmp_path / 'o.mp4'], 'bag becomes a bag'),
        ([video, tmp_path / 'o.mcap'], 'becomes an mp4'),
        ([video, tmp_path / 'o.mp4'], 'cannot be opened'),
        ([video, tmp_path / 'o.mp4', '--drop', '/x'], 'are for bags'),
        ([bag, tmp_path / 'o.mcap', '--drop', '/nothing'], "no topic '/nothing'"),
        ([there, tmp_path / 'o.mcap'], 'cannot be read'),
        ([bag, tmp_path / 'o.mcap', '--drop', '/front/image_raw', '--drop',
          '/rear/image_raw/compressed'], 'no colour pictures'),
    ]  # fmt: skip
    for arguments, words in cases:
        assert main(['anonymize', *map(str, arguments), '--quiet']) == 2, words
        error = capsys.readouterr().err
        assert words in error
        assert error.count('\n') == 1
    assert there.read_bytes() == b'x'
    assert {p.name for p in tmp_path.iterdir()} == {'in', 'there.mcap', 'clip.mp4'}
