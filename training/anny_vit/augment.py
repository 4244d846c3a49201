# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures changed at random together with what is true about them."""

from __future__ import annotations

from anny_ros.model.network import IMAGE_MEAN, IMAGE_STDDEV
import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

from training.anny_vit.pool import Draw
from training.anny_vit.targets import project_corner
from training.anny_vit.truth import Truth

_ZOOM_SHARE, _MOST_ZOOM = 0.5, 2.0


def _sample_crops(rng: np.random.Generator, draw: Draw) -> tuple[Tensor, Tensor]:
    """Draw zoom (B,) and upper left corner (B, 2), pixels; most show somebody's face."""
    truth, size = draw.truth, np.array([draw.width, draw.height])
    count = len(truth.K)
    zoom = np.exp(rng.uniform(0, np.log(_MOST_ZOOM), count))
    zoom = np.where(rng.random(count) < _ZOOM_SHARE, zoom, 1.0)
    part = size / zoom[:, None]
    # Somebody who is clear, or if there is nobody, whatever is in place 0: anywhere.
    who = (truth.clear.float() + 1e-6 * torch.as_tensor(rng.random(truth.clear.shape))).argmax(1)
    face = project_corner(truth.face[torch.arange(count), who][:, None], truth.K)[:, 0].numpy()
    corner = np.clip(face - rng.uniform(0.1, 0.9, (count, 2)) * part, 0, size - part)
    return torch.as_tensor(zoom).float(), torch.as_tensor(corner).float()


def crop(pictures: Tensor, zoom: Tensor, corner: Tensor, mirror: Tensor) -> Tensor:
    """
    Enlarge a part of each picture, then mirror some.

    Parameters
    ----------
    pictures : Tensor, (B, 3, H, W), float
    zoom : Tensor, (B,)
    corner : Tensor, (B, 2), pixels
    mirror : Tensor, (B,), bool

    Returns
    -------
    Tensor, (B, 3, H, W)
        Bilinear.

    """
    size = pictures.new_tensor(pictures.shape[:1:-1])  # width, height
    turn = torch.stack([1 - 2 * mirror.float(), torch.ones_like(zoom)], -1)
    offset = 2 * corner / size + 1 / zoom[:, None] - 1
    theta = torch.diag_embed(turn / zoom[:, None])  # (B, 2, 2)
    grid = F.affine_grid(
        torch.cat([theta, offset[..., None]], -1), list(pictures.shape), align_corners=False
    )
    return F.grid_sample(pictures, grid, padding_mode='border', align_corners=False)


def change_pictures(draw: Draw, rng: np.random.Generator) -> tuple[Tensor, Truth]:
    """
    Crop, mirror and colour at random.

    Parameters
    ----------
    draw : Draw
        Of pictures (B, H, W, 3), uint8.
    rng : Generator

    Returns
    -------
    pixels : Tensor, (B, 3, H, W), float32
        Normalised as the network wants it.
    truth : Truth
        On the same device.

    """
    (pictures,) = draw.held
    count, device = len(pictures), pictures.device
    zoom, corner = (part.to(device) for part in _sample_crops(rng, draw))
    mirror = torch.as_tensor(rng.random(count) < 0.5).to(device)
    gain = torch.as_tensor(rng.normal(1, 0.08, (count, 3, 1, 1))).float().to(device)
    gain = gain * torch.as_tensor(np.exp(rng.normal(0, 0.15, (count, 1, 1, 1)))).float().to(device)
    shift = torch.as_tensor(rng.normal(0, 0.04, (count, 1, 1, 1))).float().to(device)
    grey = torch.as_tensor(rng.random((count, 1, 1, 1)) < 0.05).to(device)
    truth = draw.truth.to(device).cropped(zoom, corner).mirrored(mirror, draw.width)
    pixels = crop(pictures.permute(0, 3, 1, 2).float() / 255, zoom, corner, mirror)
    pixels = torch.where(grey, pixels.mean(1, keepdim=True), pixels)
    return normalised((gain * pixels + shift).clamp(0, 1)), truth


def mirror_tokens(draw: Draw, rng: np.random.Generator) -> tuple[Tensor, Tensor, Truth]:
    """
    Mirror what a backbone made of pictures, at random.

    Parameters
    ----------
    draw : Draw
        Of features (B, rows, columns, C) and class tokens (B, C).
    rng : Generator

    Returns
    -------
    features : Tensor, (B, rows, columns, C), float32
        The grid itself is mirrored: nearly what the backbone would make of the mirrored picture.
    cls : Tensor, (B, C), float32
    truth : Truth

    """
    features, cls = (part.float() for part in draw.held)
    mirror = torch.as_tensor(rng.random(len(cls)) < 0.5).to(cls.device)
    features = torch.where(mirror[:, None, None, None], features.flip(2), features)
    return features, cls, draw.truth.to(cls.device).mirrored(mirror, draw.width)


def normalised(pixels: Tensor) -> Tensor:
    """Normalise pictures (B, 3, H, W) of 0..1 as ``anny_ros.model.network.normalise`` does."""
    mean = pixels.new_tensor(IMAGE_MEAN)[:, None, None]
    return (pixels - mean) / pixels.new_tensor(IMAGE_STDDEV)[:, None, None]
