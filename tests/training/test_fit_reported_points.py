# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.reported import OFFSETS
from anny_ros.keypoints.view import Report
import numpy as np
import torch

from training.fit_reported_points import fit, solve
from training.observe_pictures import Observed


def test_offsets_that_made_the_looks_are_found_again(simulated_people, lifted_skeleton):
    people, skeleton = simulated_people, lifted_skeleton
    rays = people.reported[..., :2] / people.reported[..., 2:]
    confidences = torch.full((len(people), 17), 0.8)
    hints = torch.full((len(people), NUM_HINTS), torch.nan)
    looks = Observed(people, Report(rays, confidences, people.top, people.edges(), hints))
    for (_, _, truth), (_, _, found) in zip(OFFSETS, fit(looks, skeleton), strict=True):
        np.testing.assert_allclose(found.offset, truth, atol=2e-3)
        assert found.after < 0.2 * found.before + 1e-3


def test_outliers_do_not_pull():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(400, 2, 3))
    b = A @ np.array([0.02, -0.01, 0.05]) + rng.normal(scale=0.005, size=(400, 2))
    b[:60] += 1.0
    np.testing.assert_allclose(solve(A, b).offset, [0.02, -0.01, 0.05], atol=2e-3)
