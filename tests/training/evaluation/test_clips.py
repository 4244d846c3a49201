# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from training.evaluate_clips import Labels
from training.evaluation.clips import collect, in_common, recall_precision, STEADINESS, steadiness


def walker(frames, noise=0.0, seed=0):
    """Somebody rigid who is carried along evenly, farther by the same share every picture."""
    rng = np.random.default_rng(seed)
    body = np.random.default_rng(1).normal(0, 0.3, (17, 3))
    rows = []
    for k in frames:
        position = np.array([0.0, 0.0, 4.0 * 1.01**k])
        joints = body - body[11:13].mean(axis=0) + position
        rows.append((1, k, joints + noise * rng.normal(size=(17, 3)), position))
    return collect(rows)


def test_a_rigid_body_that_moves_evenly_is_perfectly_steady():
    found = steadiness(walker(range(30)))
    assert found['tracks'] == 1
    assert found['pictures'] == 30
    for name in STEADINESS[2:]:
        assert found[name] == pytest.approx(0, abs=1e-9), name


def test_noise_is_seen_with_its_size():
    # The second difference of noise of deviation s has the deviation sqrt(6) s; taking off the
    # hips' mean adds half of that variance to all but the hips, and 1.538 is the median length of
    # a normal vector.
    found = steadiness(walker(range(400), noise=0.01))
    low, high = (10 * np.sqrt(6 * share) * 1.538 for share in (1.0, 1.5))
    assert low < found['joint_jitter_median_mm'] < high
    assert found['joint_jitter_p95_mm'] > found['joint_jitter_median_mm']
    assert found['bone_length_variation'] > 0.005
    assert found['distance_jitter_median'] == pytest.approx(0, abs=1e-9)


def test_gaps_are_no_jitter():
    frames = [*range(12), *range(40, 52)]
    found = steadiness(walker(frames))
    assert found['pictures'] == 24
    assert found['joint_jitter_p95_mm'] == pytest.approx(0, abs=1e-9)
    assert found['distance_jitter_p95'] == pytest.approx(0, abs=1e-9)


def test_short_tracks_do_not_count():
    found = steadiness(walker(range(19)))
    assert found == {**dict.fromkeys(STEADINESS), 'tracks': 0.0, 'pictures': 0.0}


def test_common_pictures_of_common_people():
    first, second = walker(range(30)), walker(range(10, 50))
    second[2] = second[1]
    a, b = in_common(first, second)
    assert list(a) == list(b) == [1]
    assert a[1].frame.tolist() == b[1].frame.tolist() == list(range(10, 30))


def test_recall_and_precision_leave_out_the_first_picture():
    box = np.array([[10.0, 10, 30, 60]])
    label = Labels(box, np.zeros(1, bool), np.zeros((0, 4)))
    labels = {0: label, 5: label, 9: label, 20: label}
    boxes = {0: np.zeros((0, 4)), 5: np.concatenate([box, box + 100]), 9: np.zeros((0, 4))}
    found = recall_precision(labels, boxes)
    assert found == {'recall': pytest.approx(0.5), 'precision': pytest.approx(0.5)}
    assert recall_precision(labels, {}) == {'recall': None, 'precision': None}
