# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Making an engine: export, compile, compare with PyTorch, install."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.inference.backends.engine import engine_key, open_engine, Runtime
from anny_ros.inference.backends.torch import forbid_tf32
from anny_ros.inference.engine_key import Weights
from anny_ros.inference.engines import Engine, EngineCache, file_sha256
from anny_ros.inference.export import CanvasGraph, export_onnx, require_exporter
from anny_ros.inference.parity import check_parity, differences, Outputs, probe_canvases
from anny_ros.model import load_network, SingleShotNetwork
import torch

Report = Callable[[str], None]


def describe_weights(path: Path, cache: EngineCache) -> Weights:
    """
    Find out what a file of weights is.

    The network is loaded only if no engine of these weights was made before.

    Raises
    ------
    ModelError
        If the file is missing or is not a network.

    """
    digest = file_sha256(path)
    for engine in cache.of_weights(digest):
        return Weights(path, digest, engine.key.model, engine.image_size, engine.multiple)
    config = load_network(path).config
    return Weights(path, digest, config.name, config.image_size, config.canvas_multiple)


def build_engine(
    weights: Weights,
    runtime: Runtime,
    cache: EngineCache,
    *,
    width: int,
    height: int,
    report: Report = lambda sentence: None,
) -> Engine:
    """
    Make an engine unless it is there.

    One process builds at a time in a folder; whoever comes second waits and then finds it.

    Parameters
    ----------
    weights : Weights
    runtime : Runtime
    cache : EngineCache
    width, height : int, pixels
        Of the canvas.
    report : callable
        Is told in words what is going on.

    Returns
    -------
    Engine

    Raises
    ------
    ModelError
        If a library is missing, nothing can be written, the runtime refuses the graph, or the
        engine says something else than PyTorch; then there is none.

    """
    require_exporter()
    key = engine_key(weights, runtime, width, height)
    with cache.lock(lambda: report('waiting for another process that builds')):
        engine = find_good(cache, weights, runtime, width, height, report)
        if engine is not None:
            report('it is there')
            return engine
        graph, part = cache.part(key, '.graph'), cache.part(key)
        try:
            report('loading the weights')
            network = load_network(weights.path).fuse().to(runtime.device)
            report('asking PyTorch')
            wanted, half = _ask_network(network, weights, runtime.precision, width, height)
            report('exporting')
            with cache.writing():
                export_onnx(network, width=width, height=height, path=graph)
            del network  # its memory is needed below
            if runtime.device == 'cuda':
                torch.cuda.empty_cache()
            report('building')
            with cache.writing():
                runtime.make(graph, part, report)
            graph.unlink(missing_ok=True)
            report('comparing with PyTorch')
            program = open_engine(runtime, part, width, height)
            met = [program(canvas) for canvas in probe_canvases(width, height)]
            del program
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            raise ModelError(
                'there is too little memory to build an engine; close other programs, or use a '
                'smaller --size'
            ) from error
        found = differences(met, wanted, weights.image_size)
        check_parity(found, runtime.tolerance, half)
        report('installing')
        return cache.install(Engine(part, key, weights.image_size, weights.multiple, found))


def find_good(
    cache: EngineCache,
    weights: Weights,
    runtime: Runtime,
    width: int,
    height: int,
    report: Report = lambda sentence: None,
) -> Engine | None:
    """Find an engine; one that is damaged or for something else is reported and does not count."""
    try:
        return cache.find(engine_key(weights, runtime, width, height))
    except ModelError as error:
        report(f'{error}; it is replaced')
        return None


def _ask_network(
    network: SingleShotNetwork, weights: Weights, precision: str, width: int, height: int
) -> tuple[list[Outputs], dict[str, float] | None]:
    """
    Ask PyTorch what an engine has to say, and leave the network in the engine's precision.

    Returns
    -------
    wanted : list of mapping of str to ndarray
        Of each probe, in float32.
    half : dict of str to float or None
        What PyTorch itself loses to half precision, if that is asked for.

    """
    forbid_tf32()
    wanted = _run(network, width, height)
    if precision == 'float32':
        return wanted, None
    network.set_backbone_dtype(getattr(torch, precision))
    return wanted, differences(_run(network, width, height), wanted, weights.image_size)


@torch.inference_mode()
def _run(network: SingleShotNetwork, width: int, height: int) -> list[Outputs]:
    graph = CanvasGraph(network).eval()
    device = next(network.parameters()).device
    answers: list[Outputs] = []
    for canvas in probe_canvases(width, height):
        output = graph(torch.from_numpy(canvas).to(device))
        answers.append(
            {name: t.cpu().numpy() for name, t in zip(graph.names, output, strict=True)}
        )
    return answers
