# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Real clips: who is found while tracking, and how steady bodies and places are over time."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from anny_ros.geometry.boxes import overlap
from anny_ros.geometry.camera import project
from anny_ros.inference import Estimator
from anny_ros.perception import Perception
from anny_ros.tracking import Tracker
from anny_ros.types import Frame, Scene, TrackState
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.evaluate_clips import judge, Labels, LEAST_IOU, read_frames
from training.evaluation.errors import LIMBS
from training.evaluation.mediapipe_pose import COCO, Poses
from training.evaluation.people import Estimates, sizes

FloatArray = NDArray[np.floating[Any]]

RATES = {'park.mp4': 30.0, 'street.mp4': 10.0}  # pictures a second
# Upper arms, forearms, thighs, shins.
_BONES = np.array([(5, 7), (6, 8), (7, 9), (8, 10), (11, 13), (12, 14), (13, 15), (14, 16)])
_LEAST_FRAMES = 20
STEADINESS = (
    'tracks', 'pictures', 'bone_length_variation', 'joint_jitter_median_mm', 'joint_jitter_p95_mm',
    'distance_jitter_median', 'distance_jitter_p95',
)  # fmt: skip
FOUND = ('recall', 'precision')


@dataclass(frozen=True)
class Track:
    """
    One person over time, T rows.

    Parameters
    ----------
    frame : ndarray, (T,), int
        Ascending; there may be gaps.
    joints : ndarray, (T, 17, 3), metres
        Along the axes of the optical frame.
    position : ndarray, (T, 3), metres

    """

    frame: NDArray[np.int64]
    joints: FloatArray
    position: FloatArray

    def __getitem__(self, rows: Any) -> Track:
        """Take rows by a mask or an index array."""
        return Track(self.frame[rows], self.joints[rows], self.position[rows])


def follow(path: Path, rate: float, estimator: Estimator, most: int | None) -> list[Scene]:
    """Track everybody through a clip, as the node does; ``most`` pictures."""
    perception = Perception(estimator, tracker=Tracker(seed=0))
    wanted = None if most is None else set(range(most))
    frames = tqdm(read_frames(path, wanted), desc=path.name, unit=' pictures')
    return [perception(Frame(rgb, index / rate)) for index, rgb in frames]


def tracked(scene: Scene) -> NDArray[np.intp]:
    """Rows of who is TRACKED."""
    return np.flatnonzero(scene.states == TrackState.TRACKED)


def recall_precision(
    labels: dict[int, Labels], boxes: dict[int, FloatArray]
) -> dict[str, float | None]:
    """
    Recall and precision of boxes (N, 4) by frame.

    Frames without labels do not count, nor does the first of the clip: nobody is tracked yet.
    """
    met = missed = false = 0
    for frame, wanted in labels.items():
        if frame in boxes and frame > 0:
            verdict = judge(boxes[frame].astype(np.float64), wanted)
            met, missed = met + len(verdict.met), missed + len(verdict.missed)
            false += len(verdict.false)
    return {
        'recall': met / (met + missed) if met + missed else None,
        'precision': met / (met + false) if met + false else None,
    }


def collect(rows: list[tuple[int, int, FloatArray, FloatArray]]) -> dict[int, Track]:
    """Tracks by number, of (number, frame, joints (17, 3), position (3,)) in order of time."""
    tracks: dict[int, Track] = {}
    for number in sorted({row[0] for row in rows}):
        _, frame, joints, position = zip(*(r for r in rows if r[0] == number), strict=True)
        tracks[number] = Track(
            np.array(frame), np.array(joints, np.float64), np.array(position, np.float64)
        )
    return tracks


def our_tracks(scenes: list[Scene]) -> dict[int, Track]:
    """Bodies and places while TRACKED."""
    return collect(
        [
            (int(s.track_numbers[r]), k, s.humans.keypoints_3d[r], s.humans.position[r])
            for k, s in enumerate(scenes)
            for r in tracked(s)
        ]
    )


def jobs(path: Path, scenes: list[Scene]) -> dict[str, Any]:
    """Job for MediaPipe: the clip as a video, and our boxes of who is TRACKED."""
    boxes = [scene.humans.bbox[tracked(scene)].tolist() for scene in scenes]
    return {
        'kind': 'video',
        'path': os.fspath(path.resolve()),
        'frames': len(scenes),
        'boxes': boxes,
    }


def mediapipe_finds(scenes: list[Scene], poses: Poses) -> list[tuple[Estimates, FloatArray]]:
    """MediaPipe's bodies in each picture, and their 2D points (N, 17, 2)."""
    finds = []
    for k, scene in enumerate(scenes):
        here = poses[poses.frame == k]
        finds.append((here.estimates(scene.camera), here.landmarks[:, COCO]))
    return finds


def mediapipe_tracks(scenes: list[Scene], poses: Poses) -> dict[int, Track]:
    """MediaPipe's bodies under the numbers of our tracks: by box, or by whom they overlap most."""
    rows = []
    for k, scene in enumerate(scenes):
        here, people = poses[poses.frame == k], tracked(scene)
        found = here.estimates(scene.camera)
        shared = overlap(found.bbox, scene.humans.bbox[people].astype(np.float64))
        for i in range(len(found)):
            j = int(here.box[i])
            if j < 0 and len(people):
                j = int(shared[i].argmax())
            if j >= 0 and shared[i, j] >= LEAST_IOU:
                number = int(scene.track_numbers[people[j]])
                rows.append((number, k, found.joints[i], found.position[i]))
    return collect(rows)


def off_own_points(finds: list[tuple[Estimates, FloatArray]], scenes: list[Scene]) -> float | None:
    """Median distance of projected limb joints from the estimator's 2D points, of the height."""
    apart = [np.zeros(0)]
    for (found, points), scene in zip(finds, scenes, strict=True):
        uv = project(found.joints.astype(np.float64), scene.camera.K)
        off = np.linalg.norm(uv - points, axis=-1)[:, LIMBS] / sizes(found.bbox)[:, None]
        apart.append(off.ravel())
    every = np.concatenate(apart)
    return float(np.median(every)) if len(every) else None


def in_common(
    first: dict[int, Track], second: dict[int, Track]
) -> tuple[dict[int, Track], dict[int, Track]]:
    """Both, with the pictures alone in which both have the person."""
    kept: tuple[dict[int, Track], dict[int, Track]] = ({}, {})
    for number in sorted(first.keys() & second.keys()):
        a, b = first[number], second[number]
        kept[0][number] = a[np.isin(a.frame, b.frame)]
        kept[1][number] = b[np.isin(b.frame, a.frame)]
    return kept


def steadiness(tracks: dict[int, Track]) -> dict[str, float | None]:
    """
    How much changes from picture to picture that does not change in the world, or hardly.

    Only people who are there in at least 20 pictures count.

    Returns
    -------
    dict
        ``bone_length_variation``: standard deviation over mean of the length of a limb's bone
        over time; mean over eight bones, median over people. ``joint_jitter``: length of the
        second difference, over three pictures in a row, of limb joints about the hips, in mm per
        picture squared; real movement is in it, alike for all who look at the same pictures.
        ``distance_jitter``: the same of the logarithm of the distance.

    """
    long = [t for t in tracks.values() if len(t.frame) >= _LEAST_FRAMES]
    result: dict[str, float | None] = dict.fromkeys(STEADINESS)
    result['tracks'] = float(len(long))
    result['pictures'] = float(sum(len(t.frame) for t in long))
    if not long:
        return result
    variations, jitter, distance = [], [np.zeros(0)], [np.zeros(0)]
    for t in long:
        bones = np.linalg.norm(t.joints[:, _BONES[:, 0]] - t.joints[:, _BONES[:, 1]], axis=-1)
        variations.append(float((bones.std(axis=0) / bones.mean(axis=0)).mean()))
        about = t.joints - t.joints[:, 11:13].mean(axis=1, keepdims=True)
        row = np.flatnonzero(t.frame[2:] - t.frame[:-2] == 2)
        second = about[row] - 2 * about[row + 1] + about[row + 2]
        jitter.append(np.linalg.norm(second[:, LIMBS], axis=-1).ravel())
        away = np.log(np.linalg.norm(t.position, axis=1))
        distance.append(np.abs(away[row] - 2 * away[row + 1] + away[row + 2]))
    result['bone_length_variation'] = float(np.median(variations))
    for name, parts, scale in (('joint', jitter, 1000.0), ('distance', distance, 1.0)):
        every, unit = scale * np.concatenate(parts), '_mm' if name == 'joint' else ''
        if len(every):
            result[f'{name}_jitter_median{unit}'] = float(np.median(every))
            result[f'{name}_jitter_p95{unit}'] = float(np.quantile(every, 0.95))
    return result


def only(poses: Poses, job: int, in_boxes: bool) -> Poses:
    """Rows of one job, as a whole or in boxes."""
    return poses[(poses.job == job) & ((poses.box >= 0) == in_boxes)]
