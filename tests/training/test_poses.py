# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
import numpy as np

from training.poses import sample_phenotypes


def test_statures_follow_growth_curves():
    body = BodyModel.load()
    p = sample_phenotypes(body, 4000, np.random.default_rng(0)).numpy()
    stature, years = body.stature(p), body.age_years(p)
    men = stature[(years > 20) & (years < 60) & (p[:, 0] < 0.05)]
    women = stature[(years > 20) & (years < 60) & (p[:, 0] > 0.95)]
    np.testing.assert_allclose(men.mean(), 1.76, atol=0.02)
    np.testing.assert_allclose(women.mean(), 1.63, atol=0.02)
    np.testing.assert_allclose(men.std(), 0.074, atol=0.02)
    six = stature[(years > 5.5) & (years < 6.5)]
    np.testing.assert_allclose(six.mean(), 1.155, atol=0.04)
