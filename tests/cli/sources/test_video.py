# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from anny_ros.cli.sources.video import VideoSource
from anny_ros.errors import InputError
import cv2
import numpy as np
import pytest


class FakeCapture:
    """A container that tells these stamps (in ms) and this frame rate."""

    def __init__(self, stamps, fps, count=None):
        self.stamps, self.fps = list(stamps), fps
        self.count = len(self.stamps) if count is None else count
        self.told = 0.0

    def isOpened(self):  # noqa: N802
        return True

    def get(self, what):
        values = {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_FRAME_COUNT: self.count}
        return values.get(what, self.told)

    def read(self):
        if not self.stamps:
            return False, None
        self.told = self.stamps.pop(0)
        return True, np.zeros((4, 6, 3), np.uint8)

    def release(self):
        pass


def stamps_of(monkeypatch, tmp_path, *arguments):
    monkeypatch.setattr(cv2, 'VideoCapture', lambda path: FakeCapture(*arguments))
    source = VideoSource(tmp_path / 'clip.mp4')
    return [f.stamp for f in source.frames()], source


def test_the_containers_own_stamps(monkeypatch, tmp_path):
    stamps, source = stamps_of(monkeypatch, tmp_path, [0, 33, 120, 150], 30.0)
    assert stamps == [0, 0.033, 0.12, 0.15]
    assert source.fps == 30.0
    assert source.num_frames == 4


@pytest.mark.parametrize('told', [[0, 0, 0], [0, np.nan, -5]], ids=['standing still', 'nonsense'])
def test_without_stamps_the_frame_rate_counts(monkeypatch, tmp_path, told):
    stamps, _ = stamps_of(monkeypatch, tmp_path, told, 20.0)
    assert stamps == [0, pytest.approx(0.05), pytest.approx(0.1)]


@pytest.mark.parametrize('fps', [0.0, np.nan, np.inf, 90000.0])
def test_without_either_thirty_a_second(monkeypatch, tmp_path, fps):
    stamps, source = stamps_of(monkeypatch, tmp_path, [0, 0], fps)
    assert stamps == [0, pytest.approx(1 / 30)]
    assert source.fps is None


def test_a_damaged_end_is_told(monkeypatch, tmp_path):
    stamps, source = stamps_of(monkeypatch, tmp_path, [0, 40, 80], 25.0, 100)
    assert len(stamps) == 3
    assert 'only 3 of about 100' in source.warnings[0]


def test_not_one_picture(monkeypatch, tmp_path):
    with pytest.raises(InputError, match='can be decoded'):
        stamps_of(monkeypatch, tmp_path, [], 25.0)
