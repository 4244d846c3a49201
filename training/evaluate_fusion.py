# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure what a floor and a depth picture do for distances, on rendered sequences.

The estimator is the truth with errors as one picture makes them, or anny-lite. Floor and depth
have errors too: a tilt and a height that are a little wrong; depth of half the size with noise and
holes, of people in their clothes. Errors are of the logarithm of the distance of people of whom
at least half is visible, after the tracker, which knows the camera's motion.

``training.evaluate_tracking --data DATA`` adds the figures to its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.geometry.boxes import overlap
from anny_ros.geometry.ground import Ground
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.inference import assemble_detections, Estimator
from anny_ros.inference.assemble import ray_covariance
from anny_ros.parameters import Parameters
from anny_ros.perception import Perception, Surroundings
from anny_ros.tracking import Tracker
from anny_ros.types import Detections, FloatArray, Frame, PHENOTYPE_NAMES, Scene, TrackState
import numpy as np
from tqdm import tqdm

from training.pictures.labels import KeypointState
from training.pictures.scene import Studio
from training.pictures.sequences import render_sequence, SequenceFrame

SCENARIOS = ('moving_camera', 'standing_group', 'crossing')
HELP = {'alone': (), 'ground': ('ground',), 'depth': ('depth',), 'both': ('ground', 'depth')}
LEAST_VISIBLE, LEAST_IOU = 0.5, 0.5
# Errors of the estimator, shares of the size: of a person for good, and new in each picture.
SIZE_BIAS, FIT, ACROSS = 0.08, 0.03, 0.01
TURN = 0.05  # radians, of the whole body
# Errors of the floor (radians, metres) and of depth (share; share of pixels without a value).
TILT, HEIGHT, DEPTH_NOISE, HOLES = 0.007, 0.015, 0.01, 0.2
# 95 % quantile of the chi-squared distribution with 3 degrees of freedom.
INSIDE = 7.815
_HEIGHT = PHENOTYPE_NAMES.index('height')
_CONFIDENCE = {
    KeypointState.OUTSIDE: 0.05,
    KeypointState.HIDDEN: 0.1,
    KeypointState.SELF_HIDDEN: 0.6,
    KeypointState.VISIBLE: 0.95,
}


class NoisyTruth(Estimator):
    """Reports the people of ``shown``, a rendered picture, with the errors of an estimator."""

    name, backend = 'noisy-truth', 'none'

    def __init__(self, body: BodyModel, seed: int) -> None:
        self.body, self.parameters = body, Parameters()
        self.shown: SequenceFrame | None = None
        self._rng = np.random.default_rng(seed)
        self._bias: dict[int, float] = {}
        self._clothes: dict[int, FloatArray] = {}

    def __call__(self, frame: Frame) -> Detections:
        """Report who is at least partly seen; deterministic in the order of calls."""
        assert self.shown is not None
        rng, labels = self._rng, self.shown.labels
        labels = labels[(labels.visible_share > 0.3) & (labels.inside_share > 0.3)]
        num = len(labels)
        for person in labels.identity.tolist():
            self._bias.setdefault(person, SIZE_BIAS * rng.normal())
            self._clothes.setdefault(person, rng.normal(size=32))
        wanted = np.exp([self._bias[i] for i in labels.identity.tolist()]) * labels.stature
        ends = np.repeat(labels.phenotype[None], 2, axis=0)
        ends[0, :, _HEIGHT], ends[1, :, _HEIGHT] = 0.0, 1.0
        low, high = self.body.stature(ends.reshape(-1, 6)).reshape(2, num)
        phenotype = labels.phenotype.copy()
        phenotype[:, _HEIGHT] = np.clip((wanted - low) / (high - low), 0.0, 1.0)
        stature = self.body.stature(phenotype)
        scale = stature / labels.stature * np.exp(FIT * rng.normal(size=num))
        across = ACROSS * stature[:, None] * rng.normal(size=(num, 3))
        rotations = labels.local_rotations.copy()
        turns = rotvec_to_rotmat(TURN * rng.normal(size=(num, 3)))
        rotations[:, 0] = turns @ rotations[:, 0]
        place = labels.translation * scale[:, None] + across
        distance = np.linalg.norm(place, axis=1)
        states = np.vectorize(_CONFIDENCE.__getitem__, [float])(labels.keypoint_state)
        found = assemble_detections(
            self.body,
            stamp=frame.stamp,
            camera=self.shown.camera,
            score=np.full(num, 0.9, np.float32),
            phenotype=phenotype,
            rotations=rotations,
            translation=place.astype(np.float32),
            bbox=labels.bbox,
            keypoint_confidences=states.reshape(num, 17),
            stature_stddev=SIZE_BIAS * stature,
            appearance=np.array([self._clothes[i] for i in labels.identity.tolist()]).reshape(
                num, 32
            ),
        )
        spread = np.hypot(SIZE_BIAS, FIT)
        return replace(
            found,
            position_covariance=ray_covariance(
                found.position, spread * distance, ACROSS * stature
            ),
        )


def surroundings_of(
    frame: SequenceFrame, helpers: Iterable[str], seed: int, index: int
) -> Surroundings:
    """Make what sensors with errors know of a rendered picture."""
    constant, fresh = np.random.default_rng(seed), np.random.default_rng([seed, index])
    pose = np.linalg.inv(frame.camera_from_world)
    ground = depth = None
    if 'ground' in helpers:
        tilt = rotvec_to_rotmat(TILT * constant.normal(size=3) * [1, 1, 0])
        height = pose[2, 3] + HEIGHT * constant.normal()
        ground = Ground.from_pose(tilt @ pose[:3, :3], np.array([0.0, 0.0, height]))
    if 'depth' in helpers:
        exact = frame.depth[::2, ::2]
        noisy = exact * (1 + DEPTH_NOISE * fresh.normal(size=exact.shape))
        noisy[fresh.random(exact.shape) < HOLES] = 0.0
        depth = noisy.astype(np.float32)
    return Surroundings(pose, ground, depth)


@dataclass
class Errors:
    """Errors of the logarithm of the distance, and whether the 95 % ellipsoid holds the truth."""

    log_distance: list[float] = field(default_factory=list)
    inside: list[bool] = field(default_factory=list)

    def add(self, frame: SequenceFrame, scene: Scene) -> None:
        """Take in everybody who counts and is TRACKED."""
        rows = np.flatnonzero(scene.states == TrackState.TRACKED)
        counted = np.flatnonzero(frame.labels.visible_share >= LEAST_VISIBLE)
        truth = frame.labels.keypoints_3d[counted, 11:13].mean(axis=1)
        shared = overlap(frame.labels.bbox[counted], scene.humans.bbox[rows])
        for i, person in enumerate(shared):
            if not len(rows) or person.max() < LEAST_IOU:
                continue
            row = rows[int(person.argmax())]
            found = scene.humans.position[row].astype(np.float64)
            ratio = np.linalg.norm(found) / np.linalg.norm(truth[i])
            self.log_distance.append(float(np.log(ratio)))
            covariance = scene.humans.position_covariance[row].astype(np.float64)
            off = found - truth[i]
            self.inside.append(bool(off @ np.linalg.solve(covariance, off) <= INSIDE))

    def extend(self, other: Errors) -> None:
        """Take in the errors of another sequence."""
        self.log_distance += other.log_distance
        self.inside += other.inside

    def figures(self) -> dict[str, float]:
        """Median and 90 % quantile of errors as shares of the distance, and the share inside."""
        size = np.abs(np.expm1(self.log_distance or [np.nan]))
        return {
            'median': float(np.median(size)),
            'p90': float(np.quantile(size, 0.9)),
            'inside_95': float(np.mean(self.inside)) if self.inside else float('nan'),
        }


def errors_of(
    perception: Perception, frames: list[SequenceFrame], helpers: Iterable[str], seed: int
) -> Errors:
    """Errors over a sequence, with the errors of the sensors drawn from a seed."""
    errors = Errors()
    for index, frame in enumerate(frames):
        if isinstance(perception.estimator, NoisyTruth):
            perception.estimator.shown = frame
        scene = perception(
            Frame(frame.rgb, frame.stamp, frame.camera),
            surroundings_of(frame, helpers, seed, index),
        )
        errors.add(frame, scene)
    return errors


def evaluate_distances(
    data: Path,
    seed: int,
    *,
    scenes: int = 2,
    seconds: float = 3.0,
    fps: float = 8.0,
    repeats: int = 5,
    lite: bool = True,
) -> dict[str, float]:
    """
    Make all figures.

    Parameters
    ----------
    data : Path
        Folder of the data pack.
    seed : int
        Of all scenes and errors.
    scenes : int
        How many of each scenario are rendered.
    seconds, fps : float
        Of each.
    repeats : int
        How often people's and sensors' errors are drawn anew for each scene.
    lite : bool
        Measure anny-lite too.

    Returns
    -------
    dict of str to float
        ``distance.<estimator>.<scenario>.<help>.median`` and ``.p90``: absolute errors as
        shares of the distance; ``.inside_95``: share of errors inside of the 95 % ellipsoid;
        ``all`` for all scenarios.

    """
    studio = Studio.open(data, 'heldout')
    collected: dict[tuple[str, str, str], Errors] = {}
    model = Estimator.load('anny-lite') if lite else None
    every = [(scenario, scene) for scenario in SCENARIOS for scene in range(scenes)]
    for number, (scenario, scene) in enumerate(tqdm(every, desc='floors and depth')):
        frames = list(render_sequence(studio, scenario, seed + scene, seconds, fps))
        for repeat in range(repeats):
            draw = (1000 * seed + 100 * number + repeat) % 2**31
            for help_name, helpers in HELP.items():
                runs: list[Estimator] = [NoisyTruth(studio.body, draw)]
                # What it finds is the same in every repeat.
                runs += [model] if model is not None and repeat == 0 else []
                for estimator in runs:
                    perception = Perception(estimator, tracker=Tracker(seed=0))
                    errors = errors_of(perception, frames, helpers, draw)
                    for place in (scenario, 'all'):
                        key = (estimator.name, place, help_name)
                        collected.setdefault(key, Errors()).extend(errors)
    return {
        f'distance.{name}.{place}.{help_name}.{figure}': value
        for (name, place, help_name), errors in collected.items()
        for figure, value in errors.figures().items()
    }


def table(document: dict[str, float]) -> str:
    """Show the figures for people."""
    lines = [f'{"error of the distance, median (p90) %":42}' + ''.join(f'{h:>16}' for h in HELP)]
    keys = [key.split('.') for key in document if key.startswith('distance.')]
    for name, place in dict.fromkeys((key[1], key[2]) for key in keys):
        cells = [
            tuple(100 * document[f'distance.{name}.{place}.{h}.{q}'] for q in ('median', 'p90'))
            for h in HELP
        ]
        lines.append(
            f'{name + " " + place:42}' + ''.join(f'{m:7.1f} ({p:5.1f})  ' for m, p in cells)
        )
    return '\n'.join(lines)
