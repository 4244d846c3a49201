# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""An estimator and a tracker that answer at once, and small recordings of every kind."""

from __future__ import annotations

from dataclasses import fields, replace
import sys
import types

from anny_ros.errors import ModelError
from anny_ros.types import Camera, Detections, Scene, TrackState
import cv2
import numpy as np
import pytest

WIDTH, HEIGHT, NUM_FRAMES = 64, 48, 7


class BoxBody:
    """A body model whose people are pyramids."""

    name = 'anny'
    joint_names = ('root', 'spine', 'head')
    joint_parents = (-1, 0, 1)

    def vertices(self, detections, resolution='coarse'):
        corners = np.array([[0, -0.9, 0], [-0.3, 0.9, -0.2], [0.3, 0.9, -0.2], [0, 0.9, 0.2]])
        return (detections.position[:, None] + corners).astype(np.float32)

    def triangles(self, resolution='coarse'):
        return np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32)

    def stature(self, phenotype):
        return 1.0 + phenotype[:, 4]

    def world_rotations(self, detections):
        return detections.rotations

    def local_from_world(self, phenotype, world):
        return world


class FakeEstimator:
    """Two people at fixed places, one of them with a stature that is not known."""

    name = 'fake'
    backend = 'none'
    assumes_camera = False
    body = BoxBody()
    num_rejected = 0
    fails_at: tuple[int, type[BaseException]] | None = None

    @classmethod
    def load(cls, model='anny-lite', parameters=None):
        if model == 'missing.pt':
            raise ModelError("there is no checkpoint 'missing.pt'; give its path")
        cls.parameters = parameters
        cls.seen = []
        return cls()

    def __call__(self, frame):
        if self.fails_at and len(self.seen) == self.fails_at[0]:
            raise self.fails_at[1]
        self.seen.append(frame)
        height, width = frame.rgb.shape[:2]
        camera = frame.camera or Camera.from_hfov(1.2, width, height)
        empty = Detections.empty(frame.stamp, camera, num_joints=3)
        rows = {
            f.name: np.zeros((2, *getattr(empty, f.name).shape[1:]), np.float32)
            for f in fields(Detections)
            if isinstance(getattr(empty, f.name), np.ndarray)
        }
        rows['position'] = np.array([[0, 0, 4], [1, 0, 5]], np.float32)
        rows['bbox'] = np.array([[10, 5, 30, 40], [40, 5, 50, 40]], np.float32)
        rows['stature'] = np.array([1.7, np.nan], np.float32)
        return replace(empty, **rows)


class FakeTracker:
    """The first person is TRACKED, the second OCCLUDED; nobody in the second picture."""

    num_rejected = 0

    def __init__(self, parameters=None):
        self.count = 0

    def expected_boxes(self):
        return np.zeros((0, 4), np.float32)

    def update(self, detections, world_from_camera=None):
        rows = [] if self.count == 1 else [0, 1]
        self.count += 1
        n = len(rows)
        return Scene(
            stamp=detections.stamp,
            camera=detections.camera,
            humans=detections[rows],
            ids=('abcde', 'fghij')[:n],
            track_numbers=np.arange(1, n + 1, dtype=np.uint32),
            states=np.array([TrackState.TRACKED, TrackState.OCCLUDED], np.uint8)[:n],
            identity_confidence=np.ones(n, np.float32),
            age=np.ones(n),
            time_since_observed=np.zeros(n),
            velocity=np.zeros((n, 3), np.float32),
            velocity_covariance=np.zeros((n, 3, 3), np.float32),
        )


@pytest.fixture
def estimator(monkeypatch):
    """Put the fakes where the commands look for the real ones."""
    inference = types.ModuleType('anny_ros.inference')
    inference.Estimator = FakeEstimator
    monkeypatch.setattr('anny_ros.perception.Tracker', FakeTracker)
    monkeypatch.setitem(sys.modules, 'anny_ros.inference', inference)
    monkeypatch.setattr(FakeEstimator, 'fails_at', None)
    return FakeEstimator


def picture(index: int) -> np.ndarray:
    """RGB picture whose brightness tells its index."""
    rgb = np.full((HEIGHT, WIDTH, 3), 40 + 20 * index, np.uint8)
    rgb[:, : WIDTH // 2, 0] = 250  # left half is reddish: channels cannot be swapped unseen
    return rgb


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'clip.mp4'
    code = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), code, 10.0, (WIDTH, HEIGHT))
    for index in range(NUM_FRAMES):
        writer.write(picture(index)[:, :, ::-1])
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'pictures'
    path.mkdir()
    for index in range(NUM_FRAMES):  # img2 must come before img10
        cv2.imwrite(str(path / f'img{8 + index}.png'), picture(index)[:, :, ::-1])
    (path / 'notes.txt').write_text('not a picture')
    return path
