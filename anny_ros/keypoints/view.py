# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
One person's keypoints as a camera-free input.

Pixels become rays, rays are turned so that the person is in the middle of the view, and their
extent becomes 1: the lifter never sees a focal length, a picture size or a distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NUM_KEYPOINTS = 17
NUM_FEATURES = NUM_KEYPOINTS * 3 + 5
_SMALLEST_EXTENT = 1e-4
# An adult 14 m away. Farther than that perspective tells nothing, and the lifter must not guess
# the size of a body from how far away training's people could be.
_FAR_EXTENT = 0.12


@dataclass(frozen=True)
class View:
    """
    Keypoints in the view frame, whose z axis points at the person.

    Parameters
    ----------
    features : Tensor, (N, NUM_FEATURES)
        Input of the lifter.
    R_view_camera : Tensor, (N, 3, 3)
        Smallest rotation that takes the person's ray to +z.
    centre : Tensor, (N, 2)
        Middle of the seen keypoints in the view frame, as ray tangents.
    extent : Tensor, (N,)
        Longer side of the box of the seen keypoints, in ray tangents.
    points : Tensor, (N, 17, 2)
        The keypoints as ray tangents in the view frame.
    confidences : Tensor, (N, 17)
        As given; 0 where a keypoint was not seen.

    """

    features: Tensor
    R_view_camera: Tensor
    centre: Tensor
    extent: Tensor
    points: Tensor
    confidences: Tensor


def rotation_to_forward(ray: Tensor) -> Tensor:
    """
    Make the smallest rotation that takes a ray to +z.

    Parameters
    ----------
    ray : Tensor, (N, 2)
        Tangents x / z, y / z; in front of the camera.

    Returns
    -------
    Tensor, (N, 3, 3)

    Notes
    -----
    For unit d = (a, b, c) with c > 0 and k = 1 / (1 + c): rows (1 - a^2 k, -a b k, -a),
    (-a b k, 1 - b^2 k, -b), (a, b, c); Rodrigues' formula about d x z.

    """
    d = torch.nn.functional.pad(ray, (0, 1), value=1.0)
    a, b, c = torch.nn.functional.normalize(d, dim=-1).unbind(-1)
    k = 1 / (1 + c)
    rows = (1 - a * a * k, -a * b * k, -a, -a * b * k, 1 - b * b * k, -b, a, b, c)
    return torch.stack(rows, -1).view(-1, 3, 3)


def _box(xy: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Middle (N, 2) and longer side (N,) of the box of the seen points."""
    far = torch.finfo(xy.dtype).max
    low = xy.masked_fill(~seen[..., None], far).amin(1)
    high = xy.masked_fill(~seen[..., None], -far).amax(1)
    return (low + high) / 2, (high - low).amax(-1).clamp_min(_SMALLEST_EXTENT)


def make_view(rays: Tensor, confidences: Tensor) -> View:
    """
    Normalise people's keypoints.

    Parameters
    ----------
    rays : Tensor, (N, 17, 2)
        Tangents x / z, y / z of COCO keypoints in the optical frame.
    confidences : Tensor, (N, 17)
        0..1; 0 marks a keypoint that was not seen. Everybody needs at least one seen keypoint.

    Returns
    -------
    View

    """
    seen = confidences > 0
    centre, _ = _box(rays, seen)
    R = rotation_to_forward(centre)
    turned = torch.nn.functional.pad(rays, (0, 1), value=1.0) @ R.transpose(1, 2)
    xy = turned[..., :2] / turned[..., 2:].clamp_min(0.05)
    middle, extent = _box(xy, seen)
    normalised = (xy - middle[:, None]) / extent[:, None, None] * seen[..., None]
    features = torch.cat(
        [
            normalised.flatten(1),
            confidences,
            centre,
            extent.clamp_min(_FAR_EXTENT).log()[:, None],
            middle / extent[:, None],
        ],
        1,
    )  # (N, NUM_FEATURES)
    return View(features, R, middle, extent, xy, confidences)
