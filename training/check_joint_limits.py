# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Count joints of people on real clips that turn farther than in all of the pose data.

A joint is beyond its limits if a component of its rotation vector leaves the range of the pose
data (mirrored too, without the outermost 0.2 percent) by more than 10 degrees.

    python -m training.check_joint_limits DATA [--model anny-lite]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anny_ros.errors import AnnyError
from anny_ros.inference import Estimator
from anny_ros.keypoints.lifter import LIFTED_JOINTS, MIRRORED_JOINTS
from anny_ros.types import Frame
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
import torch

from training.evaluate_clips import read_frames, REPROJECTION_CLIPS
from training.poses import load_poses

_OUTERMOST = 0.2  # percent
_TOLERANCE_DEG = 10.0


def rotation_vectors(rotations: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rotation vectors (N, 28, 3) in degrees of world-aligned rotations (N, 28, 3, 3)."""
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec(degrees=True)
    return np.asarray(flat.reshape(-1, len(LIFTED_JOINTS), 3))


def joint_limits(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest components, (28, 3) each, of rotation vectors and their mirror images."""
    mirrored = vectors[:, list(MIRRORED_JOINTS)] * [1, -1, -1]
    both = np.concatenate([vectors, mirrored])
    low, high = np.percentile(both, [_OUTERMOST, 100 - _OUTERMOST], axis=0)
    return low, high


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path, help='folder that holds poses.npz and clips/')
    parser.add_argument('--model', default='anny-lite')
    options = parser.parse_args()
    try:
        training, held_out = load_poses(options.data)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    rotations = torch.cat([training.rotations, held_out.rotations]).numpy()
    low, high = joint_limits(rotation_vectors(rotations))
    estimator = Estimator.load(options.model)
    rows = [estimator.body.joint_index(name) for name in LIFTED_JOINTS]
    found = []
    for name, step in REPROJECTION_CLIPS.items():
        for index, rgb in read_frames(options.data / 'clips' / name):
            people = estimator(Frame(rgb, 0.0)) if index % step == 0 else []
            if len(people):
                found.append(estimator.body.world_rotations(people)[:, rows])
    vectors = rotation_vectors(np.concatenate(found))
    beyond = np.maximum(np.maximum(vectors - high, low - vectors), 0.0).max(-1)[:, 1:]
    share = float((beyond > _TOLERANCE_DEG).mean())
    print(f'{len(vectors)} people: {share:.4f} of their joints beyond the limits')
    for joint in np.argsort(-beyond.max(0))[:5]:
        print(f'{LIFTED_JOINTS[joint + 1]:16} at most {beyond[:, joint].max():.1f} degrees beyond')


if __name__ == '__main__':
    main()
