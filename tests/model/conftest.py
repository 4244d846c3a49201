# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from anny_ros.model import PRESETS, SingleShotNetwork
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
