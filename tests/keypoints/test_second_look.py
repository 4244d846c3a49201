# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.decode import Heads
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.network import GRANULE, MoveNet
from anny_ros.keypoints.second_look import cut_crops, look_again, SHAPES_CROWD, SHAPES_FEW
import numpy as np
import pytest


def ramp(height, width):
    """Red is the column, green the row: a crop's colours tell where it was taken."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width)
    picture[..., 1] = np.arange(height)[:, None]
    return picture


@pytest.mark.parametrize(
    ('box', 'tall'),
    [((50, 40, 80, 130), True), ((20, 80, 120, 110), False), ((30, 30, 110, 110), None)],
    ids=['standing', 'lying', 'square'],
)
def test_a_crop_shows_its_box_in_the_middle(box, tall):
    picture = ramp(200, 200)
    (crops,) = cut_crops(picture, np.array([box], float))
    rows, columns = crops.pictures.shape[1:3]
    assert rows % GRANULE == columns % GRANULE == 0
    assert tall is None or (rows > columns) == tall
    assert (rows == columns) == (tall is None)
    size = np.array([box[2] - box[0], box[3] - box[1]]) * crops.scale[0]
    assert (size < [columns, rows]).all()
    # The colour in the middle is the place of the box's middle.
    middle = crops.pictures[0, rows // 2 - 1 : rows // 2 + 1, columns // 2 - 1 : columns // 2 + 1]
    expected = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    np.testing.assert_allclose(middle[..., :2].mean(axis=(0, 1)), expected, atol=1.0)


def test_crop_coordinates_lead_back_to_the_picture():
    picture = ramp(220, 240)
    (crops,) = cut_crops(picture, np.array([[90, 60, 120, 160]], float))
    rows, columns = crops.pictures.shape[1:3]
    y, x = np.mgrid[20 : rows - 20 : 17, 20 : columns - 20 : 13]
    place = np.stack([x, y], -1) / crops.scale[0] + crops.corner[0]
    shown = crops.pictures[0, y, x, :2].astype(float)
    assert np.abs(shown - place).max() <= 1.0


def test_shrinking_keeps_the_place_too():
    picture = np.repeat(np.repeat(ramp(200, 200), 5, axis=0), 5, axis=1)
    (crops,) = cut_crops(picture, np.array([[300, 100, 600, 900]], float))
    assert crops.scale[0] < 0.5
    rows, columns = crops.pictures.shape[1:3]
    y, x = np.mgrid[20 : rows - 20 : 17, 20 : columns - 20 : 13]
    place = np.stack([x, y], -1) / crops.scale[0] + crops.corner[0]
    shown = crops.pictures[0, y, x, :2].astype(float) * 5 + 2
    assert np.abs(shown - place).max() <= 5.0


def test_outside_of_the_picture_is_black():
    picture = np.full((100, 100, 3), 200, np.uint8)
    (crops,) = cut_crops(picture, np.array([[-20, 20, 10, 90]], float))
    assert (crops.pictures[0, :, :20] == 0).all()
    (far,) = cut_crops(picture, np.array([[500, 500, 530, 590]], float))
    assert (far.pictures == 0).all()


def test_every_box_gets_one_crop():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 300, (20, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 300, (20, 2))], axis=1)
    crops = cut_crops(ramp(240, 250), boxes)
    targets = np.concatenate([c.targets for c in crops])
    np.testing.assert_array_equal(np.sort(targets), np.arange(20))


def test_no_boxes_no_crops():
    assert cut_crops(ramp(20, 20), np.zeros((0, 4))) == []
    people, inside = look_again(MoveNet(threads=1), ramp(20, 20), np.zeros((0, 4)), 0.1)
    assert len(people) == len(inside) == 0


@pytest.mark.parametrize('count', [2, 9])
def test_crops_have_the_shapes_that_are_asked_for(count):
    boxes = np.tile([50.0, 40.0, 80.0, 130.0], (count, 1))
    sizes = {
        shapes: [crops.pictures.shape[1:3] for crops in cut_crops(ramp(200, 200), boxes, shapes)]
        for shapes in (SHAPES_FEW, SHAPES_CROWD, None)
    }
    assert sizes[SHAPES_FEW] == [SHAPES_FEW[0][:2]]
    assert sizes[SHAPES_CROWD] == [SHAPES_CROWD[0][:2]]
    assert sizes[None] == sizes[SHAPES_FEW if count == 2 else SHAPES_CROWD]
    (crops,) = cut_crops(ramp(200, 200), boxes[:1], SHAPES_CROWD)
    assert crops.scale[0] == pytest.approx(SHAPES_CROWD[0][2] / 90, rel=0.02)


def two_in_each(pictures):
    """Heads of a network that sees two people in each crop, and whose hints are its brightness."""
    batch, rows, columns = len(pictures), pictures.shape[1] // 4, pictures.shape[2] // 4
    channels = {'centre_heat': 1, 'box_size': 2, 'centre_offset': 2, 'regressed': 34,
                'keypoint_heat': 17, 'keypoint_offset': 34}  # fmt: skip
    heads = {k: np.zeros((batch, n, rows, columns), np.float32) for k, n in channels.items()}
    heads['box_size'][:] = 8.0
    for row, heat in ((rows // 4, 0.9), (3 * rows // 4, 0.8)):
        heads['centre_heat'][:, 0, row, columns // 2] = heat
    light = pictures.reshape(batch, -1).max(1).astype(np.float32)
    hints = np.broadcast_to(
        light[:, None, None, None], (batch, NUM_HINTS, rows // 8, columns // 8)
    )
    return Heads(**heads, hints=hints)


def test_hints_of_a_crop_are_those_of_whoever_is_in_it():
    picture = np.zeros((200, 330, 3), np.uint8)
    boxes = np.array([[20.0, 30, 50, 170], [120, 30, 150, 170], [200, 90, 310, 120]])
    for k, (x0, y0, x1, y1) in enumerate(boxes.astype(int)):
        picture[y0:y1, x0:x1] = 60 * (k + 1)
    people, _ = look_again(two_in_each, picture, boxes, 0.1)
    assert people.hints.shape == (6, NUM_HINTS)
    np.testing.assert_array_equal(np.bincount(people.picture), [2, 2, 2])
    expected = np.array([60.0, 120.0, 180.0])[people.picture]
    np.testing.assert_allclose(people.hints, np.tile(expected[:, None], NUM_HINTS), rtol=1e-4)
