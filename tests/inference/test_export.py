# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Exported graphs: valid, of fixed sizes, and saying what PyTorch says."""

from __future__ import annotations

from dataclasses import replace
import sys

from anny_ros.errors import ModelError
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.export import CanvasGraph, export_onnx, require_exporter
from anny_ros.inference.parity import differences, probe_canvases
from anny_ros.model import PRESETS
from anny_ros.model.checkpoint import build_network
from anny_ros.model.v1 import Multihmr1Network
from anny_ros.model.v1_config import MULTIHMR1_ANNY
import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx', reason='needs the development package onnx')

SIDE = 6
TINY_V1 = replace(
    MULTIHMR1_ANNY,
    backbone=replace(
        MULTIHMR1_ANNY.backbone, width=128, depth=2, num_heads=2, mlp_hidden=96, table_side=4
    ),
    image_size=14 * SIDE,
    decoder_width=32,
    decoder_depth=2,
    decoder_heads=2,
    decoder_hidden=40,
    head_hidden=24,
)


@pytest.fixture
def v1_network(randomise):
    network = randomise(Multihmr1Network(TINY_V1), 3)
    network.encoder.mlp_det[2].bias.data -= 1.0  # best patches on both sides of the threshold
    return network


def ask(graph, canvases):
    with torch.no_grad():
        values = graph(torch.from_numpy(canvases))
    return {name: value.numpy() for name, value in zip(graph.names, values, strict=True)}


def compared(network, width, height, path):
    """Export, run in ONNX Runtime, and print how far that is from PyTorch."""
    export_onnx(network.fuse(), width=width, height=height, path=path)
    onnx.checker.check_model(str(path), full_check=True)
    program, reference = OnnxRuntime(threads=1).open(path), CanvasGraph(network)
    assert program.input_shape == (1, height, width, 3)
    assert program.outputs == reference.names
    probes = probe_canvases(width, height)
    found = differences(
        [program(canvas) for canvas in probes],
        [ask(reference, canvas) for canvas in probes],
        network.config.image_size,
    )
    print(f'{network.config.name} {width}x{height}:', {k: f'{v:.1e}' for k, v in found.items()})
    return found


@pytest.mark.parametrize(('width', 'height'), [(160, 96), (96, 160), (160, 160)])
def test_onnx_runtime_says_what_pytorch_says(width, height, make_network, tmp_path):
    found = compared(make_network(), width, height, tmp_path / 'graph.onnx')
    assert len(found) == 7
    assert max(found.values()) <= 1e-4


def test_the_first_generation_is_exported_the_same_way(v1_network, tmp_path):
    side = 14 * SIDE
    found = compared(v1_network, side, side, tmp_path / 'graph.onnx')
    assert 'appearance' not in found  # it has no width
    assert max(found.values()) <= 1e-4
    scores = ask(CanvasGraph(v1_network), probe_canvases(side, side)[0])['confidence']
    assert (scores >= 0.3).any()
    assert (scores < 0.3).any()


def test_our_own_network_is_exported_the_same_way(randomise, tmp_path):
    network = randomise(build_network(PRESETS['anny_vit_tiny']), 5)
    found = compared(network, 112, 70, tmp_path / 'graph.onnx')
    assert max(found.values()) <= 1e-4


def test_differences_notice_another_network(make_network, tmp_path):
    export_onnx(make_network(1), width=160, height=96, path=tmp_path / 'graph.onnx')
    program = OnnxRuntime(threads=1).open(tmp_path / 'graph.onnx')
    probes = probe_canvases(160, 96)
    found = differences(
        [program(canvas) for canvas in probes],
        [ask(CanvasGraph(make_network(0)), canvas) for canvas in probes],
        160,
    )
    assert min(found.values()) > 0.01


def test_sizes_and_types_at_the_border(make_network, tmp_path):
    export_onnx(make_network(), width=160, height=96, path=tmp_path / 'graph.onnx')
    graph = onnx.load(tmp_path / 'graph.onnx').graph

    def border(values):
        return {
            value.name: (
                value.type.tensor_type.elem_type,
                tuple(size.dim_value for size in value.type.tensor_type.shape.dim),
            )
            for value in values
        }

    assert border(graph.input) == {'canvases': (onnx.TensorProto.UINT8, (1, 96, 160, 3))}
    assert border(graph.output) == {
        name: (onnx.TensorProto.FLOAT, shape)
        for name, shape in {
            'hfov': (1,),
            'confidence': (1, 20),
            'location': (1, 20, 2),
            'log_pixels_per_metre': (1, 20),
            'shape': (1, 20, 11),
            'pose': (1, 20, 978),
            'appearance': (1, 20, 24),
        }.items()
    }


def test_only_the_products_of_the_backbone_are_in_half_precision(
    make_network, half_precision, tmp_path
):
    network = make_network()
    network.set_backbone_dtype(torch.float16)
    export_onnx(network, width=160, height=96, path=tmp_path / 'graph.onnx')
    graph = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / 'graph.onnx')).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    types |= {value.name: value.data_type for value in graph.initializer}
    half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    counts = {'backbone': 0, 'rest': 0}
    for node in graph.node:
        inside = '/backbone/' in node.name
        if node.op_type in ('MatMul', 'Gemm', 'Conv'):
            counts['backbone' if inside else 'rest'] += 1
            wanted = half if inside else full
            assert {types[name] for name in node.input} == {wanted}, node.name
        if node.op_type == 'LayerNormalization' or not inside:
            made = {types.get(name) for name in node.output}
            assert half not in made or node.op_type == 'Cast', node.name
    # Per block: qkv, scores, values, proj, two of the MLP; and the patches.
    assert counts['backbone'] == 6 * 2 + 1
    assert counts['rest'] > 20


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ModelError, match='pip install onnx'):
        require_exporter()


def test_probes_are_pictures(make_canvases):
    for probe in probe_canvases(160, 96):
        assert probe.shape == (1, 96, 160, 3)
        assert probe.dtype == np.uint8
        assert probe.std() > 20
