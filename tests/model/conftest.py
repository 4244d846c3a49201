# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import importlib.util
from pathlib import Path
import sys
from types import ModuleType

from anny_ros.model import PRESETS, SingleShotNetwork
from anny_ros.model.v1 import Multihmr1Network
from anny_ros.model.v1_config import MULTIHMR1_ANNY
import numpy as np
import pytest
import torch


def randomise(module: torch.nn.Module, seed: int) -> None:
    """Random values everywhere, also where training starts at 0 or 1, so that all matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        if name.endswith('eye'):
            continue
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        values = torch.randn(parameter.shape, generator=generator) / max(1.0, fan_in) ** 0.5
        if parameter.ndim == 1:
            values = 0.3 * values
        if 'norm' in name and name.endswith('weight'):
            values = values + 1.0
        parameter.data.copy_(values)


@pytest.fixture
def make_tiny() -> Callable[..., SingleShotNetwork]:
    def make(seed: int = 0, **changes: object) -> SingleShotNetwork:
        network = SingleShotNetwork(replace(PRESETS['tiny'], **changes))
        randomise(network, seed)
        return network.requires_grad_(False).eval()

    return make


@pytest.fixture
def tiny_v1() -> Multihmr1Network:
    """Every part of Multi-HMR v1, small, random; 6x6 patches."""
    backbone = replace(
        MULTIHMR1_ANNY.backbone, width=128, depth=2, num_heads=2, mlp_hidden=96, table_side=6
    )
    config = replace(
        MULTIHMR1_ANNY,
        backbone=backbone,
        image_size=14 * 6,
        decoder_width=32,
        decoder_depth=2,
        decoder_heads=2,
        decoder_hidden=40,
        head_hidden=24,
    )
    network = Multihmr1Network(config)
    randomise(network, 3)
    network.encoder.mlp_det[2].bias.data -= 3  # best patches on both sides of the threshold
    return network.requires_grad_(False).eval()


@pytest.fixture(scope='session', name='randomise')
def randomise_fixture() -> Callable[[torch.nn.Module, int], None]:
    return randomise


def load_file(name: str) -> ModuleType:
    """Import a file beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f'{name}.py'))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def reference() -> ModuleType:
    """The network in slow float64 numpy, reference.py."""
    return load_file('reference')


@pytest.fixture(scope='session')
def reference_people() -> ModuleType:
    """What is before and after the network, reference_people.py."""
    return load_file('reference_people')


@pytest.fixture(scope='session')
def compare() -> Callable[..., float]:
    """Print the largest difference of two arrays and hold it against a bound."""

    def compare(what: str, met: object, wanted: object, bound: float = np.inf) -> float:
        met, wanted = (np.asarray(array, np.float64) for array in (met, wanted))
        assert met.shape == wanted.shape, what
        largest = float(np.abs(met - wanted).max())
        typical = float(np.abs(wanted).mean())
        print(f'{what}: largest difference {largest:.1e} (typical size {typical:.2g})')
        assert largest <= bound, what
        return largest

    return compare
