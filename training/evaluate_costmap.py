# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure where a costmap's obstacle layer would mark people, on rendered sequences.

    python -m training.evaluate_costmap DATA [--seed 100]

anny-lite finds people in the pixels, the node's points are put into cells of 5 cm of a map that
stands still, and the cells are compared with where people truly stand (the middle of the hips,
on the floor).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.perception import Perception
from anny_ros.ros.publishers.points import sparse_vertices
from anny_ros.tracking import Tracker
from anny_ros.types import Frame, Scene, TrackState
import numpy as np
from numpy.typing import NDArray
import torch
from tqdm import tqdm

from training.evaluate_fusion import HELP, LEAST_VISIBLE, SCENARIOS, surroundings_of
from training.pictures.scene import Studio
from training.pictures.sequences import render_sequence, SequenceFrame

FloatArray = NDArray[np.float64]

RESOLUTION, RANGE = 0.05, 8.0  # metres
LEAST_HEIGHT, GREATEST_HEIGHT = 0.05, 2.0
SPACING = 0.1
# A person counts as marked if a cell is this near; a cell as theirs if it is no farther from them
# than this and an arm.
NEAR, ARM = 0.2, 0.7


@dataclass
class Marks:
    """How far people (from cells) and cells (from people) are, metres."""

    people: list[float] = field(default_factory=list)
    cells: list[float] = field(default_factory=list)

    def add(self, truth: FloatArray, counted: NDArray[np.bool_], cells: FloatArray) -> None:
        """
        Compare the cells of one picture.

        Parameters
        ----------
        truth : ndarray, (N, 2), metres
            Where everybody stands.
        counted : ndarray, (N,), bool
            Who can be seen, and is near enough.
        cells : ndarray, (C, 2), metres
            Middles of marked cells.

        """
        apart = np.linalg.norm(truth[:, None] - cells[None], axis=2)
        self.people += apart[counted].min(axis=1, initial=np.inf).tolist()
        if len(truth):
            self.cells += apart.min(axis=0).tolist()

    def line(self) -> str:
        """One line for people."""
        near = np.mean(np.array(self.people) <= NEAR)
        within = np.mean(np.array(self.cells) <= NEAR + ARM) if self.cells else np.nan
        return (
            f'{len(self.people)} looks at people, {100 * near:.1f} % with a cell within {NEAR} m; '
            f'{len(self.cells)} cells, {100 * within:.1f} % within {NEAR + ARM:.1f} m of somebody'
        )


def marked_cells(points: FloatArray, camera: FloatArray) -> FloatArray:
    """
    Mark cells as nav2_costmap_2d's obstacle layer does.

    Parameters
    ----------
    points : ndarray, (P, 3), metres
        World, z up, floor at 0.
    camera : ndarray, (3,)
        Where the camera is.

    Returns
    -------
    ndarray, (C, 2), metres
        Middles of the cells.

    """
    kept = (points[:, 2] >= LEAST_HEIGHT) & (points[:, 2] <= GREATEST_HEIGHT)
    kept &= np.linalg.norm(points[:, :2] - camera[:2], axis=1) <= RANGE
    cells = np.unique(np.floor(points[kept, :2] / RESOLUTION), axis=0)
    return np.asarray((cells + 0.5) * RESOLUTION)


def points_of(
    scene: Scene,
    body: BodyModel,
    chosen: tuple[str, NDArray[np.intp]],
    world_from_camera: FloatArray,
) -> FloatArray:
    """Points (P, 3) that the node publishes of a scene, the ``chosen`` ones, in the world."""
    resolution, vertices = chosen
    rows = scene.humans[np.flatnonzero(scene.states != TrackState.LOST)]
    surface = body.vertices(rows, resolution)[:, vertices].reshape(-1, 3).astype(np.float64)
    return np.asarray(surface @ world_from_camera[:3, :3].T + world_from_camera[:3, 3])


def mark(
    model: Estimator, body: BodyModel, frames: list[SequenceFrame], helpers: Iterable[str]
) -> Marks:
    """Go through a sequence; its first second, in which tracks begin, does not count."""
    perception, marks = Perception(model, tracker=Tracker(seed=0)), Marks()
    chosen = sparse_vertices(body, SPACING)
    for index, frame in enumerate(frames):
        scene = perception(
            Frame(frame.rgb, frame.stamp, frame.camera), surroundings_of(frame, helpers, 0, index)
        )
        if frame.stamp < frames[0].stamp + 1.0:
            continue
        pose = np.linalg.inv(frame.camera_from_world)
        hips = frame.labels.keypoints_3d[:, 11:13].mean(axis=1)
        truth = (hips @ pose[:3, :3].T + pose[:3, 3])[:, :2]
        near = np.linalg.norm(truth - pose[:2, 3], axis=1) <= RANGE - NEAR
        counted = near & (frame.labels.visible_share >= LEAST_VISIBLE)
        points = points_of(scene, body, chosen, pose)
        marks.add(truth, counted, marked_cells(points, pose[:3, 3]))
    return marks


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--seed', type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        studio = Studio.open(options.data, 'heldout')
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    model, total = Estimator.load('anny-lite'), {name: Marks() for name in HELP}
    for scenario in tqdm(SCENARIOS):
        frames = list(render_sequence(studio, scenario, options.seed, 4.0, 8.0))
        for name, helpers in HELP.items():
            found = mark(model, studio.body, frames, helpers)
            total[name].people += found.people
            total[name].cells += found.cells
    for name, marks in total.items():
        print(f'{name:7} {marks.line()}')


if __name__ == '__main__':
    main()
