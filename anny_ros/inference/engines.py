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
from typing import Any, BinaryIO

from anny_ros.errors import ModelError
from anny_ros.inference.engine_key import EngineKey, SUFFIXES

_PART = '.part'
_BLOCK = 1 << 20


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
        return [e for e in self._found(f'*-{weights[:12]}-*') if e.key.weights == weights]

    def all(self) -> list[Engine]:
        """Everything that was built; the files are not read."""
        return self._found('*')

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

    def _found(self, pattern: str) -> list[Engine]:
        """Engines by their files' names; what has no readable notes beside it is passed over."""
        found = []
        for path in sorted(self.folder.glob(pattern)):
            if path.suffix in SUFFIXES.values():
                with contextlib.suppress(ModelError):
                    found.append(_read_sidecar(path)[0])
        return found

    def _sweep(self) -> None:
        """Delete what was not finished; nobody else writes here now."""
        for path in self.folder.glob(f'*{_PART}'):
            with contextlib.suppress(OSError):
                path.unlink()


def default_folder() -> Path:
    """Folder of engines in the user's cache."""
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'anny_ros' / 'engines'


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
