# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which runtime a checkpoint gets."""

from __future__ import annotations

from collections.abc import Callable
import logging
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.inference.backends import NetworkBackend
from anny_ros.inference.backends.engine import EngineBackend, Runtime
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.inference.backends.tensorrt import TensorRt
from anny_ros.inference.backends.torch import choose_device, TorchBackend
from anny_ros.inference.engine_build import build_engine, describe_weights
from anny_ros.inference.engine_key import build_command, ONNX, Weights
from anny_ros.inference.engines import Engine, EngineCache
from anny_ros.model import load_network
from anny_ros.parameters import InferenceParameters

LOGGER = logging.getLogger(__name__)


def load_backend(checkpoint: Path, parameters: InferenceParameters) -> NetworkBackend:
    """
    Load a network on the runtime that the parameters ask for.

    Parameters
    ----------
    checkpoint : Path
    parameters : InferenceParameters
        ``backend`` auto takes the engines that were built for these weights and this machine, and
        PyTorch for every size of canvas that has none.

    Returns
    -------
    NetworkBackend

    Raises
    ------
    ModelError
        If the file, a library or an engine is missing or does not fit.

    """
    if parameters.backend == 'torch':
        return _load_torch(checkpoint, parameters)
    if parameters.backend == 'auto':
        return _load_fastest(checkpoint, parameters)
    runtime, cache = load_runtime(parameters.backend, parameters), _cache(parameters)
    weights = describe_weights(checkpoint, cache)
    if not parameters.allow_engine_build and not _engines(cache, weights, runtime):
        command = build_command(
            checkpoint, runtime.name, runtime.precision, 'WxH', parameters.engine_folder
        )
        raise ModelError(
            f'there is no {runtime.name} engine of {checkpoint.name} for this machine in '
            f'{cache.folder}; build it for the size of your pictures: {command}'
        )
    return EngineBackend(
        runtime, cache, weights, build=_builder(runtime, cache, weights, parameters)
    )


def load_runtime(name: str, parameters: InferenceParameters) -> Runtime:
    """
    Load the runtime of a kind of engine.

    Parameters
    ----------
    name : str
        'onnx' or 'tensorrt'.
    parameters : InferenceParameters
        Device, dtype and threads.

    Raises
    ------
    ModelError
        If it is not installed, or cannot run on that device or with that dtype.

    """
    dtype = parameters.dtype
    if name == ONNX:
        if parameters.device == 'cuda' or dtype not in ('auto', 'float32'):
            raise ModelError(
                'inference.backend onnx runs on the CPU in float32; set inference.device to cpu '
                'and inference.dtype to float32, or inference.backend to torch or tensorrt'
            )
        return OnnxRuntime(parameters.threads)
    if parameters.device == 'cpu' or dtype == 'bfloat16':
        raise ModelError(
            'inference.backend tensorrt runs on a GPU in float16 or float32; set inference.device '
            'to auto and inference.dtype to auto, or inference.backend to torch'
        )
    return TensorRt.load('float16' if dtype == 'auto' else dtype)


def _load_torch(checkpoint: Path, parameters: InferenceParameters) -> TorchBackend:
    return TorchBackend(load_network(checkpoint), parameters)


def _load_fastest(checkpoint: Path, parameters: InferenceParameters) -> NetworkBackend:
    """Take engines if there are any, else PyTorch, which is ready for every size."""
    on_gpu = choose_device(parameters.device).type == 'cuda'
    cache = _cache(parameters)
    if cache.is_empty and not parameters.allow_engine_build:
        return _load_torch(checkpoint, parameters)  # without reading the whole file for its hash
    try:
        runtime = load_runtime('tensorrt' if on_gpu else ONNX, parameters)
    except ModelError as error:
        LOGGER.info('%s', error)
        return _load_torch(checkpoint, parameters)
    weights = describe_weights(checkpoint, cache)
    if not parameters.allow_engine_build and not _engines(cache, weights, runtime):
        return _load_torch(checkpoint, parameters)
    return EngineBackend(
        runtime,
        cache,
        weights,
        build=_builder(runtime, cache, weights, parameters),
        otherwise=lambda: _load_torch(checkpoint, parameters),
    )


def _cache(parameters: InferenceParameters) -> EngineCache:
    return EngineCache(parameters.engine_folder)


def _engines(cache: EngineCache, weights: Weights, runtime: Runtime) -> list[Engine]:
    """Engines of these weights that this machine can run, whatever their size."""
    wanted = (runtime.name, runtime.precision, runtime.version, runtime.gpu)
    return [
        engine
        for engine in cache.of_weights(weights.sha256)
        if (engine.key.runtime, engine.key.precision, engine.key.version, engine.key.gpu) == wanted
    ]


def _builder(
    runtime: Runtime, cache: EngineCache, weights: Weights, parameters: InferenceParameters
) -> Callable[[int, int], Engine] | None:
    if not parameters.allow_engine_build:
        return None

    def build(width: int, height: int) -> Engine:
        def report(sentence: str) -> None:
            LOGGER.info('engine for canvases of %dx%d: %s', width, height, sentence)

        return build_engine(weights, runtime, cache, width=width, height=height, report=report)

    return build
