# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.keypoints.hints import NUM_HINTS
import numpy as np
import pytest
from scipy.stats import spearmanr

from training.keypoint_errors import KeypointNoise, observe


@pytest.fixture(scope='module')
def people(simulated_people, lifted_skeleton):
    return simulated_people, lifted_skeleton


def test_exact_observations_are_the_projection(people):
    placed, _ = people
    report = observe(placed, np.random.default_rng(0), exact=True)
    truth = placed.reported[..., :2] / placed.reported[..., 2:]
    np.testing.assert_allclose(report.rays, truth, rtol=1e-4, atol=1e-5)
    assert (report.confidences > 0).all()
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    np.testing.assert_allclose((placed.top - report.top) / extent, 0.026, atol=1e-4)  # usual hair
    assert report.edges.isinf().all()  # nothing is cut off
    assert report.hints.isnan().all()
    # Nobody's keypoints are above their own top but for where they are reported.
    body = placed.keypoints[..., 1] / placed.keypoints[..., 2]
    assert (report.top <= body.amin(1) + 1e-6).all()


def test_the_top_of_most_boxes_is_reported_near_the_truth(people):
    placed, _ = people
    report = observe(placed, np.random.default_rng(0))
    top = report.top
    known = ~top.isnan()
    assert 0.5 < known.float().mean() < 0.85
    out = placed.top.numpy() < -placed.half_view[:, 1]
    assert not known.numpy()[out].any()
    rays = placed.reported[..., :2] / placed.reported[..., 2:]
    extent = (rays.amax(1) - rays.amin(1)).amax(-1)
    np.testing.assert_allclose(report.edges[:, 1::2], placed.half_view)
    assert report.hints.shape == (len(placed), NUM_HINTS)
    assert report.hints.isnan().all()
    above = ((placed.top - top) / extent)[known]
    assert 0.02 < above.median() < 0.035  # hair
    assert 0.005 < (above - above.median()).abs().median() < 0.03
    assert above.max() > 0.1


def test_confident_keypoints_are_nearer(people):
    placed, _ = people
    report = observe(placed, np.random.default_rng(0))
    confidences = report.confidences
    truth = placed.reported[..., :2] / placed.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    error = (report.rays - truth).norm(dim=-1) / extent[:, None]
    sure, unsure = confidences > 0.5, (confidences > 0) & (confidences < 0.25)
    assert error[sure].median() < 0.6 * error[unsure].median()
    assert 0.008 < error[sure].median() < 0.05
    assert ((confidences[:, 5:] > 0).sum(1) >= 4).all()


def test_drawn_errors_have_the_measured_quantiles():
    noise = KeypointNoise.load()
    rng = np.random.default_rng(0)
    for row, size in enumerate(noise.sizes_px):
        drawn = noise.errors(np.full(20_000, size), rng)
        for column in (2, 3, 4, 6):
            share = noise.probabilities[column]
            np.testing.assert_allclose(
                np.quantile(drawn, share, axis=0), noise.error[row, :, column], rtol=0.06
            )
        apart = spearmanr(drawn[:, 5:]).statistic[np.triu_indices(12, 1)].mean()
        # Spearman's rho of a normal copula.
        expected = 6 / np.pi * np.arcsin(noise.common[row, 0] / 2)
        np.testing.assert_allclose(apart, expected, atol=0.02)


def test_joints_beyond_an_edge_are_reported_inside_of_it_or_not_at_all():
    noise = KeypointNoise.load()
    rng = np.random.default_rng(0)
    count = 30_000
    seen = np.zeros((count, 17, 2))
    seen[..., 1] = np.linspace(-0.5, 0.5, 17)  # the edge is at y = 0, the extent 1
    normal = np.broadcast_to([0.0, 1.0], seen.shape)
    moved, logit = noise.outside.report(
        seen, np.full((count, 17), 3.0), seen[..., 1], normal, np.ones((count, 1, 1)), rng
    )
    visible = seen[0, :, 1] <= 0
    np.testing.assert_array_equal(moved[:, visible], seen[:, visible])
    assert (logit[:, visible] == 3.0).all()
    kept = logit[:, ~visible] > -8
    far = seen[0, ~visible, 1] > 0.3
    assert kept.mean(0)[far].mean() == pytest.approx(noise.outside.kept[-1], abs=0.01)
    assert noise.outside.kept[0] > noise.outside.kept[-1]
    assert np.median(moved[:, ~visible, 1]) < 0
    np.testing.assert_array_equal(moved[..., 0], 0.0)


def test_small_people_are_seen_worse(people):
    placed, _ = people
    assert (placed.size_px >= 40).all()
    truth = placed.reported[..., :2] / placed.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    medians = []
    for size in (45.0, 90.0, 250.0):
        shown = replace(placed, size_px=np.full(len(placed), size))
        report = observe(shown, np.random.default_rng(0))
        error = (report.rays - truth).norm(dim=-1) / extent[:, None]
        medians.append(float(error[report.confidences > 0].median()))
    assert medians[0] > 1.5 * medians[1] > 1.8 * medians[2]
