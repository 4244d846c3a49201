# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.inference.gpu_memory import gpu_memory, GpuMemory
import pytest
import torch


def test_a_process_without_a_gpu_asks_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: False)
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda: pytest.fail('makes a context'))
    assert gpu_memory() is None


def test_numbers_of_the_gpu(monkeypatch):
    for name, answer in {
        'is_initialized': True, 'mem_get_info': (5, 9), 'memory_allocated': 2, 'memory_reserved': 3
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda answer=answer: answer)
    assert gpu_memory() == GpuMemory(allocated=2, reserved=3, free=5, total=9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_tensor_is_counted():
    kept = torch.zeros(1 << 22, device='cuda')
    found = gpu_memory()
    assert found is not None
    assert kept.nbytes <= found.allocated <= found.reserved <= found.total - found.free
