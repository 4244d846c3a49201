# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A network as an ONNX graph of one fixed size, which other runtimes execute or compile.

Colours are normalised inside, so that the graph takes 8-bit canvases; thresholds, bodies and the
removal of doubles stay outside. Half precision is written into the graph as types of its tensors:
a runtime that keeps to them computes what PyTorch does.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import importlib
import inspect
from pathlib import Path
from typing import Any
import warnings

from anny_ros.errors import ModelError
from anny_ros.model.network import NetworkOutput, normalise, SingleShotNetwork
import torch
from torch import nn, Tensor

INPUT = 'canvases'
_OPSET = 17  # the first with layer norms, the last of the exporter in torch 2.1


class CanvasGraph(nn.Module):
    """
    Colours to the numbers of all queries, as a graph does it.

    Parameters
    ----------
    network : SingleShotNetwork

    """

    def __init__(self, network: SingleShotNetwork) -> None:
        super().__init__()
        self.network = network

        # Runtimes dislike tensors without content: no appearance in Multi-HMR v1.
        empty = () if network.config.feature_size else ('appearance',)
        self.names = tuple(name for name in NetworkOutput._fields if name not in empty)

    def forward(self, canvases: Tensor) -> tuple[Tensor, ...]:
        """Map canvases (B, H, W, 3), uint8, to the fields of ``NetworkOutput``, float32."""
        output = self.network(normalise(canvases))._asdict()
        return tuple(output[name].float() for name in self.names)


def export_onnx(network: SingleShotNetwork, *, width: int, height: int, path: Path) -> None:
    """
    Write the graph of a network for one canvas at a time.

    Parameters
    ----------
    network : SingleShotNetwork
        In the precision that the graph is to have, on a device that can compute in it.
    width, height : int, pixels
        Of the canvas.
    path : Path
        Is overwritten; input ``canvases`` (1, height, width, 3) uint8, outputs named as the fields
        of ``NetworkOutput`` and shaped as there, float32; one of width 0 is left out.

    Raises
    ------
    ModelError
        If the library ``onnx`` is missing.
    OSError
        If the file cannot be written.

    """
    require_exporter()
    device = next(network.parameters()).device
    example = torch.zeros(1, height, width, 3, dtype=torch.uint8, device=device)
    # The exporter that traces, also where it is no longer the default: the other one needs more
    # libraries and is not in torch 2.1.
    tracing: dict[str, Any] = {}
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        tracing['dynamo'] = False
    graph = CanvasGraph(network).eval()
    with path.open('wb') as file, _quiet(), torch.no_grad():
        torch.onnx.export(
            graph,
            (example,),
            file,  # type: ignore[arg-type]  # anything that bytes can be written to
            input_names=[INPUT],
            output_names=list(graph.names),
            opset_version=_OPSET,
            **tracing,
        )


def require_exporter() -> None:
    """Raise ModelError if a library that exporting needs is missing."""
    try:
        importlib.import_module('onnx')
    except ImportError as error:
        raise ModelError('exporting a network needs onnx; pip install onnx') from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter says about itself; sizes are meant to be constants here."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield
