# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Pictures to learn from: read from shards, held in memory, drawn in pairs that share a person.

A folder may grow while it is in use: worker processes render into it (``rendering``), a thread
reads what is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import threading

from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import InputError
import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
import torch
from torch import Tensor

from training.anny_vit.truth import Truth, truth_of
from training.pictures.render import read_shard

_IDENTITIES = 1_000_000  # more than a shard has
# What is held of pictures (n, H, W, 3), uint8: tensors (n, ...) each.
Prepare = Callable[[Tensor], tuple[Tensor, ...]]


def keep_pictures(pictures: Tensor) -> tuple[Tensor, ...]:
    """Hold pictures as they are."""
    return (pictures,)


@dataclass(frozen=True)
class Block:
    """
    Pictures of one size out of one shard.

    Parameters
    ----------
    held : tuple of Tensor, (n, ...) each
        What ``Prepare`` made.
    truth : Truth
    partners : tuple of ndarray
        For each picture, the others of the block that show one of its people.

    """

    held: tuple[Tensor, ...]
    truth: Truth
    partners: tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class Draw:
    """
    Pictures of one size.

    Parameters
    ----------
    held : tuple of Tensor, (B, ...) each
    truth : Truth
    width, height : int, pixels

    """

    held: tuple[Tensor, ...]
    truth: Truth
    width: int
    height: int


def _partners(truth: Truth) -> tuple[NDArray[np.intp], ...]:
    identity = np.where(truth.clear.numpy(), truth.identity.numpy(), -1)  # (n, P)
    known = [set(row[row >= 0].tolist()) for row in identity]
    return tuple(
        np.array([j for j, other in enumerate(known) if j != i and mine & other], np.intp)
        for i, mine in enumerate(known)
    )


class Pool:
    """
    Pictures in memory.

    Parameters
    ----------
    skeleton : Skeleton
        Of the lifted joints, on the CPU.
    device : torch.device
        Where pictures are held.
    prepare : callable
        What to hold of them.
    most : int
        Pictures; beyond that the oldest shards are dropped.
    cache : Path or None
        Folder that keeps what was prepared, for the next run on the same shards.

    """

    def __init__(
        self,
        skeleton: Skeleton,
        device: torch.device,
        prepare: Prepare = keep_pictures,
        most: int = 1_000_000,
        cache: Path | None = None,
    ) -> None:
        self._skeleton = skeleton
        self._device = device
        self._prepare = prepare
        self._most = most
        self._cache = cache
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._shards: list[dict[tuple[int, int], Block]] = []
        self._rows: dict[tuple[int, int], list[tuple[Block, int]]] = {}
        self.failed: InputError | None = None

    def __len__(self) -> int:
        """Count the pictures."""
        return sum(len(rows) for rows in self._rows.values())

    def read_new(self, folder: Path, over: Callable[[], bool] = lambda: False) -> int:
        """
        Read the shards of a folder that were not read yet, in the order of their names.

        Parameters
        ----------
        folder : Path
        over : callable
            Asked before every shard whether to leave it.

        Returns
        -------
        int
            How many.

        Raises
        ------
        InputError
            If a shard cannot be read.

        """
        count = 0
        for path in sorted(folder.glob('*.tar')):
            if path.name not in self._known and not over():
                self._add(path)
                count += 1
        return count

    def _add(self, path: Path) -> None:
        pictures = list(read_shard(path))
        first = len(self._known) * _IDENTITIES
        shard = {}
        for size in sorted({picture.rgb.shape[:2] for picture in pictures}):
            these = [picture for picture in pictures if picture.rgb.shape[:2] == size]
            rgb = torch.from_numpy(np.stack([picture.rgb for picture in these]))
            truth = truth_of(these, self._skeleton, first)
            name = f'{path.stem}_{size[1]}x{size[0]}.safetensors'
            shard[(size[1], size[0])] = Block(self._held(name, rgb), truth, _partners(truth))
        with self._lock:
            self._known.add(path.name)
            self._shards.append(shard)
            rows: dict[tuple[int, int], list[tuple[Block, int]]] = {}
            count = 0
            for kept, blocks in enumerate(reversed(self._shards)):
                count += sum(len(block.partners) for block in blocks.values())
                if count > self._most and kept:
                    del self._shards[: len(self._shards) - kept]
                    break
            for blocks in self._shards:
                for size, block in blocks.items():
                    rows.setdefault(size, []).extend(
                        (block, i) for i in range(len(block.partners))
                    )
            self._rows = rows

    def _held(self, name: str, rgb: Tensor) -> tuple[Tensor, ...]:
        """Prepare pictures, or take what was prepared before under this name."""
        if self._cache is None:
            return self._prepare(rgb.to(self._device))
        path = self._cache / name
        if not path.is_file():
            self._cache.mkdir(parents=True, exist_ok=True)
            prepared = self._prepare(rgb.to(self._device))
            part = path.with_suffix('.part')
            save_file({str(k): tensor.cpu() for k, tensor in enumerate(prepared)}, part)
            part.replace(path)
        stored = load_file(path)
        return tuple(stored[str(k)].to(self._device) for k in range(len(stored)))

    def watch(self, folder: Path, stop: threading.Event, seconds: float = 2.0) -> threading.Thread:
        """Read what is new in a folder until told to stop; an error ends up in ``failed``."""

        def run() -> None:
            try:
                while not stop.is_set():
                    if not self.read_new(folder, stop.is_set):
                        stop.wait(seconds)
            except InputError as error:
                self.failed = error

        thread = threading.Thread(target=run, name='pictures', daemon=True)
        thread.start()
        return thread

    def draw(self, rng: np.random.Generator, count: int) -> Draw:
        """
        Draw pictures of one size; every second shares a person with the one before, if it can.

        Parameters
        ----------
        rng : Generator
            The same state gives the same pictures of the same pool.
        count : int

        Returns
        -------
        Draw

        """
        with self._lock:
            rows = self._rows
        sizes = sorted(rows)
        shares = np.array([len(rows[size]) for size in sizes], np.float64)
        size = sizes[rng.choice(len(sizes), p=shares / shares.sum())]
        chosen: list[tuple[Block, int]] = []
        while len(chosen) < count:
            block, i = rows[size][rng.integers(len(rows[size]))]
            chosen.append((block, i))
            if len(chosen) < count and len(block.partners[i]):
                chosen.append((block, int(rng.choice(block.partners[i]))))
        held = tuple(
            torch.stack([block.held[k][i] for block, i in chosen])
            for k in range(len(chosen[0][0].held))
        )
        truth = Truth.stack([(block.truth, i) for block, i in chosen])
        return Draw(held, truth, *size)

    def in_order(self, count: int) -> list[Draw]:
        """All pictures, size by size, in pieces of ``count`` at most; for measuring."""
        draws = []
        for size, rows in sorted(self._rows.items()):
            for start in range(0, len(rows), count):
                some = rows[start : start + count]
                held = tuple(
                    torch.stack([block.held[k][i] for block, i in some])
                    for k in range(len(some[0][0].held))
                )
                truth = Truth.stack([(block.truth, i) for block, i in some])
                draws.append(Draw(held, truth, *size))
        return draws
