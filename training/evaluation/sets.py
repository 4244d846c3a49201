# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Rendered people whose clothes, hair, skins and poses no training has seen; the same every time.

A picture's number says what it shows: somebody of one of the age groups at one of the sizes, by
turns, and others about them. Poses are of clips that the lifter's training left out, and no other
clip of the same recording was in it either. Every fourth picture takes those alone that the
training pictures leave out too: for models that were trained on those, only they are new.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
import hashlib
import multiprocessing
import os
from pathlib import Path

from anny_ros.types import Camera, CameraSource
import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from tqdm import tqdm

from training.pictures.base_mesh import DEFAULT_PATH, load_base_mesh
from training.pictures.figure import Figure
from training.pictures.materials import Materials
from training.pictures.motions import Motions, recording
from training.pictures.pack import read_arrays
from training.pictures.render import write_shard
from training.pictures.scene import photograph, Picture, Studio
from training.poses import load_poses, sample_phenotypes

SEED = 2611
SHARD = 40  # pictures
# Years from, to. Below one year hardly anybody stands.
AGES = {'toddler': (1, 2), 'child': (2, 12), 'teen': (12, 18), 'adult': (18, 64), 'old': (64, 95)}
# Pixels from, to, of what is aimed at for somebody upright; groups are by what came of it.
_SIZES = ((45, 80), (80, 150), (150, 400), (400, 620))
_SMALL, _LARGE = ((640, 480), (480, 640)), ((960, 720), (720, 960))
_HFOV = np.deg2rad((50, 95))  # across the longer side
_HEIGHT = (0.3, 1.8)  # of the camera, metres
_OTHERS, _OTHERS_SHARES = (0, 1, 2, 4), (0.4, 0.25, 0.2, 0.15)
_NEAREST, _FARTHEST, _APART = 0.6, 25.0, 0.42  # metres
NEW_TO_PICTURES = 4  # every how many


def unseen_clips(data: Path) -> NDArray[np.int64]:
    """Clips of ``poses.npz`` that share no recording with the lifter's training."""
    trained, held_out = load_poses(data)
    arrays = read_arrays(data / 'poses.npz')
    pairs = zip(arrays['clip_name'], arrays['clip_text'], strict=True)
    origins = np.array([recording(str(name), str(text)) for name, text in pairs])
    clips = np.unique(held_out.clip)
    known = np.unique(origins[np.unique(trained.clip)])
    return np.asarray(clips[~np.isin(origins[clips], known)], np.int64)


def restricted(motions: Motions, clips: NDArray[np.int64]) -> Motions:
    """Motions whose single poses are of some clips alone, all of them alike likely to be drawn."""
    frames = np.concatenate([motions.clip_frames(int(c)) for c in clips])
    counts = np.diff(motions.start)[clips]
    # A clip counts with the square root of its frames.
    weight = np.repeat(1.0 / np.sqrt(counts), counts)
    return replace(motions, clips=clips, frames=frames, weight=weight / weight.sum())


def _draw_age(studio: Studio, group: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the phenotype (6,) of somebody of an age group."""
    low, high = AGES[group]
    while True:
        drawn = sample_phenotypes(studio.body, 64, rng).numpy()
        years = studio.body.age_years(drawn)
        fitting = drawn[(years >= low) & (years < high)]
        if len(fitting):
            return np.asarray(fitting[0], np.float32)


def _draw_camera(large: bool, rng: np.random.Generator) -> Camera:
    width, height = (_LARGE if large else _SMALL)[int(rng.random() < 0.25)]
    longest = max(width, height)
    across = Camera.from_hfov(rng.uniform(*_HFOV), longest, longest)
    K = across.K.copy()
    K[:2, 2] = (np.array([width, height]) - 1) / 2 + rng.normal(0, 0.01, 2) * width
    return Camera(K, width, height, CameraSource.CAMERA_INFO)


def _place(
    statures: NDArray[np.float32], size: float, camera: Camera, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw places (N, 2) on the floor; the first person is ``size`` pixels tall."""
    half = np.arctan(0.5 * camera.width / camera.K[0, 0])
    places: list[NDArray[np.float64]] = []
    for i, stature in enumerate(statures):
        while True:
            angle = rng.uniform(-0.9, 0.9) * half * (0.6 if i == 0 else 1.0)
            distance = rng.uniform(1.0, 12.0)
            if i == 0:
                distance = np.clip(camera.K[1, 1] * stature / size, _NEAREST, _FARTHEST)
            place = distance * np.array([np.tan(angle), 1.0])
            if i and rng.random() < 0.5:
                around = rng.uniform(-np.pi, np.pi)
                beside = places[rng.integers(i)]
                place = beside + rng.uniform(0.45, 1.4) * np.array(
                    [np.cos(around), np.sin(around)]
                )
            apart = all(np.linalg.norm(place - p) > _APART for p in places)
            if apart and place[1] >= _NEAREST - 1e-9:
                break
        places.append(place)
    return np.array(places)


def iterate(studio: Studio, clips: NDArray[np.int64], shard: int) -> Iterator[Picture]:
    """Render the pictures of a shard; ``clips`` may be shown."""
    rng = np.random.default_rng([SEED, shard])
    everything = replace(studio, motions=restricted(studio.motions, clips))
    both = np.intersect1d(clips, studio.motions.clips)
    new = replace(studio, motions=restricted(studio.motions, both))
    materials = Materials(rng, studio.backgrounds)
    cast: list[tuple[int, Figure]] = []
    groups = list(AGES)
    for number in range(shard * SHARD, (shard + 1) * SHARD):
        target = _SIZES[number // len(groups) % len(_SIZES)]
        phenotype = _draw_age(studio, groups[number % len(groups)], rng)
        cast.append((number, studio.figure(rng, phenotype)))
        others = min(int(rng.choice(_OTHERS, p=_OTHERS_SHARES)), len(cast) - 1)
        chosen = rng.permutation(len(cast) - 1)[:others]
        people = [cast[-1], *(cast[i] for i in chosen)]
        camera = _draw_camera(target is _SIZES[-1], rng)
        statures = studio.body.stature(np.array([f.phenotype for _, f in people]))
        size = float(np.exp(rng.uniform(*np.log(target))))
        places = _place(statures, size, camera, rng)
        chosen_studio = new if number % NEW_TO_PICTURES == 0 else everything
        tall = float(rng.uniform(*_HEIGHT))
        yield photograph(chosen_studio, people, places, camera, tall, materials, rng)


@lru_cache(maxsize=1)
def _opened(data: Path, base_mesh: Path) -> tuple[Studio, NDArray[np.int64]]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Studio.open(data, 'heldout', base_mesh=base_mesh), unseen_clips(data)


def _render_shard(data: Path, base_mesh: Path, shard: int, path: Path) -> None:
    studio, clips = _opened(data, base_mesh)
    write_shard(path, iterate(studio, clips, shard), lossless=True)


def fingerprint(data: Path) -> str:
    """Digest of all that decides what the pictures show: our code, and sizes of the data."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve()
    sources = sorted((here.parent.parent / 'pictures').glob('*.py'))
    for path in [*sources, here, here.parent.parent / 'poses.py']:
        digest.update(path.read_bytes())
    for path in sorted(data.rglob('*')):
        if path.is_file() and 'clips' not in path.parts:
            digest.update(f'{path.relative_to(data)} {path.stat().st_size}'.encode())
    return digest.hexdigest()[:12]


def rendered(data: Path, count: int, cache: Path, base_mesh: Path = DEFAULT_PATH) -> list[Path]:
    """
    Render what the cache does not hold yet.

    Parameters
    ----------
    data : Path
        Folder of the data pack.
    count : int
        How many pictures; rounded up to whole shards.
    cache : Path
        Pictures of other versions of the code or the data are in other folders of it.
    base_mesh : Path

    Returns
    -------
    list of Path
        Shards of lossless pictures.

    Raises
    ------
    InputError
        If something of the data pack is missing.

    """
    folder = cache / fingerprint(data)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'heldout_{k:03d}.tar' for k in range(-(-count // SHARD))]
    missing = [(k, path) for k, path in enumerate(paths) if not path.is_file()]
    if missing:
        load_base_mesh(base_mesh)
        workers = min(len(missing), len(os.sched_getaffinity(0)))
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            jobs = [pool.submit(_render_shard, data, base_mesh, k, path) for k, path in missing]
            for job in tqdm(jobs, desc='rendering', unit=f' x {SHARD} pictures'):
                job.result()
    return paths
