# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Telling from the names of its tensors what a file of weights is."""

from __future__ import annotations

from collections.abc import Iterable

# As third parties record them; good for a hint, not for refusing a file.
RECORDED_SHA256 = {
    'multihmr2': 'fd2d9ab7010a5f590a3db2480f5f476fd3ec6afbbde80babbec0d821ba9763d6',
}
_LIFTER_TENSORS = {'inlet.weight', 'blocks.0.up.weight', 'blocks.0.down.weight'}


def describe_kind(names: Iterable[str]) -> str:
    """
    Say in words what a file with tensors of these names is, if it fits none of our networks.

    Parameters
    ----------
    names : iterable of str
        Plain, as ``read_checkpoint`` gives them.

    Returns
    -------
    str

    """
    names = set(names)

    def any_starts(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in names)

    # SMPL-X is told by the name of the body alone: we have no list of that network's tensors.
    if any('smpl' in name.lower() for name in names):
        return 'a network for SMPL or SMPL-X bodies, such as Multi-HMR v1, which cannot run here'
    if any_starts('encoder.mlp_det.'):
        return 'Multi-HMR v1 for Anny bodies, of another size or version'
    if any_starts('encoder.backbone.') and any_starts('people.'):
        return 'anny-vit, of another size or version'
    if any_starts('encoder.backbone.') and any_starts('full_body_decoder.'):
        return 'Multi-HMR 2, of another size or version'
    if any_starts('encoder.backbone.'):
        return 'the encoder alone of a Multi-HMR network'
    if any_starts('full_body_decoder.'):
        return 'the decoder alone of a Multi-HMR network'
    if any_starts('blocks.') and 'cls_token' in names:
        return f'a {"DINOv2" if "pos_embed" in names else "DINOv3"} backbone alone'
    if 'embeddings.cls_token' in names:  # as the transformers library names them
        family = 'DINOv2' if 'embeddings.position_embeddings' in names else 'DINOv3'
        return f'a {family} backbone alone'
    if names >= _LIFTER_TENSORS:
        return 'the lifter of anny-lite, which needs no checkpoint'
    if any_starts('skeleton.') and any_starts('landmark.'):
        return 'our body model, which is no network'
    return 'another model'
