# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import json

from anny_ros.errors import InputError
import cv2
import numpy as np
import pytest

from training.evaluate_clips import evaluate, Found, judge, Labels, measure_labelled, read_labels

BOXES = np.array([[10, 10, 30, 60], [50, 10, 70, 60], [80, 10, 95, 60]], float)
LABELS = Labels(BOXES, np.array([False, False, True]), np.array([[0, 70, 100, 100]], float))


def test_everybody_found():
    verdict = judge(BOXES + 1, LABELS)
    assert verdict.missed == []
    assert verdict.false == []
    assert verdict.met == {0: 0, 1: 1}


def test_missed_false_hard_and_ignored():
    found = np.array(
        [
            [10, 10, 30, 60],  # the first
            [12, 10, 31, 60],  # a double of the first: false
            [80, 10, 95, 60],  # the hard one: neither way
            [20, 75, 40, 95],  # in an ignored region
            [40, 0, 45, 9],  # junk
        ],
        float,
    )
    verdict = judge(found, LABELS)
    assert verdict.met == {0: 0}
    assert verdict.missed == [1]
    assert verdict.false == [1, 4]


def test_nothing_found():
    verdict = judge(np.zeros((0, 4)), LABELS)
    assert verdict.missed == [0, 1]
    assert verdict.false == []


def make_clips(folder):
    clips = folder / 'clips'
    clips.mkdir()
    for name in ('street.mp4', 'park.mp4'):
        writer = cv2.VideoWriter(str(clips / name), cv2.VideoWriter_fourcc(*'mp4v'), 10, (128, 96))
        for _ in range(3):
            writer.write(np.full((96, 128, 3), 120, np.uint8))
        writer.release()
    people = {'A': {'box': [10, 10, 30, 60]}, 'B': {'box': [50, 10, 70, 60], 'hard': True}}
    (clips / 'street_boxes.json').write_text(
        json.dumps({'ignore': [[0, 70, 100, 96]], 'frames': {'0': people, '2': people}})
    )
    return clips


def test_recall_and_precision_are_counted_over_frames(tmp_path):
    found = [
        Found(BOXES[:1], np.array([0.9]), np.zeros((1, 17, 2))),
        Found(BOXES[2:], np.array([0.9]), np.zeros((1, 17, 2))),
    ]
    figures, picture = measure_labelled(make_clips(tmp_path), lambda _: found.pop(0))
    assert figures['labelled_people'] == 2
    assert figures['recall'] == pytest.approx(0.5)
    assert figures['precision'] == pytest.approx(0.5)
    assert figures['mean_iou'] == pytest.approx(1.0)
    assert picture.shape == (576, 768 * 3, 3)


def test_writes_its_files(tmp_path, capsys):
    figures = evaluate(make_clips(tmp_path), 'keypoints', tmp_path / 'out')
    assert figures['recall'] == 0.0
    assert (tmp_path / 'out' / 'labelled.png').stat().st_size > 0
    document = json.loads((tmp_path / 'out' / 'clips.json').read_text())
    assert document['model'] == 'keypoints'
    assert 'recall' in capsys.readouterr().out


def test_missing_clips_are_named(tmp_path):
    with pytest.raises(InputError, match='street_boxes'):
        read_labels(tmp_path / 'street_boxes.json')
