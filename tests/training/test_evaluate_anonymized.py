# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

pytest.importorskip('rosbags.rosbag2')
from training.evaluate_anonymized import count, Faces, groups, others_digest, sheet, write_bag


def at(x, y, size=20.0):
    return [x, y, x + size, y + size]


def test_a_face_is_what_several_looks_find_at_one_place():
    finds = np.array([at(0, 0), at(2, 1), at(1, 2, 18), at(100, 100), at(50, 0), at(52, 0)])
    np.testing.assert_allclose(
        groups(finds, 2), [np.mean([at(0, 0), at(2, 1), at(1, 2, 18)], axis=0), at(51, 0)]
    )
    assert len(groups(finds, 3)) == 1
    assert len(groups(finds, 1)) == 3
    assert groups(np.zeros((0, 4)), 2).shape == (0, 4)


def test_faces_and_pictures_with_faces_are_counted():
    none, one, two = np.zeros((0, 4)), np.array([at(0, 0)]), np.array([at(0, 0), at(50, 0)])
    assert count([two, one, none], [none, one, none]) == Faces(3, 3, 1, 2, 1)


def test_what_is_beside_the_pictures_is_compared_byte_for_byte(tmp_path):
    clip = tmp_path / 'park.mp4'
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*'mp4v'), 30, (64, 48))
    for grey in (50, 100, 150):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    for name in 'ab':
        write_bag(tmp_path / name, {'park': clip})
    number, digest = others_digest(tmp_path / 'a')
    assert number == 6
    assert others_digest(tmp_path / 'b') == (number, digest)
    write_bag(tmp_path / 'c', {'street': clip})
    assert others_digest(tmp_path / 'c')[1] != digest


def test_the_sheet_shows_both_side_by_side(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
    boxes = np.array([at(10, 10)])
    drawn = sheet([(path, boxes, path, boxes[:0])] * 2)
    assert drawn.shape == (960, 1280, 3)
    assert (drawn[:, :640] != 90).any()
    assert (drawn[:, 640:] == 90).all()
