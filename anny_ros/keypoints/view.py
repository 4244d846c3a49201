# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
One person's keypoints as a camera-free input.

Pixels become rays, rays are turned so that the person is in the middle of the view, and their
extent becomes 1: the lifter never sees a focal length, a picture size or a distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from anny_ros.keypoints.hints import mirror_hints, MIRRORED_KEYPOINTS, normalise_hints, NUM_HINTS
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

NUM_KEYPOINTS = 17
NUM_FEATURES = NUM_KEYPOINTS * 3 + 11 + NUM_HINTS + 1
_SMALLEST_EXTENT = 1e-4
# An adult 14 m away. Farther than that perspective tells nothing, and the lifter must not guess
# the size of a body from how far away training's people could be.
_FAR_EXTENT = 0.12
# Of heads above the middle, in extents; of somebody whose legs are not seen.
_HIGHEST = 2.0
# A box that begins this near the picture's upper edge, over its height, may be cut by it.
_NEAR_EDGE = 0.02
# Edges of the picture that are farther from the middle, in extents, cut nothing off.
_FARTHEST_EDGE = 1.5
_WIDEST = 3.0  # tangent


@dataclass(frozen=True)
class Report:
    """
    What the 2D network reports of N people.

    Parameters
    ----------
    rays : Tensor, (N, 17, 2)
        Tangents x / z, y / z of COCO keypoints in the optical frame.
    confidences : Tensor, (N, 17)
        0..1; 0 marks a keypoint that was not seen. Everybody needs at least one seen keypoint.
    top : Tensor, (N,)
        Tangent y / z of the upper edge of the person's box; NaN where it is not known. How high
        the head is above the eyes is what tells children from adults.
    edges : Tensor, (N, 4)
        Tangents of the picture's left, right, upper and lower edge. Joints beyond them are
        reported near them, so the lifter has to know where they are.
    hints : Tensor, (N, NUM_HINTS)
        See ``hints``; NaN where they are not known.

    """

    rays: Tensor
    confidences: Tensor
    top: Tensor
    edges: Tensor
    hints: Tensor

    def __len__(self) -> int:
        return len(self.rays)

    def __getitem__(self, rows: Any) -> Report:
        """Take rows by a slice, an index tensor or a mask."""
        return Report(
            self.rays[rows],
            self.confidences[rows],
            self.top[rows],
            self.edges[rows],
            self.hints[rows],
        )

    def mirrored(self) -> Report:
        """Mirror everybody left to right."""
        order = list(MIRRORED_KEYPOINTS)
        return Report(
            self.rays[:, order] * self.rays.new_tensor([-1.0, 1.0]),
            self.confidences[:, order],
            self.top,
            mirror_edges(self.edges),
            mirror_hints(self.hints),
        )

    @staticmethod
    def concatenate(parts: Sequence[Report]) -> Report:
        """Put reports one behind the other, at least one."""
        return Report(*(torch.cat([vars(p)[f.name] for p in parts]) for f in fields(Report)))


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


def box_tops(boxes: NDArray[np.floating[Any]], K: NDArray[np.floating[Any]]) -> Tensor:
    """
    Take the upper edges of people's boxes, unless the picture's edge cuts them.

    Parameters
    ----------
    boxes : ndarray, (N, 4), pixels
        x0, y0, x1, y1 as the 2D network has them, not clipped.
    K : ndarray, (3, 3) or (N, 3, 3)

    Returns
    -------
    Tensor, (N,)
        Tangents y / z; NaN where the edge is not known.

    """
    cut = boxes[:, 1] < _NEAR_EDGE * (boxes[:, 3] - boxes[:, 1])
    tangents = (boxes[:, 1] - K[..., 1, 2]) / K[..., 1, 1]
    return torch.as_tensor(np.where(cut, np.nan, tangents), dtype=torch.float32)


def picture_edges(K: NDArray[np.floating[Any]], size: NDArray[np.integer[Any]]) -> Tensor:
    """
    Take the edges of pictures.

    Parameters
    ----------
    K : ndarray, (3, 3) or (N, 3, 3)
    size : ndarray, (2,) or (N, 2), pixels
        Width and height.

    Returns
    -------
    Tensor, (4,) or (N, 4)
        Tangents x / z of the left and the right edge, y / z of the upper and the lower one.

    """
    focal = K[..., [0, 1], [0, 1]]
    first = (-0.5 - K[..., :2, 2]) / focal
    edges = np.stack([first, first + size / focal], -1)  # (..., axis, side)
    return torch.as_tensor(edges.reshape(*K.shape[:-2], 4), dtype=torch.float32)


def mirror_edges(edges: Tensor) -> Tensor:
    """Mirror edges of pictures (N, 4) left to right; of views too."""
    return torch.cat([-edges[:, [1, 0]], edges[:, 2:]], 1)


def _turned(points: Tensor, R: Tensor) -> Tensor:
    """Tangents of points (N, K, 2) in a frame that is turned by R (N, 3, 3)."""
    rays = torch.nn.functional.pad(points, (0, 1), value=1.0) @ R.transpose(1, 2)
    return rays[..., :2] / rays[..., 2:].clamp_min(0.05)


def make_view(report: Report) -> View:
    """Normalise what is reported of people."""
    rays, confidences = report.rays, report.confidences
    seen = confidences > 0
    centre, _ = _box(rays, seen)
    R = rotation_to_forward(centre)
    xy = _turned(rays, R)
    middle, extent = _box(xy, seen)
    above = _turned(torch.stack([centre[:, 0], report.top], 1)[:, None], R)[:, 0]
    crown = (above[:, 1] - middle[:, 1]) / extent
    bounds = _edges_in_view(report.edges, centre, R, middle) / extent[:, None]
    normalised = (xy - middle[:, None]) / extent[:, None, None] * seen[..., None]
    features = torch.cat(
        [
            normalised.flatten(1),
            confidences,
            centre,
            extent.clamp_min(_FAR_EXTENT).log()[:, None],
            middle / extent[:, None],
            torch.nan_to_num(crown).clamp(-_HIGHEST, _HIGHEST)[:, None],
            (~crown.isnan())[:, None].float(),
            bounds.clamp(-_FARTHEST_EDGE, _FARTHEST_EDGE),
            normalise_hints(report.hints),
        ],
        1,
    )  # (N, NUM_FEATURES)
    return View(features, R, middle, extent, xy, confidences)


def _edges_in_view(edges: Tensor, centre: Tensor, R: Tensor, middle: Tensor) -> Tensor:
    """How far the edges (N, 4) are right of or below the middle, seen along a person's ray."""
    flat = edges.clamp(-_WIDEST, _WIDEST)
    x, y = (centre[:, None, k].expand(-1, 2) for k in (0, 1))
    points = torch.stack([torch.cat([flat[:, :2], x], 1), torch.cat([y, flat[:, 2:]], 1)], -1)
    xy = _turned(points, R) - middle[:, None]
    return torch.cat([xy[:, :2, 0], xy[:, 2:, 1]], 1)
