# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.edges import without_edge_guesses
from anny_ros.keypoints.movenet import KeypointDetections
from hypothesis import given
from hypothesis import strategies as st
import numpy as np

WIDTH, HEIGHT = 640, 480


def person(points, confidences, size=300.0):
    """One person; ``points`` (17, 2)."""
    points = np.asarray(points, np.float32)
    box = np.concatenate([points.mean(0) - size / 2, points.mean(0) + size / 2])
    return KeypointDetections(
        points[None],
        np.asarray(confidences, np.float32)[None],
        np.ones(1, np.float32),
        box[None].astype(np.float32),
        np.zeros((0, 4), np.float32),
    )


def standing(knees=300.0, ankles=400.0):
    """Keypoints of somebody upright in the middle; knees and ankles at these rows."""
    rows = [100] * 5 + [150] * 2 + [190] * 2 + [230] * 2 + [240] * 2 + [knees] * 2 + [ankles] * 2
    columns = np.where(np.arange(17) % 2, 340, 300)
    return np.stack([columns, rows], -1)


def test_guesses_at_the_lower_edge_lose_their_confidence():
    confidences = np.full(17, 0.6)
    confidences[13:] = 0.25
    found = person(standing(knees=455, ankles=475), confidences)
    kept = without_edge_guesses(found, WIDTH, HEIGHT).confidences[0]
    assert (kept[15:] == 0).all()  # 4 pixels from the edge
    np.testing.assert_allclose(kept[13:15], 0.25)  # 24 pixels from it, 8 % of the person
    np.testing.assert_allclose(kept[:13], 0.6)


def test_what_is_clear_stays_at_the_edge():
    found = person(standing(ankles=478), np.full(17, 0.6))
    kept = without_edge_guesses(found, WIDTH, HEIGHT)
    np.testing.assert_array_equal(kept.confidences, found.confidences)


def test_the_same_for_all_four_edges():
    confidences = np.full(17, 0.6)
    confidences[9:11] = 0.2
    for wrist in ((1, 240), (638, 240), (300, 1), (300, 478), (300, 520)):
        points = standing()
        points[9:11] = wrist
        kept = without_edge_guesses(person(points, confidences), WIDTH, HEIGHT).confidences[0]
        assert (kept[9:11] == 0).all(), wrist
        assert (np.delete(kept, [9, 10]) > 0).all()


def test_faces_and_people_of_whom_nothing_would_be_left_keep_theirs():
    confidences = np.full(17, 0.2)
    found = person(np.tile([320.0, 2.0], (17, 1)), confidences)
    kept = without_edge_guesses(found, WIDTH, HEIGHT)
    np.testing.assert_array_equal(kept.confidences, found.confidences)
    points = standing()
    points[:5, 1] = 1.0
    kept = without_edge_guesses(person(points, confidences), WIDTH, HEIGHT)
    np.testing.assert_array_equal(kept.confidences, found.confidences)


def test_nobody_is_left_alone():
    nobody = person(standing(), np.ones(17))[np.zeros(0, int)]
    assert len(without_edge_guesses(nobody, WIDTH, HEIGHT)) == 0


@given(st.integers(0, 2**32 - 1))
def test_confidences_stay_or_vanish_and_nothing_else_changes(seed):
    rng = np.random.default_rng(seed)
    found = person(rng.uniform(-50, 700, (17, 2)), rng.random(17), rng.uniform(20, 600))
    kept = without_edge_guesses(found, WIDTH, HEIGHT)
    same = kept.confidences == found.confidences
    assert (same | (kept.confidences == 0)).all()
    assert (found.confidences[~same] < 0.4).all()
    np.testing.assert_array_equal(kept.keypoints, found.keypoints)
    np.testing.assert_array_equal(kept.bbox, found.bbox)
    if (found.confidences[0, 5:] >= 0.1).sum() >= 4:
        assert (kept.confidences[0, 5:] >= 0.1).sum() >= 4
