# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The single-shot network: one forward pass, and what more people cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import time
from typing import Any

from anny_ros.cli.benchmarks.report import Report
import numpy as np

KEYS = ('forward', 'people_scaling')

_SHAPES = {'multihmr2': (432, 768), 'tiny': (96, 160)}
# Floating point operations of one pass over 768x432.
_GFLOP = {'multihmr2': 993.0}
_REPEATS = {'multihmr2': 3, 'tiny': 30}
_GPU_REPEATS = 30
_MANY = (1, 10, 40)


def measure(report: Report, full: bool) -> None:
    """
    Fill in ``KEYS``.

    Parameters
    ----------
    report : Report
    full : bool
        Measure the full-size network on a CPU too (it needs 2 GB and several seconds a pass);
        on a GPU it is always measured.

    """
    import torch

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    presets = ['tiny'] + ['multihmr2'] * (full or device == 'cuda')
    passes = []
    for preset in presets:
        network = _network(preset, device)
        passes += _forward(network, preset, device)
        report.results['people_scaling'] = _scaling(network, preset, device)
    report.results['forward'] = passes
    if 'multihmr2' not in presets:
        report.reasons['forward: multihmr2'] = 'on a CPU only with --full'


@dataclass(frozen=True)
class _Way:
    mode: str
    dtype: Any
    run: Callable[[], object]


def _network(preset: str, device: str) -> Any:
    """Random weights: the time does not depend on them."""
    from anny_ros.model.checkpoint import build_network
    from anny_ros.model.presets import PRESETS
    import torch

    torch.manual_seed(0)
    return build_network(PRESETS[preset]).to(device).requires_grad_(False).eval()


def _forward(network: Any, preset: str, device: str) -> list[dict[str, Any]]:
    """Time one pass in each arithmetic."""
    import torch

    height, width = _SHAPES[preset]
    pixels = torch.zeros(1, 3, height, width, device=device)
    dtypes = [torch.float32] + [torch.float16, torch.bfloat16] * (device == 'cuda')
    rows: list[dict[str, Any]] = []
    eager = None
    for dtype in dtypes:
        network.set_backbone_dtype(dtype)
        took = _time_pass(lambda: network(pixels), device, preset)
        eager = eager or took
        gflop = _GFLOP.get(preset)
        share = None
        if gflop and device == 'cuda':
            share = round(gflop / took / _limit(dtype), 3)
        rows.append(
            {
                'preset': preset,
                'device': device,
                'mode': 'eager',
                'dtype': str(dtype).removeprefix('torch.'),
                'shape': [height, width],
                'ms_p50': round(took, 2),
                'ratio_to_eager_float32': round(eager / took, 2),
                'share_of_limit': share,
            }
        )
    network.set_backbone_dtype(torch.float32)
    return rows


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


def _limit(dtype: Any) -> float:
    """Find what the card reaches in a large matrix product, in GFLOP a millisecond."""
    import torch

    size = 8192
    a = torch.zeros(size, size, device='cuda', dtype=dtype)
    took = _time_pass(lambda: a @ a, 'cuda', 'tiny')
    return 2e-9 * size**3 / took


def _scaling(network: Any, preset: str, device: str) -> dict[str, Any]:
    """Time from picture to people when the network finds 1, 10 or 40 of them."""
    from anny_ros.inference.backends.torch import TorchBackend
    from anny_ros.inference.single_shot import SingleShotEstimator
    from anny_ros.parameters import InferenceParameters, Parameters
    from anny_ros.types import Frame

    backend = TorchBackend(network, InferenceParameters(device=device, dtype='float32'))
    height, width = _SHAPES[preset]
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
