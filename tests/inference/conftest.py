# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Small random networks as files of weights, and a stand-in for TensorRT."""

from __future__ import annotations

import importlib.util
from pathlib import Path
import sys

from anny_ros.inference.backends.tensorrt import TensorRt
from anny_ros.model import PRESETS, SingleShotNetwork
import numpy as np
import pytest
import torch


def randomise(network, seed):
    """Random values everywhere, also where training starts at 0 or 1, so that all matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name.endswith('eye'):
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.data.copy_(noise / parameter[0].numel() ** 0.5)
        elif name.endswith('gamma') or ('norm' in name and name.endswith('weight')):
            parameter.data.copy_(1.0 + 0.3 * noise)
        else:
            parameter.data.copy_(0.3 * noise)
    return network.requires_grad_(False).eval()


@pytest.fixture(name='randomise')
def randomise_fixture():
    return randomise


@pytest.fixture
def make_network():
    """A small network whose every weight matters, different for each seed."""
    return lambda seed=0: randomise(SingleShotNetwork(PRESETS['tiny']), seed)


@pytest.fixture
def make_checkpoint(tmp_path, make_network):
    def make(seed=0):
        path = tmp_path / f'tiny{seed}.pt'
        torch.save({'model_state_dict': make_network(seed).state_dict()}, path)
        return path

    return make


@pytest.fixture
def make_canvases():
    def make(width=160, height=96, batch=1):
        random = np.random.default_rng(0)
        return random.integers(0, 256, (batch, height, width, 3), dtype=np.uint8)

    return make


@pytest.fixture(scope='session')
def fake_tensorrt():
    """fake_tensorrt.py, which lies beside this file."""
    path = Path(__file__).with_name('fake_tensorrt.py')
    spec = importlib.util.spec_from_file_location('fake_tensorrt', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules['fake_tensorrt'] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def require_half_precision():
    """Skip where PyTorch cannot compute in half precision on a CPU, as before 2.2 or so."""
    try:
        torch.nn.Conv2d(3, 4, 2).half()(torch.zeros(1, 3, 2, 2, dtype=torch.float16))
    except RuntimeError:
        pytest.skip('this PyTorch has no half precision on a CPU')


@pytest.fixture
def half_precision():
    require_half_precision()


@pytest.fixture
def make_tensorrt(fake_tensorrt):
    """The product's ``TensorRt`` on the stand-in, with host memory."""

    def make(precision='float16', gpu='Fake GPU', **traits):
        if precision == 'float16':
            require_half_precision()
        module = fake_tensorrt.Module(gpu=gpu, **traits)
        runtime = TensorRt(module, gpu, fake_tensorrt.HostMemory, precision)
        runtime.device = 'cpu'  # where PyTorch exports and compares
        return runtime, module

    return make
