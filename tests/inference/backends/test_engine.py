# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Engines by the size of the canvas: found, opened, refused, replaced."""

from __future__ import annotations

from dataclasses import replace
import logging
import shlex

from anny_ros.cli.main import make_parser
from anny_ros.errors import ModelError
from anny_ros.inference.backends.engine import EngineBackend, MOST_OPENED, open_engine
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.backends.torch import TorchBackend
from anny_ros.inference.engine_build import build_engine, describe_weights
from anny_ros.inference.engines import EngineCache
from anny_ros.parameters import InferenceParameters
import numpy as np
import pytest

pytest.importorskip('onnx', reason='needs the development package onnx')

SIZES = [(160, 96), (96, 160), (160, 128)]


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / 'engines')


@pytest.fixture
def weights(make_checkpoint, cache):
    return describe_weights(make_checkpoint(), cache)


@pytest.fixture(params=['onnx', 'tensorrt'])
def runtime(request, make_tensorrt):
    if request.param == 'onnx':
        return OnnxRuntime(threads=1)
    return make_tensorrt('float32')[0]


def make(weights, runtime, cache, *sizes):
    return [
        build_engine(weights, runtime, cache, width=width, height=height)
        for width, height in sizes
    ]


def assert_same(met, wanted):
    assert len(met) == len(wanted)
    for ours, theirs in zip(met, wanted, strict=True):
        assert type(ours.hfov) is float
        for name in type(theirs).__dataclass_fields__:
            field, other = getattr(ours, name), getattr(theirs, name)
            assert np.shape(field) == np.shape(other), name
            np.testing.assert_allclose(field, other, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_batch_says_what_pytorch_says(weights, runtime, cache, make_network, make_canvases):
    make(weights, runtime, cache, *SIZES[:2])
    backend = EngineBackend(runtime, cache, weights)
    assert (backend.name, backend.model) == (runtime.name, 'tiny')
    assert (backend.image_size, backend.multiple) == (160, 16)
    reference = TorchBackend(make_network(), InferenceParameters(device='cpu'))
    for width, height in SIZES[:2]:
        canvases = make_canvases(width, height, batch=3)
        assert_same(backend(canvases), reference(canvases))


def test_fields_of_no_width_come_back_empty(weights, runtime, cache, make_canvases):
    make(weights, runtime, cache, SIZES[0])

    class Faceless:
        name, precision, version, gpu = (
            runtime.name, runtime.precision, runtime.version, runtime.gpu,
        )  # fmt: skip

        def open(self, path):
            program = runtime.open(path)

            class Program:
                input_shape = program.input_shape
                outputs = tuple(name for name in program.outputs if name != 'appearance')

                def __call__(self, canvas):
                    return {k: v for k, v in program(canvas).items() if k != 'appearance'}

            return Program()

    (raw,) = EngineBackend(Faceless(), cache, weights)(make_canvases())
    assert raw.appearance.shape == (20, 0)
    assert raw.pose.shape == (20, 978)


def refusal(backend, canvases):
    with pytest.raises(ModelError) as caught:
        backend(canvases)
    return str(caught.value)


def test_a_missing_size_is_refused_with_a_command(weights, runtime, cache, make_canvases):
    make(weights, runtime, cache, SIZES[0])
    backend = EngineBackend(runtime, cache, weights)
    sentence = refusal(backend, make_canvases(160, 128))
    assert f'no {runtime.name} engine of tiny0.pt for canvases of 160x128' in sentence
    command = shlex.split(sentence[sentence.index('anny-ros') :])
    arguments = make_parser().parse_args(command[1:])
    assert (arguments.checkpoint, arguments.size) == (weights.path, '160x128')
    assert (arguments.backend, arguments.output) == (runtime.name, str(cache.folder))
    # And once it is built, a running node takes it.
    make(weights, runtime, cache, (160, 128))
    assert len(backend(make_canvases(160, 128))) == 1


def test_an_engine_of_an_older_tensorrt_is_named(weights, cache, make_tensorrt, make_canvases):
    (engine,) = make(weights, make_tensorrt(version='10.3.0')[0], cache, SIZES[0])
    newer = make_tensorrt(version='10.13.2')[0]
    sentence = refusal(EngineBackend(newer, cache, weights), make_canvases())
    assert f'({engine.path.name}: TensorRT 10.3.0 instead of 10.13.2); build it' in sentence


def test_an_engine_of_other_weights_is_not_taken(
    weights, runtime, cache, make_checkpoint, make_canvases
):
    make(weights, runtime, cache, SIZES[0])
    other = describe_weights(make_checkpoint(1), cache)
    assert 'of tiny1.pt for canvases of 160x96' in refusal(
        EngineBackend(runtime, cache, other), make_canvases()
    )


def test_an_altered_engine_is_refused_and_read_only_once(
    weights, runtime, cache, make_canvases, monkeypatch
):
    (engine,) = make(weights, runtime, cache, SIZES[0])
    content = bytearray(engine.path.read_bytes())
    content[-1] ^= 1
    engine.path.write_bytes(content)
    backend = EngineBackend(runtime, cache, weights)
    assert 'not the file that was built and checked; build it anew: anny-ros' in refusal(
        backend, make_canvases()
    )
    with monkeypatch.context() as patch:
        patch.setattr(cache, 'find', lambda key: pytest.fail('read again'))
        refusal(backend, make_canvases())
    make(weights, runtime, cache, SIZES[0])
    assert len(backend(make_canvases())) == 1


def test_a_plan_that_the_library_refuses(weights, cache, make_tensorrt, make_canvases):
    """Name and content are right, but the driver was changed since."""
    runtime, module = make_tensorrt()
    make(weights, runtime, cache, SIZES[0])
    module.gpu = 'changed'
    sentence = refusal(EngineBackend(runtime, cache, weights), make_canvases())
    assert '(Error Code 1: Serialization' in sentence
    assert 'build it anew: anny-ros build-engine' in sentence


def test_files_of_another_size_or_network(weights, cache, tmp_path):
    (engine,) = make(weights, OnnxRuntime(1), cache, SIZES[0])
    with pytest.raises(ModelError, match='takes 1x96x160x3 instead of 1x160x96x3'):
        open_engine(OnnxRuntime(1), engine.path, 96, 160)
    with pytest.raises(ModelError, match='cannot be loaded by ONNX Runtime'):
        open_engine(OnnxRuntime(1), weights.path, 160, 96)
    onnx = pytest.importorskip('onnx')
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Identity', ['picture'], ['boxes'])],
        'another',
        *(
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [1, 96, 160, 3])]
            for name in ('picture', 'boxes')
        ),
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid('', 17)], ir_version=8
    )
    onnx.save(model, tmp_path / 'another.onnx')
    with pytest.raises(ModelError, match='is another network: it gives boxes'):
        open_engine(OnnxRuntime(1), tmp_path / 'another.onnx', 160, 96)


def test_few_engines_stay_open(weights, cache, make_canvases, caplog):
    runtime = OnnxRuntime(1)
    make(weights, runtime, cache, *SIZES)
    opened = []

    class Counting:
        name, precision, version, gpu = 'onnx', 'float32', '', ''

        def open(self, path):
            opened.append(path.name)
            return runtime.open(path)

    backend = EngineBackend(Counting(), cache, weights)
    assert len(SIZES) == MOST_OPENED + 1
    first, second, third = (make_canvases(*size) for size in SIZES)
    for canvases in (first, second, first, second, first):
        backend(canvases)
    assert len(opened) == 2
    backend(third)  # closes the second
    assert 'engine for canvases of 96x160 was closed' in caplog.text
    backend(first)
    assert len(opened) == 3
    backend(second)
    assert len(opened) == 4


def test_a_substitute_takes_what_has_no_engine(
    weights, runtime, cache, make_network, make_canvases, caplog
):
    make(weights, runtime, cache, SIZES[0])
    loaded = []

    def otherwise():
        loaded.append(TorchBackend(make_network(), InferenceParameters(device='cpu')))
        return loaded[-1]

    backend = EngineBackend(runtime, cache, weights, otherwise=otherwise)
    backend(make_canvases())
    assert not loaded
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_same(backend(make_canvases(96, 160)), loaded[0](make_canvases(96, 160)))
    assert len(loaded) == 1
    assert caplog.text.count('running on torch: there is no') == 1


def test_a_missing_engine_is_built_where_that_is_allowed(
    weights, runtime, cache, make_canvases, caplog
):
    def build(width, height):
        return make(weights, runtime, cache, (width, height))[0]

    backend = EngineBackend(runtime, cache, weights, build=build)
    assert len(backend(make_canvases())) == 1
    assert 'building an engine, which takes minutes' in caplog.text
    assert len(cache.of_weights(weights.sha256)) == 1


def test_a_key_of_other_things_is_told_in_words(weights, runtime, cache):
    (engine,) = make(weights, runtime, cache, SIZES[0])
    other = replace(engine.key, precision='int8', width=768)
    assert engine.key.differences(other) == [
        'width 768 instead of 160',
        f'precision int8 instead of {runtime.precision}',
    ]
