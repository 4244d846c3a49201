# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much memory of the GPU there is and is taken."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class GpuMemory:
    """
    Memory of the GPU that this process works on.

    Parameters
    ----------
    allocated, reserved : int, bytes
        By PyTorch for this process: in use by tensors, and kept for them.
    free, total : int, bytes
        Of the GPU, whoever has taken the rest (other runtimes of this process, too).

    """

    allocated: int
    reserved: int
    free: int
    total: int


def gpu_memory() -> GpuMemory | None:
    """Ask the GPU; None if this process uses none."""
    # Asking would make a context on the GPU, which costs hundreds of megabytes.
    if not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return GpuMemory(torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), free, total)
