# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What an engine is for: everything that it depends on, its file's name, how to build it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
import re
import shlex

ONNX, TENSORRT = 'onnx', 'tensorrt'
SUFFIXES = {ONNX: '.onnx', TENSORRT: '.engine'}
# Part of the name of everything that is made from a graph; raise it when graphs change.
GRAPH_VERSION = 1
_SHOWN = 24  # characters of a hash or name in a message


@dataclass(frozen=True)
class EngineKey:
    """
    What an engine is for.

    Parameters
    ----------
    model : str
        Of the network, for instance 'multihmr2'.
    weights : str
        SHA-256 of the file of weights, hexadecimal.
    width, height : int, pixels
        Of the canvas.
    precision : str
        Of the backbone, 'float32' or 'float16'.
    runtime : str
        'onnx' or 'tensorrt'.
    version, gpu : str
        Of TensorRT; empty for ONNX Runtime, which runs graphs of all versions.
    graph_version : int
        Of the exporter.

    """

    model: str
    weights: str
    width: int
    height: int
    precision: str
    runtime: str
    version: str = ''
    gpu: str = ''
    graph_version: int = GRAPH_VERSION

    @property
    def file_name(self) -> str:
        """Name of the engine's file."""
        parts = [
            self.model,
            self.weights[:12],
            f'{self.width}x{self.height}',
            self.precision,
            self.runtime + self.version,
            self.gpu,
            f'graph{self.graph_version}',
        ]
        plain = (re.sub(r'[^A-Za-z0-9.]+', '_', part).strip('_') for part in parts if part)
        return '-'.join(plain) + SUFFIXES[self.runtime]

    def differences(self, other: EngineKey) -> list[str]:
        """Say in words where another key differs."""
        words = {'version': 'TensorRT', 'graph_version': 'graph version'}
        found = []
        for name, ours in asdict(self).items():
            theirs = getattr(other, name)
            if theirs != ours:
                shown = f'{str(theirs)[:_SHOWN]} instead of {str(ours)[:_SHOWN]}'
                found.append(f'{words.get(name, name)} {shown}')
        return found


@dataclass(frozen=True)
class Weights:
    """
    A file of weights, as far as engines need to know it.

    Parameters
    ----------
    path : Path
    sha256 : str
        Hexadecimal.
    model : str
        Of the network, for instance 'multihmr2'.
    image_size, multiple : int, pixels
        See ``NetworkBackend``.

    """

    path: Path
    sha256: str
    model: str
    image_size: int
    multiple: int


def build_command(checkpoint: Path, runtime: str, precision: str, size: str, folder: str) -> str:
    """
    Return the command that makes an engine.

    Parameters
    ----------
    checkpoint : Path
    runtime, precision : str
        As in ``EngineKey``.
    size : str
        WxH of a picture or of its canvas, which has a canvas of the same size.
    folder : str
        As set in ``inference.engine_folder``.

    """
    words = ['anny-ros', 'build-engine', '--checkpoint', str(checkpoint)]
    words += ['--backend', runtime, '--size', size]
    if runtime == TENSORRT and precision == 'float32':
        words += ['--precision', 'fp32']
    if folder:
        words += ['--output', folder]
    return shlex.join(words)
