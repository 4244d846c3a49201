# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Conversions between rotation matrices, quaternions, rotation vectors and the 6D form.

Any batch shape, also an empty one; arithmetic and results are float64. Quaternions are
(x, y, z, w). Functions are named ``a_to_b``; those that take a rotmat expect an orthonormal one
(``rotmat_from_matrix`` makes one of something near).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]


def rotmat_to_quat_xyzw(rotmat: ArrayLike) -> Float64Array:
    """
    Convert rotation matrices (..., 3, 3) to unit quaternions (..., 4) with w >= 0.

    Notes
    -----
    4 q qᵀ is linear in the matrix; its row with the largest diagonal is never near zero, so the
    result is exact to rounding for every angle (Shepperd 1978).

    """
    m = _checked(rotmat, (3, 3), 'rotmat')
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xw = m[..., 0, 1] + m[..., 1, 0], m[..., 2, 1] - m[..., 1, 2]
    xz, yw = m[..., 0, 2] + m[..., 2, 0], m[..., 0, 2] - m[..., 2, 0]
    yz, zw = m[..., 1, 2] + m[..., 2, 1], m[..., 1, 0] - m[..., 0, 1]
    rows = np.stack(
        [
            np.stack([1 + xx - yy - zz, xy, xz, xw], axis=-1),
            np.stack([xy, 1 - xx + yy - zz, yz, yw], axis=-1),
            np.stack([xz, yz, 1 - xx - yy + zz, zw], axis=-1),
            np.stack([xw, yw, zw, 1 + xx + yy + zz], axis=-1),
        ],
        axis=-2,
    )  # (..., 4, 4)
    best = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    quat = np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :]  # (..., 4)
    quat = quat / np.linalg.norm(quat, axis=-1, keepdims=True)
    result: Float64Array = np.where(quat[..., 3:] < 0, -quat, quat)
    return result


def quat_xyzw_to_rotmat(quat: ArrayLike) -> Float64Array:
    """
    Convert quaternions (..., 4), of any length but 0, to rotation matrices (..., 3, 3).

    Raises
    ------
    ValueError
        If a quaternion has length 0.

    """
    q = _checked(quat, (4,), 'quat')
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if (norm == 0).any():
        raise ValueError('a quaternion of length 0 is no rotation; use (0, 0, 0, 1) for none')
    x, y, z, w = np.moveaxis(q / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotvec_to_quat_xyzw(rotvec: ArrayLike) -> Float64Array:
    """Convert rotation vectors (..., 3), axis times angle in radians, to quaternions (..., 4)."""
    r = _checked(rotvec, (3,), 'rotvec')
    angle = np.linalg.norm(r, axis=-1, keepdims=True)
    vector = 0.5 * np.sinc(angle / (2 * np.pi)) * r  # sin(angle / 2) along the axis
    return np.concatenate([vector, np.cos(0.5 * angle)], axis=-1)


def quat_xyzw_to_rotvec(quat: ArrayLike) -> Float64Array:
    """Convert unit quaternions (..., 4) to rotation vectors (..., 3) of length 0 .. pi."""
    q = _checked(quat, (4,), 'quat')
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    tiny = sine < 1e-12
    return np.where(tiny, 2.0, angle / np.where(tiny, 1.0, sine)) * q[..., :3]


def rotvec_to_rotmat(rotvec: ArrayLike) -> Float64Array:
    """Convert rotation vectors (..., 3), axis times angle in radians, to matrices (..., 3, 3)."""
    return quat_xyzw_to_rotmat(rotvec_to_quat_xyzw(rotvec))


def rotmat_to_rotvec(rotmat: ArrayLike) -> Float64Array:
    """Convert rotation matrices (..., 3, 3) to rotation vectors (..., 3) of length 0 .. pi."""
    return quat_xyzw_to_rotvec(rotmat_to_quat_xyzw(rotmat))


def rot6d_to_rotmat(rot6d: ArrayLike) -> Float64Array:
    """
    Convert the 6D form to rotation matrices by Gram-Schmidt.

    Parameters
    ----------
    rot6d : array, (..., 6)
        The first two columns of a 3x3 matrix, stored row by row: (r00, r01, r10, r11, r20, r21).

    Returns
    -------
    ndarray, (..., 3, 3), float64

    Raises
    ------
    ValueError
        If the last dimension is not 6.

    Notes
    -----
    Zhou et al. (2019), "On the continuity of rotation representations". Columns that are zero or
    parallel give NaN.

    """
    pair = _checked(rot6d, (6,), 'rot6d')
    pair = pair.reshape(*pair.shape[:-1], 3, 2)  # (..., 3, 2)
    with np.errstate(invalid='ignore', divide='ignore'):
        first = pair[..., 0] / np.linalg.norm(pair[..., 0], axis=-1, keepdims=True)
        second = pair[..., 1] - np.sum(first * pair[..., 1], axis=-1, keepdims=True) * first
        second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def rotmat_to_rot6d(rotmat: ArrayLike) -> Float64Array:
    """Convert rotation matrices (..., 3, 3) to the 6D form (..., 6) of ``rot6d_to_rotmat``."""
    m = _checked(rotmat, (3, 3), 'rotmat')
    return np.ascontiguousarray(m[..., :2]).reshape(*m.shape[:-2], 6)  # (..., 6)


def rotmat_to_ray(ray: ArrayLike) -> Float64Array:
    """
    Make the smallest rotations that take +z to rays.

    Parameters
    ----------
    ray : array, (..., 3)
        Of any length; not along -z.

    Returns
    -------
    ndarray, (..., 3, 3), float64

    Notes
    -----
    Rodrigues' formula about z x ray, with 1 - cos = sin^2 / (1 + cos).

    """
    d = _checked(ray, (3,), 'ray')
    with np.errstate(invalid='ignore', divide='ignore'):
        a, b, c = np.moveaxis(d / np.linalg.norm(d, axis=-1, keepdims=True), -1, 0)
        k = 1 / (1 + c)
        rows = [[1 - a * a * k, -a * b * k, a], [-a * b * k, 1 - b * b * k, b], [-a, -b, c]]
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotmat_from_matrix(matrix: ArrayLike) -> Float64Array:
    """Return the rotations nearest (least squares) to matrices (..., 3, 3)."""
    u, _, vt = np.linalg.svd(_checked(matrix, (3, 3), 'matrix'))
    sign = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    u[..., :, 2] *= sign[..., None]
    result: Float64Array = u @ vt
    return result


def _checked(array: ArrayLike, last: tuple[int, ...], name: str) -> Float64Array:
    result = np.asarray(array, np.float64)
    if result.shape[-len(last) :] != last:
        raise ValueError(f'{name} must be (..., {", ".join(map(str, last))}), got {result.shape}')
    return result
