# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the network should say about pictures, from what is true about them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from training.anny_vit.truth import Truth

_NEAREST = 0.15  # metres
# The face may be outside of the picture by this share of its sides.
_MARGIN = 0.2
_LEAST_HALF = 4.0  # pixels, of a box


@dataclass(frozen=True)
class Targets:
    """
    What the network should say; M people of all pictures.

    Parameters
    ----------
    picture : Tensor, (M,), int64
    identity : Tensor, (M,), int64
    location : Tensor, (M, 2), pixels
        Of the face.
    centre, half : Tensor, (M, 2), pixels
        Of the body's box, as far as it is near the picture.
    log_pixels_per_metre : Tensor, (M,)
    phenotype : Tensor, (M, 6)
    stature : Tensor, (M,), metres
    rotations : Tensor, (M, 28, 3, 3)
        The root's relative to the ray to the face.
    points : Tensor, (M, 45, 3), metres
        From the face, in axes turned to that ray.
    R_camera_ray : Tensor, (M, 3, 3)
    K : Tensor, (M, 3, 3)
    pixels : Tensor, (M, 45, 2)
        Of the points.
    in_front : Tensor, (M, 45), bool
    unclear : Tensor, (U, 4), pixels
        Boxes of those who are there but do not count.
    unclear_picture : Tensor, (U,), int64

    """

    picture: Tensor
    identity: Tensor
    location: Tensor
    centre: Tensor
    half: Tensor
    log_pixels_per_metre: Tensor
    phenotype: Tensor
    stature: Tensor
    rotations: Tensor
    points: Tensor
    R_camera_ray: Tensor
    K: Tensor
    pixels: Tensor
    in_front: Tensor
    unclear: Tensor
    unclear_picture: Tensor

    def __len__(self) -> int:
        return len(self.picture)

    def repeated(self, times: int) -> Targets:
        """Everybody again and again, all before anybody comes anew."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Targets(**{name: torch.cat([part] * times) for name, part in parts.items()})


def rotations_to_rays(rays: Tensor) -> Tensor:
    """Smallest rotations (..., 3, 3) that take +z to rays (..., 3), as ``rotmat_to_ray``."""
    a, b, c = torch.nn.functional.normalize(rays, dim=-1).unbind(-1)
    k = 1 / (1 + c)
    rows = (1 - a * a * k, -a * b * k, a, -a * b * k, 1 - b * b * k, b, -a, -b, c)
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def project_corner(points: Tensor, K: Tensor) -> Tensor:
    """Project (..., N, 3) by K (..., 3, 3) to pixels (..., N, 2), no nearer than 5 cm."""
    xy = points[..., :2] / points[..., 2:].clamp_min(0.05)
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], -1)
    return xy * focal[..., None, :] + K[..., None, :2, 2]


def make_targets(truth: Truth, width: int, height: int) -> Targets:
    """
    Work out what the network should say.

    Parameters
    ----------
    truth : Truth
    width, height : int, pixels
        Of all pictures.

    Returns
    -------
    Targets

    """
    end = truth.face.new_tensor([width, height])
    pixels = project_corner(truth.points, truth.K[:, None])  # (B, P, 45, 2)
    location = project_corner(truth.face[:, :, None], truth.K[:, None])[:, :, 0]
    in_front = truth.points[..., 2] > _NEAREST
    near = ((location > -_MARGIN * end) & (location < (1 + _MARGIN) * end)).all(-1)
    inside = (((pixels > 0) & (pixels < end)).all(-1) & in_front).any(-1)
    counts = truth.there & truth.clear & near & inside & (truth.face[..., 2] > _NEAREST)
    # Near people fill pictures and more: where the box ends far outside does not matter.
    bounded = torch.minimum(torch.maximum(pixels, -0.25 * end), 1.25 * end)
    everything = torch.cat([bounded, location[:, :, None].clamp_min(0).minimum(end)], 2)
    low, high = everything.amin(2), everything.amax(2)  # (B, P, 2)
    picture, person = counts.nonzero(as_tuple=True)
    other, unclear = (truth.there & ~counts).nonzero(as_tuple=True)
    at = (picture, person)
    face, K = truth.face[at], truth.K[picture]
    R = rotations_to_rays(face)
    back = R.transpose(-1, -2)
    rotations = truth.rotations[at].clone()
    rotations[:, 0] = back @ rotations[:, 0]
    return Targets(
        picture=picture,
        identity=truth.identity[at],
        location=location[at],
        centre=(low + high)[at] / 2,
        half=((high - low)[at] / 2).clamp_min(_LEAST_HALF),
        log_pixels_per_metre=(K[:, 0, 0] / face[:, 2]).log(),
        phenotype=truth.phenotype[at],
        stature=truth.stature[at],
        rotations=rotations,
        points=(truth.points[at] - face[:, None]) @ R,  # rows times R: the inverse of R
        R_camera_ray=R,
        K=K,
        pixels=pixels[at],
        in_front=in_front[at],
        unclear=torch.cat([low, high], -1)[other, unclear],
        unclear_picture=other,
    )
