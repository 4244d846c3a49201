# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Building engines: parity with PyTorch, and what is left when something goes wrong."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys

from anny_ros.errors import ModelError
from anny_ros.inference import engine_build
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.engine_build import build_engine, describe_weights
from anny_ros.inference.engines import EngineCache, file_sha256
import pytest

pytest.importorskip('onnx', reason='needs the development package onnx')

WIDTH, HEIGHT = 160, 96


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / 'engines')


@pytest.fixture
def weights(make_checkpoint, cache):
    return describe_weights(make_checkpoint(), cache)


def build(weights, cache, runtime=None, said=None):
    return build_engine(
        weights,
        runtime or OnnxRuntime(threads=1),
        cache,
        width=WIDTH,
        height=HEIGHT,
        report=(lambda sentence: None) if said is None else said.append,
    )


def files(cache):
    return sorted(path.name for path in cache.folder.iterdir() if path.name != '.lock')


def test_what_a_checkpoint_is(make_checkpoint, cache, monkeypatch):
    path = make_checkpoint()
    weights = describe_weights(path, cache)
    assert (weights.model, weights.image_size, weights.multiple) == ('tiny', 160, 16)
    assert weights.sha256 == file_sha256(path)
    build(weights, cache)
    monkeypatch.setattr(engine_build, 'load_network', lambda path: pytest.fail('loaded'))
    assert describe_weights(path, cache) == weights  # the engine knows


def test_no_checkpoint(tmp_path, cache):
    with pytest.raises(ModelError, match='cannot be read'):
        describe_weights(tmp_path / 'nowhere.pt', cache)


def test_an_onnx_graph_says_what_pytorch_says(weights, cache):
    said = []
    engine = build(weights, cache, said=said)
    print('ONNX Runtime:', {name: f'{value:.1e}' for name, value in engine.checked.items()})
    assert len(engine.checked) == 7
    assert max(engine.checked.values()) <= 1e-4
    assert said == [
        'loading the weights',
        'asking PyTorch',
        'exporting',
        'building',
        'comparing with PyTorch',
        'installing',
    ]
    assert files(cache) == [engine.path.name, f'{engine.path.name}.json']


@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_a_plan_says_what_pytorch_says(precision, weights, cache, make_tensorrt):
    runtime, _ = make_tensorrt(precision)
    engine = build(weights, cache, runtime)
    print(precision, {name: f'{value:.1e}' for name, value in engine.checked.items()})
    assert max(engine.checked.values()) <= (1e-4 if precision == 'float32' else 0.05)
    assert f'-{precision}-tensorrt10.3.0-Fake_GPU-' in engine.path.name
    assert files(cache) == [engine.path.name, f'{engine.path.name}.json']


def test_what_is_there_is_not_built_again(weights, cache, monkeypatch):
    engine = build(weights, cache)
    monkeypatch.setattr(engine_build, 'export_onnx', lambda *args, **kw: pytest.fail('built'))
    said = []
    assert build(weights, cache, said=said) == engine
    assert said == ['it is there']


def test_what_is_damaged_is_built_again(weights, cache):
    engine = build(weights, cache)
    engine.path.write_bytes(b'something else')
    said = []
    build(weights, cache, said=said)
    assert 'not the file that was built and checked; it is replaced' in said[0]
    assert cache.find(engine.key) is not None


@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_an_engine_with_other_numbers_is_not_installed(precision, weights, cache, make_tensorrt):
    runtime, _ = make_tensorrt(precision, fails='numbers')
    with pytest.raises(ModelError, match=r'pose differs by 0\.5, allowed is 0\.0'):
        build(weights, cache, runtime)
    assert files(cache) == []


@pytest.mark.parametrize('fails', ['parse', 'build', 'memory', 'execute'])
def test_whatever_tensorrt_refuses_leaves_nothing(fails, weights, cache, make_tensorrt):
    with pytest.raises(ModelError):
        build(weights, cache, make_tensorrt(fails=fails)[0])
    assert files(cache) == []


def test_a_graph_of_another_network_is_not_installed(
    weights, cache, make_checkpoint, monkeypatch, make_network
):
    """As if the exporter had mixed up its input."""
    export = engine_build.export_onnx
    monkeypatch.setattr(
        engine_build, 'export_onnx', lambda network, **kw: export(make_network(1), **kw)
    )
    with pytest.raises(ModelError, match='does not say what PyTorch says'):
        build(weights, cache)
    assert files(cache) == []


def test_a_graph_of_another_size_is_not_installed(weights, cache, monkeypatch):
    export = engine_build.export_onnx

    def smaller(network, *, width, height, path):
        export(network, width=width - 16, height=height, path=path)

    monkeypatch.setattr(engine_build, 'export_onnx', smaller)
    with pytest.raises(ModelError, match='takes 1x96x144x3 instead of 1x96x160x3'):
        build(weights, cache)
    assert files(cache) == []


def test_a_disk_that_fills_while_the_graph_is_written(weights, cache):
    """The kernel refuses to let files grow, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ModelError, match=r'cannot write an engine.*File too large; free some'):
            build(weights, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(cache) == []


def test_a_disk_that_fills_while_the_plan_is_written(weights, cache, make_tensorrt):
    runtime, _ = make_tensorrt()

    def full(graph, engine, report):
        engine.write_bytes(b'half a plan')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    runtime.make = full
    with pytest.raises(ModelError, match='No space left on device'):
        build(weights, cache, runtime)
    assert files(cache) == []


def test_too_little_memory_is_a_sentence(weights, cache, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(engine_build, 'export_onnx', fail)
    with pytest.raises(ModelError, match='too little memory to build'):
        build(weights, cache)
    assert files(cache) == []


# Builds in a process of its own; stops half-way through the export until it reads a line.
BUILD = """
import sys
from pathlib import Path
from anny_ros.inference import engine_build
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.engines import EngineCache

export = engine_build.export_onnx

def slow_export(network, *, width, height, path):
    path.write_bytes(b'half a graph')
    print('exporting', flush=True)
    sys.stdin.readline()
    export(network, width=width, height=height, path=path)

engine_build.export_onnx = slow_export
cache = EngineCache(sys.argv[2])
weights = engine_build.describe_weights(Path(sys.argv[1]), cache)
engine_build.build_engine(weights, OnnxRuntime(1), cache, width=160, height=96)
print('built', flush=True)
"""


@pytest.fixture
def builder(weights, cache):
    process = subprocess.Popen(
        [sys.executable, '-c', BUILD, str(weights.path), str(cache.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'exporting\n'
    yield process
    process.kill()
    process.communicate()


def test_of_two_processes_the_second_takes_the_result_of_the_first(
    builder, weights, cache, monkeypatch
):
    said = []

    def report(sentence):
        said.append(sentence)
        if 'waiting' in sentence:
            builder.stdin.write('\n')
            builder.stdin.flush()

    monkeypatch.setattr(engine_build, 'export_onnx', lambda *args, **kw: pytest.fail('built'))
    engine = build_engine(
        weights, OnnxRuntime(1), cache, width=WIDTH, height=HEIGHT, report=report
    )
    assert said == ['waiting for another process that builds', 'it is there']
    assert builder.stdout.readline() == 'built\n'
    assert cache.find(engine.key) == engine


@pytest.mark.parametrize('signal_name', ['SIGKILL', 'SIGINT'])
def test_a_build_that_is_broken_off_leaves_no_engine(signal_name, builder, weights, cache):
    builder.send_signal(getattr(signal, signal_name))
    builder.wait(timeout=60)
    left = files(cache)
    if signal_name == 'SIGKILL':
        assert [name.endswith('.graph.part') for name in left] == [True]
    else:
        assert left == []
    engine = build(weights, cache)
    assert files(cache) == [engine.path.name, f'{engine.path.name}.json']
