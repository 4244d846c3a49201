# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Tracks as JSON lines: a header, then a line a picture."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
import json
import math
from pathlib import Path
from typing import Any

from anny_ros.cli.writers.part_file import PartFile
from anny_ros.types import Camera, CameraSource, COCO_KEYPOINT_NAMES, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1

# Decimals that are kept: tenths of a millimetre, hundredths of a pixel.
_METRES, _PIXELS, _FRACTION = 4, 2, 4


class JsonlWriter:
    """
    Write ``tracks.jsonl``.

    Parameters
    ----------
    path : Path
        It appears when the writer is closed; what is written before lies beside it.

    Raises
    ------
    InputError
        If the path cannot be written.

    """

    def __init__(self, path: Path) -> None:
        self._target = PartFile(path)
        self._file = self._target.part.open('w', encoding='utf-8')

    def header(self, width: int, height: int, fps: float | None, model: Mapping[str, Any]) -> None:
        """Write the first line."""
        self._line(
            {
                'type': 'header',
                'version': FORMAT_VERSION,
                'image_width': width,
                'image_height': height,
                'fps': fps,
                'model': dict(model),
                'keypoint_names': list(COCO_KEYPOINT_NAMES),
            }
        )

    def scene(self, index: int, scene: Scene, took_ms: float | None = None) -> None:
        """Write the people of one picture, of every state, and how long it took."""
        line = frame_object(index, scene)
        if took_ms is not None:
            line['took_ms'] = round(took_ms, 2)
        self._line(line)

    def close(self) -> None:
        """Finish the file and put it in its place."""
        self._file.close()
        self._target.commit()

    def abort(self) -> None:
        """Throw away what was written."""
        with suppress(OSError):  # a full disk shows itself here once more
            self._file.close()
        self._target.discard()

    def _line(self, value: Mapping[str, Any]) -> None:
        text = json.dumps(value, allow_nan=False, separators=(',', ':'))
        self._file.write(text + '\n')


def frame_object(index: int, scene: Scene) -> dict[str, Any]:
    """
    Say everything about one picture.

    Parameters
    ----------
    index : int
        Of the picture, from 0.
    scene : Scene

    Returns
    -------
    dict
        Ready for JSON: what is not finite has become None.

    """
    return {
        'type': 'frame',
        'index': index,
        'stamp': _plain(scene.stamp, 6),
        'camera': _camera(scene.camera),
        'humans': [_human(scene, row) for row in range(len(scene))],
    }


def _camera(camera: Camera) -> dict[str, Any]:
    estimated = camera.source == CameraSource.ESTIMATED
    return {
        'source': 'estimated' if estimated else 'given',
        'k': _plain(camera.K.reshape(9), _METRES),
    }


def _human(scene: Scene, row: int) -> dict[str, Any]:
    humans = scene.humans
    return {
        'id': scene.ids[row],
        'track_number': int(scene.track_numbers[row]),
        'state': TrackState(scene.states[row]).name,
        'score': _plain(humans.score[row], _FRACTION),
        'bbox': _plain(humans.bbox[row], _PIXELS),
        'position': _plain(humans.position[row], _METRES),
        'keypoints_3d': _plain(humans.keypoints_3d[row], _METRES),
        'keypoints_2d': _plain(humans.keypoints_2d[row], _PIXELS),
        'stature': _plain(humans.stature[row], _METRES),
        'age_years': _plain(humans.age_years[row], _PIXELS),
    }


def _plain(value: float | NDArray[np.floating[Any]], decimals: int) -> Any:
    """Numbers as JSON has them: rounded, None for what is not finite."""
    array = np.asarray(value, np.float64)
    if array.ndim == 0:
        number = float(array)
        return round(number, decimals) if math.isfinite(number) else None
    rounded = np.round(array, decimals)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    return [_plain(item, decimals) for item in array]
