# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The single-shot network as a plan of TensorRT 10 or newer.

Networks are strongly typed: every tensor has the type that it has in the graph, so that the
backbone runs in half precision and everything after it in float32, as in PyTorch. TensorRT may
not choose a precision of its own, and TF32, which it would use for float32, is off.
"""

from __future__ import annotations

from collections.abc import Callable
import importlib
from pathlib import Path
from typing import Any, Protocol

from anny_ros.errors import ModelError
from anny_ros.inference.engine_key import TENSORRT
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray

_OLDEST = 10


class Memory(Protocol):
    """What a plan needs of ``DeviceMemory``."""

    @property
    def stream(self) -> int:
        """Handle of the stream to run on."""
        ...

    def allocate(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> int:
        """Make a tensor; its address."""
        ...

    def upload(self, name: str, array: NDArray[Any]) -> None:
        """Begin to copy an array into a tensor."""
        ...

    def download(self, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Wait, and copy tensors to arrays."""
        ...


class TensorRt:
    """
    A ``Runtime`` that compiles graphs for one GPU.

    Parameters
    ----------
    module : module
        ``tensorrt``.
    gpu : str
        Name of the GPU.
    memory : callable
        Makes the memory of one plan.
    precision : str
        Of the backbone: 'float16' or 'float32'.

    Raises
    ------
    ModelError
        If the module is too old.

    """

    name = TENSORRT
    device = 'cuda'
    tolerance = 1e-3

    def __init__(
        self, module: Any, gpu: str, memory: Callable[[], Memory], precision: str = 'float16'
    ) -> None:
        self.version = str(module.__version__)
        if int(self.version.partition('.')[0]) < _OLDEST:
            raise ModelError(
                f'TensorRT {self.version} is too old; install {_OLDEST} or newer (JetPack 6.1 '
                'brings 10.3), or set inference.backend to torch'
            )
        self.gpu = gpu
        self.precision = precision
        self._module = module
        self._memory = memory
        self._log = _make_log(module)

    @staticmethod
    def load(precision: str = 'float16') -> TensorRt:
        """Take what this machine has; ModelError names what is missing."""
        try:
            module = importlib.import_module('tensorrt')
        except (ImportError, OSError) as error:  # OSError: a library that it needs is missing
            raise ModelError(
                f'TensorRT cannot be loaded ({_first_line(error)}); on a Jetson it comes with '
                'JetPack, elsewhere pip install tensorrt, or set inference.backend to torch'
            ) from error
        import torch

        if not torch.cuda.is_available():
            raise ModelError(
                'TensorRT needs a GPU that torch sees too; install a torch with CUDA, or set '
                'inference.backend to torch'
            )
        from anny_ros.inference.backends.device_memory import DeviceMemory

        return TensorRt(module, torch.cuda.get_device_name(), DeviceMemory, precision)

    def make(self, graph: Path, engine: Path, report: Callable[[str], None]) -> None:
        """Compile a graph; see ``Runtime``."""
        trt = self._module
        builder = trt.Builder(self._log)
        # Ignored since TensorRT 11, where all networks are.
        strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(strongly_typed)
        parser = trt.OnnxParser(network, self._log)
        if not parser.parse_from_file(str(graph)):
            reason = parser.get_error(0).desc() if parser.num_errors else self._log.last_error
            raise ModelError(
                f'TensorRT {self.version} cannot read the graph ({reason}); update TensorRT, or '
                'set inference.backend to torch'
            )
        config = builder.create_builder_config()
        config.clear_flag(trt.BuilderFlag.TF32)
        monitor = _make_monitor(trt, report)
        config.progress_monitor = monitor
        plan = builder.build_serialized_network(network, config)
        if monitor.interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise ModelError(
                f'TensorRT {self.version} cannot build the engine ({self._log.last_error}); close '
                'other programs that use the GPU, or set inference.backend to torch'
            )
        with engine.open('wb') as file:
            file.write(plan)

    def open(self, path: Path) -> TensorRtProgram:
        """Load a plan; see ``Runtime``."""
        runtime = self._module.Runtime(self._log)
        engine = runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise ModelError(
                f'{path} cannot be loaded by TensorRT {self.version} on {self.gpu} '
                f'({self._log.last_error})'
            )
        return TensorRtProgram(self._module, runtime, engine, self._memory(), self._log)


class TensorRtProgram:
    """
    A plan, ready to run; see ``Program``.

    Parameters
    ----------
    module : module
        ``tensorrt``.
    runtime, engine : objects of TensorRT
        The engine needs the runtime for as long as it lives.
    memory : Memory
    log : object of ``_make_log``

    Raises
    ------
    ModelError
        If the GPU has too little memory.

    """

    def __init__(self, module: Any, runtime: Any, engine: Any, memory: Memory, log: Any) -> None:
        self._runtime, self._engine, self._memory, self._log = runtime, engine, memory, log
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError(
                f'the GPU has too little memory for the engine ({log.last_error}); close other '
                'programs that use it'
            )
        inputs: list[tuple[str, tuple[int, ...]]] = []
        outputs: list[str] = []
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            shape = tuple(engine.get_tensor_shape(name))
            dtype = module.nptype(engine.get_tensor_dtype(name))
            if engine.get_tensor_mode(name) == module.TensorIOMode.INPUT:
                inputs.append((name, shape))
            else:
                outputs.append(name)
            self._context.set_tensor_address(name, memory.allocate(name, shape, dtype))
        self._input, self.input_shape = inputs[0] if len(inputs) == 1 else ('', ())
        self.outputs = tuple(outputs)

    def __call__(self, canvas: NDArray[np.uint8]) -> dict[str, FloatArray]:
        """Run; see ``Program``."""
        self._memory.upload(self._input, canvas)
        if not self._context.execute_async_v3(self._memory.stream):
            raise ModelError(
                f'TensorRT failed on a picture ({self._log.last_error}); if it happens again, '
                'restart the node'
            )
        return self._memory.download(self.outputs)


def _make_log(trt: Any) -> Any:
    """Make a logger of TensorRT that keeps the last error for our messages."""

    class Log(trt.ILogger):  # type: ignore[misc]  # known at run time only
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last_error = 'it does not say why'

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.last_error = ' '.join(message.split())

    return Log()


def _make_monitor(trt: Any, report: Callable[[str], None]) -> Any:
    """Make a listener to a build; an exception must not cross TensorRT, so Ctrl-C is kept."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.interrupted = False
            self._steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, num_steps: int) -> None:
            if parent is None:
                self._steps[phase] = num_steps

        def phase_finish(self, phase: str) -> None:
            self._steps.pop(phase, None)

        def step_complete(self, phase: str, step: int) -> bool:
            try:
                if phase in self._steps:
                    report(f'{phase.lower()}: {step + 1} of {self._steps[phase]}')
            except KeyboardInterrupt:
                self.interrupted = True
            return not self.interrupted

    return Monitor()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
