# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The full-size network has exactly the tensors of the published checkpoint."""

from __future__ import annotations

import csv
from pathlib import Path

from anny_ros.model import PRESETS
from anny_ros.model.checkpoint import build_network
import pytest

KEYS = Path(__file__).parents[1] / 'data' / 'multi-hmr2-keys.csv'


@pytest.fixture(scope='module')
def rows() -> list[dict[str, str]]:
    with KEYS.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def network():
    return build_network(PRESETS['multihmr2'], device='meta')


def test_every_tensor_has_name_shape_and_type_of_the_list(rows, network):
    wanted = [(row['key'], row['shape'], row['dtype']) for row in rows]
    met = [
        (name, 'x'.join(map(str, tensor.shape)), str(tensor.dtype).removeprefix('torch.'))
        for name, tensor in network.state_dict().items()
    ]
    assert len(wanted) == 539
    assert met == wanted  # the order too


def test_parameters_and_buffers_are_told_apart(rows, network):
    buffers = {name for name, _ in network.named_buffers()}
    assert buffers == {row['key'] for row in rows if row['kind'] == 'buffer'}
    assert sum(p.numel() for p in network.parameters()) == 400_802_795
    assert sum(t.numel() for t in network.state_dict().values()) == 403_236_814


def test_tiny_has_the_same_kinds_of_tensors(rows):
    """Tiny differs in size and in the number of layers only."""
    tiny = build_network(PRESETS['tiny'], device='meta').state_dict()
    full = {row['key'] for row in rows}
    assert set(tiny) < full
    deeper = [n for n in full - set(tiny) if not ('blocks.' in n or 'layers.' in n)]
    assert deeper == []
