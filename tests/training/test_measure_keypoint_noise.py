# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest

from training.measure_keypoint_noise import (
    confidence_model,
    Look,
    MIRRORED,
    SIZES_PX,
    summarise,
    SWAP_GROUPS,
)

SIGMA = 0.02
RNG = np.random.default_rng(5)
# Left at x 0.3, right at x -0.3, from head to foot.
TRUTH = np.stack([np.where(np.arange(17) % 2, 0.3, -0.3), np.arange(17) / 17], -1)
TRUTH[0] = (0, 0)


def looks(count=400, swapped=0.0):
    result = []
    for size in SIZES_PX:
        for person in range(count):
            points = TRUTH[MIRRORED] if RNG.random() < swapped else TRUTH
            points = points + SIGMA * RNG.normal(size=(17, 2))
            error = np.linalg.norm(points - TRUTH, axis=-1)
            logit = -1.0 - 0.3 * np.log(np.maximum(error, 0.004)) + 0.2 * RNG.normal(size=17)
            logit = logit + 0.5 * np.log(size / 100) + 0.4 * RNG.normal()
            confidences = 1 / (1 + np.exp(-logit))
            trusted = np.ones(17, bool)
            result.append(Look(person, size, True, TRUTH, trusted, points, confidences))
    return result


def test_known_noise_is_found_again():
    result = summarise(looks())
    np.testing.assert_allclose(result['sigma'], SIGMA, rtol=0.12)
    # Of a 2D normal exp(-4.5) = 1.1 % lies beyond three sigma.
    assert np.mean(result['tail_share']) == pytest.approx(0.011, abs=0.004)
    assert result['people'] == 400
    assert max(result['missed']) == 0
    assert max(max(rates) for rates in result['swap'].values()) == 0


def test_whole_body_swaps_are_counted_once():
    result = summarise(looks(swapped=0.2))
    assert np.mean(result['swap']['whole']) == pytest.approx(0.2, abs=0.04)
    for name in SWAP_GROUPS:
        assert name == 'whole' or max(result['swap'][name]) == 0
    # Swaps are not ordinary errors.
    np.testing.assert_allclose(np.array(result['sigma'])[:, 5:], SIGMA, rtol=0.12)


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
    for name in ('sigma', 'tail_share', 'tail_sigma'):
        table = np.array(noise[name])
        assert table.shape == (sizes, 17)
        assert ((table > 0) & (table < 0.5)).all()
    assert set(noise['swap']) == set(SWAP_GROUPS)
    for name in ('offset', 'log_error', 'log_size', 'std'):
        assert len(noise['confidence'][name]) == 17
    assert all(slope < 0 for slope in noise['confidence']['log_error'])
