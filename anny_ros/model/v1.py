# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Multi-HMR v1 in its variant for Anny bodies (``multiHMR_672_L_anny``).

Reference: Multi-HMR (arXiv 2402.14654). Each patch of a square picture says whether a head is in
it; the tokens of those patches are the queries of a decoder like Multi-HMR 2's. Written from a
description of the published network and **never checked against its file of weights**: names and
shapes of its 510 tensors are derived, not read.
"""

from __future__ import annotations

from typing import cast

from anny_ros.model.decoder import DecoderStack, PreNorm, QueryDecoder
from anny_ros.model.heads import initial_body_pose, make_head, run_offset_head
from anny_ros.model.network import Encoder, NetworkOutput, SingleShotNetwork
from anny_ros.model.pose import JOINT_BONES
from anny_ros.model.position import sine_table
from anny_ros.model.v1_config import Multihmr1Config
import torch
from torch import nn, Tensor
import torch.nn.functional as F

# Queries see only each other from this score on, as published; others see the detected and
# themselves.
DETECTION_THRESHOLD = 0.3
JAW_BONE = 104  # turned by this network, but no joint of the body model


class DetectingEncoder(Encoder):
    """Backbone, camera head and detector."""

    def __init__(self, config: Multihmr1Config) -> None:
        super().__init__(config)
        self.mlp_det = make_head(config.backbone.width, config.backbone.width, 1)

    def detect(self, features: Tensor) -> Tensor:
        """
        Score the patches.

        Parameters
        ----------
        features : Tensor, (B, rows, columns, C)

        Returns
        -------
        Tensor, (B, rows, columns)
            0..1, that somebody's head is in the patch; 0 unless it is the best of the 3x3 around.

        """
        scores = torch.sigmoid(self.mlp_det(features))[..., 0]  # (B, rows, columns)
        best = F.max_pool2d(scores[:, None], 3, stride=1, padding=1)[:, 0]
        return scores * (scores == best)


class PatchDecoder(nn.Module):
    """Queries made of patches, decoder and the heads that describe a person."""

    dec_pos_emb: Tensor
    init_body_pose: Tensor
    useful_rotmat: Tensor

    def __init__(self, config: Multihmr1Config) -> None:
        super().__init__()
        width, hidden, pose_size = config.decoder_width, config.head_hidden, 6 * config.num_bones
        self.image_size = config.image_size
        self.patch_size = config.backbone.patch_size
        self.num_queries = config.num_queries
        self.eye = nn.Parameter(torch.eye(3)[None], requires_grad=False)  # in the file, not used
        table = sine_table(config.grid, config.grid, width)
        self.register_buffer('dec_pos_emb', table.flatten(0, 2))
        self.register_buffer('init_body_pose', initial_body_pose(config.num_bones))
        self.register_buffer('useful_rotmat', useful_rotations(config.num_bones))
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
        self.mlp_offset = make_head(width, hidden, 2)
        self.mlp_dist = make_head(width, hidden, 1)
        self.mlp_pose = make_head(width + pose_size, hidden, pose_size)
        self.mlp_shape = make_head(width, hidden, config.num_shape)

    def forward(self, features: Tensor, scores: Tensor, hfov: Tensor) -> NetworkOutput:
        """
        Describe everybody.

        Parameters
        ----------
        features : Tensor, (B, rows, columns, C)
        scores : Tensor, (B, rows, columns)
        hfov : Tensor, (B,), radians
            Only passed on.

        Returns
        -------
        NetworkOutput
            Q is the smaller of ``num_queries`` and the number of patches, best scores first;
            rows of score 0 are nobody.

        Raises
        ------
        ValueError
            If the picture is not as large as the position table.

        """
        batch, rows, columns = scores.shape
        if rows * columns != len(self.dec_pos_emb) or rows != columns:
            raise ValueError(
                f'pictures of this network are {self.image_size} pixels square, got '
                f'{columns}x{rows} patches; pad them (anny_ros.inference.preprocess does)'
            )
        context = self.dec_to_token(features).flatten(1, 2) + self.dec_pos_emb  # (B, S, width)
        count = min(self.num_queries, rows * columns)
        flat = scores.flatten(1)
        # Equal scores, which are all nobody's, in the order of the patches on every runtime.
        last = -1.0 - torch.arange(rows * columns, device=flat.device).to(flat.dtype)
        place = torch.where(flat > 0, flat, last).topk(count).indices  # (B, Q)
        score = flat.gather(1, place)
        queries = context.gather(1, place[..., None].expand(-1, -1, context.shape[-1]))
        state = self._decode(queries, context, score >= DETECTION_THRESHOLD)
        row = torch.div(place, columns, rounding_mode='floor')
        corner = torch.stack([place - row * columns, row], dim=-1)  # (B, Q, 2), patches
        pose = run_offset_head(self.mlp_pose, state, self.init_body_pose)
        return NetworkOutput(
            hfov=hfov,
            confidence=score,
            location=self.patch_size * (corner + 0.5 + self.mlp_offset(state)),
            log_pixels_per_metre=self.mlp_dist(state)[..., 0],
            shape=torch.sigmoid(self.mlp_shape(state)),
            pose=self._only_useful(pose),
            appearance=score.new_zeros((batch, count, 0)),
        )

    def _decode(self, queries: Tensor, context: Tensor, detected: Tensor) -> Tensor:
        """
        Run the decoder as if only the detected queries were there.

        The published network has as many queries as people; here there are always Q, so nobody
        looks at those that are nobody. Each may look at itself, so that all stay finite.
        """
        query = torch.arange(detected.shape[1], device=detected.device)
        itself = query[:, None] == query  # ONNX Runtime has no torch.eye of booleans
        mask = (detected[:, None, :] | itself)[:, None]  # (B, 1, Q, Q)
        x = queries
        for layer in self.decoder.transformer.layers:
            attend, look, think = (cast(PreNorm, step) for step in layer.children())
            x = x + attend.fn(attend.norm(x), context, mask)
            x = think(look(x, context), context)
        return x

    def _only_useful(self, pose: Tensor) -> Tensor:
        """Put all bones to rest that the file does not mark as useful; (B, Q, 978)."""
        # (1, 0, 0, 1, 0, 0), made where it is used: a copy from the host spoils a CUDA graph.
        rest = (torch.arange(6, device=pose.device) % 3 == 0).to(pose.dtype)
        six = pose.unflatten(-1, (-1, 6))  # (B, Q, bones, 6)
        return torch.where(self.useful_rotmat[0, :, None] != 0, six, rest).flatten(-2)


class Multihmr1Network(SingleShotNetwork):
    """
    Everybody in a square picture in one forward pass, with static shapes.

    Parameters
    ----------
    config : Multihmr1Config
        For instance ``MULTIHMR1_ANNY``.

    """

    encoder: DetectingEncoder
    full_body_decoder: PatchDecoder  # type: ignore[assignment]  # in place of the parent's

    def __init__(self, config: Multihmr1Config) -> None:
        nn.Module.__init__(self)  # the parts differ from those of the parent
        self.config = config
        self.encoder = DetectingEncoder(config)
        self.full_body_decoder = PatchDecoder(config)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """
        Run the network.

        Parameters
        ----------
        pixels : Tensor, (B, 3, S, S), float, normalised by ``normalise``
            S is ``config.image_size``.

        Returns
        -------
        NetworkOutput
            Location and distance are those of the joint ``head``; ``appearance`` has width 0.

        """
        features, hfov = self.encoder(pixels)
        scores = self.encoder.detect(features)
        out: NetworkOutput = self.full_body_decoder(features, scores, hfov)
        return out


def useful_rotations(num_bones: int) -> Tensor:
    """
    Mark the bones that the network turns.

    Returns
    -------
    Tensor, (1, num_bones), float32
        1 for the joints of the body model and the jaw, 75 in all.

    """
    useful = torch.zeros(1, num_bones)
    useful[0, [*JOINT_BONES, JAW_BONE]] = 1.0
    return useful
