# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import math

from anny_ros.errors import InputError, ParameterError
from anny_ros.ros.cameras import Cameras
from anny_ros.ros.intrinsics import (
    camera_from_info,
    camera_from_parameter,
    check_focal_lengths,
    is_rectified,
)
from anny_ros.types import CameraSource
import numpy as np
import pytest


class Logger:
    def __init__(self):
        self.lines = []

    def warning(self, text, **kwargs):
        self.lines.append(text)


def test_k_describes_the_picture(make):
    camera = camera_from_info(make.camera_info(), rectified=False)
    assert camera.K[0, 0] == 500.0
    assert (camera.width, camera.height, camera.source) == (640, 480, CameraSource.CAMERA_INFO)


@pytest.mark.parametrize(
    ('topic', 'distortion', 'expected'),
    [
        ('/camera/image_rect', 0.1, True),
        ('/camera/image_rect_color', 0.1, True),
        ('/camera/image_raw', 0.1, False),
        ('/camera/image_rect', 0.0, False),
        ('/rectifier/image_raw', 0.1, False),
    ],
)
def test_p_counts_for_rectified_pictures_of_a_bent_lens(make, topic, distortion, expected):
    info = make.camera_info()
    info.d[0] = distortion
    assert is_rectified(info, topic) == expected
    camera = camera_from_info(info, rectified=expected)
    assert camera.K[0, 0] == pytest.approx(450.0 if expected else 500.0)


def test_binning_scales_edges_not_centres(make):
    info = make.camera_info()
    info.binning_x, info.binning_y = 2, 4
    camera = camera_from_info(info, rectified=False)
    assert (camera.width, camera.height) == (320, 120)
    assert camera.K[0, 0] == 250.0
    assert camera.K[1, 1] == 125.0
    # The principal point was in the middle and stays there.
    np.testing.assert_allclose(camera.K[:2, 2], [(320 - 1) / 2, (120 - 1) / 2])


def test_region_of_interest_shifts_the_principal_point(make):
    info = make.camera_info()
    roi = info.roi
    roi.x_offset, roi.y_offset, roi.width, roi.height = 100, 50, 200, 300
    camera = camera_from_info(info, rectified=False)
    assert (camera.width, camera.height) == (200, 300)
    np.testing.assert_allclose(camera.K[:2, 2], [319.5 - 100, 239.5 - 50])


@pytest.mark.parametrize(
    ('value', 'text'), [(math.nan, 'NaN'), (0.0, 'not calibrated'), (-1.0, 'not calibrated')]
)
def test_unusable_intrinsics(make, value, text):
    info = make.camera_info()
    info.k[4] = value
    with pytest.raises(InputError, match=text):
        camera_from_info(info, rectified=False)


def test_size_zero(make):
    with pytest.raises(InputError, match='0x0'):
        camera_from_info(make.camera_info(width=0, height=0), rectified=False)


def test_parameter():
    rgb = np.zeros((480, 640, 3), np.uint8)
    assert camera_from_parameter((), rgb) is None
    camera = camera_from_parameter((1.0, 2.0, 3.0, 4.0), rgb)
    np.testing.assert_array_equal(camera.K, [[1, 0, 3], [0, 2, 4], [0, 0, 1]])
    assert camera.source == CameraSource.PARAMETER
    check_focal_lengths(())
    with pytest.raises(ParameterError, match='fx, fy > 0'):
        check_focal_lengths((1.0, -2.0, 3.0, 4.0))


def test_the_better_source_wins(make):
    rgb = np.zeros((480, 640, 3), np.uint8)
    assert Cameras((), '/image', Logger()).camera_for(rgb) is None
    cameras = Cameras((400.0, 400.0, 320.0, 240.0), '/image', Logger())
    assert cameras.camera_for(rgb).source == CameraSource.PARAMETER
    cameras.update(make.camera_info())
    assert cameras.camera_for(rgb).source == CameraSource.CAMERA_INFO
    cameras.update(make.camera_info(width=320))
    assert cameras.camera_for(rgb).source == CameraSource.PARAMETER
    assert cameras.camera_for(rgb).source == CameraSource.PARAMETER
    assert cameras.health.ignored == 1
    cameras.update(make.camera_info())
    assert cameras.camera_for(rgb).source == CameraSource.CAMERA_INFO
    assert cameras.health.fault == ''


def test_distortion_is_told_once(make):
    logger = Logger()
    cameras = Cameras((), '/camera/image_raw', logger)
    info = make.camera_info()
    info.d[0] = 0.1
    rgb = np.zeros((480, 640, 3), np.uint8)
    for _ in range(3):
        cameras.update(info)
        cameras.camera_for(rgb)
    assert cameras.health.distorted
    assert len(logger.lines) == 1
    assert 'image_rect' in logger.lines[0]
