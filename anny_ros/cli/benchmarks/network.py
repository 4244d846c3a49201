# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The single-shot network: a forward pass in every way there is, and what more people cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import tempfile
import time
from typing import Any

from anny_ros.cli.benchmarks.report import Report
from anny_ros.cli.benchmarks.timing import side_by_side
from anny_ros.errors import ModelError
import numpy as np

KEYS = ('forward', 'people_scaling')

# Canvases, rows and columns: of 16:9 and of 4:3 pictures.
_SHAPES = {'multihmr2': ((432, 768), (576, 768)), 'tiny': ((96, 160), (128, 160))}
# Floating point operations of one pass, where they are known.
_GFLOP = {('multihmr2', (432, 768)): 993.0}
_REPEATS = {'multihmr2': 3, 'tiny': 30}
_GPU_REPEATS = 30
_MANY = (0, 1, 10, 40)


def measure(report: Report, full: bool) -> None:
    """
    Fill in ``KEYS``.

    Every way goes from the 8-bit canvas to arrays of the host, so that copies count.

    Parameters
    ----------
    report : Report
    full : bool
        Measure the full-size network on a CPU too (it needs 4 GB and several seconds a pass);
        on a GPU it is always measured.

    """
    import torch

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    presets = ['tiny'] + ['multihmr2'] * (full or device == 'cuda')
    passes = []
    for preset in presets:
        for shape in _SHAPES[preset]:
            passes += _forward(report, preset, shape, device)
        report.results['people_scaling'] = _scaling(preset, device)
    report.results['forward'] = passes
    if 'multihmr2' not in presets:
        report.reasons['forward: multihmr2'] = 'on a CPU only with --full'
    if device == 'cpu':
        report.reasons['forward: compiled, recorded, half precision'] = 'there is no GPU'


@dataclass(frozen=True)
class _Way:
    mode: str
    dtype: str
    run: Callable[[], object]


def _network(preset: str, device: str) -> Any:
    """Random weights: the time does not depend on them."""
    from anny_ros.model.checkpoint import build_network
    from anny_ros.model.presets import PRESETS
    import torch

    torch.manual_seed(0)
    return build_network(PRESETS[preset]).to(device).requires_grad_(False).eval()


def _forward(
    report: Report, preset: str, shape: tuple[int, int], device: str
) -> list[dict[str, Any]]:
    """Time one pass in each way; the first is the reference's: eager, float32, nothing folded."""
    rows: list[dict[str, Any]] = []
    eager = 0.0
    for way, took in _times(_ways(report, preset, shape, device), preset, device):
        eager = eager or took
        gflop = _GFLOP.get((preset, shape))
        share = None
        if gflop and device == 'cuda':
            share = round(gflop / took / _limit(way.dtype), 3)
        rows.append(
            {
                'preset': preset,
                'device': device,
                'mode': way.mode,
                'dtype': way.dtype,
                'shape': list(shape),
                'ms_p50': round(took, 2),
                'ratio_to_eager_float32': round(eager / took, 2),
                'share_of_limit': share,
            }
        )
    return rows


def _times(ways: Iterator[_Way], preset: str, device: str) -> Iterator[tuple[_Way, float]]:
    """Milliseconds of each way: in turns on a CPU, which does other things meanwhile."""
    import torch

    if device == 'cuda':
        yield from ((way, _time_pass(way.run, device, preset)) for way in ways)
        return
    every = list(ways)
    with torch.inference_mode():
        rounds = _REPEATS[preset]
        took = side_by_side(*(way.run for way in every), seconds=0.0, least_rounds=rounds)
    yield from zip(every, took, strict=True)


def _ways(report: Report, preset: str, shape: tuple[int, int], device: str) -> Iterator[_Way]:
    """One after another, so that a GPU need not hold all at a time."""
    from anny_ros.inference.backends.torch import compile_forward, TorchBackend
    from anny_ros.parameters import InferenceParameters

    canvas = np.zeros((1, *shape, 3), np.uint8)
    halves = ('float16', 'bfloat16') if device == 'cuda' else ()
    network = _network(preset, device)
    for dtype in ('float32', *halves):
        yield _Way('eager', dtype, _eager(network, dtype, canvas, lambda forward: forward))
    for dtype in halves:
        yield _Way('compiled', dtype, _eager(network, dtype, canvas, compile_forward))
    del network
    name = 'folded' if device == 'cpu' else 'compiled and recorded'
    for dtype in ('float32', *halves):
        backend = TorchBackend(
            _network(preset, device), InferenceParameters(device=device, dtype=dtype)
        )
        yield _Way(name, dtype, partial(backend, canvas))
    del backend
    if device == 'cpu':
        with tempfile.TemporaryDirectory() as folder:
            try:
                program = _onnx(preset, shape, Path(folder))
            except ModelError as error:
                report.reasons[f'forward: onnx, {preset}'] = ' '.join(str(error).split())
            else:
                yield _Way('onnx', 'float32', partial(program, canvas))


def _eager(
    network: Any, dtype: str, canvas: Any, make: Callable[..., Any]
) -> Callable[[], object]:
    """Canvas to host through a network as it is, its backbone in some precision."""
    from anny_ros.model.network import normalise
    import torch

    network.set_backbone_dtype(getattr(torch, dtype))
    device = next(network.parameters()).device
    forward = make(lambda pictures: tuple(network(normalise(pictures))))

    def run() -> object:
        return [out.float().cpu() for out in forward(torch.from_numpy(canvas).to(device))]

    return run


def _onnx(preset: str, shape: tuple[int, int], folder: Path) -> Any:
    """Export the folded network and open it in ONNX Runtime."""
    from anny_ros.inference.backends.onnx import OnnxProgram
    from anny_ros.inference.export import export_onnx
    import torch

    height, width = shape
    path = folder / 'network.onnx'
    export_onnx(_network(preset, 'cpu').fuse(), width=width, height=height, path=path)
    return OnnxProgram(path, torch.get_num_threads())


def _time_pass(run: Callable[[], object], device: str, preset: str) -> float:
    """Median milliseconds of a pass."""
    import torch

    repeats = _GPU_REPEATS if device == 'cuda' else _REPEATS[preset]
    taken = []
    with torch.inference_mode():
        for index in range(repeats + 2):
            start = time.perf_counter()
            run()
            if device == 'cuda':
                torch.cuda.synchronize()
            if index >= 2 or (repeats <= 3 and index):
                taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken))


def _limit(dtype: str) -> float:
    """Find what the card reaches in a large matrix product, in GFLOP a millisecond."""
    import torch

    size = 8192
    a = torch.zeros(size, size, device='cuda', dtype=getattr(torch, dtype))
    took = _time_pass(lambda: a @ a, 'cuda', 'tiny')
    return 2e-9 * size**3 / took


def _scaling(preset: str, device: str) -> dict[str, Any]:
    """Time from picture to people when the network finds none, 1, 10 or 40 of them."""
    from anny_ros.inference.backends.torch import TorchBackend
    from anny_ros.inference.single_shot import SingleShotEstimator
    from anny_ros.parameters import InferenceParameters, Parameters
    from anny_ros.types import Frame

    backend = TorchBackend(_network(preset, device), InferenceParameters(device=device))
    height, width = _SHAPES[preset][0]
    frame = Frame(np.zeros((height, width, 3), np.uint8), 0.0)
    parameters = Parameters().with_values(
        {'detection.nms_distance': 0.0, 'detection.image_nms': False}
    )
    found: dict[str, Any] = {'model': preset, 'device': device}
    for count in _MANY:
        estimator = SingleShotEstimator(_Crowd(backend, count), parameters=parameters)
        assert len(estimator(frame)) == count
        found[f'n{count}'] = round(_time_pass(partial(estimator, frame), device, preset), 2)
    return found


class _Crowd:
    """A backend that does all the work of another, then says it found so many people."""

    def __init__(self, backend: Any, count: int) -> None:
        self._backend, self._count = backend, count
        self.name, self.model = backend.name, backend.model
        self.image_size, self.multiple = backend.image_size, backend.multiple

    def __call__(self, canvases: Any) -> Any:
        return [self._crowd(raw, *canvases.shape[1:3]) for raw in self._backend(canvases)]

    def _crowd(self, raw: Any, height: int, width: int) -> Any:
        from anny_ros.inference.backends import RawPeople

        rows = np.arange(self._count) % len(raw.confidence)
        spread = np.linspace(10, width - 10, self._count, dtype=np.float32)
        return RawPeople(
            hfov=1.0,
            confidence=np.full(self._count, 0.9, np.float32),
            location=np.stack([spread, np.full_like(spread, height / 2)], axis=1),
            log_pixels_per_metre=np.full(self._count, 3.0, np.float32),
            shape=raw.shape[rows],
            pose=raw.pose[rows],
            appearance=raw.appearance[rows],
        )
