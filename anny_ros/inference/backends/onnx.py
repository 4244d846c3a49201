# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The single-shot network's graph on ONNX Runtime, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.inference.engine_key import ONNX
from anny_ros.types import FloatArray
import numpy as np
from numpy.typing import NDArray
import onnxruntime


class OnnxRuntime:
    """
    A ``Runtime`` whose engines are the graphs themselves.

    Parameters
    ----------
    threads : int
        CPU threads; 0 takes all cores.

    """

    name = ONNX
    device = 'cpu'
    precision = 'float32'
    version = ''
    gpu = ''
    tolerance = 1e-4

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads

    def make(self, graph: Path, engine: Path, report: Callable[[str], None]) -> None:
        """Rename the graph."""
        graph.replace(engine)

    def open(self, path: Path) -> OnnxProgram:
        """Make a session; ModelError if the file is no graph."""
        return OnnxProgram(path, self._threads)


class OnnxProgram:
    """
    A session of ONNX Runtime; see ``Program``.

    Parameters
    ----------
    path : Path
    threads : int

    Raises
    ------
    ModelError
        If the file cannot be loaded.

    """

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning threads steal the cores of the other nodes of a robot.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:
            raise ModelError(f'{path} cannot be loaded by ONNX Runtime') from error
        inputs = self._session.get_inputs()
        self._input = inputs[0].name
        self.input_shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    def __call__(self, canvas: NDArray[np.uint8]) -> dict[str, FloatArray]:
        """Run; see ``Program``."""
        arrays = self._session.run(None, {self._input: canvas})
        return dict(zip(self.outputs, arrays, strict=True))
