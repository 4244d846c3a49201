# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
anny-vit: our own single-shot network, after Multi-HMR 2 (arXiv 2606.14841), of a size for robots.

What differs: a DINOv2 ViT-S/14 (arXiv 2304.07193) as backbone; every query starts at a place of
its own and looks at a window around it, which each layer moves and resizes to the person's body,
beside a coarse look at the whole picture; every layer can be asked for people; head and feet turn.
Everything that is predicted about place and size is relative to the window, so that it does not
depend on the size of the picture. Shapes are static, and people keep their query's row.
"""

from __future__ import annotations

import math
from typing import cast, NamedTuple

from anny_ros.model.anny_vit_layers import (
    encode_place,
    patch_centres,
    PLACE_FEATURES,
    start_windows,
    Window,
    WindowLook,
)
from anny_ros.model.decoder import CrossAttention, FeedForward, PreNorm, SelfAttention
from anny_ros.model.heads import initial_body_pose, make_head
from anny_ros.model.network import Encoder, NetworkOutput, SingleShotNetwork
from anny_ros.model.pose import LIFTED_BONES
from anny_ros.model.presets import AnnyVitConfig
import torch
from torch import nn, Tensor
import torch.nn.functional as F

NUM_LIFTED = len(LIFTED_BONES)
# A standing body reaches half its stature, about 0.85 m, from the middle of its window.
_LOG_METRES_A_REACH = math.log(0.85)


class Described(NamedTuple):
    """
    What one layer says about everybody, for B pictures and Q queries.

    Parameters
    ----------
    logit : Tensor, (B, Q)
        Of the confidence.
    location : Tensor, (B, Q, 2), pixels of the canvas
        Column, row of the face, counted from the corner of the first pixel.
    window : Window
        Box of the body, in patches.
    log_pixels_per_metre : Tensor, (B, Q)
        At the face.
    shape : Tensor, (B, Q, 6)
        0..1, the phenotype.
    pose : Tensor, (B, Q, 28, 6)
        World-aligned rotations of the lifted joints, the root's relative to the ray to the face;
        six numbers each as in ``anny_ros.model.pose``.

    """

    logit: Tensor
    location: Tensor
    window: Window
    log_pixels_per_metre: Tensor
    shape: Tensor
    pose: Tensor


class Layer(nn.Module):
    """One layer: queries see each other, their windows and the whole picture."""

    def __init__(self, config: AnnyVitConfig) -> None:
        super().__init__()
        width = config.decoder_width
        sizes = {
            'width': width,
            'num_heads': config.decoder_heads,
            'head_size': config.decoder_head_size,
        }
        # Sine and cosine of the centre, and the logarithms of the halves.
        self.place = make_head(PLACE_FEATURES + 2, width, width)
        self.others = PreNorm(width, SelfAttention(**sizes))
        self.look = WindowLook(
            width=width, side=config.window_side, channels=config.window_channels
        )
        self.picture = PreNorm(width, CrossAttention(**sizes))
        self.think = PreNorm(width, FeedForward(width=width, hidden=config.decoder_hidden))

    def forward(self, x: Tensor, context: Tensor, coarse: Tensor, window: Window) -> Tensor:
        """
        Refine the queries.

        Parameters
        ----------
        x : Tensor, (B, Q, C)
        context : Tensor, (B, rows, columns, C)
        coarse : Tensor, (B, S, C)
            The context at half its resolution.
        window : Window

        Returns
        -------
        Tensor, (B, Q, C)

        """
        rows, columns = (int(n) for n in context.shape[1:3])
        size = (window.half / max(rows, columns)).log()
        x = x + self.place(torch.cat([encode_place(window.centre, rows, columns), size], -1))
        x = self.others(x, coarse)
        x = x + self.look(context, window)
        x = self.picture(x, coarse)
        out: Tensor = self.think(x, coarse)
        return out


class PeopleDecoder(nn.Module):
    """Queries with a place, layers, and the heads that all layers share."""

    def __init__(self, config: AnnyVitConfig) -> None:
        super().__init__()
        width = config.decoder_width
        self.patch_size = config.backbone.patch_size
        self.side = math.isqrt(config.num_queries)
        if self.side**2 != config.num_queries:
            raise ValueError(f'num_queries must be a square number, got {config.num_queries}')
        self.from_token = nn.Linear(config.backbone.width, width)
        self.from_place = nn.Linear(PLACE_FEATURES, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.decoder_depth))
        self.norm = nn.LayerNorm(width)
        self.mlp_conf = make_head(width, width, 1)
        # Face, shift and growth of the window, and logarithm of the pixels a metre.
        self.mlp_place = make_head(width, width, 7)
        self.mlp_pose = make_head(width, width, 6 * NUM_LIFTED)
        self.mlp_shape = make_head(width, width, config.num_shape)
        self.mlp_appearance = make_head(width, width, config.feature_size)
        self._start_heads()

    @torch.no_grad()
    def _start_heads(self) -> None:
        """Begin with few people, who stand upright, face the camera and fill their window."""
        for head in (self.mlp_place, self.mlp_pose, self.mlp_shape):
            last = cast(nn.Linear, head[2])
            last.weight.mul_(0.1)
            last.bias.zero_()
        cast(nn.Linear, self.mlp_pose[2]).bias.copy_(initial_body_pose(NUM_LIFTED)[0])
        cast(nn.Linear, self.mlp_conf[2]).bias.fill_(-3.0)

    def forward(self, features: Tensor) -> tuple[list[Described], Tensor]:
        """
        Describe everybody, after every layer.

        Parameters
        ----------
        features : Tensor, (B, rows, columns, C)

        Returns
        -------
        layers : list of Described
        appearance : Tensor, (B, Q, A)
            After the last layer; raw, not normalised.

        """
        batch, rows, columns, _ = features.shape
        place = encode_place(patch_centres(features), int(rows), int(columns))
        context = self.from_token(features) + self.from_place(place)  # (B, rows, columns, C)
        pool = (min(2, int(rows)), min(2, int(columns)))
        coarse = F.avg_pool2d(context.permute(0, 3, 1, 2), pool).flatten(2).transpose(1, 2)
        start = start_windows(features, self.side)
        window = Window(*(part.expand(batch, -1, -1) for part in start))
        x = self.start.expand(batch, self.side**2, -1)
        described = []
        for layer in self.layers:
            x = layer(x, context, coarse, window)
            state = self.norm(x)
            described.append(self._describe(state, window))
            window = described[-1].window.detach()
        return described, self.mlp_appearance(state)

    def _describe(self, state: Tensor, window: Window) -> Described:
        """Read the heads: state (B, Q, C) of queries that looked at ``window``."""
        numbers = self.mlp_place(state)  # (B, Q, 7)
        face = window.centre + window.reach * numbers[..., :2]
        body = window.moved(numbers[..., 2:6])
        reach = (self.patch_size * body.reach[..., 0]).log() - _LOG_METRES_A_REACH
        return Described(
            logit=self.mlp_conf(state)[..., 0],
            location=self.patch_size * face,
            window=body,
            log_pixels_per_metre=reach + numbers[..., 6],
            shape=self.mlp_shape(state).sigmoid(),
            pose=self.mlp_pose(state).unflatten(-1, (NUM_LIFTED, 6)),
        )


class AnnyVitNetwork(SingleShotNetwork):
    """
    Everybody in a picture in one forward pass, with static shapes.

    Parameters
    ----------
    config : AnnyVitConfig
        For instance ``PRESETS['anny_vit']``.

    """

    def __init__(self, config: AnnyVitConfig) -> None:
        nn.Module.__init__(self)  # the parts differ from those of the parent
        self.config = config
        self.encoder = Encoder(config)
        self.people = PeopleDecoder(config)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """
        Run the network.

        Parameters
        ----------
        pixels : Tensor, (B, 3, H, W), float, normalised by ``normalise``
            Sides are multiples of the patch size.

        Returns
        -------
        NetworkOutput
            float32, also when the backbone's products run in half precision; ``shape`` is
            (B, Q, 6).

        """
        layers, appearance, hfov = self.describe(*self.encoder.backbone(pixels))
        last = layers[-1]
        return NetworkOutput(
            hfov=hfov,
            confidence=last.logit.sigmoid(),
            location=last.location,
            log_pixels_per_metre=last.log_pixels_per_metre,
            shape=last.shape,
            pose=among_all_bones(last.pose, self.config.num_bones),
            appearance=appearance,
        )

    def describe(self, features: Tensor, cls: Tensor) -> tuple[list[Described], Tensor, Tensor]:
        """
        Describe everybody from what the backbone made of pictures.

        Parameters
        ----------
        features : Tensor, (B, rows, columns, C)
        cls : Tensor, (B, C)

        Returns
        -------
        layers : list of Described
        appearance : Tensor, (B, Q, A)
        hfov : Tensor, (B,), radians

        """
        hfov = torch.sigmoid(self.encoder.mlp_fov_unique(cls)) * self.encoder.fov_max  # (B, 1)
        layers, appearance = self.people(features)
        return layers, appearance, hfov[:, 0]


def among_all_bones(pose: Tensor, num_bones: int) -> Tensor:
    """
    Put the lifted joints' numbers where the other networks have them.

    Parameters
    ----------
    pose : Tensor, (B, Q, 28, 6)
    num_bones : int

    Returns
    -------
    Tensor, (B, Q, 6 * num_bones)
        All other bones at rest.

    """
    # Cut and joined, since a table of indices would be a copy from the host.
    rest = (torch.arange(6, device=pose.device) % 3 == 0).to(pose.dtype)
    pieces, done = [], 0
    for row, bone in enumerate(LIFTED_BONES):
        if bone > done:
            pieces.append(rest.expand(*pose.shape[:2], bone - done, 6))
        pieces.append(pose[:, :, row : row + 1])
        done = bone + 1
    pieces.append(rest.expand(*pose.shape[:2], num_bones - done, 6))
    return torch.cat(pieces, dim=2).flatten(2)
