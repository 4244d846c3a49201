# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Guesses of a known focal length, and what the filter makes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
import math

from anny_ros.geometry.camera import scale_camera
from anny_ros.geometry.field_of_view import DRIFT, FieldOfViewFilter, SYSTEMATIC_SHARE
from anny_ros.types import Camera, CameraSource
import numpy as np
import pytest

JITTER = 0.076  # standard deviation of the logarithm of the focal length
WIDTH, HEIGHT = 1280, 720
TRUTH = 900.0
RATE = 30.0


def guess(focal, width=WIDTH, height=HEIGHT):
    K = np.array([[focal, 0, (width - 1) / 2], [0, 1.001 * focal, (height - 1) / 2], [0, 0, 1]])
    camera = Camera(K, width, height, CameraSource.ESTIMATED)
    return replace(camera, hfov_stddev=JITTER * math.sin(camera.hfov))


def relative_stddev(camera):
    return camera.hfov_stddev / math.sin(camera.hfov)


def filtered(focals, rate=RATE, start=0.0, smooth=None):
    """Focal lengths after each of some guesses."""
    smooth = smooth or FieldOfViewFilter()
    stamps = start + np.arange(len(focals)) / rate
    return np.array([smooth(guess(f), t).K[0, 0] for f, t in zip(focals, stamps, strict=True)])


def jittery(truth, num, seed=0):
    rng = np.random.default_rng(seed)
    return truth * np.exp(rng.normal(0, JITTER, num))


def test_the_first_guess_passes_as_it_is():
    camera = guess(TRUTH)
    first = FieldOfViewFilter()(camera, 7.0)
    np.testing.assert_allclose(first.K, camera.K)
    assert first.hfov_stddev == pytest.approx(camera.hfov_stddev)
    assert first.source == CameraSource.ESTIMATED


@pytest.mark.parametrize('source', [CameraSource.CAMERA_INFO, CameraSource.PARAMETER])
def test_a_camera_that_is_known_passes_and_leaves_no_trace(source):
    smooth = FieldOfViewFilter()
    smooth(guess(TRUTH), 0.0)
    known = Camera(guess(500.0).K, WIDTH, HEIGHT, source)
    assert smooth(known, 0.1) is known
    assert smooth(guess(TRUTH), 0.2).K[0, 0] == pytest.approx(TRUTH)


@pytest.mark.parametrize('rate', [5.0, 15.0, 30.0, 120.0])
def test_jitter_after_two_seconds_is_a_quarter_at_most(rate):
    """Over 200 cameras: root mean square error at 30 Hz and above; fewer guesses average less."""
    num = round(2 * rate)
    last = [filtered(jittery(TRUTH, num + 1, seed), rate)[-1] for seed in range(200)]
    error = np.std(np.log(np.array(last) / TRUTH))
    assert error < JITTER / (4.0 if rate >= 30 else 0.8 * math.sqrt(num))


def test_in_the_long_run_the_distance_hardly_moves():
    focals = filtered(jittery(TRUTH, 1800))
    after = np.log(focals[60:] / TRUTH)
    assert np.std(after) < JITTER / 8
    assert np.abs(np.diff(after)).max() < 0.01


def test_the_deviation_falls_to_the_systematic_part_and_no_further():
    smooth = FieldOfViewFilter()
    floor = math.sqrt(SYSTEMATIC_SHARE) * JITTER
    deviations = [
        relative_stddev(smooth(guess(f), i / RATE)) for i, f in enumerate(jittery(TRUTH, 3000))
    ]
    assert deviations[0] == pytest.approx(JITTER)
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(deviations[:60]))
    assert floor < deviations[-1] < 1.05 * floor


def test_the_deviation_grows_while_nothing_is_seen():
    smooth = FieldOfViewFilter()
    for i in range(100):
        before = relative_stddev(smooth(guess(TRUTH), i / RATE))
    after = relative_stddev(smooth(guess(TRUTH), 400.0))
    assert before < after < JITTER
    assert DRIFT * math.sqrt(400.0) < JITTER


@pytest.mark.parametrize('factor', [1.5, 1 / 1.5])
def test_one_outlier_moves_nothing(factor):
    focals = jittery(TRUTH, 120)
    plain, disturbed = FieldOfViewFilter(), FieldOfViewFilter()
    expected = filtered(focals[:90], smooth=plain)
    np.testing.assert_array_equal(filtered(focals[:90], smooth=disturbed), expected)
    before = expected[-1]
    after = disturbed(guess(TRUTH * factor), 3.0).K[0, 0]
    assert after == pytest.approx(before, rel=1e-12)
    rest = filtered(focals[90:], start=3.0 + 1 / RATE, smooth=disturbed)
    np.testing.assert_allclose(rest, expected[-1], rtol=0.02)


@pytest.mark.parametrize('factor', [0.5, 0.8, 1.25, 1.5, 3.0])
def test_a_zoom_is_followed_within_a_second(factor):
    focals = np.concatenate([jittery(TRUTH, 150), factor * jittery(TRUTH, 60, seed=1)])
    after = filtered(focals)
    np.testing.assert_allclose(after[149], TRUTH, rtol=0.04)
    np.testing.assert_allclose(after[180:], factor * TRUTH, rtol=0.06)


def test_a_slow_zoom_is_followed():
    truth = TRUTH * np.exp(np.linspace(0.0, math.log(2.0), 90))  # doubles in 3 s
    truth = np.concatenate([np.full(60, TRUTH), truth, np.full(60, 2 * TRUTH)])
    after = filtered(truth * jittery(1.0, len(truth)))
    lag = np.log(truth / after)
    assert np.abs(lag).max() < 0.35
    assert np.abs(lag[-15:]).max() < 0.1


@pytest.mark.parametrize('rate', [2.0, 5.0, 10.0, 30.0])
def test_jitter_is_not_taken_for_a_zoom(rate):
    focals = [filtered(jittery(TRUTH, 150, seed), rate)[30:] for seed in range(100)]
    assert np.abs(np.log(np.array(focals) / TRUTH)).max() < 0.065


def test_a_bad_beginning_is_made_good():
    focals = np.concatenate([[3 * TRUTH, 0.3 * TRUTH], jittery(TRUTH, 30)])
    np.testing.assert_allclose(filtered(focals)[-1], TRUTH, rtol=0.06)


def test_time_that_goes_back_and_another_size_begin_anew():
    smooth = FieldOfViewFilter()
    filtered(jittery(TRUTH, 60), smooth=smooth)
    assert smooth(guess(1.2 * TRUTH), 0.5).K[0, 0] == pytest.approx(1.2 * TRUTH)
    other = scale_camera(guess(0.9 * TRUTH), 640, 360)
    assert smooth(other, 0.6).K[0, 0] == pytest.approx(0.45 * TRUTH)
    smooth.reset()
    assert smooth(guess(0.8 * TRUTH), 0.7).K[0, 0] == pytest.approx(0.8 * TRUTH)


def test_principal_point_and_pixel_ratio_stay():
    smooth = FieldOfViewFilter()
    smooth(guess(TRUTH), 0.0)
    camera = smooth(guess(1.1 * TRUTH), 1 / RATE)
    assert TRUTH < camera.K[0, 0] < 1.1 * TRUTH
    assert camera.K[1, 1] / camera.K[0, 0] == pytest.approx(1.001)
    np.testing.assert_allclose(camera.K[:2, 2], guess(TRUTH).K[:2, 2])
