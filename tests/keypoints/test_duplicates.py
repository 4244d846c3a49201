# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.duplicates import distinct_people, keypoint_distance, overlap
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS
import numpy as np
import pytest

RNG = np.random.default_rng(3)
BODY = RNG.uniform([0, 0], [40, 100], (17, 2))


def people(*shifts):
    keypoints = np.stack([BODY + shift for shift in shifts])
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    return keypoints, np.full((len(shifts), 17), 0.6), boxes


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 10, 10]], float)
    others = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [20, 20, 30, 30], [2, 2, 4, 4]], float)
    np.testing.assert_allclose(overlap(boxes, others), [[1 / 3, 1, 0, 0.04]])


def test_overlap_of_none():
    assert overlap(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_the_better_of_two_finds_stays():
    keypoints, confidences, boxes = people((0, 0), (2, 1))
    kept = distinct_people(np.array([0.4, 0.9]), keypoints, confidences, boxes)
    np.testing.assert_array_equal(kept, [1])


def test_neighbours_both_stay_best_first():
    keypoints, confidences, boxes = people((0, 0), (45, 0), (90, 3))
    kept = distinct_people(np.array([0.5, 0.9, 0.7]), keypoints, confidences, boxes)
    np.testing.assert_array_equal(kept, [1, 2, 0])


def test_sides_exchanged_is_still_the_same_person():
    keypoints, confidences, boxes = people((0, 0), (0, 0))
    keypoints[1] = keypoints[1, list(MIRRORED_KEYPOINTS)]
    apart = keypoint_distance(keypoints, confidences, np.full(2, 100.0))
    np.testing.assert_allclose(apart, 0.0, atol=1e-9)
    assert len(distinct_people(np.array([0.5, 0.6]), keypoints, confidences, boxes)) == 1


def test_a_few_wrong_joints_do_not_make_two_people():
    keypoints, confidences, boxes = people((0, 0), (1, 0))
    keypoints[1, :5] += 60
    assert len(distinct_people(np.array([0.5, 0.6]), keypoints, confidences, boxes)) == 1


def thin_skeleton():
    """Somebody's own keypoints squeezed to a line, 13 % of the size beside them."""
    keypoints, confidences, boxes = people((0, 0), (0, 0))
    keypoints[1, :, 0] = boxes[0, 0] + 2 + 0.05 * keypoints[1, :, 0]
    keypoints[1, :, 1] = keypoints[0, :, 1]
    boxes[1] = [boxes[0, 0], boxes[0, 1], boxes[0, 0] + 8, boxes[0, 3]]
    return keypoints, confidences, boxes


@pytest.mark.parametrize(('weak', 'count'), [(0.4, 1), (0.85, 2)], ids=['weak', 'as strong'])
def test_a_weak_shadow_inside_a_strong_person_goes(weak, count):
    keypoints, confidences, boxes = thin_skeleton()
    apart = keypoint_distance(keypoints, confidences, np.full(2, 100.0))[0, 1]
    assert 0.09 < apart < 0.17
    kept = distinct_people(np.array([0.9, weak]), keypoints, confidences, boxes)
    assert len(kept) == count


def test_nobody():
    kept = distinct_people(np.zeros(0), np.zeros((0, 17, 2)), np.zeros((0, 17)), np.zeros((0, 4)))
    assert kept.shape == (0,)
    assert kept.dtype == np.intp


def test_distance_is_the_weighed_median_of_a_plain_loop():
    keypoints = RNG.uniform(0, 100, (4, 17, 2))
    confidences = RNG.uniform(0.1, 1, (4, 17))
    size = RNG.uniform(60, 120, 4)
    fast = keypoint_distance(keypoints, confidences, size)
    np.testing.assert_allclose(fast, fast.T)
    for i in range(4):
        for j in range(4):
            both = []
            for other in (keypoints[j], keypoints[j, list(MIRRORED_KEYPOINTS)]):
                apart = np.linalg.norm(keypoints[i] - other, axis=1)
                weight = np.sqrt(confidences[i] * confidences[j]) + 1e-6
                total, middle = 0.0, None
                for k in np.argsort(apart):
                    total += weight[k]
                    if total >= weight.sum() / 2:
                        middle = apart[k]
                        break
                both.append(middle)
            assert fast[i, j] == pytest.approx(min(both) / max(size[i], size[j]))
