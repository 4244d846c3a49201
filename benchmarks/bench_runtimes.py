# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The single-shot network on runtimes of a CPU: time, and difference from PyTorch in float32.

Prints the CPU time of one picture on one thread, which other work on the machine changes little,
and asserts nothing. Weights are random, so the differences say what rounding does to this
architecture, not what it does to trained weights.

``python -m benchmarks.bench_runtimes multihmr2 --depth 4``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import tempfile
import time

from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.export import CanvasGraph, export_onnx
from anny_ros.inference.parity import differences, Outputs, probe_canvases
from anny_ros.model import PRESETS, SingleShotNetwork
from anny_ros.model.checkpoint import build_network
import numpy as np
import torch

RUNS = 4
Ask = Callable[[np.ndarray], Outputs]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('preset', choices=sorted(PRESETS))
    parser.add_argument('--depth', type=int, help='blocks of the backbone (default: all)')
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = random_network(arguments.preset, arguments.depth)
    config = network.config
    short = round(config.image_size * 9 / 16)
    width, height = config.image_size, -(-short // config.canvas_multiple) * config.canvas_multiple
    probes = probe_canvases(width, height)
    print(f'{config.name}, {config.backbone.depth} blocks, {width}x{height}, one thread')
    wanted = None
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / 'graph.onnx'
        export_onnx(network.fuse(), width=width, height=height, path=path)
        for name, make in (
            ('torch float32', lambda: on_torch(network, torch.float32)),
            ('onnx float32', lambda: OnnxRuntime(1).open(path)),
            ('onnx int8 products', lambda: OnnxRuntime(1).open(quantise(path))),
            ('torch bfloat16', lambda: on_torch(network, torch.bfloat16)),
        ):
            ask = make()
            met = [ask(probe) for probe in probes]
            wanted = wanted or met
            found = differences(met, wanted, config.image_size)
            field = max(found, key=lambda name: found[name])
            took = 1e3 * seconds(ask, probes[0])
            print(f'{name:20} {took:9.1f} ms  off by {found[field]:.1e} ({field})', flush=True)
            del ask


def random_network(preset: str, depth: int | None) -> SingleShotNetwork:
    """Random weights, with layer scales and biases that let every block matter."""
    config = PRESETS[preset]
    if depth:
        config = replace(config, backbone=replace(config.backbone, depth=depth))
    torch.manual_seed(0)
    network = build_network(config).requires_grad_(False).eval()
    for name, parameter in network.named_parameters():
        if name.endswith('gamma'):
            parameter.uniform_(0.05, 0.3)
        elif name.endswith(('bias', 'tokens', 'cls_token')):
            parameter.normal_(0.0, 0.1)
    return network


def on_torch(network: SingleShotNetwork, dtype: torch.dtype) -> Ask:
    """PyTorch as the backend runs it; the network's products stay in the dtype."""
    fused = network.fuse()
    fused.set_backbone_dtype(dtype)
    graph = CanvasGraph(fused)

    def ask(canvas: np.ndarray) -> Outputs:
        values = graph(torch.from_numpy(canvas))
        return {name: value.numpy() for name, value in zip(graph.names, values, strict=True)}

    return ask


def quantise(path: Path) -> Path:
    """Weights of the backbone's products as int8 by channel, activations as they come."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic, QuantType

    nodes = onnx.load(path).graph.node
    products = [n.name for n in nodes if n.op_type == 'MatMul' and '/backbone/' in n.name]
    small = path.with_name('int8.onnx')
    quantize_dynamic(
        path, small, weight_type=QuantType.QInt8, per_channel=True, nodes_to_quantize=products
    )
    return small


def seconds(ask: Ask, canvas: np.ndarray) -> float:
    """CPU seconds of the fastest of some runs."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        ask(canvas)
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == '__main__':
    main()
