# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What was found in each picture, kept on disk so that a run that was interrupted goes on.

Finding people takes nearly all of the time, so it is done once, first, and stored in small files;
writing the result then may begin anew as often as it must.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
import json
from pathlib import Path
import shutil
from typing import Any

from anny_ros.errors import InputError
from anny_ros.types import Camera, CameraSource, FloatArray, Scene
import numpy as np
from numpy.typing import NDArray

_CHUNK = 50  # pictures a file
_RUN = 'run.json'


@dataclass(frozen=True)
class Found:
    """
    Everybody in one picture, N people and K candidates.

    Parameters
    ----------
    stamp : float, seconds
    camera : Camera
    track_numbers : ndarray, (N,), uint32
    states : ndarray, (N,), uint8
    phenotype : ndarray, (N, 6)
    rotations : ndarray, (N, J, 3, 3), float16
    translation : ndarray, (N, 3), metres
    boxes : ndarray, (N, 4), pixels
    candidates : ndarray, (K, 4), pixels

    """

    stamp: float
    camera: Camera
    track_numbers: NDArray[np.uint32]
    states: NDArray[np.uint8]
    phenotype: FloatArray
    rotations: NDArray[np.float16]
    translation: FloatArray
    boxes: FloatArray
    candidates: FloatArray

    @staticmethod
    def of(scene: Scene, first_number: int = 0) -> Found:
        """Take what is needed of a scene; ``first_number`` is added to its track numbers."""
        people = scene.humans
        return Found(
            stamp=scene.stamp,
            camera=scene.camera,
            track_numbers=scene.track_numbers + np.uint32(first_number),
            states=scene.states,
            phenotype=people.phenotype,
            rotations=people.rotations.astype(np.float16),
            translation=people.translation,
            boxes=people.bbox,
            candidates=people.candidates,
        )


_ROWS = ('track_numbers', 'states', 'phenotype', 'rotations', 'translation', 'boxes')


class ScanStore:
    """
    The finds of one recording in a folder, picture after picture of each stream.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    run : mapping
        What the finds depend on (input, model, parameters).

    Raises
    ------
    InputError
        If the folder holds the finds of another run.

    """

    def __init__(self, folder: Path, run: dict[str, Any]) -> None:
        self.folder = folder
        told = json.dumps(run, sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            known = folder / _RUN
            if any(folder.glob('*.npz')) and known.read_text() != told:
                raise InputError(
                    f'{str(folder)!r} is left from an interrupted run with another input or other '
                    'settings; repeat that run, or delete the folder'
                )
            known.write_text(told)
        except OSError as error:
            raise InputError(
                f'cannot write {str(folder)!r}: {error.strerror}; choose an output in a folder '
                'that you may write to'
            ) from None
        self._waiting: dict[str, list[Found]] = {}

    def count(self, stream: str) -> int:
        """How many pictures of a stream are stored."""
        return sum(int(path.stem.rpartition('-')[2]) for path in self._chunks(stream))

    def highest_number(self, stream: str) -> int:
        """Highest track number of a stream so far; 0 if there was nobody."""
        return max((int(n) for f in self.read(stream) for n in f.track_numbers), default=0)

    def add(self, stream: str, found: Found) -> None:
        """Append a picture; it is on disk after ``flush``, or when enough have come."""
        waiting = self._waiting.setdefault(stream, [])
        waiting.append(found)
        if len(waiting) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what is not on disk yet."""
        for stream, waiting in self._waiting.items():
            if not waiting:
                continue
            index = len(self._chunks(stream))
            path = self.folder / f'{_safe(stream)}-{index:06d}-{len(waiting)}.npz'
            part = path.with_suffix('.part')
            with part.open('wb') as file:
                np.savez(file, **_pack(waiting))
            part.replace(path)
            waiting.clear()

    def read(self, stream: str) -> Iterator[Found]:
        """Every stored picture of a stream, in order."""
        for path in self._chunks(stream):
            with np.load(path) as arrays:
                yield from _unpack(dict(arrays))

    def delete_if_empty(self) -> None:
        """Remove the folder if no picture is stored."""
        if not any(self.folder.glob('*.npz')):
            self.delete()

    def delete(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _chunks(self, stream: str) -> list[Path]:
        return sorted(self.folder.glob(f'{_safe(stream)}-[0-9]*-*.npz'))


def _safe(stream: str) -> str:
    """Name of a stream as part of a file's name."""
    return stream.strip('/').replace('-', '_m').replace('/', '_s') or 'pictures'


def _pack(found: Sequence[Found]) -> dict[str, Any]:
    """Arrays of several pictures, one behind the other, and how many rows each has."""
    cameras = [f.camera for f in found]
    packed: dict[str, Any] = {
        'stamp': np.array([f.stamp for f in found]),
        'K': np.stack([c.K for c in cameras]),
        'size': np.array([[c.width, c.height, int(c.source)] for c in cameras]),
        'hfov_stddev': np.array([c.hfov_stddev for c in cameras]),
        'people': np.array([len(f.states) for f in found]),
        'candidate_count': np.array([len(f.candidates) for f in found]),
        'candidates': np.concatenate([f.candidates for f in found]),
    }
    return packed | {name: np.concatenate([getattr(f, name) for f in found]) for name in _ROWS}


def _unpack(packed: dict[str, NDArray[Any]]) -> Iterator[Found]:
    ends = np.cumsum(packed['people'])
    candidate_ends = np.cumsum(packed['candidate_count'])
    for i, stamp in enumerate(packed['stamp']):
        rows = slice(ends[i] - packed['people'][i], ends[i])
        boxes = slice(candidate_ends[i] - packed['candidate_count'][i], candidate_ends[i])
        width, height, source = (int(v) for v in packed['size'][i])
        camera = Camera(
            packed['K'][i], width, height, CameraSource(source), float(packed['hfov_stddev'][i])
        )
        yield Found(
            stamp=float(stamp),
            camera=camera,
            candidates=packed['candidates'][boxes],
            **{name: packed[name][rows] for name in _ROWS},
        )


assert {f.name for f in fields(Found)} == {'stamp', 'camera', 'candidates', *_ROWS}
