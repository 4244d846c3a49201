# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The published file in its full size: 539 tensors, 1.6 GB, with random numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
import shutil
import subprocess
import sys

import pytest
import torch

KEYS = Path(__file__).parents[1] / 'data' / 'multi-hmr2-keys.csv'
SIZE = 4 * 403_236_814  # bytes of all numbers

# Loads the file in a process of its own, so that its peak of memory is seen; then compares every
# tensor with the one that was saved.
LOAD = """
import json, logging, sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
from test_checkpoint_full_size import make_tensors
from anny_ros.model import load_network

def peak():
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith('VmHWM')).split()[1])

logging.disable()
before = peak()
network = load_network(sys.argv[1])
used = peak() - before
state = network.state_dict()
same = [name for name, tensor in make_tensors() if bool((state.pop(name) == tensor).all())]
found = {'used': used, 'name': network.config.name, 'same': len(same), 'left': len(state)}
print(json.dumps(found))
"""


def make_tensors():
    """Name and numbers of each tensor of the list, random but for their scale; the same always."""
    pool = torch.rand(1 << 22, generator=torch.Generator().manual_seed(0))
    with KEYS.open() as file:
        for index, row in enumerate(csv.DictReader(file)):
            shape = [int(side) for side in row['shape'].split('x')]
            count = torch.Size(shape).numel()
            start = 4801 * index
            numbers = pool[start : start + count]
            if len(numbers) < count:
                numbers = pool[start:].repeat(count // (len(pool) - start) + 1)[:count]
            yield row['key'], 0.05 * numbers.reshape(shape)


@pytest.mark.skipif(not Path('/proc/self/status').is_file(), reason='needs Linux')
def test_the_official_file_loads_strictly_and_lean(tmp_path):
    if shutil.disk_usage(tmp_path).free < 4 * SIZE:
        pytest.skip('needs 6.5 GB of free disk')
    meminfo = dict(line.split(':') for line in Path('/proc/meminfo').read_text().splitlines())
    if 1024 * int(meminfo['MemAvailable'].split()[0]) < 3 * SIZE:
        pytest.skip('needs 5 GB of free memory')
    path = tmp_path / 'multihmr2.pt'
    state = dict(make_tensors())
    assert len(state) == 539
    assert 4 * sum(tensor.numel() for tensor in state.values()) == SIZE
    for prefix in ('full_body_decoder.body_model.', 'full_body_decoder.lowres_body_model.'):
        state |= {f'{prefix}anchors.{n}': torch.zeros(5) for n in range(8)}
    try:
        torch.save({'model_state_dict': state, 'epoch': 1}, path)
        del state
        file_size = path.stat().st_size
        command = [sys.executable, '-c', LOAD, str(path), str(Path(__file__).parent)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    finally:
        path.unlink(missing_ok=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    print(f'peak memory of loading: {found["used"] / file_size:.3f} of the file')
    assert found['name'] == 'multihmr2'
    assert found['same'] == 539
    assert found['left'] == 0
    assert found['used'] < 1.2 * file_size
