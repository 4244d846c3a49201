# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from training.measure_keypoint_noise import (
    confidence_model,
    Look,
    MIRRORED,
    PROBABILITIES,
    SIZES_PX,
    summarise,
    SWAP_GROUPS,
)

SIGMA = 0.02
RNG = np.random.default_rng(5)
# Left at x 0.3, right at x -0.3, from head to foot.
TRUTH = np.stack([np.where(np.arange(17) % 2, 0.3, -0.3), np.arange(17) / 17], -1)
TRUTH[0] = (0, 0)


def looks(count=400, swapped=0.0, level=0.0):
    result = []
    for size in SIZES_PX:
        for person in range(count):
            points = TRUTH[MIRRORED] if RNG.random() < swapped else TRUTH
            scale = SIGMA * np.exp(level * RNG.normal())
            points = points + scale * RNG.normal(size=(17, 2))
            error = np.linalg.norm(points - TRUTH, axis=-1)
            logit = -1.0 - 0.3 * np.log(np.maximum(error, 0.004)) + 0.2 * RNG.normal(size=17)
            logit = logit + 0.5 * np.log(size / 100) + 0.4 * RNG.normal()
            confidences = 1 / (1 + np.exp(-logit))
            trusted = np.ones(17, bool)
            result.append(Look(person, size, True, TRUTH, trusted, points, confidences))
    return result


def test_known_noise_is_found_again():
    result = summarise(looks())
    error = np.array(result['error'])  # (S, 17, Q)
    assert error.shape == (len(SIZES_PX), 17, len(PROBABILITIES))
    # The distance of a 2D normal: sigma sqrt(-2 log(1 - p)).
    for column in range(1, len(PROBABILITIES) - 1):
        expected = SIGMA * np.sqrt(-2 * np.log(1 - PROBABILITIES[column]))
        np.testing.assert_allclose(error[..., column].mean(), expected, rtol=0.05)
    np.testing.assert_allclose(result['common'], 0.0, atol=0.03)
    assert result['people'] == [400] * len(SIZES_PX)
    assert max(result['missed']) == 0
    for rates in result['swap'].values():
        assert max(max(of_size) for of_size in rates.values()) == 0


def test_errors_that_go_together_are_noticed():
    result = summarise(looks(level=0.8))
    # An independent estimate: Kendall's tau of two joints, for which rho = sin(pi tau / 2).
    many = [look for look in looks(level=0.8) if look.size_px == SIZES_PX[0]]
    error = np.array([np.linalg.norm(look.keypoints - look.truth, axis=-1) for look in many])
    tau = np.mean([kendalltau(error[:, 5 + k], error[:, 10 + k]).statistic for k in range(5)])
    np.testing.assert_allclose(np.mean(result['common']), np.sin(np.pi * tau / 2), atol=0.06)
    assert np.mean(result['common']) > 0.3


def test_whole_body_swaps_are_counted_once():
    result = summarise(looks(swapped=0.2))
    front = result['swap']['front']
    assert np.mean(front['whole']) == pytest.approx(0.2, abs=0.04)
    for name in SWAP_GROUPS:
        assert name == 'whole' or max(front[name]) == 0
    assert max(result['swap']['side']['whole']) == 0  # nobody is seen from the side
    # Swaps are not ordinary errors.
    assert np.array(result['error'])[:, 5:, PROBABILITIES.index(0.98)].max() < 5 * SIGMA


def test_confidence_model_is_found_again():
    model = confidence_model(looks())
    np.testing.assert_allclose(model['log_error'], -0.3, atol=0.05)
    np.testing.assert_allclose(model['log_size'], 0.5, atol=0.06)
    np.testing.assert_allclose(model['offset'], -1.0, atol=0.2)
    np.testing.assert_allclose(model['std'], 0.2, atol=0.03)
    assert model['look_std'] == pytest.approx(0.4, abs=0.03)


def test_the_shipped_file_has_the_documented_fields():
    path = Path(__file__).parents[2] / 'training' / 'keypoint_noise.json'
    noise = json.loads(path.read_text(encoding='utf-8'))
    sizes = len(noise['sizes_px'])
    table = np.array(noise['error'])
    assert table.shape == (sizes, 17, len(noise['probabilities']))
    assert (np.diff(table, axis=-1) >= 0).all()
    middle = table[..., noise['probabilities'].index(0.5)]
    assert ((middle > 0.004) & (middle < 0.15)).all()
    assert (middle[0] > 2 * middle[-1]).all()  # small people are seen worse
    assert all(0 < c < 1 for c in noise['common'])
    for view in ('side', 'front'):
        assert set(noise['swap'][view]) == set(SWAP_GROUPS)
    # From the side legs are exchanged, from the front whole bodies.
    side, front = noise['swap']['side'], noise['swap']['front']
    assert np.mean(side['lower_body']) > np.mean(front['lower_body'])
    assert np.mean(side['whole']) < np.mean(front['whole'])
    for name in ('offset', 'log_error', 'log_size', 'std'):
        assert len(noise['confidence'][name]) == 17
    assert all(slope < 0 for slope in noise['confidence']['log_error'])
