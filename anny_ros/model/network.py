# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The whole network: picture in, one row a query out.

Reference: Multi-HMR 2 (arXiv 2606.14841). Attribute names follow the official checkpoint.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

from anny_ros.model.backbone import make_backbone
from anny_ros.model.decoder import DecoderStack, FusedDecoderStack, QueryDecoder
from anny_ros.model.heads import (
    FOV_MAX,
    fuse_offset_head,
    initial_body_pose,
    make_head,
    run_offset_head,
    TrackFeatureHead,
)
from anny_ros.model.position import sine_table
from anny_ros.model.presets import NetworkConfig
from anny_ros.model.transformer_block import Attention, MaskedKeyBiasLinear
import torch
from torch import nn, Tensor

LOCATION_SPAN = 1.2  # predicted locations reach this many picture sizes
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STDDEV = (0.229, 0.224, 0.225)


class NetworkOutput(NamedTuple):
    """
    What the network says, for B pictures and Q queries each.

    Nothing here depends on the intrinsics: distance comes as pixels per metre, so that a known
    camera can be put in afterwards.

    Parameters
    ----------
    hfov : Tensor, (B,), radians
        Predicted horizontal field of view of the padded picture.
    confidence : Tensor, (B, Q)
        0..1.
    location : Tensor, (B, Q, 2), pixels of the padded picture
        Column, row of the face; counted from the *corner* of the first pixel; may lie outside.
    log_pixels_per_metre : Tensor, (B, Q)
        At the face; distance along the optical axis is focal length / exp of this.
    shape : Tensor, (B, Q, 11), anny-vit (B, Q, 6)
        0..1; the first six are ``PHENOTYPE_NAMES``, the others are not used.
    pose : Tensor, (B, Q, 978)
        See ``anny_ros.model.pose``.
    appearance : Tensor, (B, Q, A)
        Raw, not normalised.

    """

    hfov: Tensor
    confidence: Tensor
    location: Tensor
    log_pixels_per_metre: Tensor
    shape: Tensor
    pose: Tensor
    appearance: Tensor


class Encoder(nn.Module):
    """Backbone and camera head."""

    fov_max: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.register_buffer('fov_max', torch.full((1,), FOV_MAX))
        self.backbone = make_backbone(config.backbone)
        self.mlp_fov_unique = make_head(config.backbone.width, config.backbone.width, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """
        Look at a picture.

        Parameters
        ----------
        pixels : Tensor, (B, 3, H, W), normalised

        Returns
        -------
        features : Tensor, (B, rows, columns, C)
        hfov : Tensor, (B,), radians

        """
        features, cls = self.backbone(pixels)
        hfov = torch.sigmoid(self.mlp_fov_unique(cls)) * self.fov_max  # (B, 1)
        return features, hfov[:, 0]


class FullBodyDecoder(nn.Module):
    """Queries, decoder and the heads that describe a person."""

    dec_pos_emb: Tensor
    init_body_pose: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, pose_size = config.decoder_width, 6 * config.num_bones
        self.image_size = config.image_size
        self.eye = nn.Parameter(torch.eye(3)[None], requires_grad=False)  # in the file, not used
        self.register_buffer('dec_pos_emb', sine_table(config.grid, config.grid, width))
        self.register_buffer('init_body_pose', initial_body_pose(config.num_bones))
        self.decoder = QueryDecoder(
            DecoderStack(
                width=width,
                depth=config.decoder_depth,
                num_heads=config.decoder_heads,
                head_size=config.decoder_head_size,
                mlp_hidden=config.decoder_hidden,
            )
        )
        self.dec_to_token = nn.Linear(config.backbone.width, width)
        self.queries = nn.Embedding(config.num_queries, width)
        self.mlp_loc = make_head(width, width, 2)
        self.mlp_conf = make_head(width, width, 1)
        self.mlp_pose = make_head(width + pose_size, width, pose_size)
        self.mlp_shape = make_head(width, width, config.num_shape)
        self.mlp_dist = make_head(width, width, 1)
        self.trackfeat_regressor = TrackFeatureHead(width=width, feature_size=config.feature_size)

    def context(self, features: Tensor) -> Tensor:
        """
        Tokens that the queries look at.

        Parameters
        ----------
        features : Tensor, (B, rows, columns, C)

        Returns
        -------
        Tensor, (B, rows * columns, width)

        Raises
        ------
        ValueError
            If the picture is larger than the position table.

        """
        rows, columns = features.shape[1:3]
        most = self.dec_pos_emb.shape[1]
        if max(rows, columns) > most:
            raise ValueError(
                f'a picture may have at most {most} patches a side, got {columns}x{rows}; '
                f'shrink its longest side to {self.image_size} pixels'
            )
        tokens: Tensor = self.dec_to_token(features) + self.dec_pos_emb[:, :rows, :columns]
        return tokens.flatten(1, 2)

    def decode(self, features: Tensor) -> Tensor:
        """Map features (B, rows, columns, C) to the final state of each query (B, Q, width)."""
        context = self.context(features)
        queries = self.queries.weight.expand(features.shape[0], -1, -1)
        out: Tensor = self.decoder(queries, context)
        return out

    def fuse(self) -> None:
        """Fold what is constant into biases and one product, in place; see the network's."""
        if isinstance(self.decoder.transformer, DecoderStack):
            self.mlp_pose = fuse_offset_head(self.mlp_pose, self.init_body_pose)
            self.decoder.transformer = FusedDecoderStack(self.decoder.transformer)

    def forward(self, features: Tensor, hfov: Tensor) -> NetworkOutput:
        """Describe everybody; ``hfov`` (B,) is only passed on."""
        state = self.decode(features)  # (B, Q, width)
        span = LOCATION_SPAN * self.image_size
        return NetworkOutput(
            hfov=hfov,
            confidence=torch.sigmoid(self.mlp_conf(state))[..., 0],
            location=span * torch.sigmoid(self.mlp_loc(state)),
            log_pixels_per_metre=self.mlp_dist(state)[..., 0],
            shape=torch.sigmoid(self.mlp_shape(state)),
            pose=run_offset_head(self.mlp_pose, state, self.init_body_pose),
            appearance=self.trackfeat_regressor(state),
        )


class SingleShotNetwork(nn.Module):
    """
    Everybody in a picture in one forward pass, with static shapes.

    Parameters
    ----------
    config : NetworkConfig
        For instance ``PRESETS['multihmr2']``.

    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.full_body_decoder = FullBodyDecoder(config)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """
        Run the network.

        Parameters
        ----------
        pixels : Tensor, (B, 3, H, W), float, normalised by ``normalise``
            Sides are multiples of the patch size and at most ``config.image_size``.

        Returns
        -------
        NetworkOutput
            float32, also when the backbone's products run in half precision.

        """
        features, hfov = self.encoder(pixels)
        out: NetworkOutput = self.full_body_decoder(features, hfov)
        return out

    def fuse(self) -> SingleShotNetwork:
        """
        Fold what is constant, for inference.

        Returns
        -------
        SingleShotNetwork
            A network that says the same up to rounding: key biases are masked, the pose head
            knows the initial pose, and keys and values of all decoder layers are one product.
            It shares most tensors with this one, which is not changed; moving either to another
            device or dtype moves these tensors for both. Names of its tensors are its own, so
            that it cannot be saved as a checkpoint.

        """
        tensors = {id(t): t for t in (*self.parameters(), *self.buffers())}
        network = copy.deepcopy(self, tensors)
        for module in list(network.modules()):
            if isinstance(module, Attention) and isinstance(module.qkv, MaskedKeyBiasLinear):
                module.qkv = module.qkv.fused()
            elif isinstance(module, FullBodyDecoder):
                module.fuse()
        return network

    def set_backbone_dtype(self, dtype: torch.dtype) -> None:
        """Run the backbone's matrix products in ``dtype``; all else stays float32."""
        self.encoder.backbone.cast_products(dtype)


def normalise(pictures: Tensor) -> Tensor:
    """
    Colours to what the backbone was trained on.

    Parameters
    ----------
    pictures : Tensor, (B, H, W, 3), uint8
        Red, green, blue.

    Returns
    -------
    Tensor, (B, 3, H, W), float32, device of ``pictures``

    """
    planes = (pictures.float() / 255.0).unbind(-1)
    # Numbers, not tensors: a copy from the host cannot be recorded in a CUDA graph.
    scaled = [
        (plane - mean) / stddev
        for plane, mean, stddev in zip(planes, IMAGE_MEAN, IMAGE_STDDEV, strict=True)
    ]
    return torch.stack(scaled, dim=1)  # (B, 3, H, W)
