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


def test_each_part_has_the_known_size(network):
    """Tensors and numbers of each part, buffers included."""
    body = 'full_body_decoder.'
    known = {
        'encoder.backbone.': (368, 303_227_920),
        'encoder.mlp_fov_unique.': (4, 1_050_625),
        'encoder.fov_max': (1, 1),
        f'{body}decoder.': (136, 67_198_976),
        f'{body}dec_pos_emb': (1, 2_359_296),
        f'{body}dec_to_token.': (2, 1_049_600),
        f'{body}queries.weight': (1, 102_400),
        f'{body}mlp_loc.': (4, 1_051_650),
        f'{body}mlp_conf.': (4, 1_050_625),
        f'{body}mlp_pose.': (4, 3_053_522),
        f'{body}mlp_shape.': (4, 1_060_875),
        f'{body}mlp_dist.': (4, 1_050_625),
        f'{body}trackfeat_regressor.trackfeat_model.': (4, 20_979_712),
        f'{body}eye': (1, 9),
        f'{body}init_body_pose': (1, 978),
    }
    state = network.state_dict()
    for prefix, wanted in known.items():
        sizes = [tensor.numel() for name, tensor in state.items() if name.startswith(prefix)]
        assert (len(sizes), sum(sizes)) == wanted, prefix
    assert sum(count for count, _ in known.values()) == 539
    assert sum(size for _, size in known.values()) == 403_236_814
    mebibytes = sum(tensor.nbytes for tensor in state.values()) / 2**20
    print(f'{len(state)} tensors, {mebibytes:.1f} MiB')
    assert round(mebibytes, 1) == 1538.2


def test_tiny_has_the_same_kinds_of_tensors(rows):
    """Tiny differs in size and in the number of layers only."""
    tiny = build_network(PRESETS['tiny'], device='meta').state_dict()
    full = {row['key'] for row in rows}
    assert set(tiny) < full
    deeper = [n for n in full - set(tiny) if not ('blocks.' in n or 'layers.' in n)]
    assert deeper == []
