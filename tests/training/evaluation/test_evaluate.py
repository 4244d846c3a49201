# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The command from end to end, with an estimator that is always right and without MediaPipe."""

from dataclasses import replace
import json
import sys

from anny_ros.inference import Estimator
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, Detections
import cv2
import numpy as np
import pytest

from training import evaluate
from training.evaluation import mediapipe_pose, sets
from training.evaluation.mediapipe_pose import Poses
from training.pictures.render import write_shard
from training.pictures.scene import Picture

# Two pictures, told apart by their grey.
GREYS = (60, 90)


class Oracle(Estimator):
    """Knows every rendered picture by its grey, and sees nobody in any other."""

    name, backend, default_threshold = 'oracle', 'none', 0.5

    def __init__(self, body, labels, camera):
        self.body, self.labels, self.camera = body, labels, camera
        self.parameters = Parameters()

    def __call__(self, frame):
        height, width = frame.rgb.shape[:2]
        camera = frame.camera or Camera.from_hfov(1.2, width, height)
        grey = int(frame.rgb[0, 0, 0])
        if (height, width) != (self.camera.height, self.camera.width):
            return Detections.empty(frame.stamp, camera, len(self.body.joint_names))
        people = self.labels[: 1 + GREYS.index(grey)].detections(self.body, self.camera)
        if frame.camera is None:  # half the focal length, half the distance
            people = replace(people, position=0.5 * people.position)
        return people


@pytest.fixture
def data(tmp_path):
    """Clips of nobody."""
    clips = tmp_path / 'data' / 'clips'
    clips.mkdir(parents=True)
    for name in ('street.mp4', 'park.mp4'):
        writer = cv2.VideoWriter(str(clips / name), cv2.VideoWriter_fourcc(*'mp4v'), 10, (128, 96))
        for _ in range(3):
            writer.write(np.full((96, 128, 3), 120, np.uint8))
        writer.release()
    people = {'A': {'box': [10, 10, 30, 60]}}
    labels = {'ignore': [[0, 70, 100, 96]], 'frames': {'0': people, '2': people}}
    (clips / 'street_boxes.json').write_text(json.dumps(labels))
    return tmp_path / 'data'


@pytest.fixture
def oracle(body, labels, camera, tmp_path, monkeypatch):
    shape = (camera.height, camera.width, 3)
    pictures = [
        Picture(np.full(shape, grey, np.uint8), camera, labels[: k + 1])
        for k, grey in enumerate(GREYS)
    ]
    (tmp_path / 'set').mkdir()
    shard = tmp_path / 'set' / 'heldout_000.tar'
    write_shard(shard, iter(pictures), lossless=True)
    monkeypatch.setattr(sets, 'rendered', lambda *_: [shard])
    estimator = Oracle(body, labels, camera)
    monkeypatch.setattr(Estimator, 'load', staticmethod(lambda *_: estimator))
    return estimator


def run(data, tmp_path):
    output = tmp_path / 'out'
    assert evaluate.main([str(data), '--output', str(output)]) == 0
    assert (output / 'worst.png').stat().st_size > 0
    document = json.loads((output / 'model.json').read_text())
    found = document['results']
    # A figure a key, and a reason for each that is not there; no figure is left out.
    assert {key for key, value in found.items() if value is None} == set(document['reasons'])
    assert all(document['reasons'].values())
    return document, found


def test_who_is_always_right_has_no_errors(data, oracle, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'base_prefix', str(tmp_path))  # no Python to install it with
    document, found = run(data, tmp_path)
    assert found['rendered.model.all.people'] == 3
    assert found['rendered.model.all.recall'] == 1
    assert found['rendered.model.precision'] == 1
    for key in ('pa_mpjpe_mm', 'mpjpe_mm', 'distance_median_error', 'stature_median_error'):
        assert found[f'rendered.model.all.{key}'] == pytest.approx(0, abs=0.01)
    blind = 'rendered.model_camera_not_known.all'
    assert found[f'{blind}.distance_bias'] == pytest.approx(-0.5, abs=1e-3)
    assert found[f'{blind}.recall'] == 1
    # Nobody of the street is found.
    assert found['clips.model.street.recall'] == 0
    assert found['clips.model.street.precision'] is None
    assert found['clips.model_without_tracking.street.recall'] == 0
    reason = document['reasons']['beside_mediapipe_boxes.mediapipe.all.pa_mpjpe_mm']
    assert reason.startswith(f'MediaPipe {mediapipe_pose.VERSION} cannot be installed')
    assert set(document['model']['files']) >= {'lifter.safetensors', 'anny_body.safetensors'}
    assert document['machine']['cpu']
    assert document['set']['pictures'] == 2
    printed = capsys.readouterr().out
    assert reason in printed
    assert 'visible above 90' in printed


def test_both_beside_each_other(data, oracle, labels, tmp_path, monkeypatch):
    """MediaPipe sees the first person alone, at half the size and so at half the distance."""
    monkeypatch.setattr(mediapipe_pose, 'environment', lambda folder: folder)
    world = np.zeros((4, 33, 3))
    joints = labels.keypoints_3d[0].astype(np.float64)
    ray = joints.mean(axis=0)
    turned = (joints - joints[11:13].mean(axis=0)) @ mediapipe_pose.towards(ray[None])[0]
    landmarks, visibility = np.zeros((4, 33, 2)), np.zeros((4, 33))
    for k, row in enumerate(mediapipe_pose.COCO):
        world[:, row], landmarks[:, row] = 0.5 * turned[k], labels.keypoints_2d[0, k]
        visibility[:, row] = 1
    rest = np.setdiff1d(np.arange(33), mediapipe_pose.COCO)
    landmarks[:, rest] = landmarks[:, [23]]
    world[:, rest] = world[:, [23]]
    zero = np.zeros(4, int)
    poses = Poses(
        np.array([0, 1, 0, 1]), zero, np.array([-1, -1, 0, 0]), landmarks, visibility, world
    )
    monkeypatch.setattr(mediapipe_pose, 'run', lambda *_: poses)
    _, found = run(data, tmp_path)
    for where in ('whole', 'boxes'):
        assert found[f'rendered.mediapipe_{where}.all.recall'] == pytest.approx(2 / 3, abs=1e-4)
        assert found[f'rendered.mediapipe_{where}.precision'] == 1
        theirs = f'beside_mediapipe_{where}.mediapipe.all'
        assert found[f'{theirs}.people'] == 2
        assert found[f'{theirs}.pa_mpjpe_mm'] == pytest.approx(0, abs=0.1)
        assert found[f'{theirs}.mpjpe_mm'] > 50
        assert found[f'{theirs}.distance_bias'] == pytest.approx(-0.5, abs=0.02)
        assert found[f'{theirs}.stature_median_error'] is None
        assert found[f'beside_mediapipe_{where}.model.all.people'] == 2
    assert found['rendered.mediapipe_whole.alone.recall'] == 1


def test_keys_do_not_depend_on_mediapipe(data, oracle, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'base_prefix', str(tmp_path))
        _, without = run(data, tmp_path)
    nobody = Poses(*np.zeros((3, 0), int), np.zeros((0, 33, 2)), np.zeros((0, 33)),
                   np.zeros((0, 33, 3)))  # fmt: skip
    monkeypatch.setattr(mediapipe_pose, 'environment', lambda folder: folder)
    monkeypatch.setattr(mediapipe_pose, 'run', lambda *_: nobody)
    _, found = run(data, tmp_path)
    assert set(found) == set(without)


def test_a_wrong_folder_is_told_at_once(tmp_path, capsys):
    assert evaluate.main([str(tmp_path), '--output', str(tmp_path / 'out')]) == 2
    assert 'pass the folder that holds clips/' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
