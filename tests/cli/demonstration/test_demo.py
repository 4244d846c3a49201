# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

from anny_ros.cli import demo
from anny_ros.cli.main import main
import cv2
import numpy as np
import pytest

NUM_FRAMES = 6
OUTPUTS = {
    '/anny/humans', '/anny/meshes', '/anny/body_model', '/anny/markers', '/anny/overlay',
    '/anny/overlay/compressed', '/anny/stats', '/diagnostics', '/tf',
}  # fmt: skip
EVERY_PICTURE = OUTPUTS - {'/anny/body_model', '/anny/stats', '/diagnostics'}


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--clip', 'nowhere.mp4'], 'give street, park'),
        (['--output', '{tmp}/file'], 'cannot write into'),
    ],
    ids=['clip', 'output'],
)
def test_wrong_input_is_one_line_and_exit_2(tmp_path, arguments, words, capsys):
    (tmp_path / 'file').touch()
    assert main(['demo', *(a.format(tmp=tmp_path) for a in arguments)]) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    assert words in err


@pytest.mark.parametrize('name', demo.CLIPS)
def test_bundled_clips_are_there_with_their_licence(name):
    path = demo._clip(name)
    assert cv2.VideoCapture(str(path)).read()[0]
    assert path.stat().st_size < 2_000_000
    assert f'{name}.mp4' in (path.parent / 'README.md').read_text()


def run_demo(folder, node_module):
    """Run the demo over real DDS, in a process of its own, with another module as its node."""
    pytest.importorskip('rclpy')
    pytest.importorskip('anny_ros.msg')
    pytest.importorskip('rosbags')
    clip = folder / 'clip.mp4'
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*'mp4v'), 10.0, (160, 120))
    for index in range(NUM_FRAMES):
        writer.write(np.full((120, 160, 3), 20 * index, np.uint8))
    writer.release()
    script = (
        'import os, sys\n'
        f'os.environ["PYTHONPATH"] = {str(Path(__file__).parent)!r}\n'
        'from anny_ros.cli.demonstration import session\n'
        'record = session.record\n'
        f'session.record = lambda clip, out: record(clip, out, {node_module!r})\n'
        'from anny_ros.cli.main import main\n'
        f'sys.exit(main(["demo", "--clip", {str(clip)!r}, "--output", {str(folder / "out")!r}]))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, timeout=300, check=False
    )
    return done, folder / 'out'


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """Run it with a stand-in for the estimator."""
    return run_demo(tmp_path_factory.mktemp('demo'), 'standin_node')


@pytest.mark.ros
def test_a_node_that_cannot_start_is_told_in_one_line(tmp_path):
    done, folder = run_demo(tmp_path, 'no_such_node')
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('anny-ros demo: the node ended with 1')
    assert 'no_such_node' in last
    assert not (folder / 'demo.mcap').exists()


@pytest.mark.ros
def test_the_demo_ends_well_with_a_table(shown):
    done, folder = shown
    assert done.returncode == 0, done.stderr
    assert 'seen for' in done.stdout
    assert f'2 people in {NUM_FRAMES} pictures' in done.stdout
    assert 'tracking' in done.stderr  # the progress bar
    names = {p.name for p in folder.iterdir()}
    assert {'overlay.mp4', 'tracks.jsonl', 'demo.mcap', 'metadata.yaml', 'log'} <= names
    assert not [name for name in names if 'part' in name]


@pytest.mark.ros
def test_the_bag_holds_every_output_with_the_stamps_of_the_pictures(shown):
    from rosbags.highlevel import AnyReader

    stamps: dict[str, list[int]] = {}
    with AnyReader([shown[1] / 'demo.mcap']) as reader:
        assert {c.topic for c in reader.connections} == OUTPUTS
        for connection, when, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            if connection.topic in EVERY_PICTURE:
                stamps.setdefault(connection.topic, []).append(when)
            if hasattr(message, 'header') and connection.topic in EVERY_PICTURE:
                assert when == message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            if connection.topic == '/anny/humans':
                assert [h.track_number for h in message.humans] == [1, 2]
    assert set(stamps) == EVERY_PICTURE
    for topic, found in stamps.items():
        # the last picture's markers are deleted at the end, under its stamp
        assert sorted(set(found)) == stamps['/anny/humans'], topic
    assert np.diff(stamps['/anny/humans']) == pytest.approx(1e8, abs=2e6)
    assert len(stamps['/anny/humans']) == NUM_FRAMES


@pytest.mark.ros
def test_tracks_come_from_the_messages(shown):
    header, *frames = map(json.loads, (shown[1] / 'tracks.jsonl').read_text().splitlines())
    assert header['image_width'] == 160
    assert len(frames) == NUM_FRAMES
    first, second = frames[-1]['humans']
    assert (first['id'], second['id']) == tuple(h['id'] for h in frames[0]['humans'])
    keypoints = np.array(first['keypoints_3d'], float)
    assert keypoints.shape == (17, 3)
    hips = keypoints[11:13].mean(axis=0)
    np.testing.assert_allclose(hips, first['position'], atol=1e-3)


@pytest.mark.ros
def test_the_overlay_shows_people(shown):
    capture = cv2.VideoCapture(str(shown[1] / 'overlay.mp4'))
    pictures = []
    while (read_one := capture.read())[0]:
        pictures.append(read_one[1])
    assert len(pictures) == NUM_FRAMES
    assert pictures[0].std() > 5
