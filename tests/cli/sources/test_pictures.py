# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

import struct

from anny_ros.cli.sources.pictures import PicturesSource
import cv2
import numpy as np
import pytest

K = (50.0, 50.0, 15.5, 23.5)
TURNED_RIGHT = 6  # the value of EXIF's Orientation of a camera held upright


def jpeg(path, orientation):
    """A picture 48 wide and 32 high, white at its left edge, with EXIF."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :8] = 255
    data = cv2.imencode('.jpg', pixels)[1].tobytes()
    entry = struct.pack('<HHIHH', 0x0112, 3, 1, orientation, 0)
    tiff = b'II*\0' + struct.pack('<IH', 8, 1) + entry + struct.pack('<I', 0)
    exif = b'Exif\0\0' + tiff
    path.write_bytes(data[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + data[2:])
    return path


@pytest.mark.parametrize('k', [(), K])
def test_pictures_are_turned_upright_and_intrinsics_are_of_the_upright_picture(tmp_path, k):
    source = PicturesSource(jpeg(tmp_path / 'a.jpg', TURNED_RIGHT), k)
    (frame,) = source.frames()
    assert frame.rgb.shape == (48, 32, 3)
    assert frame.rgb[:6].min() > 200  # the left edge is on top
    assert frame.rgb[12:].max() < 50
    if k:
        assert frame.camera.K[1, 2] == 23.5
        (warning,) = source.warnings
        assert '48x32' in warning
        assert 'upright' in warning
    else:
        assert source.warnings == []


def test_an_upright_picture_needs_no_warning(tmp_path):
    source = PicturesSource(jpeg(tmp_path / 'a.jpg', 1), K)
    (frame,) = source.frames()
    assert frame.rgb.shape == (32, 48, 3)
    assert source.warnings == []
