# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
CPU time of a tracker update with many people; prints milliseconds, asserts nothing.

``python benchmarks/bench_tracker.py --people 40 --appearance 4096``
"""

from __future__ import annotations

import argparse
import time

from anny_ros.geometry.camera import project
from anny_ros.tracking import Tracker
from anny_ros.types import Camera, Detections
import numpy as np

NUM_JOINTS = 74


def crowd(
    rng: np.random.Generator, truth: np.ndarray, look: np.ndarray, stamp: float
) -> Detections:
    """Noisy detections of people at ``truth`` (N, 3), a tenth of them missed."""
    camera = Camera.from_hfov(1.2, 1920, 1080)
    rows = rng.permutation(np.flatnonzero(rng.random(len(truth)) > 0.1))
    num = len(rows)
    position = truth[rows] * np.exp(0.08 * rng.normal(size=(num, 1)))
    place = project(position, camera.K) + rng.normal(size=(num, 2))
    half = 0.85 * camera.K[0, 0] / truth[rows, 2:] * np.array([0.3, 1.0])
    eye = np.broadcast_to(np.eye(3), (num, NUM_JOINTS, 3, 3))
    return Detections(
        stamp=stamp,
        camera=camera,
        score=np.full(num, 0.9),
        bbox=np.concatenate([place - half, place + half], axis=1),
        phenotype=np.full((num, 6), 0.5),
        rotations=eye,
        translation=position,
        joint_positions=np.repeat(position[:, None], NUM_JOINTS, axis=1),
        joint_orientations=eye,
        joint_confidences=np.ones((num, NUM_JOINTS)),
        keypoints_3d=np.repeat(position[:, None], 17, axis=1),
        keypoints_2d=np.repeat(place[:, None], 17, axis=1),
        keypoint_confidences=np.ones((num, 17)),
        position=position,
        position_covariance=np.tile(0.3 * np.eye(3), (num, 1, 1)),
        head_position=position,
        ground_position=position,
        stature=np.full(num, 1.7),
        stature_stddev=np.full(num, 0.1),
        age_years=np.full(num, 30.0),
        minor_probability=np.zeros(num),
        appearance=look[rows] + 0.3 * rng.normal(size=(num, look.shape[1])),
    )


def measure(num_people: int, appearance_size: int, num_updates: int) -> np.ndarray:
    """CPU milliseconds of each update with a walking crowd."""
    rng = np.random.default_rng(0)
    truth = rng.uniform((-6, -0.5, 6), (6, 0.5, 20), (num_people, 3))
    speed = rng.normal(size=(num_people, 3)) * (0.5, 0.0, 0.2)
    look = rng.normal(size=(num_people, appearance_size))
    pictures = [crowd(rng, truth + speed * (i / 15), look, i / 15) for i in range(num_updates)]
    tracker = Tracker(seed=0)
    times = []
    for picture in pictures:
        start = time.thread_time()
        tracker.update(picture)
        times.append(1e3 * (time.thread_time() - start))
    return np.array(times)


def main() -> None:
    """Print a line for each length of the appearance feature."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--people', type=int, default=40)
    parser.add_argument('--appearance', type=int, nargs='*', default=[0, 512, 4096])
    parser.add_argument('--updates', type=int, default=60)
    arguments = parser.parse_args()
    for size in arguments.appearance:
        times = measure(arguments.people, size, arguments.updates)[5:]
        print(
            f'{arguments.people} people, features of {size}: '
            f'p50 {np.median(times):.2f} ms, p99 {np.percentile(times, 99):.2f} ms an update'
        )


if __name__ == '__main__':
    main()
