# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A forward pass on a GPU, recorded once and replayed with one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

Forward = Callable[[Tensor], Sequence[Tensor]]

_WARM_UPS = 3  # choose kernels, compile, reserve memory: nothing of that may be recorded


class RecordedForward:
    """
    A forward pass for one shape of its input, as a CUDA graph.

    Input and outputs lie at fixed places, with page-locked doubles on the host, so that nothing
    is allocated for a picture.

    Parameters
    ----------
    forward : callable
        Maps canvases (B, H, W, 3), uint8, to float32 tensors, all on the GPU, without copying
        anything from the host.
    shape : tuple of int
        (B, H, W, 3).

    Raises
    ------
    RuntimeError
        If the pass cannot be recorded; what else the forward pass raises.

    """

    def __init__(self, forward: Forward, shape: tuple[int, ...]) -> None:
        self._host_input = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        self._input = torch.zeros(shape, dtype=torch.uint8, device='cuda')
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                forward(self._input)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = tuple(forward(self._input))
        self._host_outputs = [
            torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
            for output in self._outputs
        ]

    def __call__(self, canvases: NDArray[np.uint8]) -> list[FloatArray]:
        """Run on canvases of the shape; arrays of their own."""
        self._host_input.copy_(torch.from_numpy(canvases))
        self._input.copy_(self._host_input, non_blocking=True)
        self._graph.replay()
        for host, output in zip(self._host_outputs, self._outputs, strict=True):
            host.copy_(output, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return [host.numpy().copy() for host in self._host_outputs]
