# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Where the 2D network puts the keypoints of a body.

Its idea of a shoulder or a hip is another than the body's: both are reported higher, which makes
heads look small and children adult. Fitted on rendered people, whose truth is exact
(``python -m training.fit_reported_points``).
"""

from __future__ import annotations

from collections.abc import Sequence

from anny_ros.body.skeleton import PosedSkeleton
from anny_ros.keypoints.view import NUM_KEYPOINTS
import torch
from torch import Tensor

# Of the left side and the middle: keypoint, the joint it hangs on, and how far off it is, over
# the length of the torso, in rest axes (x to the left, y to the back, z up); the right mirrors it.
OFFSETS: tuple[tuple[int, str, tuple[float, float, float]], ...] = (
    (0, 'head', (0.0, 0.020, 0.006)),
    (1, 'head', (-0.015, 0.017, 0.003)),
    (3, 'head', (-0.030, -0.005, 0.002)),
    (5, 'spine01', (0.017, 0.005, 0.051)),
    (7, 'upperarm02.L', (0.010, 0.007, 0.016)),
    (9, 'lowerarm02.L', (0.004, 0.002, 0.006)),
    (11, 'root', (0.002, -0.013, 0.072)),
    (13, 'upperleg01.L', (-0.011, -0.018, 0.012)),
    (15, 'lowerleg01.L', (0.007, -0.010, 0.0)),
)


class ReportedPoints:
    """
    Moves keypoints from where they are to where they are reported.

    Parameters
    ----------
    joint_names : sequence of str
        Of the skeleton whose poses are given.

    """

    def __init__(self, joint_names: Sequence[str]) -> None:
        joints, offsets = [0] * NUM_KEYPOINTS, torch.zeros(NUM_KEYPOINTS, 3)
        for keypoint, joint, offset in OFFSETS:
            joints[keypoint] = joint_names.index(joint)
            offsets[keypoint] = torch.tensor(offset)
            if keypoint > 0:
                joints[keypoint + 1] = joint_names.index(joint.replace('.L', '.R'))
                offsets[keypoint + 1] = offsets[keypoint] * torch.tensor([-1.0, 1.0, 1.0])
        self._joints = torch.tensor(joints)
        self._offsets = offsets

    def __call__(self, posed: PosedSkeleton) -> Tensor:
        """
        Place the keypoints as the 2D network would.

        Parameters
        ----------
        posed : PosedSkeleton
            N people.

        Returns
        -------
        Tensor, (N, 17, 3), metres
            In the frame of ``posed.landmarks``.

        """
        points = posed.landmarks[:, :NUM_KEYPOINTS]
        torso = (points[:, 5:7].mean(1) - points[:, 11:13].mean(1)).norm(dim=-1)
        turned = torch.einsum('nkij,kj->nki', posed.rotations[:, self._joints], self._offsets)
        return points + turned * torso[:, None, None]
