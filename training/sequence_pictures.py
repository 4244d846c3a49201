# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Rendered videos as sequences for the tracker: the truth, and what an estimator finds in them."""

from __future__ import annotations

from anny_ros.inference import Estimator
from anny_ros.tracking import Tracker
from anny_ros.types import Detections, Frame
import numpy as np
from numpy.typing import NDArray

from training.pictures.scene import Studio
from training.pictures.sequences import render_sequence, SequenceFrame
from training.sequences import Sequence

Float64Array = NDArray[np.float64]

# Scenarios and their lengths in seconds; others take minutes to render.
SCENARIOS = {
    'crossing': 6.0, 'behind_objects': 6.0, 'leave_and_return': 6.0, 'moving_camera': 5.0,
    'children_with_adults': 4.0,
}  # fmt: skip
RATE = 10.0


def film(
    studio: Studio, estimator: Estimator, scenario: str, seed: int
) -> tuple[Sequence, list[Detections]]:
    """
    Render a scenario and find the people in it.

    The estimator is told where people were a moment ago, as in ``anny_ros.Perception``.
    """
    tracker = Tracker(seed=0)
    frames, pictures = [], []
    for frame in render_sequence(studio, scenario, seed, SCENARIOS[scenario], RATE):
        people = estimator(Frame(frame.rgb, frame.stamp, frame.camera, tracker.expected_boxes()))
        tracker.update(people, np.linalg.inv(frame.camera_from_world))
        pictures.append(people)
        frames.append(frame)
    return truth(scenario, frames), pictures


def truth(name: str, frames: list[SequenceFrame]) -> Sequence:
    """Collect the labels of a rendered video; velocities are differences of positions."""
    labels = [frame.labels for frame in frames]
    stamps = np.array([frame.stamp for frame in frames])
    position = np.stack([p.keypoints_3d[:, 11:13].mean(axis=1) for p in labels]).astype(float)
    poses = np.stack([np.linalg.inv(frame.camera_from_world) for frame in frames])
    R = poses[:, :3, :3]
    world = np.einsum('fij,fpj->fpi', R, position) + poses[:, None, :3, 3]
    velocity = np.einsum('fji,fpj->fpi', R, np.gradient(world, stamps, axis=0))
    return Sequence(
        name=name,
        camera=frames[0].camera,
        stamps=stamps,
        world_from_camera=poses,
        position=position,
        velocity=velocity,
        facing=np.zeros(position.shape[:2]),
        box=np.stack([p.bbox for p in labels]).astype(np.float64),
        visible=np.stack([p.visible_share * p.inside_share for p in labels]).astype(np.float64),
        stature=labels[0].stature.astype(np.float64),
        look=labels[0].identity,
    )
