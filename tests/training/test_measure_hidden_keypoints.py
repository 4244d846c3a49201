# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from training.measure_hidden_keypoints import DISTANCES, summarise_unseen, Unseen
from training.measure_keypoint_noise import PROBABILITIES


def test_reports_are_summarised_by_how_far_beyond_the_edge_the_joint_is():
    rng = np.random.default_rng(0)
    beyond = rng.uniform(0, 0.6, 6000)
    back = rng.uniform(0.0, 0.1, 6000)
    # Nothing is reported of every second joint that is farther than 0.3 away.
    lost = (beyond > 0.3) & (np.arange(6000) % 2 == 0)
    confidence = np.where(lost, 0.05, 0.3)
    halves = [slice(0, 2000), slice(2000, 6000)]
    table = summarise_unseen(
        [Unseen(beyond[h], beyond[h] + back[h], back[h], confidence[h]) for h in halves]
    )
    assert table['distance'] == list(DISTANCES)
    assert table['joints'] == 6000
    assert table['kept'][:3] == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(table['kept'][3], 0.5, atol=0.03)
    middle = PROBABILITIES.index(0.5)
    for row, distance in enumerate((0.025, 0.1, 0.225, 0.45)):
        np.testing.assert_allclose(table['back'][row][middle], 0.05, atol=0.01)
        np.testing.assert_allclose(table['apart'][row][middle], distance + 0.05, atol=0.02)
    np.testing.assert_allclose(table['logit'], np.log(0.3 / 0.7), atol=1e-3)
