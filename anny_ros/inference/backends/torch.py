# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The single-shot network on PyTorch, eager."""

from __future__ import annotations

from anny_ros.errors import ModelError
from anny_ros.inference.backends import RawPeople, split_pictures
from anny_ros.model.network import normalise, SingleShotNetwork
from anny_ros.parameters import InferenceParameters
import numpy as np
from numpy.typing import NDArray
import torch

_DTYPES = {
    'float32': torch.float32,
    'float16': torch.float16,
    'bfloat16': torch.bfloat16,
}


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
        self.device = _choose_device(parameters.device)
        if parameters.threads:
            torch.set_num_threads(parameters.threads)
        network = network.to(self.device).eval()
        network.set_backbone_dtype(_choose_dtype(parameters.dtype, self.device))
        self.network = network
        self.model = network.config.name
        self.image_size = network.config.image_size
        self.multiple = network.config.canvas_multiple

    @torch.inference_mode()
    def __call__(self, canvases: NDArray[np.uint8]) -> list[RawPeople]:
        """Run on canvases (B, H, W, 3), uint8; see ``NetworkBackend``."""
        pictures = torch.from_numpy(canvases).to(self.device)
        output = self.network(normalise(pictures))
        return split_pictures([tensor.float().cpu().numpy() for tensor in output])


def _choose_device(wanted: str) -> torch.device:
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
