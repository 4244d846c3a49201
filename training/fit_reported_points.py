# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Fit where the 2D network puts the keypoints of a body, on rendered people.

    python -m training.fit_reported_points out/observed

Takes what ``training.observe_pictures`` wrote and prints the rows of
``anny_ros/keypoints/reported.py``, and the median error over the torso without and with them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import AnnyError
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.reported import OFFSETS
import numpy as np
from numpy.typing import NDArray

from training.observe_pictures import Observed, read_observed

FloatArray = NDArray[np.float64]

# Who is large and sure enough to tell.
_LEAST_PX, _LEAST_CONFIDENCE = 120.0, 0.4
_OUTLIER = 2.0  # median errors
_ROUNDS = 20
_TO_RIGHT = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Fit:
    """
    Offset of one keypoint.

    Parameters
    ----------
    offset : ndarray, (3,)
        Over the torso's length, in rest axes.
    count : int
        Looks.
    before, after : float
        Median error over the torso's length, without and with the offset.

    """

    offset: FloatArray
    count: int
    before: float
    after: float


def solve(A: FloatArray, b: FloatArray) -> Fit:
    """
    Fit A o = b robustly.

    Parameters
    ----------
    A : ndarray, (N, 2, 3)
    b : ndarray, (N, 2)

    Returns
    -------
    Fit

    Notes
    -----
    Iteratively reweighted least squares with Geman-McClure weights.

    """
    weight = np.ones(len(A))
    offset, error = np.zeros(3), np.linalg.norm(b, axis=1)
    before = float(np.median(error))
    for _ in range(_ROUNDS):
        weighted = A * weight[:, None, None]
        H = np.einsum('nij,nik->jk', A, weighted) + 1e-3 * np.eye(3)
        offset = np.linalg.solve(H, np.einsum('nij,ni->j', weighted, b))
        error = np.linalg.norm(b - A @ offset, axis=1)
        weight = (1 + (error / (_OUTLIER * np.median(error))) ** 2) ** -2.0
    return Fit(offset, len(A), before, float(np.median(error)))


def fit(looks: Observed, skeleton: Skeleton) -> list[tuple[int, str, Fit]]:
    """
    Fit the offset of each keypoint of the middle and the left, the right side mirrored.

    Returns
    -------
    list of (keypoint, joint that it hangs on, Fit)

    """
    people = looks.people
    G = skeleton.pose(skeleton.rest(people.phenotype), people.rotations).rotations
    turned, points = G.double().numpy(), people.keypoints.double().numpy()
    torso = np.linalg.norm(points[:, 5:7].mean(1) - points[:, 11:13].mean(1), axis=-1)
    rays = points[..., :2] / points[..., 2:]
    apart = looks.report.rays.double().numpy() - rays
    found = []
    for keypoint, joint, _ in OFFSETS:
        sides = [(keypoint, joint, np.ones(3))]
        if keypoint > 0:
            sides.append((keypoint + 1, joint.replace('.L', '.R'), _TO_RIGHT))
        A, b = [], []
        for k, name, sign in sides:
            sure = looks.report.confidences[:, k].numpy() > _LEAST_CONFIDENCE
            rows = np.flatnonzero(sure & (people.size_px > _LEAST_PX))
            # A tangent moves by (dx - (x / z) dz) / z; both sides times z over the torso.
            J = np.zeros((len(rows), 2, 3))
            J[:, 0, 0] = J[:, 1, 1] = 1.0
            J[:, :, 2] = -rays[rows, k]
            A.append(J @ turned[rows, skeleton.joint_names.index(name)] * sign)
            b.append(apart[rows, k] * (points[rows, k, 2] / torso[rows])[:, None])
        found.append((keypoint, joint, solve(np.concatenate(A), np.concatenate(b))))
    return found


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('observed', type=Path, help='folder of training.observe_pictures')
    options = parser.parse_args()
    try:
        looks = read_observed(options.observed)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    print(f'{len(looks)} looks')
    skeleton = Skeleton(BodyModel.load().asset, LIFTED_JOINTS)
    for keypoint, joint, result in fit(looks, skeleton):
        row = ', '.join(f'{value:.3f}' for value in result.offset)
        error = f'{result.before:.3f} -> {result.after:.3f}'
        print(f'({keypoint}, {joint!r}, ({row})),  # {result.count}: {error}')


if __name__ == '__main__':
    main()
