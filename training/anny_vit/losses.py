# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the network is punished for, after every layer."""

from __future__ import annotations

from collections.abc import Sequence
import math

from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.lifter import rotations_from_6d
from anny_ros.model.anny_vit import Described
from anny_ros.model.anny_vit_layers import Window
import torch
from torch import Tensor
import torch.nn.functional as F

from training.anny_vit.matching import match
from training.anny_vit.targets import project_corner, Targets

WEIGHTS = {
    'confidence': 1.0,
    'place': 1.0,
    'window': 0.5,
    'scale': 1.0,
    'rotations': 0.35,
    'root': 0.5,
    'joints': 3.0,
    'flat': 1.0,
    'shape': 0.5,
    'hfov': 0.5,
    'appearance': 0.1,
}
_FOCAL_POWER, _FOCAL_SHARE = 2.0, 0.25  # gamma and alpha of Lin et al., arXiv 1708.02002
_TEMPERATURE = 0.1
_HIPS = (11, 12)


def focal_loss(logit: Tensor, target: Tensor) -> Tensor:
    """Sigmoid focal loss of every element (Lin et al., arXiv 1708.02002, equation 5)."""
    entropy = F.binary_cross_entropy_with_logits(logit, target, reduction='none')
    probability = logit.sigmoid()
    wrong = probability + target - 2 * probability * target
    share = _FOCAL_SHARE * target + (1 - _FOCAL_SHARE) * (1 - target)
    return share * wrong**_FOCAL_POWER * entropy


def contrastive_loss(features: Tensor, identity: Tensor, picture: Tensor) -> Tensor:
    """
    Pull the same people of different pictures together and push others away.

    Parameters
    ----------
    features : Tensor, (M, A)
        Not normalised.
    identity, picture : Tensor, (M,), int64

    Returns
    -------
    Tensor, ()
        0 if nobody is in two pictures.

    Notes
    -----
    Supervised contrastive loss (Khosla et al., arXiv 2004.11362, equation 2).

    """
    unit = F.normalize(features, dim=-1)
    logits = unit @ unit.T / _TEMPERATURE
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    same = (identity[:, None] == identity) & (picture[:, None] != picture)
    likelihood = logits.masked_fill(itself, -1e9).log_softmax(-1)
    count = same.sum(-1)
    each = -(likelihood * same).sum(-1) / count.clamp_min(1)
    return each.sum() / (count > 0).sum().clamp_min(1)


def _ignored(location: Tensor, targets: Targets) -> Tensor:
    """Mark queries (B, Q) that point at somebody who does not count."""
    box, at = targets.unclear[:, None], location[targets.unclear_picture]  # (U, Q, 2)
    inside = ((at > box[..., :2]) & (at < box[..., 2:])).all(-1)
    times = torch.zeros(location.shape[:2], dtype=torch.int32, device=location.device)
    return times.index_add_(0, targets.unclear_picture, inside.int()) > 0


def body_errors(
    described: Described, targets: Targets, skeleton: Skeleton
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """
    Compare bodies in space and in the picture.

    Parameters
    ----------
    described : Described
        Rows of the targets, (M, ...) each.
    targets : Targets
    skeleton : Skeleton
        Of the lifted joints.

    Returns
    -------
    errors : dict of str to Tensor, each (M,)
        ``rotations``, ``root``, ``joints``, ``flat``.
    rotations : Tensor, (M, 28, 3, 3)
        What was predicted.
    points : Tensor, (M, 45, 3), metres
        Predicted, from the face, in axes turned to its ray.

    """
    # Stored row by row: the columns are the even and the odd numbers.
    pose = described.pose
    rotations = rotations_from_6d(torch.cat([pose[..., 0::2], pose[..., 1::2]], -1))
    posed = skeleton.pose(skeleton.rest(described.shape), rotations)
    face = posed.landmarks[:, skeleton.landmark_names.index('face_centre')]
    points = torch.cat([posed.landmarks[:, :17], posed.joint_positions], 1) - face[:, None]
    apart = (_about_hips(points) - _about_hips(targets.points)).norm(dim=-1)  # (M, 45)
    focal = torch.stack([targets.K[:, 0, 0], targets.K[:, 1, 1]], -1)
    ray = F.pad((described.location - targets.K[:, :2, 2]) / focal, (0, 1), value=1.0)
    depth = focal[:, 0] * (-described.log_pixels_per_metre).exp()  # (M,), of the face
    placed = points @ targets.R_camera_ray.transpose(-1, -2) + (ray * depth[:, None])[:, None]
    off = (project_corner(placed, targets.K) - targets.pixels).norm(dim=-1)
    off = (off / targets.half.amax(-1, keepdim=True)).clamp_max(2.0) * targets.in_front
    turned = (rotations - targets.rotations).square().sum((-1, -2))  # (M, 28)
    errors = {
        'rotations': turned[:, 1:].mean(-1),
        # Not squared: of two headings that fit it should choose one, not go between them.
        'root': (turned[:, 0] + 1e-4).sqrt(),
        'joints': apart.mean(-1) / targets.stature,
        'flat': off.sum(-1) / targets.in_front.sum(-1).clamp_min(1),
    }
    return errors, rotations, points


def _about_hips(points: Tensor) -> Tensor:
    return points - points[:, _HIPS].mean(1, keepdim=True)


def _matched(layers: Sequence[Described], rows: tuple[Tensor, Tensor]) -> Described:
    """Describe the matched queries of all layers, stacked layer by layer: (L * M, ...)."""

    def take(name: str) -> Tensor:
        return torch.cat([getattr(layer, name)[rows] for layer in layers])

    window = Window(*(torch.cat([layer.window[i][rows] for layer in layers]) for i in (0, 1)))
    names = (name for name in Described._fields if name != 'window')
    return Described(window=window, **{name: take(name) for name in names})


def network_loss(
    layers: Sequence[Described],
    appearance: Tensor,
    hfov: Tensor,
    targets: Targets,
    focal_ratio: Tensor,
    skeleton: Skeleton,
    patch_size: int,
) -> dict[str, Tensor]:
    """
    Compare what all layers say with the truth.

    Parameters
    ----------
    layers : sequence of Described
        L of them.
    appearance : Tensor, (B, Q, A)
    hfov : Tensor, (B,), radians
    targets : Targets
    focal_ratio : Tensor, (B,)
        True focal length over the width of the picture.
    skeleton : Skeleton
    patch_size : int, pixels

    Returns
    -------
    dict of str to Tensor, ()
        A mean for each of ``WEIGHTS``, and for show ``heading_deg``.

    """
    query = match(layers[-1].location, targets.picture, targets.location)
    rows = (targets.picture, query)
    count, depth = len(targets), len(layers)
    logits = torch.stack([layer.logit for layer in layers])  # (L, B, Q)
    wanted = torch.zeros_like(logits)
    wanted[:, rows[0], rows[1]] = 1.0
    ignored = torch.stack([_ignored(layer.location.detach(), targets) for layer in layers])
    focal = focal_loss(logits, wanted) * ((wanted > 0) | ~ignored)
    guess = 0.5 / (hfov.clamp(0.02, math.pi - 0.02) / 2).tan()
    losses = {
        'confidence': focal.sum() / (depth * max(count, 1)),
        'hfov': (guess.log() - focal_ratio.log()).abs().mean(),
        'appearance': contrastive_loss(appearance[rows], targets.identity, targets.picture),
    }
    if not count:
        zero = logits.sum() * 0
        names = set(WEIGHTS) - set(losses)
        return {**losses, **dict.fromkeys(sorted(names), zero), 'heading_deg': zero.detach()}
    described = _matched(layers, rows)
    many = targets.repeated(depth)
    reach = many.half.amax(-1, keepdim=True)
    errors, rotations, _ = body_errors(described, many, skeleton)
    body = described.window
    shifted = (patch_size * body.centre - many.centre).abs() / reach
    grown = ((patch_size * body.half).log() - many.half.log()).abs()
    errors |= {
        'place': (described.location - many.location).abs().sum(-1) / reach[:, 0],
        'window': (shifted + grown).sum(-1),
        'scale': (described.log_pixels_per_metre - many.log_pixels_per_metre).abs(),
        'shape': (described.shape - many.phenotype).abs().mean(-1),
    }
    losses |= {name: error.mean() for name, error in errors.items()}
    heading = heading_degrees(rotations[-count:, 0], targets.rotations[:, 0])
    return {**losses, 'heading_deg': heading.mean()}


@torch.no_grad()
def heading_degrees(root: Tensor, wanted: Tensor) -> Tensor:
    """Angles (M,) between where chests face, of roots (M, 3, 3); the body's y is to its back."""
    cosine = (root[..., 1] * wanted[..., 1]).sum(-1).clamp(-1, 1)
    return torch.rad2deg(torch.arccos(cosine))


def total(losses: dict[str, Tensor]) -> Tensor:
    """Weighted sum."""
    terms = [weight * losses[name] for name, weight in WEIGHTS.items()]
    return torch.stack(terms).sum()
