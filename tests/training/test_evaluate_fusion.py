# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Distances with a floor and with depth on rendered sequences; needs the data pack."""

import os
from pathlib import Path

import pytest

from training import evaluate_fusion
from training.evaluate_fusion import evaluate_distances, HELP, table

DATA = os.environ.get('ANNY_TRAINING_DATA')


@pytest.mark.skipif(not DATA, reason='set ANNY_TRAINING_DATA to the folder of the data pack')
def test_a_floor_and_depth_help(monkeypatch):
    monkeypatch.setattr(evaluate_fusion, 'SCENARIOS', ('standing_group',))
    document = evaluate_distances(
        Path(DATA), 1, scenes=1, seconds=1.0, fps=3.0, repeats=5, lite=False
    )
    assert set(document) == {
        f'distance.noisy-truth.{place}.{name}.{figure}'
        for place in ('standing_group', 'all') for name in HELP
        for figure in ('median', 'p90', 'inside_95')
    }  # fmt: skip
    median = {name: document[f'distance.noisy-truth.all.{name}.median'] for name in HELP}
    assert 0.03 < median['alone'] < 0.12
    assert median['ground'] < 0.8 * median['alone']
    assert median['depth'] < 0.03
    assert median['both'] < 0.03
    assert 'standing_group' in table(document)
