# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.tracking.measurement import (
    DEFAULT_DEPTH_STDDEV,
    FIT_STDDEV,
    measure,
    OWN_WANDER_SHARE,
    STATURE_FIT_STDDEV,
    UNKNOWN_VARIANCE,
    WANDER_SHARE,
)
import numpy as np
import pytest

POSITION = np.array([[1.0, -2.0, 4.0]])


def along_ray(share, lateral=0.02, position=POSITION):
    distance = np.linalg.norm(position, axis=1)
    ray = position / distance[:, None]
    outer = ray[:, :, None] * ray[:, None, :]
    return (share * distance[:, None, None]) ** 2 * outer + lateral**2 * (np.eye(3) - outer)


def test_a_distance_that_rests_on_the_stature_by_hand():
    share = 0.08
    measured = measure(POSITION, along_ray(share), [1.6], [share * 1.6])
    assert measured.coupling[0] == pytest.approx(1.0)
    wander = WANDER_SHARE * share**2
    assert measured.bias_variance[0] == pytest.approx(share**2 - wander)
    assert measured.extra_variance[0] == pytest.approx(0.0, abs=1e-12)
    distance = np.linalg.norm(POSITION)
    assert np.sqrt(measured.variance[0, 0, 0]) * distance == pytest.approx(0.02)
    assert measured.variance[0, 2, 2] == pytest.approx(wander + FIT_STDDEV**2)
    assert measured.variance[0, 2, 3] == pytest.approx(wander)
    assert measured.variance[0, 3, 3] == pytest.approx(wander + STATURE_FIT_STDDEV**2)
    assert measured.log_stature[0] == pytest.approx(np.log(1.6))


def test_what_the_stature_does_not_explain_is_extra():
    measured = measure(POSITION, along_ray(0.13), [1.6], [0.05 * 1.6])
    own = 0.13**2 - 0.05**2
    assert measured.extra_variance[0] == pytest.approx((1 - OWN_WANDER_SHARE) * own)
    fit = measured.variance[0, 2, 2] - measured.variance[0, 2, 3]
    assert fit == pytest.approx(OWN_WANDER_SHARE * own)
    assert measured.coupling[0] == 1.0


def test_a_measured_distance_hardly_depends_on_the_stature():
    measured = measure(POSITION, along_ray(0.01), [1.6], [0.08 * 1.6])
    assert measured.coupling[0] == 0.0
    assert measured.variance[0, 2, 3] == 0.0
    assert measured.variance[0, 2, 2] + measured.extra_variance[0] == pytest.approx(0.01**2)
    assert measured.bias_variance[0] == pytest.approx((1 - WANDER_SHARE) * 0.07**2)


def test_a_surer_distance_bounds_what_it_shares_with_the_stature():
    measured = measure(POSITION, along_ray(0.06), [1.6], [0.08 * 1.6])
    assert measured.coupling[0] == 1.0
    assert measured.bias_variance[0] == pytest.approx((1 - WANDER_SHARE) * 0.06**2)
    assert measured.extra_stature_variance[0] == pytest.approx(0.08**2 - 0.06**2)


@pytest.mark.parametrize('stature', [np.nan, 0.0, -1.0, np.inf])
def test_an_unknown_stature_leaves_the_distance(stature):
    measured = measure(POSITION, along_ray(0.1), [stature], [0.1])
    assert measured.coupling[0] == 0.0
    assert measured.variance[0, 3, 3] == UNKNOWN_VARIANCE
    assert measured.variance[0, 2, 3] == 0.0
    spread = measured.variance[0, 2, 2] + measured.extra_variance[0]
    assert spread == pytest.approx(0.1**2)


@pytest.mark.parametrize(
    'covariance',
    [np.diag([value] * 3) for value in (0.0, -1.0, np.inf, 1e9)] + [np.full((3, 3), np.nan)],
    ids=['zero', 'negative', 'infinite', 'huge', 'nan'],
)
def test_any_covariance_gives_a_usable_one(covariance):
    measured = measure(np.array([[1.0, -0.5, 10.0]]), covariance[None], [np.nan], [np.nan])
    assert (np.linalg.eigvalsh(measured.variance[0]) > 0).all()
    assert 0.005 <= np.sqrt(measured.variance[0, 0, 0]) * 10.0 <= 0.11
    spread = measured.variance[0, 2, 2] + measured.extra_variance[0]
    if not np.isfinite(covariance).all() or covariance[0, 0] <= 0:
        assert np.sqrt(spread) == pytest.approx(DEFAULT_DEPTH_STDDEV)
    assert np.sqrt(spread) <= 1.0 + 1e-9


def test_measurements_can_be_picked():
    positions = np.array([[0, 0, 1.0], [0, 0, 2.0], [0, 0, 3.0]])
    measured = measure(positions, np.tile(0.1 * np.eye(3), (3, 1, 1)), [1.5, 1.6, 1.7], [0.1] * 3)
    picked = measured[np.array([2, 0])]
    np.testing.assert_allclose(picked.position[:, 2], [3.0, 1.0])
    np.testing.assert_allclose(np.exp(picked.log_stature), [1.7, 1.5])
    assert len(measured[np.array([False, True, False])].variance) == 1
