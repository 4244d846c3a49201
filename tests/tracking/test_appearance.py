# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.tracking.appearance import (
    Galleries,
    GALLERY_SIZE,
    normalised,
    SimilarityScale,
    SPACING,
    strangers,
)
import numpy as np
import pytest


def all_pairs(galleries, features):
    wanted = np.ones((len(galleries.counts), len(features)), bool)
    return galleries.similarity(features, wanted)


def test_normalised_leaves_out_what_is_unusable():
    features = normalised([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
    np.testing.assert_allclose(features, [[0.6, 0.8], [0, 0], [0, 0], [0, 0]])
    assert normalised(np.zeros((2, 0))).shape == (2, 0)


def test_similarity_is_the_best_cosine():
    rng = np.random.default_rng(0)
    features = normalised(rng.normal(size=(GALLERY_SIZE - 2, 16)))
    galleries = Galleries.empty(1, 16)
    for i, feature in enumerate(features):
        galleries.add(np.array([0]), feature[None], 2 * i * SPACING)
        probe = normalised(rng.normal(size=(1, 16)))
        expected = (features[: i + 1] @ probe[0]).max()
        assert all_pairs(galleries, probe)[0, 0] == pytest.approx(expected, abs=1e-6)


def test_gallery_keeps_the_newest_and_forgets_the_oldest():
    galleries = Galleries.empty(1, GALLERY_SIZE + 1)
    basis = np.eye(GALLERY_SIZE + 1, dtype=np.float32)
    for i in range(GALLERY_SIZE + 1):
        galleries.add(np.array([0]), basis[i : i + 1], 2 * i * SPACING)
    similarity = all_pairs(galleries, basis)[0]
    assert similarity[0] == 0.0
    np.testing.assert_allclose(similarity[1:], 1.0, rtol=1e-6)


def test_features_close_in_time_replace_each_other():
    galleries = Galleries.empty(1, 2)
    for i in range(5):
        galleries.add(np.array([0]), np.array([[1.0, 0.0]], np.float32), 0.01 * i)
    assert galleries.counts[0] == 1
    galleries.add(np.array([0]), np.array([[0.0, 1.0]], np.float32), 0.06)
    np.testing.assert_allclose(galleries.features[0, 0], [0.0, 1.0])


def test_unknown_on_either_side_is_nan():
    galleries = Galleries.empty(2, 3)
    feature = np.array([[1.0, 0, 0]], np.float32)
    galleries.add(np.array([1]), feature, 0.0)
    galleries.add(np.array([0]), np.zeros((1, 3), np.float32), 0.0)
    similarity = all_pairs(galleries, np.concatenate([feature, np.zeros((1, 3), np.float32)]))
    np.testing.assert_array_equal(np.isnan(similarity), [[True, True], [False, True]])
    assert np.isnan(galleries.similarity(feature, np.zeros((2, 1), bool))).all()


def test_without_features_everything_is_unknown():
    galleries = Galleries.empty(3, 0)
    galleries.add(np.array([0, 1]), np.zeros((2, 0), np.float32), 1.0)
    assert np.isnan(all_pairs(galleries, np.zeros((4, 0), np.float32))).all()


def test_take_and_join_keep_rows_together():
    galleries = Galleries.empty(3, 2)
    galleries.add(np.array([2]), np.array([[0.0, 1.0]], np.float32), 4.0)
    joined = galleries.take(np.array([2])).joined(Galleries.empty(1, 2))
    np.testing.assert_array_equal(joined.counts, [1, 0])
    assert joined.begun[0] == 4.0
    np.testing.assert_array_equal(galleries.counts, [0, 0, 1])


def test_log_ratio_prefers_the_similar_and_is_bounded():
    scale = SimilarityScale()
    ratio = scale.log_ratio(np.array([-1.0, 0.4, 0.6, 0.8, 1.0, np.nan]))
    assert ratio[0] == pytest.approx(np.log(scale.changed))
    assert ratio[1] < 0 < ratio[3]
    assert ratio[2] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(ratio[:5]) >= 0).all()
    assert ratio[4] <= SimilarityScale.LIMIT
    assert ratio[5] == 0.0


def test_looks_that_change_often_are_hardly_held_against_anybody():
    rng = np.random.default_rng(0)
    fickle, steady = SimilarityScale(), SimilarityScale()
    for _ in range(200):
        same = 0.8 + 0.05 * rng.normal(size=5)
        steady.learn(same, 0.2 + 0.1 * rng.normal(size=10))
        changed = np.where(rng.random(5) < 0.2, 0.2 + 0.1 * rng.normal(size=5), same)
        fickle.learn(changed, 0.2 + 0.1 * rng.normal(size=10))
    stranger = np.array([0.2])
    assert -2.2 < fickle.log_ratio(stranger)[0] < -1.0
    assert steady.log_ratio(stranger)[0] < -4.0
    assert fickle.changed == pytest.approx(0.2, abs=0.06)
    assert fickle.same == pytest.approx(0.8, abs=0.05)
    assert fickle.log_ratio(np.array([0.8]))[0] > 3.0


def test_useless_features_lose_their_say():
    rng = np.random.default_rng(0)
    scale = SimilarityScale()
    for _ in range(100):
        scale.learn(0.9 + 0.02 * rng.normal(size=5), 0.9 + 0.02 * rng.normal(size=10))
    assert abs(scale.log_ratio(np.array([0.93]))[0]) < 0.3


def test_good_features_in_a_narrow_band_are_learned():
    rng = np.random.default_rng(0)
    scale = SimilarityScale()
    for _ in range(200):
        scale.learn(0.96 + 0.02 * rng.normal(size=5), 0.85 + 0.03 * rng.normal(size=10))
    ratio = scale.log_ratio(np.array([0.85, 0.96]))
    assert ratio[0] < -2.0
    assert ratio[1] > 2.0


def test_strangers_are_all_pairs_of_known_people():
    features = normalised([[1.0, 0], [0, 0], [1.0, 1.0], [0, 1.0]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(np.sort(strangers(features)), [0, half, half], atol=1e-6)
    assert len(strangers(normalised(np.zeros((0, 4))))) == 0
