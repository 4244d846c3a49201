# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
import sys

from anny_ros.cli.benchmarks.report import CannotMeasure
from anny_ros.geometry.camera import project
from anny_ros.types import Camera
from hypothesis import assume, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from training.evaluation import mediapipe_pose
from training.evaluation.mediapipe_pose import COCO, environment, placed, Poses, run, towards

CAMERA = Camera.from_hfov(1.3, 640, 480)
COORDINATE = st.floats(-2.0, 2.0)


@given(st.tuples(COORDINATE, COORDINATE, st.floats(0.2, 3.0)))
def test_the_optical_axis_is_turned_to_a_ray_the_shortest_way(ray):
    ray = np.array([ray])
    R = towards(ray)[0]
    unit = ray[0] / np.linalg.norm(ray)
    np.testing.assert_allclose(R @ [0, 0, 1], unit, atol=1e-9)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    angle = np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))
    assert angle == pytest.approx(np.arccos(np.clip(unit[2], -1, 1)), abs=1e-6)


def body_at(place, seed):
    """Landmarks about the hips as seen straight ahead, and where they are in the picture."""
    world = np.random.default_rng(seed).normal(0, 0.25, (33, 3))
    world -= world[23:25].mean(axis=0)
    ray = place
    for _ in range(30):  # until the body is turned to the mean of its rays
        joints = world @ towards(ray[None])[0].T + place
        ray = (joints / joints[:, 2:]).mean(axis=0)
    return world, joints, project(joints, CAMERA.K)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4), st.floats(3.0, 15.0), st.integers(0, 99))
def test_bodies_are_placed_where_they_came_from(x, y, z, seed):
    place = z * np.array([x, y, 1.0])
    world, joints, uv = body_at(place, seed)
    assume((joints[:, 2] > 1).all())
    found, position = placed(world[None], uv[None], np.ones((1, 33)), CAMERA.K)
    np.testing.assert_allclose(position[0], place, atol=1e-4)
    np.testing.assert_allclose(found[0], joints, atol=1e-4)


def test_points_that_are_hidden_count_less():
    world, joints, uv = body_at(np.array([0.0, 0.0, 5.0]), 3)
    uv[:4] += 60
    weights = np.ones((1, 33))
    _, trusting = placed(world[None], uv[None], weights, CAMERA.K)
    weights[:, :4] = 0.0
    _, careful = placed(world[None], uv[None], weights, CAMERA.K)
    truth = joints[23:25].mean(axis=0)
    assert np.linalg.norm(careful - truth) < 0.5 * np.linalg.norm(trusting - truth)


def test_landmarks_become_coco_keypoints():
    assert len(set(COCO)) == 17
    world, _, uv = body_at(np.array([0.5, 0.2, 5.0]), 1)
    one = Poses(*np.zeros((3, 1), int), uv[None], np.ones((1, 33)), world[None])
    found = one.estimates(CAMERA)
    np.testing.assert_array_equal(found.keypoints_2d[0, 5], uv[11])  # left shoulder
    np.testing.assert_array_equal(found.keypoints_2d[0, 16], uv[28])  # right ankle
    np.testing.assert_array_equal(found.bbox[0, :2], uv.min(axis=0))
    assert np.isnan(found.stature).all()
    nobody = one[:0].estimates(CAMERA)
    assert len(nobody) == 0
    assert nobody.joints.shape == (0, 17, 3)


def test_no_python_to_make_the_environment_with(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'base_prefix', str(tmp_path))
    with pytest.raises(CannotMeasure, match='cannot be installed'):
        environment(tmp_path / 'new')


def test_an_environment_that_is_there_is_taken(tmp_path):
    (tmp_path / f'mediapipe-{mediapipe_pose.VERSION}').touch()
    assert environment(tmp_path) == tmp_path / 'bin' / 'python'


def scripted(monkeypatch, tmp_path, text):
    """Put another script in the place of MediaPipe's."""
    script = tmp_path / 'runner.py'
    script.write_text(text)
    monkeypatch.setattr(mediapipe_pose, '_RUNNER', script)
    return Path(sys.executable)


def test_its_last_words_are_the_reason(tmp_path, monkeypatch):
    python = scripted(monkeypatch, tmp_path, "raise SystemExit('no such model')")
    with pytest.raises(CannotMeasure, match='did not get through: no such model'):
        run(python, [], tmp_path / 'run')


ANSWER = """
import json, sys
import numpy as np
jobs = json.load(open(sys.argv[1]))
n = len(jobs)
np.savez(sys.argv[2], version={version!r}, job=np.arange(n), frame=np.zeros(n, int),
         box=np.full(n, -1), landmarks=np.zeros((n, 33, 2)), visibility=np.ones((n, 33)),
         world=np.zeros((n, 33, 3)))
"""


def test_what_it_found_is_read(tmp_path, monkeypatch):
    python = scripted(monkeypatch, tmp_path, ANSWER.format(version=mediapipe_pose.VERSION))
    poses = run(python, [{'kind': 'picture'}, {'kind': 'picture'}], tmp_path / 'run')
    assert poses.job.tolist() == [0, 1]
    assert poses.world.shape == (2, 33, 3)


def test_another_version_is_refused(tmp_path, monkeypatch):
    python = scripted(monkeypatch, tmp_path, ANSWER.format(version='0.9'))
    with pytest.raises(CannotMeasure, match=r'0\.9, not'):
        run(python, [], tmp_path / 'run')
