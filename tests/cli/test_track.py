# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
import json
import os
import subprocess
import sys

from anny_ros.cli.main import main
from anny_ros.cli.refinement import TracksRefinement
from anny_ros.types import CameraSource, COCO_KEYPOINT_NAMES
import cv2
import numpy as np
import pytest

WIDTH, HEIGHT, NUM_FRAMES = 64, 48, 7


def read(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def assert_one_line(capfd, *words):
    """Standard error holds one sentence (and no traceback) with all these words."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert 'Traceback' not in lines[0]
    for word in words:
        assert word in lines[0]


def left_over(folder):
    return sorted(p.name for p in folder.iterdir() if '.part' in p.name)


def test_format_field_by_field(estimator, video, tmp_path):
    out = tmp_path / 'tracks.jsonl'
    assert main(['track', str(video), '--output', str(out), '--quiet']) == 0
    header, *frames = read(out)
    assert list(header) == [
        'type', 'version', 'image_width', 'image_height', 'fps', 'model', 'keypoint_names'
    ]  # fmt: skip
    assert header['type'] == 'header'
    assert header['version'] == 1
    assert (header['image_width'], header['image_height']) == (WIDTH, HEIGHT)
    assert header['fps'] == pytest.approx(10.0)
    assert header['model']['name'] == 'fake'
    assert header['keypoint_names'] == list(COCO_KEYPOINT_NAMES)
    assert [f['index'] for f in frames] == list(range(NUM_FRAMES))
    np.testing.assert_allclose([f['stamp'] for f in frames], np.arange(NUM_FRAMES) / 10, atol=2e-3)
    assert list(frames[0]) == ['type', 'index', 'stamp', 'camera', 'humans', 'took_ms']
    assert frames[0]['camera']['source'] == 'estimated'
    assert np.array(frames[0]['camera']['k']).shape == (9,)
    assert frames[1]['humans'] == []
    first, second = frames[0]['humans']
    assert list(first) == [
        'id', 'track_number', 'state', 'score', 'bbox', 'position', 'keypoints_3d',
        'keypoints_2d', 'stature', 'age_years',
    ]  # fmt: skip
    assert first['id'] == 'abcde'
    assert first['track_number'] == 1
    assert (first['state'], second['state']) == ('TRACKED', 'OCCLUDED')
    assert first['bbox'] == [10, 5, 30, 40]
    assert first['position'] == [0, 0, 4]
    assert np.array(first['keypoints_3d']).shape == (17, 3)
    assert np.array(first['keypoints_2d']).shape == (17, 2)
    assert first['stature'] == pytest.approx(1.7)
    assert second['stature'] is None  # not known is null, never NaN


def test_pictures_arrive_in_order_and_in_rgb(estimator, folder, tmp_path):
    out = tmp_path / 'tracks.jsonl'
    assert main(['track', str(folder), '-o', str(out), '--fps', '5', '--quiet']) == 0
    assert [f['stamp'] for f in read(out)[1:]] == [pytest.approx(i / 5) for i in range(NUM_FRAMES)]
    for index, frame in enumerate(estimator.seen):
        assert frame.rgb[0, 0].tolist() == [250, 40 + 20 * index, 40 + 20 * index]


def test_one_picture(estimator, folder, tmp_path):
    out = tmp_path / 'tracks.jsonl'
    assert main(['track', str(folder / 'img9.png'), '-o', str(out), '--quiet']) == 0
    assert len(read(out)) == 2


def test_max_frames(estimator, video, tmp_path):
    out = tmp_path / 'tracks.jsonl'
    assert main(['track', str(video), '-o', str(out), '--max-frames', '3', '--quiet']) == 0
    assert len(read(out)) == 4


def test_given_intrinsics(estimator, video, tmp_path):
    out = tmp_path / 'tracks.jsonl'
    arguments = ['track', str(video), '-o', str(out), '--camera-k', '50,51,31.5,23.5', '--quiet']
    assert main(arguments) == 0
    camera = read(out)[1]['camera']
    assert camera == {'source': 'given', 'k': [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1]}
    assert estimator.seen[0].camera.source == CameraSource.PARAMETER


def test_parameters_reach_the_estimator(estimator, video, tmp_path):
    arguments = ['track', str(video), '-o', str(tmp_path / 't.jsonl'), '--device', 'cpu']
    assert main([*arguments, '--set', 'detection.threshold=0.5', '--quiet']) == 0
    assert estimator.parameters.detection.threshold == 0.5
    assert estimator.parameters.inference.device == 'cpu'


def test_overlay_shows_every_picture(estimator, video, tmp_path):
    overlay = tmp_path / 'overlay.mp4'
    arguments = ['track', str(video), '-o', str(tmp_path / 't.jsonl'), '--overlay', str(overlay)]
    assert main([*arguments, '--quiet']) == 0
    assert cv2.VideoCapture(str(overlay)).get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    pictures = pictures_of(overlay)
    assert len(pictures) == NUM_FRAMES
    assert pictures[0].shape == (HEIGHT, WIDTH, 3)
    plain = np.full((HEIGHT, WIDTH, 3), 40, int)
    plain[:, : WIDTH // 2, 2] = 250
    assert np.abs(pictures[0] - plain).max() > 60  # somebody is drawn


def pictures_of(video):
    capture, pictures = cv2.VideoCapture(str(video)), []
    while (read_one := capture.read())[0]:
        pictures.append(read_one[1].astype(int))
    return pictures


def test_refined_people_are_drawn_too(estimator, video, tmp_path, monkeypatch):
    def only_the_first(refinement, progress):
        for scene in refinement.scenes:
            yield replace(refinement.scenes[0], stamp=scene.stamp)

    monkeypatch.setattr(TracksRefinement, 'refined', only_the_first)
    out, overlay = tmp_path / 'tracks.jsonl', tmp_path / 'overlay.mp4'
    arguments = ['track', str(video), '-o', str(out), '--overlay', str(overlay), '--quiet']
    assert main([*arguments, '--refine']) == 0
    # As tracked, nobody is in the second picture.
    assert [len(frame['humans']) for frame in read(out)[1:]] == [2] * NUM_FRAMES
    pictures = pictures_of(overlay)
    assert len(pictures) == NUM_FRAMES
    assert np.abs(pictures[1] - pictures_of(video)[1]).max() > 60
    assert left_over(tmp_path) == []


def test_interrupted_refinement_keeps_what_was_tracked(
    estimator, video, tmp_path, monkeypatch, capfd
):
    def interrupted(refinement, progress):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(TracksRefinement, 'refined', interrupted)
    out, overlay = tmp_path / 'tracks.jsonl', tmp_path / 'overlay.mp4'
    arguments = ['track', str(video), '-o', str(out), '--overlay', str(overlay), '--quiet']
    assert main([*arguments, '--refine']) == 130
    assert_one_line(capfd, 'interrupted', '7 pictures')
    assert [len(frame['humans']) for frame in read(out)[1:3]] == [2, 0]
    assert len(read(out)) == 1 + NUM_FRAMES
    assert len(pictures_of(overlay)) == NUM_FRAMES


def test_rerun_recording(estimator, video, tmp_path):
    pytest.importorskip('rerun')
    recording = tmp_path / 'out.rrd'
    arguments = ['track', str(video), '-o', str(tmp_path / 't.jsonl'), '--rerun', str(recording)]
    assert main([*arguments, '--quiet']) == 0
    assert recording.read_bytes()[:3] == b'RRF'
    assert recording.stat().st_size > 2000
    assert left_over(tmp_path) == []


def test_bad_numbers_are_told(estimator, video, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(estimator, 'num_rejected', 4)
    assert main(['track', str(video), '--output', str(tmp_path / 't.jsonl'), '--quiet']) == 0
    assert_one_line(capfd, '4 times somebody was left out', 'inference.dtype=float32')


def test_progress_and_summary_go_to_standard_error(estimator, video, tmp_path, capfd):
    assert main(['track', str(video), '-o', str(tmp_path / 't.jsonl')]) == 0
    out, err = capfd.readouterr()
    assert out == ''
    assert '7 pictures' in err
    assert '2 people' in err


def test_interruption_leaves_what_was_done(estimator, video, tmp_path, monkeypatch):
    monkeypatch.setattr(estimator, 'fails_at', (3, KeyboardInterrupt))
    out, overlay = tmp_path / 'tracks.jsonl', tmp_path / 'overlay.mp4'
    arguments = ['track', str(video), '-o', str(out), '--overlay', str(overlay), '--quiet']
    assert main(arguments) == 130
    assert [f['index'] for f in read(out)[1:]] == [0, 1, 2]
    assert cv2.VideoCapture(str(overlay)).read()[0]
    assert left_over(tmp_path) == []


def test_a_crash_leaves_nothing_and_keeps_the_old_file(estimator, video, tmp_path, monkeypatch):
    monkeypatch.setattr(estimator, 'fails_at', (3, RuntimeError))
    out = tmp_path / 'tracks.jsonl'
    out.write_text('from last time')
    with pytest.raises(RuntimeError):
        main(['track', str(video), '-o', str(out), '--quiet'])
    assert out.read_text() == 'from last time'
    assert left_over(tmp_path) == []


WRONG = {
    'missing file': (['nowhere.mp4'], 'no file or folder'),
    'folder without pictures': (['{tmp}/bare'], 'holds no picture'),
    'broken picture': (['{tmp}/broken'], 'broken/b.png'),
    'picture of size 0': (['{tmp}/zero.png'], 'cannot be decoded'),
    'pictures of two sizes': (['{tmp}/sizes'], 'first picture is 64x48'),
    'not a bag': (['{tmp}/text.mcap'], 'cannot be read as a ROS bag'),
    'output folder missing': (['{video}', '--output', '{tmp}/no/t.jsonl'], 'there is no folder'),
    'output is a folder': (['{video}', '--output', '{tmp}'], 'it is a folder'),
    'overlay not mp4': (['{video}', '--overlay', '{tmp}/o.gif'], 'mp4'),
    'same output twice': (['{video}', '--rerun', '{tmp}/t.jsonl'], 'same file'),
    'output is the input': (['{video}', '--output', '{video}'], 'same file'),
    'topic of a video': (['{video}', '--topic', '/image'], 'leave it out'),
    'zero focal length': (['{video}', '--camera-k', '0,500,32,24'], 'fx, fy > 0'),
    'nan intrinsics': (['{video}', '--camera-k', 'nan,500,32,24'], 'finite'),
    'three intrinsics': (['{video}', '--camera-k', '500,32,24'], 'camera.k'),
    'words as intrinsics': (['{video}', '--camera-k', 'a,b,c,d'], 'camera.k'),
    'unknown parameter': (['{video}', '--set', 'detection.treshold=1'], 'did you mean'),
    'value out of range': (['{video}', '--set', 'detection.threshold=7'], 'between -1 and 1'),
    'value of a wrong type': (['{video}', '--set', 'detection.threshold=high'], 'got'),
    'no value': (['{video}', '--set', 'detection.threshold'], 'NAME=VALUE'),
    'missing weights': (['{video}', '--model', 'missing.pt'], 'missing.pt'),
    'no pictures wanted': (['{video}', '--max-frames', '0'], 'at least 1'),
    'words as a number': (['{video}', '--max-frames', 'all'], '--max-frames'),
    'unknown device': (['{video}', '--device', 'tpu'], 'tpu'),
    'unknown option': (['{video}', '--frobnicate'], '--help'),
    'no input': ([], 'INPUT'),
}


@pytest.mark.parametrize('case', WRONG)
def test_wrong_input_is_one_line_and_exit_2(estimator, video, tmp_path, capfd, case):
    (tmp_path / 'text.mcap').write_text('this is no bag')
    (tmp_path / 'zero.png').touch()
    for name, sizes in {'bare': [], 'broken': [64, 0], 'sizes': [64, 32]}.items():
        (tmp_path / name).mkdir()
        for letter, size in zip('ab', sizes, strict=False):
            path = tmp_path / name / f'{letter}.png'
            path.write_text('no picture')
            if size:
                cv2.imwrite(str(path), np.zeros((48, size, 3), np.uint8))
    arguments, *words = WRONG[case]
    arguments = [a.format(tmp=tmp_path, video=video) for a in arguments]
    output = [] if '--output' in arguments else ['--output', str(tmp_path / 't.jsonl')]
    assert main(['track', *arguments, *output, '--quiet']) == 2
    assert_one_line(capfd, *words)
    assert left_over(tmp_path) == []
    assert not (tmp_path / 't.jsonl').exists()


@pytest.mark.parametrize('content', [b'', b'this is no video', 400], ids=['empty', 'text', 'cut'])
def test_unreadable_video_in_a_process_of_its_own(video, tmp_path, content):
    # Only there is it sure that the decoder's own complaints are kept quiet.
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(video.read_bytes()[:content] if isinstance(content, int) else content)
    command = [sys.executable, '-m', 'anny_ros.cli', 'track', str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ''
    assert done.stderr.count('\n') == 1
    assert 'broken.mp4' in done.stderr
    assert 'cannot be opened as a video' in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ['broken.mp4', 'clip.mp4']


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_folder_without_permission(estimator, video, tmp_path, capfd):
    locked = tmp_path / 'locked'
    locked.mkdir(mode=0o500)
    assert main(['track', str(video), '-o', str(locked / 't.jsonl'), '--quiet']) == 2
    assert_one_line(capfd, 'cannot write')


def test_full_disk(estimator, video, capfd):
    if not os.path.exists('/dev/full'):  # noqa: PTH110
        pytest.skip('needs /dev/full')
    from anny_ros.cli.writers import jsonl

    class Full(jsonl.JsonlWriter):
        def __init__(self, path):
            super().__init__(path)
            self._file.close()
            self._file = open('/dev/full', 'w', buffering=1)  # noqa: PTH123, SIM115

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, 'JsonlWriter', Full)
        out = video.with_name('t.jsonl')
        assert main(['track', str(video), '-o', str(out), '--quiet']) == 2
    assert_one_line(capfd, 'No space left')
    assert not out.exists()
