# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.errors import FIGURES, joined
from training.evaluation.people import Estimates
from training.evaluation.rendered import (
    by_group,
    group_masks,
    GROUPS,
    judge,
    keys,
    read_rgb,
    read_shards,
    Shown,
)
from training.evaluation.sets import AGES
from training.pictures.render import write_shard
from training.pictures.scene import Picture

EVERYWHERE = [[-1.2, 0, 4.0], [0, 0.3, 3.5], [1.3, 0, 4.5]]


@pytest.fixture
def shown(labels, camera, tmp_path):
    return Shown(tmp_path / 'no.tar', 'no.png', camera, labels)


def found_of(labels, rows=slice(None)):
    hips = labels.keypoints_3d[:, 11:13].mean(axis=1)
    everybody = Estimates(
        labels.bbox, labels.keypoints_2d, labels.keypoints_3d, hips, labels.stature
    )
    return everybody[rows]


def test_recall_and_precision_over_pictures(shown, labels):
    found = [found_of(labels), found_of(labels, [0, 0])]
    judged = judge([shown, shown], found)
    assert judged.outcome.picture.tolist() == [0, 0, 0, 1, 1, 1]
    assert judged.precision == pytest.approx(4 / 5)
    document = by_group(judged.outcome)
    assert document['all.recall'] == pytest.approx(4 / 6)
    assert document['all.people'] == 6
    assert judged.finds == 5


def test_nobody_found_has_no_precision(shown, labels):
    assert judge([shown], [found_of(labels, [])]).precision is None


def test_every_key_is_there(shown, labels):
    document = by_group(judge([shown], [found_of(labels)]).outcome)
    assert list(document) == keys()
    assert len(document) == len(GROUPS) * len(FIGURES)


def test_groups_of_age_and_size_part_who_counts(make_labels, camera, tmp_path):
    shares = np.linspace(0.1, 1.0, 12)
    people = make_labels(np.tile(EVERYWHERE, (4, 1)), shares)
    people = replace(people, age_years=np.linspace(1, 90, 12).astype(np.float32))
    outcome = judge([Shown(tmp_path, '', camera, people)], [found_of(people)]).outcome
    masks = group_masks(outcome)
    assert set(masks) == set(GROUPS)
    ages = np.sum([masks[name] for name in AGES], axis=0)
    np.testing.assert_array_equal(ages, masks['all'])
    sizes = [masks[g] for g in ('80_to_150_px', '150_to_400_px', 'above_400_px')]
    np.testing.assert_array_equal(np.sum(sizes, axis=0), masks['all'])
    visible = [masks[g] for g in GROUPS if g.startswith('visible')]
    np.testing.assert_array_equal(np.sum(visible, axis=0), shares.astype(np.float32) >= 0.2)
    assert not masks['30_to_80_px'].any()
    assert not masks['alone'].any()


def test_small_people_are_a_group_of_their_own(make_labels, camera, tmp_path):
    people = make_labels([[0.0, 0.0, 20.0]])
    outcome = judge([Shown(tmp_path, '', camera, people)], [found_of(people)]).outcome
    masks = group_masks(outcome)
    assert masks['30_to_80_px'].tolist() == [True]
    assert not masks['all'].any()


def test_others_are_left_out(shown, labels):
    outcome = joined([judge([shown], [found_of(labels)]).outcome])
    document = by_group(outcome, np.array([True, False, True]))
    assert document['all.people'] == 2


def test_shards_are_read_picture_by_picture(labels, camera, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (3, camera.height, camera.width, 3), np.uint8)
    pictures = [Picture(rgb, camera, labels[: k + 1]) for k, rgb in enumerate(pixels)]
    paths = [tmp_path / 'a.tar', tmp_path / 'b.tar']
    write_shard(paths[0], iter(pictures[:2]), lossless=True)
    write_shard(paths[1], iter(pictures[2:]), lossless=True)
    shown = read_shards(paths)
    assert [len(s.labels) for s in shown] == [1, 2, 3]
    for s, rgb in zip(shown, pixels, strict=True):
        np.testing.assert_array_equal(read_rgb(s), rgb)
        np.testing.assert_array_equal(s.camera.K, camera.K)
