# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network can be compiled and exported as one graph, as it is and fused."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

# Operators whose output size or branch depends on values.
DATA_DEPENDENT = {'NonZero', 'If', 'Loop', 'Scan', 'Unique', 'Compress', 'NonMaxSuppression'}


@pytest.fixture(params=['plain', 'fused'])
def network(request, make_tiny):
    network = make_tiny(seed=4)
    return network.fuse() if request.param == 'fused' else network


def random_pixels(height=64, width=96):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.filterwarnings('ignore')  # of the compiler's own parts
def test_it_is_one_graph(network):
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, dynamic=False, backend='eager')
    for size in ((64, 96), (96, 64)):  # another picture size is another graph, not a failure
        with torch.no_grad():
            output = compiled(random_pixels(*size))
        for met, wanted in zip(output, network(random_pixels(*size)), strict=True):
            torch.testing.assert_close(met, wanted)


@pytest.mark.filterwarnings('ignore')
def test_its_graph_has_no_complex_numbers(network):
    graph = torch.export.export(network, (random_pixels(),)).graph
    values = [node.meta['val'] for node in graph.nodes if 'val' in node.meta]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    assert len(tensors) > 100
    assert not any(tensor.is_complex() for tensor in tensors)
    # Sizes are numbers, not symbols that are known only when values are.
    assert all(type(size) is int for tensor in tensors for size in tensor.shape)


@pytest.mark.filterwarnings('ignore')
def test_onnx_runtime_says_the_same(network, compare, tmp_path):
    onnx = pytest.importorskip('onnx', reason='needs the development package onnx')
    import onnxruntime

    path = str(tmp_path / 'network.onnx')
    takes_dynamo = 'dynamo' in inspect.signature(torch.onnx.export).parameters
    torch.onnx.export(
        network,
        (random_pixels(),),
        path,
        opset_version=17,
        output_names=list(network(random_pixels())._fields),
        # Its successor needs one more package.
        **({'dynamo': False} if takes_dynamo else {}),
    )
    graph = onnx.load(path).graph
    assert not DATA_DEPENDENT & {node.op_type for node in graph.node}
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    met = session.run(None, {session.get_inputs()[0].name: random_pixels().numpy()})
    for value, (name, wanted) in zip(met, network(random_pixels())._asdict().items(), strict=True):
        compare(name, value, wanted, 1e-5 * max(1.0, float(np.abs(wanted).max())))
