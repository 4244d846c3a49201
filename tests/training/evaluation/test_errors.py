# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.geometry.rotations import rotvec_to_rotmat
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from training.evaluation.errors import compare, FIGURES, figures, joined, trunk_axes
from training.evaluation.people import Estimates

ANGLES = st.floats(-3.0, 3.0)


def estimates(labels, joints=None, position=None, stature=None):
    return Estimates(
        labels.bbox,
        labels.keypoints_2d,
        labels.keypoints_3d if joints is None else joints,
        labels.keypoints_3d[:, 11:13].mean(axis=1) if position is None else position,
        labels.stature if stature is None else stature,
    )


def test_the_truth_has_no_errors(labels):
    outcome, false = compare(labels, estimates(labels), 7)
    assert false == 0
    assert outcome.picture.tolist() == [7, 7, 7]
    assert outcome.counts.all()
    for name in ('pa_mpjpe', 'mpjpe', 'distance', 'place', 'stature'):
        np.testing.assert_allclose(getattr(outcome, name), 0, atol=1e-5)
    np.testing.assert_allclose(outcome.heading, 0, atol=0.1)
    assert not outcome.alone.any()


def test_axes_of_somebody_seen_from_behind(labels):
    left, forward, up = trunk_axes(labels.keypoints_3d.astype(np.float64))[0]
    assert left[0] < -0.9  # seen from behind, the left side is on the left
    assert forward[2] > 0.9  # away from the camera
    assert up[1] < -0.9


@settings(max_examples=25, deadline=None)
@given(st.tuples(ANGLES, ANGLES, ANGLES), st.floats(0.5, 2.0))
def test_a_similarity_changes_all_but_the_aligned_error(labels, turn, scale):
    R = rotvec_to_rotmat(np.array(turn))
    joints = scale * labels.keypoints_3d.astype(np.float64) @ R.T + [0.1, 0.2, 3.0]
    outcome, _ = compare(labels, estimates(labels, joints), 0)
    np.testing.assert_allclose(outcome.pa_mpjpe, 0, atol=1e-5)
    angle = np.rad2deg(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1)))
    assert (outcome.heading <= angle + 0.1).all()
    if angle > 10 or abs(scale - 1) > 0.1:
        assert (outcome.mpjpe > 0.01).all()


def test_facing_the_other_way(labels):
    half_turn = labels.keypoints_3d * [-1.0, 1.0, -1.0]
    outcome, _ = compare(labels, estimates(labels, half_turn), 0)
    assert (outcome.heading > 150).all()
    found = figures(outcome)
    assert found['heading_within_45'] == 0
    assert found['heading_median_deg'] > 150


def test_distance_place_and_stature(labels):
    hips = labels.keypoints_3d[:, 11:13].mean(axis=1)
    found = estimates(labels, position=1.2 * hips, stature=0.9 * labels.stature)
    outcome, _ = compare(labels, found, 0)
    result = figures(outcome)
    assert result['distance_median_error'] == pytest.approx(0.2, abs=1e-4)
    assert result['distance_bias'] == pytest.approx(0.2, abs=1e-4)
    assert result['stature_median_error'] == pytest.approx(0.1, abs=1e-4)
    assert result['stature_bias'] == pytest.approx(-0.1, abs=1e-4)
    assert result['place_median_m'] == pytest.approx(np.median(0.2 * np.linalg.norm(hips, axis=1)))


def test_the_same_offset_of_a_joint_in_all_bodies_is_removed(make_labels):
    # Bodies of one shape, all hips too high by 5 cm: a difference of definition.
    people = make_labels([[-1.2, 0.1, 4.0], [0.2, 0.1, 4.5], [1.5, 0.1, 5.0]])
    joints = people.keypoints_3d.astype(np.float64).copy()
    joints[:] = joints[0] - joints[0, 11] + joints[:, 11:12]
    people = replace(people, keypoints_3d=joints.astype(np.float32))
    joints[:, 11:13, 1] -= 0.05
    result = figures(compare(people, estimates(people, joints), 0)[0])
    assert result['pa_mpjpe_mm'] > 5
    assert result['pa_mpjpe_offsets_removed_mm'] < 0.5


def test_missed_people_lower_the_recall_alone(labels):
    outcome, _ = compare(labels, estimates(labels)[:2], 0)
    result = figures(outcome)
    assert result['people'] == 3
    assert result['recall'] == pytest.approx(2 / 3)
    assert result['pa_mpjpe_mm'] == pytest.approx(0, abs=0.01)
    assert np.isnan(outcome.heading[~outcome.found]).all()


def test_what_is_not_said_is_not_measured(labels):
    unknown = estimates(labels, stature=np.full(3, np.nan), position=np.full((3, 3), np.nan))
    result = figures(compare(labels, unknown, 0)[0])
    assert result['stature_median_error'] is None
    assert result['distance_median_error'] is None
    assert result['place_median_m'] is None
    assert result['mpjpe_mm'] is not None


def test_a_group_of_nobody(labels):
    outcome, _ = compare(labels, estimates(labels), 0)
    result = figures(outcome[:0])
    assert result == {**dict.fromkeys(FIGURES), 'people': 0.0}


def test_pictures_are_stacked(labels):
    first, _ = compare(labels, estimates(labels), 0)
    second, _ = compare(labels[1:2], estimates(labels[1:2]), 1)
    both = joined([first, second])
    assert both.picture.tolist() == [0, 0, 0, 1]
    assert both.alone.tolist() == [False, False, False, True]
