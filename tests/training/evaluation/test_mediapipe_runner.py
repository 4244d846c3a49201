# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The script that runs in MediaPipe's environment, with a MediaPipe of our own that finds all."""

import importlib.util
import io
import json
from pathlib import Path
import sys
import tarfile
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

import training.evaluation as package

BOX = [100.0, 40.0, 160.0, 140.0]


class Pose:
    """Finds one landmark at the brightest pixel, if there is any light."""

    def __init__(self, static_image_mode, model_complexity):
        self.static, self.complexity = static_image_mode, model_complexity

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def process(self, rgb):
        if rgb.max() < 100:
            return SimpleNamespace(pose_landmarks=None)
        height, width = rgb.shape[:2]
        y, x = np.unravel_index(rgb[..., 0].argmax(), (height, width))
        point = SimpleNamespace(x=(x + 0.5) / width, y=(y + 0.5) / height, z=0.5, visibility=0.9)
        points = SimpleNamespace(landmark=[point] * 33)
        return SimpleNamespace(pose_landmarks=points, pose_world_landmarks=points)


@pytest.fixture
def runner(monkeypatch):
    fake = ModuleType('mediapipe')
    fake.__version__ = 'fake'
    fake.solutions = SimpleNamespace(pose=SimpleNamespace(Pose=Pose))
    monkeypatch.setitem(sys.modules, 'mediapipe', fake)
    path = Path(package.__file__).with_name('mediapipe_runner.py')
    spec = importlib.util.spec_from_file_location('mediapipe_runner', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture():
    rgb = np.zeros((200, 300, 3), np.uint8)
    rgb[75, 131] = 255
    return rgb


def run(runner, monkeypatch, tmp_path, jobs):
    (tmp_path / 'jobs.json').write_text(json.dumps(jobs))
    result = tmp_path / 'results.npz'
    monkeypatch.setattr(sys, 'argv', ['runner', str(tmp_path / 'jobs.json'), str(result)])
    runner.main()
    with np.load(result) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_pictures_of_a_tar_whole_and_in_boxes(runner, monkeypatch, tmp_path):
    data = cv2.imencode('.png', picture())[1].tobytes()
    with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
        info = tarfile.TarInfo('one.png')
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    boxes = [BOX, [-50, -50, -40, -40], [200, 100, 240, 150]]  # him, outside, nobody
    job = {'kind': 'picture', 'path': str(tmp_path / 'a.tar'), 'member': 'one.png', 'boxes': boxes}
    found = run(runner, monkeypatch, tmp_path, [job])
    assert found['box'].tolist() == [-1, 0]
    # Pixels of the whole picture, counted from the middle of the first, in both.
    np.testing.assert_allclose(found['landmarks'][:, 0], [[131, 75], [131, 75]], atol=1e-6)
    assert str(found['version']) == 'fake'


def test_videos_frame_by_frame(runner, monkeypatch, tmp_path):
    path = tmp_path / 'a.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (320, 240))
    for k in range(3):
        frame = np.zeros((240, 320, 3), np.uint8)
        if k != 1:
            cv2.rectangle(frame, (100, 60), (160, 120), (255, 255, 255), -1)
        writer.write(frame)
    writer.release()
    job = {'kind': 'video', 'path': str(path), 'frames': 9, 'boxes': [[BOX]] * 9}
    found = run(runner, monkeypatch, tmp_path, [job])
    assert found['frame'].tolist() == [0, 0, 2, 2]
    assert found['box'].tolist() == [-1, 0, -1, 0]


def test_nobody(runner, monkeypatch, tmp_path):
    found = run(runner, monkeypatch, tmp_path, [])
    assert found['landmarks'].shape == (0, 33, 2)
    assert found['world'].shape == (0, 33, 3)


def test_windows_have_a_margin_and_stay_in_the_picture(runner):
    assert runner.window(BOX, 300, 200) == (80, 20, 181, 161)
    assert runner.window([-20, -20, 40, 100], 300, 200) == (0, 0, 65, 125)
    assert runner.window([400, 0, 420, 50], 300, 200) is None
