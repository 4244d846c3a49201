# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A file of tracks, read back."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import InputError
from anny_ros.types import TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """
    One identity, P pictures.

    Parameters
    ----------
    id : str
    track_number : int
    times : ndarray, (P,), seconds
        Since the first picture.
    states : ndarray, (P,), uint8
        ``TrackState``.
    positions : ndarray, (P, 3), metres
        Pelvis, optical frame; NaN where it is not known.
    statures : ndarray, (P,), metres

    """

    id: str
    track_number: int
    times: Float64Array
    states: NDArray[np.uint8]
    positions: Float64Array
    statures: Float64Array

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Pictures in which the person was seen (not predicted), (P,)."""
        return (self.states == TrackState.TENTATIVE) | (self.states == TrackState.TRACKED)

    @property
    def was_tracked(self) -> bool:
        """Whether it was ever more than a suspicion."""
        return bool((self.states == TrackState.TRACKED).any())


@dataclass(frozen=True)
class Recording:
    """
    A run of F pictures.

    Parameters
    ----------
    model : dict of str to str
    width, height : int, pixels
    times : ndarray, (F,), seconds
        Since the first picture.
    took_ms : ndarray, (F,), milliseconds
        Time that each picture took; NaN where the file does not say.
    hfov : ndarray, (F,), radians
    camera_source : str
        ``given`` or ``estimated``, of the last picture.
    people : tuple of Person
        In order of first sight.

    """

    model: dict[str, str]
    width: int
    height: int
    times: Float64Array
    took_ms: Float64Array
    hfov: Float64Array
    camera_source: str
    people: tuple[Person, ...]


def read_recording(path: Path) -> Recording:
    """
    Read ``tracks.jsonl``.

    Raises
    ------
    InputError
        If this is no such file; the text names the line that is wrong.

    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else 'it is no text'
        raise InputError(f'cannot read {str(path)!r}: {reason}; give a tracks.jsonl') from None
    header: dict[str, Any] = {}
    frames = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
            kind = value['type']
            if number == 1:
                if kind != 'header':
                    raise KeyError('header')
                header = {'model': value['model'], 'width': int(value['image_width']),
                          'height': int(value['image_height'])}  # fmt: skip
            elif kind == 'frame':
                frames.append(_frame(value))
        except (ValueError, KeyError, TypeError, IndexError):
            raise InputError(
                f'line {number} of {str(path)!r} is not what anny-ros track writes; give its '
                'tracks.jsonl, complete'
            ) from None
    if not frames:
        raise InputError(f'{str(path)!r} holds no picture; run anny-ros track first')
    start = frames[0]['stamp']
    width = header['width']
    return Recording(
        model={str(k): str(v) for k, v in header['model'].items()},
        width=width,
        height=header['height'],
        times=np.array([f['stamp'] - start for f in frames]),
        took_ms=np.array([f['took_ms'] for f in frames]),
        hfov=np.array([2 * np.arctan(0.5 * width / f['fx']) for f in frames]),
        camera_source=frames[-1]['source'],
        people=_people(frames, start),
    )


def _frame(value: dict[str, Any]) -> dict[str, Any]:
    took = value.get('took_ms')
    return {
        'stamp': float(value['stamp']),
        'took_ms': np.nan if took is None else float(took),
        'fx': float(value['camera']['k'][0]),
        'source': str(value['camera']['source']),
        'humans': [
            (
                str(h['id']),
                int(h['track_number']),
                int(TrackState[h['state']]),
                [np.nan if v is None else float(v) for v in h['position'] or [None] * 3],
                np.nan if h['stature'] is None else float(h['stature']),
            )
            for h in value['humans']
        ],
    }


def _people(frames: list[dict[str, Any]], start: float) -> tuple[Person, ...]:
    rows: dict[int, list[Any]] = {}
    names: dict[int, str] = {}
    for frame in frames:
        for name, number, state, position, stature in frame['humans']:
            names[number] = name
            rows.setdefault(number, []).append((frame['stamp'] - start, state, position, stature))
    return tuple(
        Person(
            id=names[number],
            track_number=number,
            times=np.array([r[0] for r in found]),
            states=np.array([r[1] for r in found], np.uint8),
            positions=np.array([r[2] for r in found]).reshape(-1, 3),
            statures=np.array([r[3] for r in found]),
        )
        for number, found in rows.items()
    )
