# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.people import Estimates
from training.evaluation.rendered import judge, read_shards
from training.evaluation.worst import describe, panel, sheet, worst
from training.pictures.render import write_shard
from training.pictures.scene import Picture

GREY = 90


@pytest.fixture
def shown(labels, camera, tmp_path):
    grey = np.full((camera.height, camera.width, 3), GREY, np.uint8)
    write_shard(tmp_path / 'a.tar', iter([Picture(grey, camera, labels)]), lossless=True)
    return read_shards([tmp_path / 'a.tar'])


@pytest.fixture
def found(body, labels, camera):
    return labels.detections(body, camera)


def test_the_worst_come_first_and_nobody_twice(shown, found):
    # The second is found at twice the distance, the third is missed.
    people = Estimates.of(found)[:2]
    people = replace(people, position=people.position * np.array([[1.0], [2.0]]))
    outcome = judge(shown, [people]).outcome
    chosen = [rows.tolist() for _, rows in worst(outcome)]
    assert sorted(row for rows in chosen for row in rows) == [0, 1, 2]
    assert chosen[-1] == [2]
    by_distance = replace(outcome, pa_mpjpe=np.zeros(3), heading=np.zeros(3))
    assert worst(by_distance)[0][1].tolist() == [0, 1]
    assert 'dist +100 %' in describe(outcome, 1)[1]
    assert describe(outcome, 2)[1] == 'missed'


def test_the_mesh_lies_on_the_person(shown, found, body, labels):
    cell = panel(shown[0], found, 1, 1, body).astype(int)
    blue = cell[..., 2] - cell[..., 0] > 25
    bare = panel(shown[0], found, 1, -1, body).astype(int)
    assert not (bare[..., 2] - bare[..., 0] > 25).any()
    # The panel is a square about the box with margins of 0.3 of its longer side.
    box = labels.bbox[1]
    side = 1.6 * (box[2:] - box[:2]).max()
    middle = (box[:2] + box[2:]) / 2
    for keypoint in (5, 6, 11, 12, 13, 14):
        x, y = (labels.keypoints_2d[1, keypoint] - middle) / side * 300 + 150
        # White is the true skeleton, which lies over the mesh.
        assert blue[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].any()
    rows, columns = np.nonzero(blue)
    assert 0.1 < (np.ptp(rows) * np.ptp(columns)) / 300**2 < 0.6


def test_a_sheet_has_a_row_for_each_kind(shown, found, body):
    judged = judge(shown, [Estimates.of(found)[:2]])
    picture = sheet(shown, [found[:2]], judged, body)
    assert picture.shape == (4 * 352, 6 * 300, 3)
    assert picture.dtype == np.uint8
