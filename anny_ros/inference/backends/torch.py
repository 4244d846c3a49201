# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The single-shot network on PyTorch.

On a CPU it runs as it is. On a GPU each shape of input is prepared once: compiled and recorded as
a CUDA graph, or only recorded where there is no compiler, or run as it is where neither works.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
import logging
import time

from anny_ros.errors import ModelError
from anny_ros.inference.backends import RawPeople, split_pictures
from anny_ros.inference.backends.cuda_graph import Forward, RecordedForward
from anny_ros.model.network import normalise, SingleShotNetwork
from anny_ros.parameters import InferenceParameters
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

LOGGER = logging.getLogger(__name__)

# Shapes that stay prepared; each holds its own activations.
MOST_PREPARED = 4
_DTYPES = {
    'float32': torch.float32,
    'float16': torch.float16,
    'bfloat16': torch.bfloat16,
}
_Run = Callable[[NDArray[np.uint8]], list[FloatArray]]


class TorchBackend:
    """
    Run a network with PyTorch on a CPU or a GPU.

    Parameters
    ----------
    network : SingleShotNetwork
        Is moved to the device, and its backbone's products to the dtype, in place.
    parameters : InferenceParameters
        Device, dtype and threads.

    Raises
    ------
    ModelError
        If a GPU is asked for and there is none.

    """

    name = 'torch'

    def __init__(
        self, network: SingleShotNetwork, parameters: InferenceParameters | None = None
    ) -> None:
        parameters = parameters or InferenceParameters()
        self.device = choose_device(parameters.device)
        if parameters.threads:
            torch.set_num_threads(parameters.threads)
        forbid_tf32()
        network = network.fuse().to(self.device).eval()
        network.set_backbone_dtype(_choose_dtype(parameters.dtype, self.device))
        self._network = network
        self.model = network.config.name
        self.image_size = network.config.image_size
        self.multiple = network.config.canvas_multiple
        self._prepared: OrderedDict[tuple[int, ...], _Run] = OrderedDict()
        self._ways: dict[str, Callable[[Forward], Forward]] = {
            'compiled and recorded': compile_forward,
            'recorded': lambda forward: forward,
        }

    @torch.inference_mode()
    def __call__(self, canvases: NDArray[np.uint8]) -> list[RawPeople]:
        """Run on canvases (B, H, W, 3), uint8; see ``NetworkBackend``."""
        run = self._run_as_it_is if self.device.type == 'cpu' else self._ready(canvases.shape)
        return split_pictures(run(canvases))

    def _forward(self, canvases: Tensor) -> tuple[Tensor, ...]:
        return tuple(field.float() for field in self._network(normalise(canvases)))

    def _run_as_it_is(self, canvases: NDArray[np.uint8]) -> list[FloatArray]:
        output = self._forward(torch.from_numpy(canvases).to(self.device))
        return [field.cpu().numpy() for field in output]

    def _ready(self, shape: tuple[int, ...]) -> _Run:
        """Find what runs a shape, or prepare it; the one that rested longest may have to go."""
        if shape not in self._prepared:
            if len(self._prepared) == MOST_PREPARED:
                dropped, _ = self._prepared.popitem(last=False)
                LOGGER.warning(
                    'pictures have more than %d shapes: %s is no longer prepared, and preparing '
                    'takes time',
                    MOST_PREPARED,
                    _describe(dropped),
                )
            self._prepared[shape] = self._prepare(shape)
        self._prepared.move_to_end(shape)
        return self._prepared[shape]

    def _prepare(self, shape: tuple[int, ...]) -> _Run:
        """Take the fastest way that works; one that failed is not tried again."""
        while self._ways:
            way, make = next(iter(self._ways.items()))
            LOGGER.info('%s: to be %s, which may take minutes', _describe(shape), way)
            start = time.monotonic()
            try:
                run = record(make(self._forward), shape)
            except Exception as error:  # noqa: BLE001  compilers fail in many ways
                LOGGER.warning('networks cannot be %s on this machine: %s', way, _line(error))
                del self._ways[way]
            else:
                LOGGER.info('%s: %s in %.0f s', _describe(shape), way, time.monotonic() - start)
                return run
        LOGGER.warning('%s: neither compiled nor recorded, which is slower', _describe(shape))
        return self._run_as_it_is


def compile_forward(forward: Forward) -> Forward:
    """Compile a forward pass for fixed shapes; fails when it is called, if at all."""
    compiled: Forward = torch.compile(forward, dynamic=False)
    return compiled


def record(forward: Forward, shape: tuple[int, ...]) -> _Run:
    """Record a forward pass for a shape of input; see ``RecordedForward``."""
    return RecordedForward(forward, shape)


def forbid_tf32() -> None:
    """Make float32 mean float32 on a GPU, where convolutions would otherwise round to 10 bits."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def choose_device(wanted: str) -> torch.device:
    """Device for the parameter ``inference.device``; ModelError if there is no such GPU."""
    available = torch.cuda.is_available()
    if wanted == 'cuda' and not available:
        raise ModelError(
            'inference.device is cuda but torch sees no GPU; set it to cpu or auto, or install '
            'a torch with CUDA'
        )
    return torch.device('cuda' if available and wanted != 'cpu' else 'cpu')


def _choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == 'auto':
        # float16 has 8 times finer steps than bfloat16, and the published network runs in it.
        return torch.float16 if device.type == 'cuda' else torch.float32
    return _DTYPES[wanted]


def _describe(shape: tuple[int, ...]) -> str:
    batch, height, width, _ = shape
    return f'{batch} canvas{"es" if batch > 1 else ""} of {width}x{height}'


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
