# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Look at rendered people with the 2D network: what it reports, beside the truth, for the lifter.

    python -m training.observe_pictures DATA --output out/observed --count 12000

A shard (100 pictures) is an npz with a row a person and look: ``keypoints`` (N, 17, 2) and ``box``
(N, 4), pixels, ``confidences`` (N, 17) and ``hints`` (N, NUM_HINTS) as reported; ``K`` (N, 3, 3),
``rotations`` (N, 28, 3, 3), ``phenotype`` (N, 6), ``points`` (N, 17, 3), metres, ``true_box``
(N, 4) and
``size_px`` (N,), pixels, as drawn; ``picture_size`` (N, 2), pixels, width and height. Everybody is
looked at twice: as in a first picture, and as somebody whom the tracker expects. Poses are of the
clips that the lifter is trained on. Shards that are there are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import lru_cache
import multiprocessing
from pathlib import Path
import sys
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.errors import AnnyError, InputError
from anny_ros.inference.lite import LEAST_CONFIDENCE
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS
from anny_ros.keypoints.lifter import LIFTED_JOINTS, mirror_rotations
from anny_ros.keypoints.movenet import KeypointDetections, KeypointDetector
from anny_ros.keypoints.view import box_tops, picture_edges, Report
import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from tqdm import tqdm

from training.evaluation.people import affinity, Estimates, match, sizes
from training.evaluation.sets import restricted
from training.pictures.base_mesh import DEFAULT_PATH, load_base_mesh
from training.pictures.labels import Labels
from training.pictures.render import iterate, SHARD
from training.pictures.scene import Picture, Studio
from training.poses import load_poses
from training.simulate import People

_SCORE = 0.2  # the node's threshold
# Somebody of whom less is there to see teaches nothing about what is reported of them.
_LEAST_SHARE, _LEAST_PX = 0.25, 30.0
# A tracker's prediction is off by about this share of the box.
_EXPECTED_ERROR = 0.05


@dataclass(frozen=True)
class Observed:
    """
    Looks of the 2D network at N people.

    Parameters
    ----------
    people : People
        The truth.
    report : Report

    """

    people: People
    report: Report

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, rows: Tensor) -> Observed:
        return Observed(self.people[rows], self.report[rows])

    def mirrored(self) -> Observed:
        """Mirror everybody left to right."""
        flip, order = torch.tensor([-1.0, 1.0, 1.0]), list(MIRRORED_KEYPOINTS)
        people = replace(
            self.people,
            rotations=mirror_rotations(self.people.rotations),
            keypoints=self.people.keypoints[:, order] * flip,
            reported=self.people.reported[:, order] * flip,
        )
        return Observed(people, self.report.mirrored())


def joined(parts: Sequence[Observed]) -> Observed:
    """Put looks one behind the other."""
    people = [part.people for part in parts]
    together: dict[str, Any] = {}
    for field in fields(People):
        values = [getattr(one, field.name) for one in people]
        is_tensor = isinstance(values[0], Tensor)
        together[field.name] = torch.cat(values) if is_tensor else np.concatenate(values)
    return Observed(People(**together), Report.concatenate([part.report for part in parts]))


def read_observed(folder: Path) -> Observed:
    """
    Read all shards of a folder.

    Raises
    ------
    InputError
        If there are none.

    """
    paths = sorted(folder.glob('observed_*.npz'))
    if not paths:
        raise InputError(f'{folder} holds no looks; make them by training.observe_pictures')
    shards = []
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            shards.append({name: arrays[name] for name in arrays.files})
    rows = {name: np.concatenate([s[name] for s in shards]) for name in shards[0]}
    K = rows['K'].astype(np.float64)
    focal = np.stack([K[:, 0, 0], K[:, 1, 1]], -1)[:, None]
    rays = torch.as_tensor((rows['keypoints'] - K[:, None, :2, 2]) / focal, dtype=torch.float32)
    points = torch.as_tensor(rows['points'])
    trusted = np.where(rows['confidences'] < LEAST_CONFIDENCE, 0.0, rows['confidences'])
    people = People(
        torch.as_tensor(rows['rotations']),
        torch.as_tensor(rows['phenotype']),
        points,
        np.full((len(K), 2), np.inf),
        rows['size_px'],
        torch.cat([rays * points[..., 2:], points[..., 2:]], -1),
        torch.as_tensor((rows['true_box'][:, 1] - K[:, 1, 2]) / K[:, 1, 1]).float(),
    )
    trusted = torch.as_tensor(trusted, dtype=torch.float32)
    edges = picture_edges(K, rows['picture_size'])
    hints = torch.as_tensor(rows['hints'])
    return Observed(people, Report(rays, trusted, box_tops(rows['box'], K), edges, hints))


def look(
    detector: KeypointDetector, picture: Picture, rng: np.random.Generator, expected: bool
) -> tuple[KeypointDetections, NDArray[np.int64]]:
    """Find people; returns what was reported and the row of it for each label, -1 for none."""
    labels = picture.labels
    boxes = None
    if expected:
        box = labels.bbox.astype(np.float64)
        boxes = box + _EXPECTED_ERROR * sizes(box)[:, None] * rng.normal(size=box.shape)
    found = detector(picture.rgb, _SCORE, regions=boxes)
    count = len(found.score)
    unsaid = np.full((count, 17, 3), np.nan)
    estimates = Estimates(
        found.bbox, found.keypoints, unsaid, unsaid[:, 0], np.full(count, np.nan)
    )
    rows, _ = match(labels, estimates)
    # By their boxes alone people who hide each other are mistaken for one another.
    near = affinity(labels, replace(estimates, bbox=np.zeros((count, 4))))
    seen = np.minimum(labels.visible_share, labels.inside_share) >= _LEAST_SHARE
    good = seen & (sizes(labels.bbox) >= _LEAST_PX) & (labels.keypoints_3d[..., 2] > 0.1).all(1)
    good &= rows >= 0
    good[good] &= near[np.flatnonzero(good), rows[good]] > 0
    return found, np.where(good, rows, -1)


def _rows_of(
    body: BodyModel, picture: Picture, found: KeypointDetections, rows: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    who = np.flatnonzero(rows >= 0)
    lifted = [body.joint_index(name) for name in LIFTED_JOINTS]
    labels: Labels = picture.labels[who]
    return {
        'keypoints': found.keypoints[rows[who]].astype(np.float32),
        'confidences': found.confidences[rows[who]].astype(np.float32),
        'box': found.bbox[rows[who]].astype(np.float32),
        'hints': found.hints[rows[who]].astype(np.float32),
        'true_box': labels.bbox,
        'K': np.repeat(picture.camera.K[None].astype(np.float32), len(who), axis=0),
        'rotations': labels.rotations[:, lifted],
        'phenotype': labels.phenotype,
        'points': labels.keypoints_3d.astype(np.float32),
        'size_px': sizes(labels.bbox),
        'picture_size': np.tile([picture.camera.width, picture.camera.height], (len(who), 1)),
    }


@lru_cache(maxsize=1)
def open_studio(data: Path, backgrounds: Path | None, base_mesh: Path) -> Studio:
    """Open a studio in which people move as in the clips that the lifter is trained on."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    studio = Studio.open(data, 'train', backgrounds, base_mesh)
    clips = np.intersect1d(studio.motions.clips, np.unique(load_poses(data)[0].clip))
    return replace(studio, motions=restricted(studio.motions, clips))


@lru_cache(maxsize=1)
def _detector() -> KeypointDetector:
    return KeypointDetector(threads=1)


def _observe_shard(
    opening: tuple[Path, Path | None, Path], path: Path, seed: int, shard: int
) -> int:
    studio, detector = open_studio(*opening), _detector()
    rng = np.random.default_rng([seed, shard, 1])
    looks = []
    for picture in iterate(studio, seed, shard, SHARD):
        for expected in (False, True):
            looks.append(_rows_of(studio.body, picture, *look(detector, picture, rng, expected)))
    rows = {name: np.concatenate([look[name] for look in looks]) for name in looks[0]}
    part = path.with_suffix('.part')
    with part.open('wb') as file:
        np.savez(file, **rows)
    part.replace(path)
    return len(rows['size_px'])


def make_shards(
    arguments: list[str] | None,
    description: str | None,
    make: Callable[[tuple[Path, Path | None, Path], Path, int, int], int],
    kind: str,
    count: int,
    seed: int,
) -> int:
    """
    Run a command that makes shards of rendered people, those that are missing.

    Parameters
    ----------
    arguments : list of str or None
    description : str or None
    make : callable
        Takes what ``open_studio`` takes, the shard's path, seed and number; returns how many rows.
    kind : str
        What the files' names begin with.
    count, seed : int
        Pictures, and the seed, unless the user says others.

    Returns
    -------
    int
        Exit status.

    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--output', type=Path, default=Path('out') / kind)
    parser.add_argument('--count', type=int, default=count, help='pictures')
    parser.add_argument('--seed', type=int, default=seed)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--backgrounds', type=Path, help='folder of pictures for surroundings')
    parser.add_argument('--base-mesh', type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    opening = (options.data, options.backgrounds, options.base_mesh)
    paths = [
        (k, options.output / f'{kind}_{options.seed}_{k:05d}.npz')
        for k in range(-(-options.count // SHARD))
    ]
    missing = [(k, path) for k, path in paths if not path.is_file()]
    try:
        load_base_mesh(options.base_mesh)
        options.output.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(options.workers, mp_context=context) as workers:
            jobs = [workers.submit(make, opening, path, options.seed, k) for k, path in missing]
            rows = 0
            with tqdm(jobs, unit=f' x {SHARD} pictures') as bar:
                for job in bar:
                    rows += job.result()
                    bar.set_postfix(rows=rows)
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    return make_shards(arguments, __doc__, _observe_shard, 'observed', 12000, 5)


if __name__ == '__main__':
    sys.exit(main())
