# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The calls to TensorRT, on a stand-in everywhere, and on a real library where there is one."""

from __future__ import annotations

import sys
import types

from anny_ros.errors import ModelError
from anny_ros.inference.backends.tensorrt import TensorRt
from anny_ros.inference.export import CanvasGraph, export_onnx
import numpy as np
import pytest
import torch


@pytest.fixture
def graph(tmp_path, make_network):
    path = tmp_path / 'graph.onnx'
    export_onnx(make_network().fuse(), width=160, height=96, path=path)
    return path


def silent(sentence):
    pass


def test_a_plan_says_what_its_graph_says(
    graph, tmp_path, make_tensorrt, make_network, make_canvases
):
    runtime, module = make_tensorrt()
    runtime.make(graph, tmp_path / 'plan', silent)
    program = runtime.open(tmp_path / 'plan')
    assert program.input_shape == (1, 96, 160, 3)
    reference = CanvasGraph(make_network())
    assert program.outputs == reference.names
    for seed in (0, 1):  # the second answer does not overwrite the first
        canvases = np.roll(make_canvases(), seed, axis=2)
        met = program(canvases)
        with torch.no_grad():
            wanted = reference(torch.from_numpy(canvases))
        for name, value in zip(reference.names, wanted, strict=True):
            np.testing.assert_allclose(met[name], value, rtol=1e-4, atol=1e-4, err_msg=name)
    assert [call for call in module.calls if call[0] == 'execute'] == [('execute', 7)] * 2


def test_types_are_those_of_the_graph_and_float32_is_float32(graph, tmp_path, make_tensorrt):
    runtime, module = make_tensorrt()
    runtime.make(graph, tmp_path / 'plan', silent)
    strongly_typed = 1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    assert module.calls[:2] == [('create_network', strongly_typed), ('build', frozenset())]


def test_progress_is_that_of_the_outermost_phase(graph, tmp_path, make_tensorrt):
    said = []
    make_tensorrt()[0].make(graph, tmp_path / 'plan', said.append)
    assert said == ['building engine: 1 of 2', 'building engine: 2 of 2']


def test_ctrl_c_ends_a_build_without_a_file(graph, tmp_path, make_tensorrt):
    def interrupt(sentence):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tensorrt()[0].make(graph, tmp_path / 'plan', interrupt)
    assert not (tmp_path / 'plan').exists()


@pytest.mark.parametrize(
    ('fails', 'says'),
    [
        ('parse', r'cannot read the graph \(No importer registered for op: Erf\)'),
        ('build', r'cannot build the engine \(Error Code 10: could not find any implementation\)'),
    ],
)
def test_a_refused_graph_leaves_no_file(fails, says, graph, tmp_path, make_tensorrt):
    with pytest.raises(ModelError, match=says):
        make_tensorrt(fails=fails)[0].make(graph, tmp_path / 'plan', silent)
    assert not (tmp_path / 'plan').exists()


def test_something_that_is_no_graph(tmp_path, make_tensorrt):
    (tmp_path / 'graph.onnx').write_bytes(b'nothing')
    with pytest.raises(ModelError, match='Failed to parse the ONNX model'):
        make_tensorrt()[0].make(tmp_path / 'graph.onnx', tmp_path / 'plan', silent)


def test_a_plan_of_another_machine(graph, tmp_path, make_tensorrt):
    make_tensorrt(gpu='Other GPU')[0].make(graph, tmp_path / 'plan', silent)
    with pytest.raises(ModelError, match=r'on Fake GPU \(Error Code 1: Serialization'):
        make_tensorrt()[0].open(tmp_path / 'plan')


def test_too_little_memory(graph, tmp_path, make_tensorrt):
    runtime, module = make_tensorrt()
    runtime.make(graph, tmp_path / 'plan', silent)
    module.fails = 'memory'
    with pytest.raises(ModelError, match='too little memory'):
        runtime.open(tmp_path / 'plan')


def test_a_launch_that_fails(graph, tmp_path, make_tensorrt, make_canvases):
    runtime, module = make_tensorrt()
    runtime.make(graph, tmp_path / 'plan', silent)
    program = runtime.open(tmp_path / 'plan')
    module.fails = 'execute'
    with pytest.raises(ModelError, match='launch failure'):
        program(make_canvases())


def test_too_old(make_tensorrt):
    with pytest.raises(ModelError, match=r'TensorRT 8\.6\.1 is too old'):
        make_tensorrt(version='8.6.1')


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    with pytest.raises(ModelError, match='comes with JetPack'):
        TensorRt.load()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_no_gpu(monkeypatch, fake_tensorrt):
    monkeypatch.setitem(sys.modules, 'tensorrt', fake_tensorrt.Module())
    with pytest.raises(ModelError, match='a GPU that torch sees'):
        TensorRt.load()


@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_a_real_library_accepts_the_graph(precision, tmp_path, make_network, half_precision):
    """TensorRT for RTX parses and builds without a GPU; its interface is that of TensorRT."""
    rtx = pytest.importorskip(
        'tensorrt_rtx_bindings', reason='needs pip install tensorrt_rtx_cu13_bindings and _libs'
    )
    module = types.SimpleNamespace(**vars(rtx) | {'__version__': '10.0'})  # it counts from 1
    runtime = TensorRt(module, 'any', None, precision)
    network = make_network().fuse()
    network.set_backbone_dtype(getattr(torch, precision))
    export_onnx(network, width=160, height=96, path=tmp_path / 'graph.onnx')
    said = []
    runtime.make(tmp_path / 'graph.onnx', tmp_path / 'plan', said.append)
    assert (tmp_path / 'plan').stat().st_size > 100_000
    assert said
