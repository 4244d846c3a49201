# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Figures, and the reason for each that there is not."""

from __future__ import annotations

from dataclasses import dataclass, field
import os
import platform
from typing import Any

KEYS = (
    'markers_bytes_over_points',
    'mesh_decode_over_list',
    'skinning_over_official_n1',
    'skinning_over_official_n8',
    'skinning_over_reference_n1',
    'skinning_over_reference_n8',
    'skinning_max_error_m',
    'node_overhead_ms',
    'overload',
    'track_fps',
    'forward',
    'people_scaling',
)
_PACKAGES = ('anny', 'anny-ros', 'numpy', 'onnxruntime', 'opencv-python-headless', 'torch')


class CannotMeasure(Exception):  # noqa: N818 - not an error of anybody
    """Why something cannot be measured here, in a sentence."""


@dataclass
class Report:
    """
    The object that ``--json`` writes.

    Parameters
    ----------
    results : dict
        Every key of ``KEYS``, and some details; None where nothing could be measured.
    reasons : dict of str to str
        Why, for each that is None.

    """

    results: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(KEYS))
    reasons: dict[str, str] = field(default_factory=dict)

    def missing(self, keys: tuple[str, ...], reason: str) -> None:
        """Say why figures are not there."""
        for key in keys:
            self.results[key] = None
            self.reasons[key] = reason

    def as_object(self) -> dict[str, Any]:
        """Everything, ready for JSON; no figure is left out."""
        for key, value in self.results.items():
            if value is None:
                self.reasons.setdefault(key, 'it was not asked for')
        return {
            'machine': machine(),
            'versions': versions(),
            'results': self.results,
            'reasons': self.reasons,
        }


def machine() -> dict[str, Any]:
    """Describe what this ran on."""
    found: dict[str, Any] = {
        'cpu': _cpu_model(),
        'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1,
        'architecture': platform.machine(),
        'system': platform.platform(),
        'load': round(os.getloadavg()[0], 2),
        'gpu': None,
    }
    try:
        import torch

        if torch.cuda.is_available():
            found['gpu'] = torch.cuda.get_device_name(0)
    except ImportError:
        pass
    return found


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    from anny_ros import __version__
    from anny_ros.cli.checks import version_of

    found = {'python': platform.python_version(), 'anny_ros': __version__}
    for package in _PACKAGES:
        version = version_of(package)
        if version != '?' and package != 'anny-ros':
            found[package] = version
    found['rclpy'] = version_of('rclpy')
    return found


def _cpu_model() -> str:
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as file:  # noqa: PTH123
            for line in file:
                if line.lower().startswith(('model name', 'cpu model')):
                    return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or 'unknown'
