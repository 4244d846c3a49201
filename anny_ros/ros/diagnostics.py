# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What a robot's operator reads: four statuses with the cure in their text.

Pure functions of counts; ``reports.py`` sends them. Names and hardware ids follow REP-107.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from anny_ros.inference.gpu_memory import GpuMemory
from anny_ros.ros.cameras import CameraHealth
from anny_ros.ros.statistics import Report
from anny_ros.ros.surroundings import SourceReport
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

_OK, _WARN, _ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_SILENT_SECONDS = 2.0


@dataclass(frozen=True)
class InputState:
    """
    What there is to know about the input besides the report.

    Parameters
    ----------
    enabled : bool
        False while ``~/enable`` has switched the node off.
    topic : str
        Resolved topic of the pictures.
    publisher_types : tuple of str
        Types that are published on it, as ``sensor_msgs/msg/Image``.
    wanted_type : str
    seconds_since_picture : float or None
        None before the first one.
    received, dropped : int
    camera : CameraHealth

    """

    enabled: bool
    topic: str
    publisher_types: tuple[str, ...]
    wanted_type: str
    seconds_since_picture: float | None
    received: int
    dropped: int
    camera: CameraHealth


def input_status(node: str, state: InputState, report: Report) -> DiagnosticStatus:
    """Say whether good pictures arrive."""
    level, message = _input_level(state, report)
    values = {
        'topic': state.topic,
        'received': state.received,
        'processed': report.processed,
        'dropped (replaced by a newer one)': state.dropped,
        'rejected': report.rejected,
        'newest fault': report.fault,
        'camera': report.camera_source,
        'camera_info received': state.camera.received,
        'camera_info ignored': state.camera.ignored,
    }
    if state.seconds_since_picture is not None:
        values['age of newest picture [s]'] = f'{state.seconds_since_picture:.2f}'
    return _status(f'{node}: Input', level, message, report.frame_id, values)


def inference_status(
    node: str, model: str, backend: str, device: str, report: Report, gpu: GpuMemory | None
) -> DiagnosticStatus:
    """Say whether the model works, how fast, and what it takes of the GPU (None: it uses none)."""
    level, message = _OK, f'{report.rate:.1f} Hz'
    if report.new_failed:
        level = _ERROR
        message = f'work on pictures fails: {report.failure}'
    elif report.new_rejected_people:
        level = _WARN
        message = (
            'people are left out because the model gives numbers that are not finite: set '
            'inference.dtype to float32'
        )
    elif report.rate != report.rate:  # NaN
        message = 'no picture to work on'
    values: dict[str, object] = {
        'model': model,
        'backend': backend,
        'rate [Hz]': f'{report.rate:.2f}',
        'failed': report.failed,
        'people left out (numbers not finite)': report.rejected_people,
        'age of results, mean [ms]': f'{report.age_mean_ms:.1f}',
        'age of results, max [ms]': f'{report.age_max_ms:.1f}',
    }
    if gpu is None:
        values['GPU memory'] = 'none'
    else:
        for field, taken in asdict(gpu).items():
            values[f'GPU memory, {field} [MiB]'] = taken >> 20
    for stage, spent in report.stage_mean_ms.items():
        values[f'{stage}, mean [ms]'] = f'{spent:.2f}'
        values[f'{stage}, max [ms]'] = f'{report.stage_max_ms[stage]:.2f}'
    return _status(f'{node}: Inference', level, message, device, values)


def tracking_status(node: str, report: Report) -> DiagnosticStatus:
    """Say who is being tracked."""
    level, message = _OK, f'{sum(report.people.values())} people'
    if report.stamp_stands_still:
        level = _WARN
        message = (
            'the stamp of the pictures stands still, so nothing can be tracked: let the camera '
            'driver fill in header.stamp'
        )
    values = {**report.people, 'jumps of time': report.resets}
    return _status(f'{node}: Tracking', level, message, report.frame_id, values)


def surroundings_status(
    node: str, sources: Sequence[SourceReport], frame_id: str
) -> DiagnosticStatus:
    """Say which other sensors help, and what is wrong with them."""
    faults = [one.fault for one in sources if one.fault]
    values = {}
    for one in sources:
        values[f'{one.name}, pictures with it'] = one.used
        values[f'{one.name}, pictures without it'] = one.missed
    if faults:
        return _status(f'{node}: Surroundings', _WARN, '; '.join(faults), frame_id, values)
    message = ', '.join(one.name for one in sources) or 'the camera alone'
    return _status(f'{node}: Surroundings', _OK, message, frame_id, values)


def _input_level(state: InputState, report: Report) -> tuple[bytes, str]:
    if not state.enabled:
        return _OK, 'switched off by ~/enable'
    silent = state.seconds_since_picture
    if silent is None or silent > _SILENT_SECONDS:
        return _no_pictures(state)
    if report.new_rejected:
        return _ERROR, report.fault
    if state.camera.fault:
        return _WARN, state.camera.fault
    if report.camera_source == 'estimated':
        return _WARN, (
            'distances rest on a guessed focal length: publish camera_info or set camera.k'
        )
    if state.camera.distorted:
        return _WARN, 'pictures are not rectified: use image_proc and remap image to image_rect'
    return _OK, 'pictures arrive'


def _no_pictures(state: InputState) -> tuple[bytes, str]:
    topic, met = state.topic, state.publisher_types
    if not met:
        return _WARN, f'nobody publishes {topic}: start the camera or remap image'
    if state.wanted_type not in met:
        other = 'compressed' if 'CompressedImage' in met[0] else 'raw'
        return _ERROR, (
            f'{topic} has {met[0]}, not {state.wanted_type}: set input.transport to {other}'
        )
    return _ERROR, (
        f'{topic} has a publisher but no picture arrives: large pictures get lost in Fast DDS, '
        'start the camera driver with FASTDDS_DEFAULT_PROFILES_FILE set to '
        'config/fastdds_profile.xml of this package'
    )


def _status(
    name: str, level: bytes, message: str, hardware: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(
        name=name, level=level, message=message, hardware_id=hardware, values=pairs
    )
