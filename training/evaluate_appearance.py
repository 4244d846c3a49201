# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure how well appearance features tell people apart.

Looks at the same person at least a second apart are compared with looks at two people: the area
under the ROC curve of their cosines, and how often the best cosine among eight looks at each
person belongs to the right one. People in rendered videos are known; on real clips people are the
tracker's tracks, which hold mostly, and nobody is compared over a gap. Look-alikes wear the same
and are counted apart: colours cannot tell them.

    python -m training.evaluate_appearance DATA
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.perception import Perception
from anny_ros.types import Detections, Frame, TrackState
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from tqdm import tqdm

from training.pictures.scene import Studio
from training.pictures.sequences import render_sequence

SCENARIOS = (
    'crossing', 'behind_objects', 'leave_and_return', 'standing_group', 'children_with_adults',
    'moving_camera', 'look_alikes',
)  # fmt: skip
ALIKE = 'look_alikes'
CLIPS, EVERY, PICTURES = ('street', 'park'), 4, 60
SECONDS, RATE, VIDEOS_EACH = 8.0, 4.0, 2
GAP, GALLERY = 1.0, 8
LEAST_VISIBLE, FARTHEST_OFF = 0.25, 0.08


@dataclass
class Looks:
    """Features of known people at known times, in one video."""

    features: list[NDArray[np.float32]] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)

    def add(self, detections: Detections, row: int, person: int) -> None:
        """Take in one look."""
        self.features.append(detections.appearance[row])
        self.people.append(person)
        self.stamps.append(detections.stamp)

    def figures(self) -> tuple[float, float]:
        """Area under the ROC curve, share of right identities; NaN if too few looks."""
        features, people = np.array(self.features), np.array(self.people)
        if len(np.unique(people)) < 2:
            return np.nan, np.nan
        cosine = features @ features.T
        stamps = np.array(self.stamps)
        apart = np.abs(stamps[:, None] - stamps) >= GAP
        same = people[:, None] == people
        pairs = np.triu(apart, 1)
        right, wrong = cosine[pairs & same], cosine[pairs & ~same]
        if not len(right) or not len(wrong):
            return np.nan, np.nan
        rank = rankdata(np.concatenate([right, wrong]))[: len(right)]
        area = (rank.mean() - (len(right) + 1) / 2) / len(wrong)
        rng, named = np.random.default_rng(0), []
        for i in range(len(people)):
            best = {}
            for person in np.unique(people):
                looks = np.flatnonzero((people == person) & apart[i])
                if len(looks):
                    some = rng.choice(looks, min(GALLERY, len(looks)), replace=False)
                    best[int(person)] = cosine[i, some].max()
            if people[i] in best and len(best) > 1:
                named.append(max(best, key=lambda p: best[p]) == people[i])
        return float(area), float(np.mean(named)) if named else np.nan


def rendered(studio: Studio, estimator: Estimator, scenario: str, seed: int) -> Looks:
    """Find people in a rendered video and tell who they are."""
    looks = Looks()
    for frame in render_sequence(studio, scenario, seed, SECONDS, RATE):
        labels = frame.labels
        people = estimator(Frame(frame.rgb, frame.stamp, frame.camera))
        for i in np.flatnonzero(labels.visible_share >= LEAST_VISIBLE) if len(people) else ():
            off = np.linalg.norm(people.keypoints_2d - labels.keypoints_2d[i], axis=-1)
            row = int(np.median(off, axis=1).argmin())
            if np.median(off[row]) < FARTHEST_OFF * (labels.bbox[i, 3] - labels.bbox[i, 1]):
                looks.add(people, row, int(labels.identity[i]))
    return looks


def filmed(estimator: Estimator, path: Path) -> Looks:
    """Follow people through a real clip."""
    looks, perception = Looks(), Perception(estimator)
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    for k in range(EVERY * PICTURES):
        read, bgr = capture.read()
        if not read:
            break
        if k % EVERY:
            continue
        scene = perception(Frame(np.ascontiguousarray(bgr[..., ::-1]), k / rate))
        seen = (scene.states == TrackState.TRACKED) & (scene.time_since_observed <= 0)
        for row in np.flatnonzero(seen & (scene.age > 0)):
            looks.add(scene.humans, int(row), int(scene.track_numbers[row]))
    return looks


def measure(data: Path, seed: int) -> Iterator[tuple[str, Looks]]:
    """Give the looks of each video."""
    estimator = Estimator.load('anny-lite')
    for clip in CLIPS:
        yield clip, filmed(estimator, data / 'clips' / f'{clip}.mp4')
    studio = Studio.open(data, 'heldout')
    videos = [(s, seed + k) for s in SCENARIOS for k in range(VIDEOS_EACH)]
    for scenario, number in tqdm(videos, desc='rendered videos'):
        yield scenario, rendered(studio, estimator, scenario, number)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--seed', type=int, default=70)
    arguments = parser.parse_args()
    table: dict[str, list[tuple[float, float]]] = {}
    try:
        for name, looks in measure(arguments.data, arguments.seed):
            table.setdefault(name, []).append(looks.figures())
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    different = [row for s in SCENARIOS if s != ALIKE for row in table[s]]
    table['all rendered but look_alikes'] = different
    print(f'{"":30}{"ROC area":>10}{"right":>10}')
    for name, rows in table.items():
        area, right = np.nanmean(rows, axis=0)
        print(f'{name:30}{area:10.3f}{right:10.3f}')


if __name__ == '__main__':
    main()
