# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Exact labels of the people in a picture, in the forms that the package uses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.inference.assemble import assemble_detections
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray
import torch


class KeypointState(IntEnum):
    """Whether a keypoint can be seen."""

    OUTSIDE = 0
    HIDDEN = 1
    SELF_HIDDEN = 2
    VISIBLE = 3


@dataclass(frozen=True)
class Labels:
    """
    Truth about N people in one picture; ``detections`` gives the rest.

    Parameters
    ----------
    identity : ndarray, (N,), int64
        Equal for the same person in all pictures of a sequence or shard.
    phenotype : ndarray, (N, 6), float32
    rotations : ndarray, (N, J, 3, 3), float32
        World-aligned rotations E; the root's from rest axes to the optical frame.
    local_rotations : ndarray, (N, J, 3, 3), float32
        Local-bone rotations D, as in ``Detections.rotations``.
    translation : ndarray, (N, 3), float32, metres
        Root joint, optical frame.
    keypoints_3d : ndarray, (N, 17, 3), metres; keypoints_2d : ndarray, (N, 17, 2), pixels
        COCO; points behind the camera have NaN pixels.
    keypoint_state : ndarray, (N, 17), uint8
        ``KeypointState``.
    bbox : ndarray, (N, 4), float32, pixels
        x0, y0, x1, y1 of all of the dressed body, also what is outside of the picture; of what
        is in front of the camera.
    visible_share : ndarray, (N,), float32
        Pixels seen over the pixels that would be seen if the person were alone in the picture.
    inside_share : ndarray, (N,), float32
        Share of the silhouette that lies inside the picture.
    pixels : ndarray, (N,), float32
        Area seen, in pixels of the picture.
    stature : ndarray, (N,), metres; age_years : ndarray, (N,), years

    """

    identity: NDArray[np.int64]
    phenotype: NDArray[np.float32]
    rotations: NDArray[np.float32]
    local_rotations: NDArray[np.float32]
    translation: NDArray[np.float32]
    keypoints_3d: NDArray[np.float32]
    keypoints_2d: NDArray[np.float32]
    keypoint_state: NDArray[np.uint8]
    bbox: NDArray[np.float32]
    visible_share: NDArray[np.float32]
    inside_share: NDArray[np.float32]
    pixels: NDArray[np.float32]
    stature: NDArray[np.float32]
    age_years: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.identity)

    def __getitem__(self, rows: Any) -> Labels:
        """Take rows by a slice, an index array or a mask."""
        return Labels(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def detections(self, body: BodyModel, camera: Camera, stamp: float = 0.0) -> Detections:
        """Make the Detections that a perfect estimator would report, with score 1."""
        seen = np.where(self.keypoint_state == KeypointState.VISIBLE, 1.0, 0.3)
        return assemble_detections(
            body,
            stamp=stamp,
            camera=camera,
            score=np.ones(len(self), np.float32),
            phenotype=self.phenotype,
            rotations=self.local_rotations,
            translation=self.translation,
            bbox=self.bbox,
            keypoint_confidences=seen,
        )


@dataclass(frozen=True)
class WorldPoses:
    """
    Posed people in the world.

    Parameters
    ----------
    phenotype : ndarray, (N, 6), float32
    rotations : ndarray, (N, J, 3, 3), float64
        World-aligned E; the root's from rest axes to the world.
    translation : ndarray, (N, 3), float64, metres
        Root joint, world.
    skin_rotations : Tensor, (N, J, 3, 3), float32
    skin_offsets : Tensor, (N, J, 3), float32, metres
        Linear blend skinning with the root joint at the origin.
    landmarks : ndarray, (N, L, 3), float64, metres
        World, with the translation.

    """

    phenotype: NDArray[np.float32]
    rotations: NDArray[np.float64]
    translation: NDArray[np.float64]
    skin_rotations: torch.Tensor
    skin_offsets: torch.Tensor
    landmarks: NDArray[np.float64]


@torch.inference_mode()
def pose_bodies(
    body: BodyModel,
    phenotype: NDArray[np.float32],
    rotations: NDArray[np.float64],
    translation: NDArray[np.float64],
) -> WorldPoses:
    """Pose people in the world; see ``WorldPoses`` for the arguments."""
    rest = body.skeleton.rest(torch.as_tensor(phenotype, dtype=torch.float64))
    posed = body.skeleton.pose(rest, torch.as_tensor(rotations))
    carried = (posed.rotations @ rest.heads[..., None])[..., 0]
    return WorldPoses(
        phenotype=phenotype,
        rotations=rotations,
        translation=translation,
        skin_rotations=posed.rotations.float(),
        skin_offsets=(posed.joint_positions - carried).float(),
        landmarks=posed.landmarks.numpy() + translation[:, None],
    )


def camera_truth(
    body: BodyModel, poses: WorldPoses, R: NDArray[np.float64], position: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """
    Express people in the optical frame of a camera.

    Parameters
    ----------
    body : BodyModel
    poses : WorldPoses
    R : ndarray, (3, 3); position : ndarray, (3,)
        World to optical frame; the camera's place in the world.

    Returns
    -------
    dict
        The fields of ``Labels`` that pose, shape and place decide, but for pixels.

    """
    E = poses.rotations.copy()
    E[:, 0] = R @ E[:, 0]
    phenotype = torch.as_tensor(poses.phenotype)
    local = body.local_from_world(phenotype, torch.as_tensor(E)).numpy()
    return {
        'phenotype': poses.phenotype.astype(np.float32),
        'rotations': E.astype(np.float32),
        'local_rotations': local.astype(np.float32),
        'translation': ((poses.translation - position) @ R.T).astype(np.float32),
        'keypoints_3d': ((poses.landmarks[:, :17] - position) @ R.T).astype(np.float32),
        'stature': body.stature(poses.phenotype),
        'age_years': body.age_years(poses.phenotype),
    }
