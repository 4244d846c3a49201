# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Make an engine of a single-shot network for pictures of one size, on the machine that will run it.

With TensorRT: the network as a graph, compiled for this GPU. With ONNX Runtime: the graph alone.
Either is compared with PyTorch before it is installed. The node and anny-ros track take it from
there when inference.backend is auto, or the name of the runtime.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import re
import sys
import time
from typing import TYPE_CHECKING

from anny_ros.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from anny_ros.inference.backends.engine import Runtime
    from anny_ros.inference.engine_key import EngineKey, Weights
    from anny_ros.inference.engines import EngineCache

SUMMARY = 'compile your network for the GPU of this machine'

_PRECISIONS = {'fp16': 'float16', 'fp32': 'float32'}
_DEFAULT_PRECISION = {'tensorrt': 'fp16', 'onnx': 'fp32'}
_LARGEST = 1 << 14  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument(
        '--checkpoint', type=Path, required=True, metavar='FILE', help='your multihmr2.pt'
    )
    parser.add_argument(
        '--size', required=True, metavar='WxH', help="the camera's, for instance 1920x1080"
    )
    parser.add_argument(
        '--backend',
        choices=tuple(_DEFAULT_PRECISION),
        default='tensorrt',
        help='what to build for: a GPU (tensorrt, default) or a CPU (onnx)',
    )
    parser.add_argument(
        '--precision',
        choices=tuple(_PRECISIONS),
        help='of the backbone; all else is float32 (default: fp16, and fp32 for onnx)',
    )
    parser.add_argument(
        '--output',
        default='',
        metavar='DIR',
        help='where engines are kept; set inference.engine_folder to the same',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='say what would be built and where; needs no GPU'
    )


def run(arguments: argparse.Namespace) -> int:
    """Build, or say what would be built; the exit code."""
    picture = _size(arguments.size)
    precision = _PRECISIONS[arguments.precision or _DEFAULT_PRECISION[arguments.backend]]
    if arguments.backend == 'onnx' and precision != 'float32':
        raise ParameterError('graphs for a CPU are float32; leave out --precision')
    from anny_ros.inference.engines import EngineCache

    cache = EngineCache(arguments.output)
    return (_describe if arguments.dry_run else _build)(arguments, picture, precision, cache)


def _build(
    arguments: argparse.Namespace, picture: tuple[int, int], precision: str, cache: EngineCache
) -> int:
    from anny_ros.inference.engine_build import build_engine, describe_weights
    from anny_ros.inference.export import require_exporter

    require_exporter()
    runtime = _runtime(arguments.backend, precision)
    report = _Progress()
    report('reading the checkpoint')
    weights = describe_weights(arguments.checkpoint, cache)
    width, height = _canvas(picture, weights)
    engine = build_engine(weights, runtime, cache, width=width, height=height, report=report)
    name, largest = max(engine.checked.items(), key=lambda item: item[1])
    print(f'{engine.path}: {engine.path.stat().st_size / 1e6:.0f} MB')
    print(f'largest difference from PyTorch in float32: {largest:.1e} ({name})')
    folder = f' and set inference.engine_folder to {cache.folder}' if arguments.output else ''
    print(f'use it: leave inference.backend at auto{folder}')
    return 0


def _describe(
    arguments: argparse.Namespace, picture: tuple[int, int], precision: str, cache: EngineCache
) -> int:
    """Say what would be built, where, and whether it is there; builds and locks nothing."""
    from anny_ros.inference.backends.engine import engine_key
    from anny_ros.inference.engine_build import describe_weights
    from anny_ros.inference.engine_key import EngineKey
    from anny_ros.inference.export import require_exporter

    weights = describe_weights(arguments.checkpoint, cache)
    width, height = _canvas(picture, weights)
    key = EngineKey(weights.model, weights.sha256, width, height, precision, arguments.backend)
    obstacle = ''
    try:
        key = engine_key(weights, _runtime(arguments.backend, precision), width, height)
        require_exporter()
    except ModelError as error:
        obstacle = str(error)
        if arguments.backend == 'tensorrt':
            key = replace(key, version=key.version or 'VERSION', gpu=key.gpu or 'GPU')
    on = ' on '.join(part for part in (f'{key.runtime} {key.version}'.strip(), key.gpu) if part)
    print(f'checkpoint: {weights.path} ({weights.model}, sha256 {weights.sha256[:12]})')
    print(f'picture: {picture[0]}x{picture[1]}, as a canvas of {width}x{height}')
    print(f'runtime: {on}, backbone in {precision}, all else in float32')
    print(f'engine: {cache.path(key)}')
    print(f'state: {_state(cache, key)}')
    if obstacle:
        print(f'cannot be built here: {obstacle}')
    return 0


def _state(cache: EngineCache, key: EngineKey) -> str:
    try:
        engine = cache.find(key)
    except ModelError as error:
        return f'there, but not usable: {error}; would be built anew'
    return 'not there; would be built' if engine is None else 'there; nothing would be built'


def _runtime(backend: str, precision: str) -> Runtime:
    from anny_ros.inference.backends.choose import load_runtime
    from anny_ros.parameters import InferenceParameters

    return load_runtime(backend, InferenceParameters(dtype=precision))


def _size(text: str) -> tuple[int, int]:
    """Read WxH."""
    match = re.fullmatch(r'(\d{1,5})[xX](\d{1,5})', text.strip())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(0 < side <= _LARGEST for side in size):
        raise ParameterError(
            f'--size wants the width and height of a picture in pixels, got {text!r}; for '
            'instance --size 1920x1080'
        )
    return size


def _canvas(picture: tuple[int, int], weights: Weights) -> tuple[int, int]:
    from anny_ros.geometry.camera import Letterbox

    box = Letterbox.fit(*picture, weights.image_size, weights.multiple)
    return box.width, box.height


class _Progress:
    """Lines of what is going on, with the time since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, sentence: str) -> None:
        seconds = time.monotonic() - self._start
        print(f'[{seconds:4.0f} s] {sentence}', file=sys.stderr, flush=True)
