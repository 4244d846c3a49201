# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Processes that render shards for as long as training goes on."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import multiprocessing
from multiprocessing.process import BaseProcess
import os
from pathlib import Path
import signal
import sys

from anny_ros.errors import AnnyError
import cv2
import torch

from training.pictures.base_mesh import load_base_mesh
from training.pictures.render import iterate, SHARD, write_shard
from training.pictures.scene import Studio


def _name(seed: int, shard: int) -> str:
    return f'train_{seed}_{shard:05d}.tar'


def _render(
    data: Path, backgrounds: Path | None, folder: Path, seed: int, shard: int, step: int
) -> None:
    """Render every ``step``-th shard, from ``shard`` on, that is not there yet."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started this ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.nice(5)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        studio = Studio.open(data, 'train', backgrounds)
        while True:
            path = folder / _name(seed, shard)
            if not path.exists():
                write_shard(path, iterate(studio, seed, shard, SHARD))
            shard += step
    except AnnyError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error


class Renderers:
    """
    Worker processes.

    Parameters
    ----------
    data : Path
        Folder of the data pack.
    backgrounds : Path or None
    folder : Path
        Where shards go.
    seed : int
    first_shard : int
        Number of the first one; those of lower numbers were used already, if anywhere.
    workers : int

    """

    def __init__(
        self,
        data: Path,
        backgrounds: Path | None,
        folder: Path,
        seed: int,
        first_shard: int,
        workers: int,
    ) -> None:
        load_base_mesh()  # once, before all of them would make it
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context('spawn')
        self._processes: Sequence[BaseProcess] = [
            context.Process(
                target=_render,
                args=(data, backgrounds, folder, seed, first_shard + n, workers),
                daemon=True,
            )
            for n in range(workers)
        ]
        for process in self._processes:
            process.start()

    @property
    def alive(self) -> bool:
        """Whether all of them run."""
        return all(process.is_alive() for process in self._processes)

    def stop(self) -> None:
        """End all of them; what is not complete is left out."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(5.0)


def next_shard(folder: Path) -> int:
    """Count one up from the highest number of a shard in a folder; 0 if there is none."""
    numbers = [int(path.stem.rpartition('_')[2]) for path in folder.glob('train_*.tar')]
    return max(numbers, default=-1) + 1
