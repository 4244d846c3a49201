# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The rendered set: our model with the camera known and not known, and MediaPipe beside it."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import tarfile
from typing import Any

from anny_ros.inference import Estimator
from anny_ros.types import Camera, Detections, Frame
import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.evaluation.errors import compare, FIGURES, figures, joined, Outcome
from training.evaluation.mediapipe_pose import Poses
from training.evaluation.people import Estimates, LEAST_SHARE
from training.evaluation.sets import AGES, NEW_TO_PICTURES
from training.pictures.labels import Labels
from training.pictures.render import read_shard

# Those who are smaller or more hidden do not count in the others.
_SIZES = {'30_to_80_px': (30, 80), '80_to_150_px': (80, 150), '150_to_400_px': (150, 400),
          'above_400_px': (400, np.inf)}  # fmt: skip
_VISIBLE = {'visible_above_90': (0.9, 1.01), 'visible_70_to_90': (0.7, 0.9),
            'visible_50_to_70': (0.5, 0.7), 'visible_20_to_50': (0.2, 0.5)}  # fmt: skip
GROUPS = ('all', *AGES, *_SIZES, *_VISIBLE, 'cut_by_the_edge', 'alone', 'new_to_pictures')


@dataclass(frozen=True)
class Judged:
    """What one estimator did on all pictures: people, finds that are nobody, finds in all."""

    outcome: Outcome
    false: int
    finds: int

    @property
    def precision(self) -> float | None:
        """Share of people who count and were met among them and the finds that are nobody."""
        met = int(np.count_nonzero(self.outcome.counts & self.outcome.found))
        return met / (met + self.false) if met + self.false else None


@dataclass(frozen=True)
class Shown:
    """A picture without its pixels: where they are, camera and labels."""

    shard: Path
    member: str
    camera: Camera
    labels: Labels


def group_masks(outcome: Outcome) -> dict[str, NDArray[np.bool_]]:
    """Who (P,) is in each of ``GROUPS``."""
    counts = outcome.counts
    small = (outcome.visible >= LEAST_SHARE) & (outcome.inside >= LEAST_SHARE)
    hidden = (outcome.size >= 80) & (outcome.inside >= LEAST_SHARE)
    masks = {'all': counts}
    for name, (low, high) in AGES.items():
        masks[name] = counts & (outcome.age >= low) & (outcome.age < high)
    for name, (low, high) in _SIZES.items():
        masks[name] = small & (outcome.size >= low) & (outcome.size < high)
    for name, (low, high) in _VISIBLE.items():
        masks[name] = hidden & (outcome.visible >= low) & (outcome.visible < high)
    masks['cut_by_the_edge'] = counts & (outcome.inside < 0.95)
    masks['alone'] = counts & outcome.alone
    masks['new_to_pictures'] = counts & (outcome.picture % NEW_TO_PICTURES == 0)
    return masks


def by_group(outcome: Outcome, who: NDArray[np.bool_] | None = None) -> dict[str, float | None]:
    """Figures of all groups, as GROUP.FIGURE; ``who`` (P,) leaves out others."""
    document: dict[str, float | None] = {}
    for group, mask in group_masks(outcome).items():
        found = figures(outcome[mask if who is None else mask & who])
        document.update({f'{group}.{name}': value for name, value in found.items()})
    return document


def keys() -> list[str]:
    """Keys that ``by_group`` gives."""
    return [f'{group}.{name}' for group in GROUPS for name in FIGURES]


def read_shards(paths: list[Path]) -> list[Shown]:
    """Labels and cameras of all pictures of some shards, in order."""
    shown = []
    for path in paths:
        with tarfile.open(path) as archive:
            members = [name for name in archive.getnames() if name.endswith('.png')]
        for member, picture in zip(members, read_shard(path), strict=True):
            shown.append(Shown(path.resolve(), member, picture.camera, picture.labels))
    return shown


def read_rgb(picture: Shown) -> NDArray[np.uint8]:
    """Read a picture's pixels (H, W, 3)."""
    with tarfile.open(picture.shard) as archive:
        file = archive.extractfile(picture.member)
        data = b'' if file is None else file.read()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(bgr[..., ::-1])


def run(estimator: Estimator, pictures: list[Shown], known: bool) -> list[Detections]:
    """Find everybody; ``known`` gives the camera."""
    what = 'camera known' if known else 'camera not known'
    return [
        estimator(Frame(read_rgb(p), 0.0, p.camera if known else None))
        for p in tqdm(pictures, desc=what, unit=' pictures')
    ]


def judge(pictures: list[Shown], found: list[Estimates]) -> Judged:
    """Compare an estimator's finds with the labels."""
    outcomes, false = [], 0
    for number, (picture, people) in enumerate(zip(pictures, found, strict=True)):
        outcome, wrong = compare(picture.labels, people, number)
        outcomes.append(outcome)
        false += wrong
    return Judged(joined(outcomes), false, sum(len(people) for people in found))


def jobs(pictures: list[Shown], found: list[Detections]) -> list[dict[str, Any]]:
    """Jobs for MediaPipe: every picture as a whole and in our boxes."""
    return [
        {
            'kind': 'picture',
            'path': os.fspath(p.shard),
            'member': p.member,
            'boxes': people.bbox.tolist(),
        }
        for p, people in zip(pictures, found, strict=True)
    ]


def mediapipe_finds(pictures: list[Shown], poses: Poses, in_boxes: bool) -> list[Estimates]:
    """Take what MediaPipe found in each picture, as a whole or in our boxes."""
    kept = poses[(poses.box >= 0) == in_boxes]
    return [kept[kept.job == k].estimates(p.camera) for k, p in enumerate(pictures)]
