# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Memory of a GPU under fixed addresses, for runtimes that want addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch


class DeviceMemory:
    """
    Named tensors on a GPU, each with a page-locked double on the host, and one stream.

    Copies to and from page-locked memory need no staging by the driver, and nothing is allocated
    for a picture.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()
        self._device: dict[str, torch.Tensor] = {}
        self._host: dict[str, torch.Tensor] = {}

    @property
    def stream(self) -> int:
        """Handle of the stream on which all copies run."""
        return int(self._stream.cuda_stream)

    def allocate(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> int:
        """Make a tensor; its address on the GPU."""
        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        self._host[name] = torch.empty(shape, dtype=kind, pin_memory=True)
        self._device[name] = torch.empty(shape, dtype=kind, device='cuda')
        return int(self._device[name].data_ptr())

    def upload(self, name: str, array: NDArray[Any]) -> None:
        """Begin to copy an array to the GPU."""
        self._host[name].copy_(torch.from_numpy(array))
        with torch.cuda.stream(self._stream):
            self._device[name].copy_(self._host[name], non_blocking=True)

    def download(self, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Wait for everything on the stream and copy tensors to arrays of their own."""
        with torch.cuda.stream(self._stream):
            for name in names:
                self._host[name].copy_(self._device[name], non_blocking=True)
        self._stream.synchronize()
        return {name: self._host[name].numpy().copy() for name in names}
