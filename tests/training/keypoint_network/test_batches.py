# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a picture is done to the truth about it."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice

from anny_ros.keypoints.hints import AGE, DEPTHS, mirror_hints, NUM_HINTS, STATURE, TURN
from anny_ros.keypoints.refine import rotations_from_rotvec
import cv2
import numpy as np
import pytest
import torch

from training.keypoint_network.batches import Batch, Crops, spoiled
from training.keypoint_network.crops import MOST_PEOPLE, read_shards, Truth
from training.pictures.labels import KeypointState

SIDE = 240
LEFT_WRIST, RIGHT_WRIST = 9, 10
SEEDS = range(24)


def window_truth(place, person=0, box=(70.0, 40.0, 170.0, 210.0)):
    """A window with a dot at the left wrist of one of two people; nothing else is seen."""
    rng = np.random.default_rng(5)
    box = np.array(box, np.float32)
    points = np.full((1, MOST_PEOPLE, 17, 2), np.nan, np.float32)
    points[0, :2] = rng.uniform(box[:2], box[2:], (2, 17, 2))
    points[0, :2, 0], points[0, :2, 16] = box[:2], box[2:]
    points[0, person, LEFT_WRIST] = place
    boxes = np.full((1, MOST_PEOPLE, 4), np.nan, np.float32)
    boxes[0, :2] = box
    state = np.full((1, MOST_PEOPLE, 17), KeypointState.HIDDEN, np.uint8)
    state[0, person, LEFT_WRIST] = KeypointState.VISIBLE
    y, x = np.mgrid[:SIDE, :SIDE]
    light = 255 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 4.0**2))
    window = np.repeat(light.astype(np.uint8)[..., None], 3, 2)
    truth = Truth(
        points=points,
        state=state,
        box=boxes,
        inside_share=np.full((1, MOST_PEOPLE), 1.0, np.float32),
        picture=np.array([[-0.5, -0.5, SIDE - 0.5, SIDE - 0.5]], np.float32),
        turn=rotations_from_rotvec(torch.tensor([[0.4, 1.0, -0.3]])).numpy(),
        depths=rng.normal(size=(1, 17)).astype(np.float32),
        phenotype=rng.uniform(size=(1, 6)).astype(np.float32),
        stature=np.array([1.6], np.float32),
    )
    return window, truth


def crops_of(window, truth):
    return Crops([cv2.imencode('.png', window[..., ::-1])[1].ravel()], truth, 4, 0)


def dot_in(picture):
    """Where the bright dot is, whatever the camera did to it."""
    light = picture.astype(float).sum(2)
    light = cv2.GaussianBlur(light, (0, 0), 2.0)
    light = np.clip(light - light.max() / 2, 0, None)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def is_mirrored(sample):
    """Tell by which wrist can be seen."""
    visible = (sample['state'] == KeypointState.VISIBLE).any(0)
    assert visible.sum() == 1
    return bool(visible[RIGHT_WRIST])


@pytest.mark.parametrize(
    'place', [(95.0, 75.5), (148.0, 170.0)], ids=['upper left', 'lower right']
)
@pytest.mark.parametrize('person', [0, 1], ids=['target', 'neighbour'])
def test_points_move_with_what_they_are_on(place, person):
    crops = crops_of(*window_truth(place, person))
    mirrored, errors, shapes = [], [], set()
    for seed in SEEDS:
        sample = crops.sample(0, np.random.default_rng(seed))
        mirrored.append(is_mirrored(sample))
        wrist = RIGHT_WRIST if mirrored[-1] else LEFT_WRIST
        assert sample['state'][person, wrist] == KeypointState.VISIBLE
        errors.append(dot_in(sample['picture']) - sample['points'][person, wrist])
        shapes.add(sample['picture'].shape)
    assert 4 < sum(mirrored) < 20
    assert np.abs(errors).max() < 1.5
    sides = np.array(mirrored)
    for side in (sides, ~sides):  # no shift of half a pixel, or of one in mirrored pictures
        assert np.abs(np.mean(np.array(errors)[side], axis=0)).max() < 0.3
    assert {(224, 128, 3), (192, 96, 3)} <= shapes


def test_boxes_move_with_points():
    """The box goes through the outermost points, also when they are mirrored."""
    crops = crops_of(*window_truth((100.0, 100.0)))
    for seed in SEEDS:
        sample = crops.sample(0, np.random.default_rng(seed))
        points, box = sample['points'][0], sample['box'][0]
        np.testing.assert_allclose(box, [*points.min(0), *points.max(0)], atol=1e-3)
        assert sample['reach'] == pytest.approx((box[2:] - box[:2]).max(), rel=1e-5)
        assert np.isnan(sample['points'][2:]).all()
        assert np.isnan(sample['box'][2:]).all()


def test_hints_are_mirrored_with_the_picture():
    window, truth = window_truth((100.0, 100.0))
    crops = crops_of(window, truth)
    plain = crops.sample(0, None)['hints']
    np.testing.assert_allclose(plain[TURN].reshape(2, 3), truth.turn[0][:, :2].T)
    np.testing.assert_array_equal(plain[DEPTHS], truth.depths[0])
    assert plain[STATURE] == pytest.approx(np.log(1.6))
    assert plain[AGE] == truth.phenotype[0, 1]
    other = mirror_hints(torch.as_tensor(plain[None]))[0].numpy()
    for seed in SEEDS:
        sample = crops.sample(0, np.random.default_rng(seed))
        wanted = other if is_mirrored(sample) else plain
        np.testing.assert_allclose(sample['hints'], wanted, atol=1e-6)


def test_without_chance_nothing_but_the_cut_is_done():
    place = (100.0, 100.0)
    crops = crops_of(*window_truth(place))
    one, again = crops.sample(0, None), crops.sample(0, None)
    for name, value in one.items():
        np.testing.assert_array_equal(value, again[name])
    assert one['picture'].shape == (224, 128, 3)
    assert np.abs(dot_in(one['picture']) - one['points'][0, LEFT_WRIST]).max() < 0.3
    # The box, 170 tall, becomes 184 tall in the middle.
    middle = (one['box'][0, :2] + one['box'][0, 2:]) / 2
    np.testing.assert_allclose(middle, [63.5, 111.5], atol=0.6)
    assert one['reach'] == pytest.approx(184.0, rel=0.01)


def test_of_who_is_cut_off_the_part_in_the_picture_is_in_the_middle():
    window, truth = window_truth((100.0, 100.0))
    truth.picture[0, 3] = 125.0  # the picture ends there: half of the person is seen
    sample = crops_of(window, truth).sample(0, None)
    head, feet = sample['box'][0, [1, 3]]
    rows = len(sample['picture'])
    assert (head + (head + feet) / 2) / 2 == pytest.approx(rows / 2, abs=1.5)


def test_boxes_are_as_uncertain_as_those_of_trackers():
    """Cuts differ, but never so much that the person is not what they show."""
    crops = crops_of(*window_truth((100.0, 100.0)))
    samples = [crops.sample(0, np.random.default_rng(seed)) for seed in SEEDS]
    middles = np.array([(s['box'][0, :2] + s['box'][0, 2:]) / 2 for s in samples])
    sides = np.array([s['picture'].shape[1::-1] for s in samples])
    off = (middles - sides / 2) / [[s['reach']] for s in samples]
    assert 0.01 < np.abs(off).mean() < 0.1
    assert np.abs(off).max() < 0.3
    tall = np.array([s['reach'] / s['picture'].shape[0] for s in samples])
    assert tall.std() > 0.03


@pytest.mark.parametrize('seed', range(12))
def test_a_spoiled_picture_is_still_one_and_the_original_stays(seed):
    picture = np.random.default_rng(0).integers(0, 255, (64, 48, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 4.0)
    before = picture.copy()
    result = spoiled(picture, np.random.default_rng(seed))
    assert result.shape == picture.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)


def test_pictures_are_spoiled_in_many_ways():
    picture = np.full((64, 48, 3), [200, 120, 60], np.uint8)
    results = [spoiled(picture, np.random.default_rng(seed)).astype(float) for seed in range(40)]
    brightness = np.array([r.mean() for r in results])
    assert brightness.std() > 10
    grey = [np.abs(r[..., 0] - r[..., 2]).mean() < 3 for r in results]
    assert 0 < sum(grey) < 20
    noise = np.array([r[..., 1].std() for r in results])
    assert (noise > 3).any()
    assert (noise < 0.5).any()


@pytest.fixture(scope='module')
def shards(crops_folder):
    return read_shards(crops_folder)


def test_batches_are_of_one_shape_and_of_as_many_pixels(shards):
    shapes = set()
    for batch in islice(Crops(*shards, batch=2, seed=0), 8):
        count, _, rows, columns = batch.pictures.shape
        shapes.add((rows, columns))
        assert 2 * 224 * 128 <= count * rows * columns < 2 * 224 * 128 + rows * columns
        assert batch.points.shape == (count, MOST_PEOPLE, 17, 2)
        assert batch.state.shape == (count, MOST_PEOPLE, 17)
        assert batch.box.shape == (count, MOST_PEOPLE, 4)
        assert batch.inside_share.shape == (count, MOST_PEOPLE)
        assert batch.hints.shape == (count, NUM_HINTS)
        assert batch.reach.shape == (count,)
        assert batch.pictures.dtype == torch.float32
        assert -1 <= batch.pictures.min() < batch.pictures.max() <= 1
        assert batch.hints.isfinite().all()
        assert batch.points[:, 0].isfinite().all()
    assert len(shapes) > 1


def test_a_seed_gives_the_same_batches_and_another_one_others(shards):
    def batches(seed):
        return list(islice(Crops(*shards, batch=1, seed=seed), 5))

    first, again, other = batches(3), batches(3), batches(4)
    for one, two in zip(first, again, strict=True):
        for field in fields(Batch):
            a, b = getattr(one, field.name), getattr(two, field.name)
            np.testing.assert_array_equal(a, b, err_msg=field.name)
    assert any(
        one.pictures.shape != two.pictures.shape or not torch.equal(one.pictures, two.pictures)
        for one, two in zip(first, other, strict=True)
    )


def test_everybody_is_drawn(shards):
    statures = np.log(shards[1].stature)
    drawn = [batch.hints[:, STATURE] for batch in islice(Crops(*shards, batch=1, seed=0), 40)]
    for stature in statures:
        assert (torch.cat(drawn) - float(stature)).abs().min() < 1e-5
