# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The single-shot network as engines from the cache, one for each size of canvas."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
import logging
from pathlib import Path
from typing import Protocol

from anny_ros.errors import ModelError
from anny_ros.inference.backends import NetworkBackend, RawPeople
from anny_ros.inference.engine_key import build_command, EngineKey, Weights
from anny_ros.inference.engines import Engine, EngineCache
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

LOGGER = logging.getLogger(__name__)

# Opened engines; each holds all weights. Pictures and enlarged regions need one or two.
MOST_OPENED = 2
_FIELDS = tuple(RawPeople.__dataclass_fields__)
_Size = tuple[int, int]  # width, height


class Program(Protocol):
    """
    An opened engine.

    Attributes
    ----------
    input_shape : tuple of int
        (1, height, width, 3).
    outputs : tuple of str
        Fields of ``RawPeople``.

    """

    input_shape: tuple[int, ...]
    outputs: tuple[str, ...]

    def __call__(self, canvas: NDArray[np.uint8]) -> dict[str, FloatArray]:
        """Map a canvas of ``input_shape`` to the outputs, each (1, ...), float32."""
        ...


class Runtime(Protocol):
    """
    What makes engines and opens them.

    Attributes
    ----------
    name : str
        'onnx' or 'tensorrt'.
    device : str
        Of PyTorch, where networks are exported and compared: 'cpu' or 'cuda'.
    precision : str
        Of the backbone: 'float32' or 'float16'.
    version, gpu : str
        What engines depend on besides; may be empty.
    tolerance : float
        Largest difference from PyTorch in the same precision, as ``parity.differences`` counts.

    """

    name: str
    device: str
    precision: str
    version: str
    gpu: str
    tolerance: float

    def make(self, graph: Path, engine: Path, report: Callable[[str], None]) -> None:
        """Turn an ONNX graph into the file of an engine; ModelError if that is not possible."""
        ...

    def open(self, path: Path) -> Program:
        """Open the file of an engine; ModelError if it does not fit this machine."""
        ...


def engine_key(weights: Weights, runtime: Runtime, width: int, height: int) -> EngineKey:
    """Key of the engine of a runtime for canvases of a size."""
    return EngineKey(
        model=weights.model,
        weights=weights.sha256,
        width=width,
        height=height,
        precision=runtime.precision,
        runtime=runtime.name,
        version=runtime.version,
        gpu=runtime.gpu,
    )


def open_engine(runtime: Runtime, path: Path, width: int, height: int) -> Program:
    """Open the file of an engine and check what goes in and out; ModelError if it is another."""
    program = runtime.open(path)
    if program.input_shape != (1, height, width, 3):
        shape = 'x'.join(map(str, program.input_shape))
        raise ModelError(f'{path} takes {shape} instead of 1x{height}x{width}x3')
    if not {'confidence', 'pose'} <= set(program.outputs) <= set(_FIELDS):
        raise ModelError(f'{path} is another network: it gives {", ".join(program.outputs)}')
    return program


class EngineBackend:
    """
    Run engines.

    Parameters
    ----------
    runtime : Runtime
    cache : EngineCache
    weights : Weights
    build : callable or None
        Makes an engine for a canvas's width and height that is missing; None refuses.
    otherwise : callable or None
        Gives the backend for canvases that there is no engine for; None refuses.

    """

    def __init__(
        self,
        runtime: Runtime,
        cache: EngineCache,
        weights: Weights,
        *,
        build: Callable[[int, int], Engine] | None = None,
        otherwise: Callable[[], NetworkBackend] | None = None,
    ) -> None:
        self.name = runtime.name
        self.model = weights.model
        self.image_size = weights.image_size
        self.multiple = weights.multiple
        self._runtime = runtime
        self._cache = cache
        self._weights = weights
        self._build = build
        self._otherwise = otherwise
        self._substitute: NetworkBackend | None = None
        self._programs: OrderedDict[_Size, Program] = OrderedDict()
        self._refused: dict[_Size, tuple[int, ModelError]] = {}

    def __call__(self, canvases: NDArray[np.uint8]) -> list[RawPeople]:
        """Run on canvases (B, H, W, 3), uint8; see ``NetworkBackend``."""
        height, width = canvases.shape[1:3]
        try:
            program = self._program((width, height))
        except ModelError as error:
            return self._substitute_for(error)(canvases)
        return [_raw_people(program(canvas[None])) for canvas in canvases]

    def _program(self, size: _Size) -> Program:
        """Find the opened engine for a size, or open it."""
        if size not in self._programs:
            path = self._cache.path(engine_key(self._weights, self._runtime, *size))
            stamp = path.stat().st_mtime_ns if path.exists() else 0
            if size in self._refused and self._refused[size][0] == stamp:
                raise self._refused[size][1]  # do not read a large file for every picture
            try:
                self._programs[size] = self._open(size)
            except ModelError as error:
                self._refused[size] = stamp, error
                raise
            if len(self._programs) > MOST_OPENED:
                (w, h), _ = self._programs.popitem(last=False)
                LOGGER.warning(
                    'the engine for canvases of %dx%d was closed: pictures have more than %d '
                    'sizes, and opening takes time',
                    w,
                    h,
                    MOST_OPENED,
                )
        self._programs.move_to_end(size)
        return self._programs[size]

    def _open(self, size: _Size) -> Program:
        key = engine_key(self._weights, self._runtime, *size)
        try:
            engine = self._cache.find(key)
            if engine is not None:
                program = open_engine(self._runtime, engine.path, *size)
                LOGGER.info('opened %s', engine.path)
                return program
            problem = self._missing(key)
        except ModelError as error:
            problem = f'{error}; build it anew'
        if self._build is None:
            raise ModelError(f'{problem}: {self._command("{}x{}".format(*size))}')
        LOGGER.warning('building an engine, which takes minutes: %s', problem)
        return open_engine(self._runtime, self._build(*size).path, *size)

    def _missing(self, key: EngineKey) -> str:
        """Say that there is none, and what there is instead."""
        problem = (
            f'there is no {key.runtime} engine of {self._weights.path.name} for canvases of '
            f'{key.width}x{key.height} in {self._cache.folder}'
        )
        for engine in self._cache.of_weights(key.weights):
            near = (engine.key.runtime, engine.key.width, engine.key.height)
            if near == (key.runtime, key.width, key.height):
                problem += f' ({engine.path.name}: {"; ".join(key.differences(engine.key))})'
        return f'{problem}; build it'

    def _command(self, size: str) -> str:
        runtime, cache = self._runtime, self._cache
        folder = '' if cache.is_default else str(cache.folder)
        return build_command(self._weights.path, runtime.name, runtime.precision, size, folder)

    def _substitute_for(self, error: ModelError) -> NetworkBackend:
        if self._otherwise is None:
            raise error
        if self._substitute is None:
            self._substitute = self._otherwise()
            LOGGER.warning('running on %s: %s', self._substitute.name, error)
        return self._substitute


def _raw_people(outputs: dict[str, FloatArray]) -> RawPeople:
    """Take off the leading axis; fields that are left out have no width."""
    nothing = np.zeros((len(outputs['confidence'][0]), 0), np.float32)
    hfov, *rows = (outputs[name][0] if name in outputs else nothing for name in _FIELDS)
    return RawPeople(float(hfov), *rows)
