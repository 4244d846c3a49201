# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Pinhole projection, and what resizing, cropping and padding a picture does to its intrinsics.

Pixels count from the *centre* of the top-left pixel, so the picture covers -0.5 .. width - 0.5
and a resize by s maps u to s * (u + 0.5) - 0.5. All arithmetic is float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from anny_ros.types import Camera
import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]


def project(points: ArrayLike, K: ArrayLike) -> Float64Array:
    """
    Project points of the camera optical frame to pixels.

    Parameters
    ----------
    points : array, (..., 3), metres
        Camera optical frame (x right, y down, z forward).
    K : array, (3, 3) or (..., 3, 3), pixels
        Intrinsics; leading dimensions broadcast with those of ``points``.

    Returns
    -------
    ndarray, (..., 2), float64, pixels
        Column u, then row v. NaN for points that are not in front of the camera (z <= 0).

    Raises
    ------
    ValueError
        If the last dimensions are not 3 and (3, 3).

    """
    points, K = _float64(points, 3, 'points'), _intrinsics(K)
    z = points[..., 2:]
    plane = points[..., :2] / np.where(z > 0, z, np.nan)
    uv: Float64Array = np.einsum('...ij,...j->...i', K[..., :2, :2], plane) + K[..., :2, 2]
    return uv


def backproject(uv: ArrayLike, depth: ArrayLike, K: ArrayLike) -> Float64Array:
    """
    Lift pixels of known depth to points in the camera optical frame.

    Parameters
    ----------
    uv : array, (..., 2), pixels
        Column u, then row v, in the picture that ``K`` describes.
    depth : array, (...), metres
        Distance along the optical axis (z), not along the ray.
    K : array, (3, 3) or (..., 3, 3), pixels

    Returns
    -------
    ndarray, (..., 3), float64, metres

    Raises
    ------
    ValueError
        If the last dimensions are not 2 and (3, 3).

    """
    uv, K = _float64(uv, 2, 'uv'), _intrinsics(K)
    z = np.asarray(depth, np.float64)[..., None]
    y = (uv[..., 1:] - K[..., 1:2, 2]) / K[..., 1:2, 1]
    x = (uv[..., :1] - K[..., 0:1, 2] - K[..., 0:1, 1] * y) / K[..., 0:1, 0]
    x, y, z = np.broadcast_arrays(x * z, y * z, z)
    return np.concatenate([x, y, z], axis=-1)


def viewing_rays(uv: ArrayLike, K: ArrayLike) -> Float64Array:
    """Directions (..., 3) of length 1 in the optical frame, on which the pixels (..., 2) lie."""
    uv = np.asarray(uv, np.float64)
    rays = backproject(uv, np.ones(uv.shape[:-1]), K)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return rays


def scale_camera(camera: Camera, width: int, height: int) -> Camera:
    """Return the camera of the same picture resized to width x height pixels."""
    K = camera.K.copy()
    scale = np.array([width / camera.width, height / camera.height])
    K[:2, :2] *= scale[:, None]
    K[:2, 2] = scale * (K[:2, 2] + 0.5) - 0.5
    return replace(camera, K=K, width=width, height=height)


def crop_camera(camera: Camera, left: int, top: int, width: int, height: int) -> Camera:
    """
    Return the camera of a window of the picture.

    The window starts at column ``left`` and row ``top`` and may reach outside of the picture
    (negative values pad), which leaves the viewing rays as they are.
    """
    K = camera.K.copy()
    K[:2, 2] -= (left, top)
    return replace(camera, K=K, width=width, height=height)


@dataclass(frozen=True)
class Letterbox:
    """
    A picture that is resized, then placed in a padded canvas.

    Parameters
    ----------
    picture_width, picture_height : int, pixels
        The original picture.
    resized_width, resized_height : int, pixels
        Its size after the resize.
    left, top : int, pixels
        Where the resized picture's first column and row lie in the canvas.
    width, height : int, pixels
        The canvas.

    """

    picture_width: int
    picture_height: int
    resized_width: int
    resized_height: int
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def fit(
        cls, picture_width: int, picture_height: int, longest: int, multiple: int
    ) -> Letterbox:
        """
        Resize the longest side to ``longest`` and pad both sides up to a multiple.

        The short side is rounded to the nearest pixel and the picture centred; halves go to the
        even number in both. Pictures that are smaller than ``longest`` are enlarged.

        Raises
        ------
        ValueError
            If a size is not positive.

        """
        if min(picture_width, picture_height, longest, multiple) <= 0:
            raise ValueError(
                f'sizes must be positive, got a picture of {picture_width}x{picture_height}, '
                f'longest {longest} and multiple {multiple}; pass a picture that is not empty'
            )
        long_side = max(picture_width, picture_height)
        resized = [
            max(1, round(longest * side / long_side)) for side in (picture_width, picture_height)
        ]
        canvas = [-(-side // multiple) * multiple for side in resized]
        offset = [round((c - r) * 0.5) for c, r in zip(canvas, resized, strict=True)]
        return cls(picture_width, picture_height, *resized, *offset, *canvas)

    @property
    def scale(self) -> Float64Array:
        """Resized over original size, (2,): columns, rows."""
        resized = np.array([self.resized_width, self.resized_height], np.float64)
        return resized / (self.picture_width, self.picture_height)

    def to_canvas(self, uv: ArrayLike) -> Float64Array:
        """Map pixels (..., 2) of the original picture to pixels of the canvas."""
        uv = _float64(uv, 2, 'uv')
        return (uv + 0.5) * self.scale - 0.5 + (self.left, self.top)

    def to_picture(self, uv: ArrayLike) -> Float64Array:
        """Map pixels (..., 2) of the canvas back to pixels of the original picture."""
        uv = _float64(uv, 2, 'uv')
        return (uv - (self.left, self.top) + 0.5) / self.scale - 0.5

    def canvas_camera(self, camera: Camera) -> Camera:
        """Return the camera of the canvas, given that of the original picture."""
        resized = scale_camera(camera, self.resized_width, self.resized_height)
        return crop_camera(resized, -self.left, -self.top, self.width, self.height)

    def picture_camera(self, camera: Camera) -> Camera:
        """Return the camera of the original picture, given that of the canvas."""
        resized = crop_camera(camera, self.left, self.top, self.resized_width, self.resized_height)
        return scale_camera(resized, self.picture_width, self.picture_height)


def _float64(array: ArrayLike, last: int, name: str) -> Float64Array:
    result = np.asarray(array, np.float64)
    if result.ndim == 0 or result.shape[-1] != last:
        raise ValueError(f'{name} must be (..., {last}), got {result.shape}')
    return result


def _intrinsics(K: ArrayLike) -> Float64Array:
    result = np.asarray(K, np.float64)
    if result.shape[-2:] != (3, 3):
        raise ValueError(f'K must be (..., 3, 3), got {result.shape}')
    return result
