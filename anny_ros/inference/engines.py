# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Engines on the disk: graphs for ONNX Runtime and plans of TensorRT.

An engine belongs to one file of weights, one size of canvas, one precision and one runtime, for
TensorRT also to its version and the GPU. All of that is in its file's name and in a JSON file
beside it. Both appear only when they are complete and checked, also if several processes build at
once or one is killed. A file with another name or content is refused, never used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
import contextlib
from dataclasses import asdict, dataclass
import fcntl
import hashlib
import json
import os
from pathlib import Path
import re
import shlex
from typing import Any, BinaryIO

from anny_ros.errors import ModelError

ONNX, TENSORRT = 'onnx', 'tensorrt'
# Part of the name of everything that is made from a graph; raise it when graphs change.
GRAPH_VERSION = 1
_SUFFIXES = {ONNX: '.onnx', TENSORRT: '.engine'}
_PART = '.part'
_BLOCK = 1 << 20
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
        return '-'.join(plain) + _SUFFIXES[self.runtime]

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


@dataclass(frozen=True)
class Engine:
    """
    An engine that is there.

    Parameters
    ----------
    path : Path
    key : EngineKey
    image_size, multiple : int, pixels
        See ``NetworkBackend``.
    checked : dict of str to float
        Largest differences from PyTorch when it was built, a field each, as shares of the field's
        range.

    """

    path: Path
    key: EngineKey
    image_size: int
    multiple: int
    checked: Mapping[str, float]


class EngineCache:
    """
    A folder of engines.

    Parameters
    ----------
    folder : str or Path
        Empty takes ``anny_ros/engines`` in the user's cache (``$XDG_CACHE_HOME``, ``~/.cache``).
        Made when something is built.

    """

    def __init__(self, folder: str | Path = '') -> None:
        self.is_default = not str(folder)
        self.folder = default_folder() if self.is_default else Path(folder).expanduser()

    def path(self, key: EngineKey) -> Path:
        """Where an engine is or would be."""
        return self.folder / key.file_name

    def find(self, key: EngineKey) -> Engine | None:
        """
        Look for an engine and check that it is what its name says.

        Raises
        ------
        ModelError
            If there is a file that is incomplete, altered or for something else; the text says so
            but not how to build it anew.

        """
        path = self.path(key)
        if not path.is_file():
            return None
        engine, size, digest = _read_sidecar(path)
        differences = key.differences(engine.key)
        if differences:
            raise ModelError(f'{path} is not what its name says ({differences[0]})')
        if path.stat().st_size != size or file_sha256(path) != digest:
            raise ModelError(f'{path} is not the file that was built and checked')
        return engine

    @property
    def is_empty(self) -> bool:
        """Whether there is no engine at all."""
        return not any(self.folder.glob('*.json'))

    def of_weights(self, weights: str) -> list[Engine]:
        """All that was made of one file of weights; their files are not read."""
        found = []
        for path in sorted(self.folder.glob(f'*-{weights[:12]}-*')):
            if path.suffix in _SUFFIXES.values():
                with contextlib.suppress(ModelError):
                    engine = _read_sidecar(path)[0]
                    if engine.key.weights == weights:
                        found.append(engine)
        return found

    @contextlib.contextmanager
    def lock(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """
        Be the only one who builds in this folder, among all processes.

        Parameters
        ----------
        waiting : callable
            Called once if another process is building, before waiting for it.

        Raises
        ------
        ModelError
            If the folder cannot be made or written to.

        """
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / '.lock').open('ab')
        with file:
            with _writing(self.folder):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    waiting()
                    fcntl.flock(file, fcntl.LOCK_EX)
            self._sweep()
            try:
                yield
            finally:
                self._sweep()  # closing the file gives the lock back, so does dying

    def part(self, key: EngineKey, suffix: str = '') -> Path:
        """Name to write to while the lock is held; deleted with it unless installed."""
        return self.folder / f'{key.file_name}{suffix}{_PART}'

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Turn errors of writing into this folder into ModelError."""
        return _writing(self.folder)

    def install(self, engine: Engine) -> Engine:
        """
        Give an engine that was written to ``part`` its place, with its JSON file.

        Parameters
        ----------
        engine : Engine
            Its path is the part.

        Returns
        -------
        Engine
            With its final path.

        Raises
        ------
        ModelError
            If the disk is full or fails; then nothing is there.

        """
        path = self.path(engine.key)
        sidecar, sidecar_part = _sidecar(path), _sidecar(path).with_suffix(f'.json{_PART}')
        about = {
            'key': asdict(engine.key),
            'image_size': engine.image_size,
            'multiple': engine.multiple,
            'checked': dict(engine.checked),
            'bytes': engine.path.stat().st_size,
            'sha256': file_sha256(engine.path),
        }
        with self.writing():
            with engine.path.open('rb+') as file:
                _flush(file)
            with sidecar_part.open('wb') as file:
                file.write(json.dumps(about, indent=2).encode() + b'\n')
                _flush(file)
            sidecar.unlink(missing_ok=True)  # without it an engine does not count
            engine.path.replace(path)
            sidecar_part.replace(sidecar)
            _flush_folder(self.folder)
        return Engine(path, engine.key, engine.image_size, engine.multiple, engine.checked)

    def _sweep(self) -> None:
        """Delete what was not finished; nobody else writes here now."""
        for path in self.folder.glob(f'*{_PART}'):
            with contextlib.suppress(OSError):
                path.unlink()


def default_folder() -> Path:
    """Folder of engines in the user's cache."""
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'anny_ros' / 'engines'


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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; ModelError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise ModelError(f'{path} cannot be read ({error.strerror}); check the path') from error
    return digest.hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(f'{path.name}.json')


def _read_sidecar(path: Path) -> tuple[Engine, int, str]:
    """Engine, size and SHA-256 of its file, as noted when it was built."""
    try:
        about: dict[str, Any] = json.loads(_sidecar(path).read_bytes())
        engine = Engine(
            path=path,
            key=EngineKey(**about['key']),
            image_size=int(about['image_size']),
            multiple=int(about['multiple']),
            checked={str(name): float(value) for name, value in about['checked'].items()},
        )
        return engine, int(about['bytes']), str(about['sha256'])
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(f'{path} has no readable {_sidecar(path).name} beside it') from error


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make renamings last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(
            f'cannot write an engine to {folder}: {error.strerror or error}; free some space or '
            'choose another folder with --output or inference.engine_folder'
        ) from error
