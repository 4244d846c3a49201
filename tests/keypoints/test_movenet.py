# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import itertools
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.movenet import KeypointDetector, survey_size
import cv2
import numpy as np
import pytest

DATA = Path(__file__).parent.parent / 'data'
NOSE, LEFT_ANKLE, RIGHT_ANKLE = 0, 15, 16


def picture(name):
    return np.ascontiguousarray(cv2.imread(str(DATA / name))[..., ::-1])


@pytest.fixture(scope='module')
def detector():
    return KeypointDetector(threads=1)


@pytest.fixture(scope='module')
def street():
    return picture('street_060.jpg')


@pytest.fixture(scope='module')
def park():
    return picture('park_100.jpg')


def test_finds_all_six_pedestrians(detector, street):
    people = detector(street)
    # Drawn by hand on the whole frame; the file starts at x 340, y 130 of it.
    labels = np.array(
        [
            [367, 169, 384, 238], [381, 180, 398, 260], [401, 184, 426, 263],
            [467, 204, 500, 293], [505, 200, 531, 284], [617, 234, 650, 341],
        ],
        float,
    ) - [340, 130, 340, 130]  # fmt: skip
    assert len(people) == 6
    order = np.argsort(people.bbox[:, 0] + people.bbox[:, 2])
    centres = (people.bbox[order, :2] + people.bbox[order, 2:]) / 2
    assert np.abs(centres - (labels[:, :2] + labels[:, 2:]) / 2).max() < 8
    assert (people.score > 0.5).all()


def test_puts_joints_in_their_places(detector, park):
    man, woman = sorted(detector(park).keypoints, key=lambda k: k[NOSE, 1])
    # Read off the picture, pixels; she walks to the left, her left leg trails.
    assert np.abs(woman[NOSE] - [402, 223]).max() < 6
    assert np.abs(woman[LEFT_ANKLE] - [450, 360]).max() < 8
    assert np.abs(woman[RIGHT_ANKLE] - [384, 363]).max() < 8
    assert np.abs(man[NOSE] - [279, 47]).max() < 8


@pytest.mark.parametrize('zoom', [True, False], ids=['zoom', 'survey only'])
def test_shapes_types_and_order(detector, street, zoom):
    people = detector(street, 0.1, zoom=zoom)
    count = len(people)
    assert count > 0
    assert people.keypoints.shape == (count, 17, 2)
    assert people.confidences.shape == (count, 17)
    assert people.bbox.shape == (count, 4)
    for array in (people.keypoints, people.confidences, people.score, people.bbox):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert people.hints.shape == (count, NUM_HINTS)
    assert people.hints.dtype == np.float32
    known = np.isfinite(people.hints)
    assert (known.all(axis=1) == known.any(axis=1)).all()
    # Only the second look tells hints.
    assert known.all(axis=1).sum() >= 4 if zoom else not known.any()
    assert (np.diff(people.score) <= 0).all()
    assert ((people.confidences >= 0) & (people.confidences <= 1)).all()
    assert (people.bbox[:, :2] < people.bbox[:, 2:]).all()


def test_same_picture_gives_the_same_people(detector, street):
    first, again = detector(street), detector(street)
    detector(street[:100])
    third = detector(street)
    for other in (again, third):
        np.testing.assert_array_equal(first.keypoints, other.keypoints)
        np.testing.assert_array_equal(first.score, other.score)
        np.testing.assert_array_equal(first.hints, other.hints)


def test_the_picture_is_left_alone(detector, street):
    before = street.copy()
    detector(street)
    np.testing.assert_array_equal(street, before)


def test_a_view_into_a_larger_picture_is_as_good_as_a_copy(detector, street):
    wide = np.zeros((street.shape[0], street.shape[1] + 7, 3), np.uint8)
    wide[:, 7:] = street
    people, expected = detector(wide[:, 7:]), detector(street)
    np.testing.assert_array_equal(people.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    'shape', [(1, 1), (17, 2000), (2000, 17), (31, 33), (480, 640), (1080, 1920)]
)
def test_nobody_in_an_even_picture(detector, shape):
    for regions in (None, np.array([[0.0, 0.0, 10.0, 20.0]], np.float32)):
        people = detector(np.full((*shape, 3), 90, np.uint8), regions=regions)
        assert people.keypoints.shape == (0, 17, 2)
        assert people.confidences.shape == (0, 17)
        assert people.score.shape == (0,)
        assert people.bbox.shape == (0, 4)
        assert people.hints.shape == (0, NUM_HINTS)


def test_nobody_on_the_lawn(detector):
    assert len(detector(picture('nobody.jpg'))) == 0


@pytest.mark.parametrize('shift', [(0, 37), (23, 0), (11, 5)], ids=str)
def test_a_shifted_picture_shifts_the_keypoints(detector, park, shift):
    down, right = shift
    moved = np.pad(park, ((down, 0), (right, 0), (0, 0)))
    before, after = detector(park), detector(moved)
    assert len(before) == len(after) == 2
    before, after = (sorted(p.keypoints, key=lambda k: k[NOSE, 1]) for p in (before, after))
    for old, new in zip(before, after, strict=True):
        apart = new - old - [right, down]
        # The crop's scale changes a little too; the network's own noise is 1 % of 160 pixels.
        assert np.abs(np.median(apart, axis=0)).max() < 1.0
        assert np.median(np.abs(apart)) < 1.5


def test_a_mirrored_picture_mirrors_the_keypoints(detector, park):
    mirrored = np.ascontiguousarray(park[:, ::-1])
    plain, other = detector(park), detector(mirrored)
    woman, reflected = (max(p.keypoints, key=lambda k: k[NOSE, 1]) for p in (plain, other))
    swapped = reflected[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]]
    back = np.column_stack([park.shape[1] - 1 - swapped[:, 0], swapped[:, 1]])
    # A constant shift would show here doubled: pixels are counted from their centres.
    assert np.abs(np.median(back - woman, axis=0)).max() < 1.0


def test_an_enlarged_picture_enlarges_the_keypoints(detector, park):
    height, width = park.shape[:2]
    large = cv2.resize(park, (width * 2, height * 2), interpolation=cv2.INTER_LINEAR)
    small, double = detector(park), detector(large)
    assert len(small) == len(double) == 2
    small, double = (max(p.keypoints, key=lambda k: k[NOSE, 1]) for p in (small, double))
    assert np.median(np.abs((double + 0.5) / 2 - 0.5 - small)) < 1.0


def test_portrait(detector, park):
    column = np.ascontiguousarray(park[:, 340:480])
    people = detector(column)
    assert len(people) == 1
    assert np.abs(people.keypoints[0, NOSE] - [404 - 340, 222]).max() < 6


def test_the_second_look_finds_who_the_survey_misses(detector, street):
    # A tenth of the area is for the street: everybody is about 20 pixels tall in the survey.
    field = np.full((street.shape[0] * 3, street.shape[1] * 3, 3), 110, np.uint8)
    field[: street.shape[0], : street.shape[1]] = street
    survey, both = detector(field, zoom=False), detector(field)
    hinted = detector(field, regions=detector(street).bbox)
    assert len(survey) <= len(both) <= len(hinted)
    assert len(hinted) >= 5


def test_a_region_where_nobody_is_makes_nobody(detector, street):
    plain = detector(street)
    hinted = detector(street, regions=np.array([[10, 150, 40, 230]], np.float32))
    assert len(hinted) == len(plain)


def test_a_lower_threshold_only_adds_people(detector, street):
    scores = [detector(street, threshold).score for threshold in (0.6, 0.3, 0.05)]
    for strict, loose in itertools.pairwise(scores):
        assert set(strict.tolist()) <= set(loose.tolist())
    assert (scores[0] >= 0.6).all()


def test_rows_can_be_taken(detector, street):
    people = detector(street)
    some = people[people.score > np.median(people.score)]
    assert 0 < len(some) < len(people)
    assert some.keypoints.shape == (len(some), 17, 2)
    np.testing.assert_array_equal(some.hints, people.hints[people.score > np.median(people.score)])


@pytest.mark.parametrize('shape', [(576, 768), (994, 1768), (1, 1), (17, 2000), (3000, 40)])
def test_the_survey_has_legal_sides_and_keeps_to_its_area(shape):
    rows, columns = survey_size(*shape, 150_000)
    assert rows % 32 == 0
    assert columns % 32 == 0
    assert 0 < rows * columns <= 150_000


def test_the_survey_is_nearly_as_large_as_allowed():
    rows, columns = survey_size(576, 768, 150_000)
    assert rows * columns > 120_000
    assert abs(columns / rows - 768 / 576) < 0.1


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'nothere\.onnx'):
        KeypointDetector(tmp_path / 'nothere.onnx')


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / 'broken.onnx'
    path.write_bytes(b'not a network')
    with pytest.raises(ModelError, match=r'broken\.onnx'):
        KeypointDetector(path)
