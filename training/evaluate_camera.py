# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure what is known of a lens of which nothing is given, on rendered videos of known truth.

anny-lite sees each video twice without a camera: once with the field of view that it assumes,
once corrected by the people who are seen (``anny_ros.geometry.camera_from_people``). Prints for
each video, at its end, by how much the focal length is off and the standard deviation that is
claimed, and how far off distances are in its second half.

    python -m training.evaluate_camera DATA
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.perception import Perception
from anny_ros.types import Camera, Frame, Scene
import numpy as np
from tqdm import tqdm

from training.pictures.scene import Studio
from training.pictures.sequences import render_sequence, SequenceFrame

# Scenario, horizontal field of view and pitch of the camera in degrees.
VIDEOS = (
    ('crossing', 50, -3), ('crossing', 70, -6), ('crossing', 90, -6), ('moving_camera', 50, -12),
    ('moving_camera', 70, -14), ('moving_camera', 95, -3), ('standing_group', 50, -7),
    ('standing_group', 60, -9), ('standing_group', 95, -12), ('leave_and_return', 80, -3),
    ('leave_and_return', 90, -17), ('children_with_adults', 60, -1),
    ('children_with_adults', 85, -12), ('look_alikes', 75, -6), ('look_alikes', 75, -2),
    ('behind_objects', 70, -5),
)  # fmt: skip
SECONDS, RATE = 12.0, 4.0
# People of whom less can be seen do not count; nor do bodies farther off than this share of them.
LEAST_VISIBLE, LEAST_INSIDE, FARTHEST_OFF = 0.6, 0.9, 0.1


def distance_errors(scene: Scene, frame: SequenceFrame) -> list[float]:
    """Logarithms of shown over true distances of everybody who is found."""
    labels, humans = frame.labels, scene.humans
    errors = []
    for i in range(len(labels)):
        visible = labels.visible_share[i] >= LEAST_VISIBLE
        if not (visible and labels.inside_share[i] >= LEAST_INSIDE and len(humans)):
            continue
        off = np.linalg.norm(humans.keypoints_2d - labels.keypoints_2d[i], axis=-1)
        nearest = int(np.median(off, axis=1).argmin())
        height = labels.bbox[i, 3] - labels.bbox[i, 1]
        if np.median(off[nearest]) > FARTHEST_OFF * height:
            continue
        truth = np.linalg.norm(labels.keypoints_3d[i, 11:13].mean(axis=0))
        errors.append(float(np.log(np.linalg.norm(humans.position[nearest]) / truth)))
    return errors


def watch(
    estimator: Estimator, frames: list[SequenceFrame], corrected: bool
) -> tuple[Camera, list[float]]:
    """Run a video without its camera: the camera at the end, and errors of distances."""
    perception = Perception(estimator)
    if not corrected:
        estimator.camera_filter = None
    errors: list[float] = []
    for k, frame in enumerate(frames):
        scene = perception(Frame(frame.rgb, frame.stamp))
        if k >= len(frames) // 2:
            errors += distance_errors(scene, frame)
    return scene.camera, errors


def measure(data: Path, seed: int) -> list[list[float]]:
    """Print a line a video; errors assumed and corrected: focal lengths, sd, distances."""
    studio, estimator = Studio.open(data, 'heldout'), Estimator.load('anny-lite')
    print(f'{"":34}{"focal length off":^24}{"distance off":^18}')
    print(f'{"video":22}{"hfov":>6}{"pitch":>6}{"assumed":>9}{"corrected":>15}{"":3}'
          f'{"assumed":>8}{"corrected":>10}')  # fmt: skip
    table = []
    for k, (scenario, hfov, pitch) in enumerate(tqdm(VIDEOS, desc='videos')):
        angles = {'hfov': float(np.deg2rad(hfov)), 'pitch': float(np.deg2rad(pitch))}
        frames = list(render_sequence(studio, scenario, seed + k, SECONDS, RATE, **angles))
        row = []
        for corrected in (False, True):
            camera, errors = watch(estimator, frames, corrected)
            off = float(np.log(camera.K[0, 0] / frames[0].camera.K[0, 0]))
            stddev = float(camera.hfov_stddev / np.sin(camera.hfov))
            row += [off, stddev, float(np.median(np.abs(errors))) if errors else np.nan]
        table.append(row)
        tqdm.write(
            f'{scenario:22}{hfov:6}{pitch:6}{row[0]:9.1%}{row[3]:9.1%} ± {row[4]:4.0%}'
            f'{row[2]:10.1%}{row[5]:10.1%}'
        )
    return table


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--seed', type=int, default=50)
    arguments = parser.parse_args()
    try:
        table = np.array(measure(arguments.data, arguments.seed))
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    for name, column in (('assumed', 0), ('corrected', 3)):
        off, stddev, distance = table[:, column : column + 3].T
        print(
            f'{name}: focal length off by {np.sqrt(np.mean(off**2)):.1%} rms, '
            f'{np.median(np.abs(off)):.1%} median, {np.mean(np.abs(off) <= stddev):.0%} within '
            f'one standard deviation; distance off by {np.nanmean(distance):.1%}'
        )


if __name__ == '__main__':
    main()
