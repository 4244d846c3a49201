# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.errors import ModelError
from anny_ros.inference.backends import torch as torch_backend
from anny_ros.inference.backends.cuda_graph import RecordedForward
from anny_ros.inference.backends.torch import TorchBackend
from anny_ros.model import PRESETS, SingleShotNetwork
from anny_ros.model.checkpoint import build_network
from anny_ros.model.network import normalise
from anny_ros.model.v1_config import MULTIHMR1_ANNY
from anny_ros.parameters import InferenceParameters
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SingleShotNetwork(PRESETS['tiny']).requires_grad_(False).eval()


def canvas(width=96, height=64):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_numbers_are_those_of_the_network(network):
    canvases = np.stack([canvas(), canvas()[::-1]])
    raw = TorchBackend(network)(canvases)
    output = network(normalise(torch.from_numpy(canvases)))
    assert len(raw) == 2
    for picture, met in enumerate(raw):
        assert met.hfov == pytest.approx(float(output.hfov[picture]))
        for name in output._fields[1:]:
            field, wanted = getattr(met, name), getattr(output, name)[picture].numpy()
            assert field.dtype == np.float32
            np.testing.assert_allclose(field, wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_it_says_what_the_estimator_needs(network):
    backend = TorchBackend(network)
    assert (backend.name, backend.model) == ('torch', 'tiny')
    assert (backend.image_size, backend.multiple) == (160, 16)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_half_precision_is_for_the_backbone(network, dtype, half_precision):
    exact = TorchBackend(network)(canvas()[None])[0]
    backend = TorchBackend(network, InferenceParameters(dtype=dtype))
    (raw,) = backend(canvas()[None])
    assert raw.pose.dtype == np.float32
    assert network.encoder.backbone.blocks[0].mlp.fc1.weight.dtype == getattr(torch, dtype)
    assert network.full_body_decoder.mlp_dist[0].weight.dtype == torch.float32
    np.testing.assert_allclose(raw.confidence, exact.confidence, atol=0.02)


def test_automatic_precision_on_a_cpu_is_float32(network):
    TorchBackend(network, InferenceParameters(device='cpu'))
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_float32_is_float32(network):
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    TorchBackend(network)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_gpu_that_is_not_there(network):
    with pytest.raises(ModelError, match='no GPU; set it to cpu or auto'):
        TorchBackend(network, InferenceParameters(device='cuda'))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
def test_gpu_agrees_with_cpu(network):
    exact = TorchBackend(network, InferenceParameters(device='cpu'))(canvas()[None])[0]
    raw = TorchBackend(network, InferenceParameters(device='cuda', dtype='float32'))(
        canvas()[None]
    )[0]
    np.testing.assert_allclose(raw.confidence, exact.confidence, atol=1e-4)
    np.testing.assert_allclose(raw.location, exact.location, atol=0.05)


class Tensors(TorchDispatchMode):
    """Notes what touches a tensor on another device than meta."""

    def __init__(self):
        super().__init__()
        self.elsewhere = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_flatten((args, kwargs, result))[0]:
            if isinstance(leaf, torch.Tensor) and leaf.device.type != 'meta':
                self.elsewhere.append(str(function))
        return result


@pytest.mark.parametrize(
    'config', [PRESETS['tiny'], PRESETS['anny_vit_tiny'], MULTIHMR1_ANNY], ids=lambda c: c.name
)
def test_nothing_is_copied_from_the_host_inside_the_network(config):
    """Such a copy cannot be recorded in a CUDA graph."""
    side = config.image_size
    network = build_network(config, device='meta').requires_grad_(False).eval().fuse()
    canvases = torch.zeros(2, side, side, 3, dtype=torch.uint8, device='meta')
    with Tensors() as tensors:
        network(normalise(canvases))
    assert tensors.elsewhere == []


class Recorder:
    """Stands for recording: runs the pass as it is."""

    def __init__(self, fails=()):
        self.shapes = []
        self.fails = list(fails)

    def __call__(self, forward, shape):
        if self.fails:
            raise self.fails.pop(0)
        forward(torch.zeros(shape, dtype=torch.uint8))
        self.shapes.append(shape)
        return lambda canvases: [t.numpy() for t in forward(torch.from_numpy(canvases))]


@pytest.fixture
def on_gpu(network, monkeypatch):
    """A backend that prepares shapes as on a GPU, without one."""

    def make(recorder):
        monkeypatch.setattr(torch_backend, 'record', recorder)
        monkeypatch.setattr(
            torch_backend, 'compile_forward', lambda f: torch.compile(f, backend='eager')
        )
        torch.compiler.reset()
        backend = TorchBackend(network, InferenceParameters(device='cpu'))
        return lambda canvases: backend._ready(canvases.shape)(canvases)

    return make


def test_a_shape_is_prepared_once(on_gpu, network, caplog):
    recorder = Recorder()
    run = on_gpu(recorder)
    canvases = np.stack([canvas(), canvas()[::-1]])
    for _ in range(2):
        np.testing.assert_allclose(
            run(canvases)[1],
            network(normalise(torch.from_numpy(canvases))).confidence,
            atol=1e-5,
        )
    run(canvases[:1])
    assert recorder.shapes == [(2, 64, 96, 3), (1, 64, 96, 3)]


def test_few_shapes_stay_prepared(on_gpu, caplog):
    recorder = Recorder()
    run = on_gpu(recorder)
    widths = [16 * n for n in range(1, torch_backend.MOST_PREPARED + 2)]
    for width in (*widths[:-1], widths[0], widths[-1], widths[0], widths[1]):
        run(np.zeros((1, 32, width, 3), np.uint8))
    assert [shape[2] for shape in recorder.shapes] == [*widths, widths[1]]
    assert '1 canvas of 32x32 is no longer prepared' in caplog.text


@pytest.mark.parametrize(
    ('fails', 'prepared', 'warnings'),
    [
        ([RuntimeError('no compiler\nat all')], 1, ['cannot be compiled and recorded on this']),
        (
            [RuntimeError('no compiler'), RuntimeError('no graphs')],
            0,
            [
                'compiled and recorded on this machine: no compiler',
                'cannot be recorded on this machine: no graphs',
            ],
        ),
    ],
)
def test_what_does_not_work_is_said_once_and_left(fails, prepared, warnings, on_gpu, caplog):
    recorder = Recorder(fails)
    run = on_gpu(recorder)
    for width in (32, 64):
        assert len(run(np.zeros((1, 32, width, 3), np.uint8))) == 7
    assert len(recorder.shapes) == 2 * prepared
    for sentence in warnings:
        assert caplog.text.count(sentence) == 1
    assert ('neither compiled nor recorded' in caplog.text) == (not prepared)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
@pytest.mark.parametrize('batch', [1, 3])
def test_a_recorded_pass_says_what_the_pass_says(network, batch):
    network = network.fuse().cuda()

    def forward(canvases):
        return tuple(network(normalise(canvases)))

    with torch.inference_mode():
        recorded = RecordedForward(forward, (batch, 64, 96, 3))
        for seed in (1, 2):
            random = np.random.default_rng(seed)
            canvases = random.integers(0, 256, (batch, 64, 96, 3), dtype=np.uint8)
            for met, wanted in zip(
                recorded(canvases), forward(torch.from_numpy(canvases).cuda()), strict=True
            ):
                np.testing.assert_allclose(met, wanted.cpu(), rtol=1e-4, atol=1e-4)
