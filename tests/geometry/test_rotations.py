# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.geometry.rotations import (
    quat_xyzw_to_rotmat,
    quat_xyzw_to_rotvec,
    rot6d_to_rotmat,
    rotmat_from_matrix,
    rotmat_to_quat_xyzw,
    rotmat_to_rot6d,
    rotmat_to_rotvec,
    rotvec_to_quat_xyzw,
    rotvec_to_rotmat,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

# Axis times angle, with the angles that break naive formulas: near 0 and near pi.
axes = arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(lambda a: np.linalg.norm(a) > 0.1)
angles = st.one_of(
    st.floats(0, np.pi),
    st.floats(-14, -3).map(lambda e: 10.0**e),
    st.floats(-14, -3).map(lambda e: np.pi - 10.0**e),
    st.sampled_from([0.0, np.pi, np.pi / 2]),
)
rotvecs = st.builds(lambda axis, angle: axis / np.linalg.norm(axis) * angle, axes, angles)


def angle_between(a, b):
    sine = np.linalg.norm(rotmat_to_quat_xyzw(np.swapaxes(a, -1, -2) @ b)[..., :3], axis=-1)
    return 2 * np.arcsin(np.minimum(sine, 1.0))


@given(rotvecs)
def test_rotvec_to_rotmat_agrees_with_scipy(rotvec):
    expected = Rotation.from_rotvec(rotvec).as_matrix()
    np.testing.assert_allclose(rotvec_to_rotmat(rotvec), expected, atol=1e-12)


@given(rotvecs)
def test_round_trip_through_every_form(rotvec):
    R = rotvec_to_rotmat(rotvec)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    for back in (
        rotvec_to_rotmat(rotmat_to_rotvec(R)),
        quat_xyzw_to_rotmat(rotmat_to_quat_xyzw(R)),
        rot6d_to_rotmat(rotmat_to_rot6d(R)),
        rotmat_from_matrix(R),
    ):
        assert angle_between(R, back) < 1e-12
    assert np.linalg.norm(rotmat_to_rotvec(R)) <= np.pi + 1e-12


@given(rotvecs)
def test_rotvec_survives_unless_it_is_a_half_turn(rotvec):
    back = rotmat_to_rotvec(rotvec_to_rotmat(rotvec))
    if np.linalg.norm(rotvec) < np.pi - 1e-6:
        np.testing.assert_allclose(back, rotvec, atol=1e-12)
    else:  # axis and its opposite are the same rotation
        error = min(np.abs(back - rotvec).max(), np.abs(back + rotvec).max())
        assert error < 2.1e-6


@given(rotvecs)
def test_quaternions_are_unit_and_positive(rotvec):
    quat = rotmat_to_quat_xyzw(rotvec_to_rotmat(rotvec))
    assert np.linalg.norm(quat) == pytest.approx(1.0, abs=1e-14)
    assert quat[3] >= 0
    np.testing.assert_allclose(
        rotvec_to_rotmat(quat_xyzw_to_rotvec(-quat)), quat_xyzw_to_rotmat(quat), atol=1e-12
    )


def test_tiny_rotation_keeps_its_direction():
    rotvec = np.array([1e-13, -2e-13, 3e-13])
    np.testing.assert_allclose(quat_xyzw_to_rotvec(rotvec_to_quat_xyzw(rotvec)), rotvec, rtol=1e-6)


def test_quaternion_by_hand():
    quarter_turn_about_z = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(rotmat_to_quat_xyzw(quarter_turn_about_z), [0, 0, half, half])
    np.testing.assert_allclose(quat_xyzw_to_rotmat([0, 0, 3, 3]), quarter_turn_about_z, atol=1e-15)


def test_rot6d_is_row_by_row():
    half_turn = rot6d_to_rotmat([1, 0, 0, 0, 0, 1])  # columns x and z: a quarter turn about x
    np.testing.assert_allclose(half_turn, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(rotmat_to_rot6d(np.eye(3)), [1, 0, 0, 1, 0, 0])


def test_rot6d_that_spans_nothing_is_nan():
    assert np.isnan(rot6d_to_rotmat(np.zeros(6))).any()


def test_nearest_rotation_is_no_reflection():
    R = rotvec_to_rotmat([0.3, -0.2, 2.0])
    np.testing.assert_allclose(rotmat_from_matrix(2.5 * R), R, atol=1e-12)
    assert np.linalg.det(rotmat_from_matrix(np.diag([1.0, 1.0, -1.0]))) == pytest.approx(1.0)


@pytest.mark.parametrize('batch', [(0,), (), (4,), (2, 3)], ids=str)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_batch_shapes_and_dtype(batch, dtype):
    rng = np.random.default_rng(0)
    rotvec = rng.normal(size=(*batch, 3)).astype(dtype)
    R = rotvec_to_rotmat(rotvec)
    assert R.shape == (*batch, 3, 3)
    assert R.dtype == np.float64
    assert rotmat_to_quat_xyzw(R).shape == (*batch, 4)
    assert rotmat_to_rotvec(R).shape == (*batch, 3)
    assert rotmat_to_rot6d(R).shape == (*batch, 6)
    assert rot6d_to_rotmat(rotmat_to_rot6d(R)).shape == (*batch, 3, 3)
    assert rotmat_from_matrix(R).shape == (*batch, 3, 3)
    flat = rotvec.reshape(-1, 3)
    for one, many in zip(flat, R.reshape(-1, 3, 3), strict=True):
        np.testing.assert_allclose(rotvec_to_rotmat(one), many, atol=1e-15)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match='length 0'):
        quat_xyzw_to_rotmat(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r'rotmat must be \(\.\.\., 3, 3\)'):
        rotmat_to_quat_xyzw(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r'rotvec must be'):
        rotvec_to_rotmat(np.zeros(4))
