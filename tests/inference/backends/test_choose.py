# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which runtime a checkpoint gets, by the parameters and by what is ready."""

from __future__ import annotations

from anny_ros.errors import ModelError
from anny_ros.inference.backends import choose
from anny_ros.inference.backends.choose import load_backend, load_runtime
from anny_ros.inference.engine_build import build_engine, describe_weights
from anny_ros.inference.engines import EngineCache
from anny_ros.parameters import Parameters
import pytest
import torch

pytest.importorskip('onnx', reason='needs the development package onnx')


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'engines'


@pytest.fixture
def inference(folder):
    def make(**values):
        values = {'engine_folder': str(folder), 'device': 'cpu', 'threads': 1} | values
        named = {f'inference.{name}': value for name, value in values.items()}
        return Parameters().with_values(named).inference

    return make


@pytest.fixture
def checkpoint(make_checkpoint):
    return make_checkpoint()


@pytest.fixture
def gpu(monkeypatch, make_tensorrt):
    """A machine with a GPU and TensorRT; PyTorch itself stays on the CPU."""
    monkeypatch.setattr(choose, 'choose_device', lambda wanted: torch.device('cuda'))
    monkeypatch.setattr(choose.TensorRt, 'load', lambda precision: make_tensorrt(precision)[0])
    return make_tensorrt()[0]


def make(runtime, checkpoint, folder):
    cache = EngineCache(folder)
    weights = describe_weights(checkpoint, cache)
    return build_engine(weights, runtime, cache, width=160, height=96)


def test_pytorch_when_nothing_was_built(checkpoint, inference, make_canvases, monkeypatch):
    monkeypatch.setattr(choose, 'describe_weights', lambda *args: pytest.fail('hashed'))
    backend = load_backend(checkpoint, inference())
    assert backend.name == 'torch'
    assert len(backend(make_canvases(batch=2))) == 2


def test_a_graph_that_was_built_is_taken_on_a_cpu(checkpoint, inference, folder, make_canvases):
    make(load_runtime('onnx', inference()), checkpoint, folder)
    for wanted in ('auto', 'onnx'):
        backend = load_backend(checkpoint, inference(backend=wanted))
        assert backend.name == 'onnx'
        assert len(backend(make_canvases(batch=2))) == 2
    assert load_backend(checkpoint, inference(backend='torch')).name == 'torch'


def test_auto_has_an_answer_to_every_size(checkpoint, inference, folder, make_canvases):
    make(load_runtime('onnx', inference()), checkpoint, folder)
    other_size = make_canvases(96, 160)
    assert len(load_backend(checkpoint, inference())(other_size)) == 1
    with pytest.raises(ModelError, match='for canvases of 96x160'):
        load_backend(checkpoint, inference(backend='onnx'))(other_size)


def test_engines_of_other_weights_do_not_count(checkpoint, inference, folder, make_checkpoint):
    make(load_runtime('onnx', inference()), make_checkpoint(1), folder)
    assert load_backend(checkpoint, inference()).name == 'torch'
    with pytest.raises(ModelError, match=r'anny-ros build-engine .* --backend onnx --size WxH'):
        load_backend(checkpoint, inference(backend='onnx'))


def test_a_plan_that_was_built_is_taken_on_a_gpu(
    checkpoint, inference, folder, make_canvases, gpu
):
    make(gpu, checkpoint, folder)
    for wanted in ('auto', 'tensorrt'):
        backend = load_backend(checkpoint, inference(device='auto', backend=wanted))
        assert backend.name == 'tensorrt'
        assert len(backend(make_canvases(batch=2))) == 2


def test_a_plan_of_another_precision_is_not_taken(checkpoint, inference, folder, gpu):
    make(gpu, checkpoint, folder)
    parameters = inference(device='auto', backend='tensorrt', dtype='float32')
    with pytest.raises(ModelError, match=r'--size WxH --precision fp32'):
        load_backend(checkpoint, parameters)


def test_graphs_for_the_cpu_do_not_count_on_a_gpu(checkpoint, inference, folder, gpu):
    make(load_runtime('onnx', inference()), checkpoint, folder)
    assert load_backend(checkpoint, inference(device='auto')).name == 'torch'


def test_building_at_the_start_only_if_allowed(checkpoint, inference, folder, make_canvases):
    with pytest.raises(ModelError, match='build it for the size of your pictures: anny-ros'):
        load_backend(checkpoint, inference(backend='onnx'))
    assert not folder.exists()
    backend = load_backend(checkpoint, inference(backend='onnx', allow_engine_build=True))
    assert len(backend(make_canvases())) == 1
    assert [path.suffix for path in sorted(folder.glob('tiny*'))] == ['.onnx', '.json']


def test_auto_builds_too_if_allowed_and_lives_with_a_failure(
    checkpoint, inference, folder, make_canvases, gpu, make_tensorrt, monkeypatch
):
    parameters = inference(device='auto', allow_engine_build=True)
    assert load_backend(checkpoint, parameters)(make_canvases())
    assert len(list(folder.glob('*.engine'))) == 1
    monkeypatch.setattr(
        choose.TensorRt, 'load', lambda precision: make_tensorrt(precision, fails='build')[0]
    )
    monkeypatch.setattr(choose, '_load_torch', lambda *args: StandIn())
    assert load_backend(checkpoint, parameters)(make_canvases(96, 160)) == ['from torch']


class StandIn:
    name = 'torch'

    def __call__(self, canvases):
        return ['from torch']


@pytest.mark.parametrize(
    ('values', 'says'),
    [
        ({'backend': 'onnx', 'device': 'cuda'}, 'onnx runs on the CPU in float32'),
        ({'backend': 'onnx', 'dtype': 'float16'}, 'onnx runs on the CPU in float32'),
        ({'backend': 'tensorrt', 'device': 'cpu'}, 'tensorrt runs on a GPU'),
        ({'backend': 'tensorrt', 'device': 'auto', 'dtype': 'bfloat16'}, 'in float16 or float32'),
    ],
    ids=str,
)
def test_what_does_not_go_together(values, says, checkpoint, inference):
    with pytest.raises(ModelError, match=says):
        load_backend(checkpoint, inference(**values))


def test_auto_ignores_what_it_cannot_use(checkpoint, inference, folder):
    """Engines are there, but float16 was asked for, which they are not in."""
    make(load_runtime('onnx', inference()), checkpoint, folder)
    assert load_backend(checkpoint, inference(dtype='bfloat16')).name == 'torch'
