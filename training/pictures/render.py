# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Render labelled pictures of people, into shards or straight into training.

    python -m training.pictures.render DATA --output out/pictures --count 1000 --seed 1 --workers 2

A shard is an uncompressed tar with, for each picture, NAME.jpg (or .png) and NAME.npz, the latter
holding the fields of ``Labels`` and K. Which pictures a shard holds depends on seed and number of
the shard only, not on the workers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from functools import lru_cache
import io
import multiprocessing
from pathlib import Path
import sys
import tarfile
from typing import Any

from anny_ros.errors import AnnyError, InputError
from anny_ros.types import Camera
import cv2
import numpy as np
import torch
from tqdm import tqdm

from training.pictures.base_mesh import DEFAULT_PATH, load_base_mesh
from training.pictures.labels import Labels
from training.pictures.materials import Materials
from training.pictures.pack import SPLITS
from training.pictures.scene import FigurePool, Picture, sample_picture, Studio

SHARD = 100  # pictures


def iterate(studio: Studio, seed: int, shard: int, count: int | None = None) -> Iterator[Picture]:
    """
    Render one picture after the other; for training that renders while it trains.

    Parameters
    ----------
    studio : Studio
    seed, shard : int
        The same pair gives the same pictures; give every worker and pass another ``shard``.
    count : int or None
        None never ends.

    Yields
    ------
    Picture

    """
    rng = np.random.default_rng([seed, shard])
    pool, materials = FigurePool(studio, rng), Materials(rng, studio.backgrounds)
    done = 0
    while count is None or done < count:
        yield sample_picture(studio, pool, materials, rng)
        done += 1


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def write_shard(path: Path, pictures: Iterator[Picture], lossless: bool = False) -> int:
    """Write pictures into a tar; returns how many. The file appears when it is complete."""
    part = path.with_suffix('.part')
    count = 0
    with tarfile.open(part, 'w') as archive:
        for picture in pictures:
            name = f'{path.stem}_{count:04d}'
            suffix = '.png' if lossless else '.jpg'
            options = [] if lossless else [cv2.IMWRITE_JPEG_QUALITY, 97]
            _, encoded = cv2.imencode(suffix, picture.rgb[..., ::-1], options)
            _add(archive, name + suffix, encoded.tobytes())
            buffer = io.BytesIO()
            arrays: dict[str, Any] = {
                f.name: getattr(picture.labels, f.name) for f in fields(picture.labels)
            }
            np.savez(buffer, K=picture.camera.K, **arrays)
            _add(archive, name + '.npz', buffer.getvalue())
            count += 1
    part.replace(path)
    return count


def read_shard(path: Path) -> Iterator[Picture]:
    """
    Read what ``write_shard`` wrote.

    Raises
    ------
    InputError
        If the file is missing or is no shard.

    """
    try:
        with tarfile.open(path) as archive:
            rgb = None
            for member in archive:
                file = archive.extractfile(member)
                data = b'' if file is None else file.read()
                if not member.name.endswith('.npz'):
                    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                    rgb = np.ascontiguousarray(bgr[..., ::-1])
                    continue
                if rgb is None:
                    raise InputError(f'{path} is no shard of pictures; render it anew')
                with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                    K = arrays['K']
                    labels = Labels(**{f.name: arrays[f.name] for f in fields(Labels)})
                yield Picture(rgb, Camera(K, rgb.shape[1], rgb.shape[0]), labels)
    except (OSError, tarfile.TarError, KeyError) as error:
        raise InputError(f'{path} is no shard of pictures ({error}); render it anew') from error


@lru_cache(maxsize=1)
def _studio(data: Path, split: str, backgrounds: Path | None, base_mesh: Path) -> Studio:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Studio.open(data, split, backgrounds, base_mesh)


def _render_shard(
    opening: tuple[Path, str, Path | None, Path],
    output: Path,
    seed: int,
    shard: int,
    count: int,
    lossless: bool,
) -> int:
    pictures = iterate(_studio(*opening), seed, shard, count)
    return write_shard(output / f'{opening[1]}_{seed}_{shard:05d}.tar', pictures, lossless)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--output', type=Path, default=Path('out/pictures'))
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--split', choices=SPLITS, default='train')
    parser.add_argument('--backgrounds', type=Path, help='folder of pictures for surroundings')
    parser.add_argument('--base-mesh', type=Path, default=DEFAULT_PATH)
    parser.add_argument('--lossless', action='store_true', help='PNG instead of JPEG 97')
    options = parser.parse_args(arguments)
    opening = (options.data, options.split, options.backgrounds, options.base_mesh)
    sizes = [min(SHARD, options.count - k) for k in range(0, options.count, SHARD)]
    try:
        load_base_mesh(options.base_mesh)
        options.output.mkdir(parents=True, exist_ok=True)
        with (
            ProcessPoolExecutor(
                options.workers, mp_context=multiprocessing.get_context('spawn')
            ) as workers,
            tqdm(total=options.count, unit='picture') as bar,
        ):
            jobs = [
                workers.submit(
                    _render_shard, opening, options.output, options.seed, k, n, options.lossless
                )
                for k, n in enumerate(sizes)
            ]
            for job in jobs:
                bar.update(job.result())
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
