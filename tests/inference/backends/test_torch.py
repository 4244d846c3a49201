# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from anny_ros.errors import ModelError
from anny_ros.inference.backends.torch import TorchBackend
from anny_ros.model import PRESETS, SingleShotNetwork
from anny_ros.model.network import normalise
from anny_ros.parameters import InferenceParameters
import numpy as np
import pytest
import torch


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
def test_half_precision_is_for_the_backbone(network, dtype):
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
