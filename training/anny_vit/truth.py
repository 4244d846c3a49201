# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What is true about the people of a batch of pictures, and how mirroring and cropping change it.

Pixels are counted from the corner of the first one, as the network does. B pictures of P places
for people, of which the first few are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import InputError
from anny_ros.keypoints.lifter import (
    LIFTED_JOINTS,
    mirror_rotations,
    MIRRORED_JOINTS,
    MIRRORED_KEYPOINTS,
)
import numpy as np
import torch
from torch import Tensor

from training.pictures.scene import Picture

MOST_PEOPLE = 12
NUM_KEYPOINTS = 17
# COCO keypoints, then the lifted joints.
_MIRRORED_POINTS = (*MIRRORED_KEYPOINTS, *(NUM_KEYPOINTS + j for j in MIRRORED_JOINTS))
NUM_POINTS = len(_MIRRORED_POINTS)
# Fewer pixels, or a smaller share of the person, are no one to learn from, and no false alarm.
_LEAST_PIXELS, _LEAST_VISIBLE = 50, 0.08


@dataclass(frozen=True)
class Truth:
    """
    People in pictures; row b of everything is picture b.

    Parameters
    ----------
    K : Tensor, (B, 3, 3)
    there : Tensor, (B, P), bool
        Whether anybody has this place.
    clear : Tensor, (B, P), bool
        Whether enough of that person is seen to learn from.
    identity : Tensor, (B, P), int64
        Equal for the same person in all pictures of one shard, never in two shards.
    phenotype : Tensor, (B, P, 6)
    stature : Tensor, (B, P), metres
    rotations : Tensor, (B, P, 28, 3, 3)
        World-aligned, of the lifted joints; the root's to the optical frame.
    points : Tensor, (B, P, 45, 3), metres
        COCO keypoints and lifted joints, optical frame.
    face : Tensor, (B, P, 3), metres
        The landmark ``face_centre``.

    """

    K: Tensor
    there: Tensor
    clear: Tensor
    identity: Tensor
    phenotype: Tensor
    stature: Tensor
    rotations: Tensor
    points: Tensor
    face: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Truth:
        """Take pictures."""
        return Truth(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def stack(rows: Sequence[tuple[Truth, int]]) -> Truth:
        """Gather pictures: row i of a truth each."""
        return Truth(
            **{
                f.name: torch.stack([getattr(truth, f.name)[i] for truth, i in rows])
                for f in fields(Truth)
            }
        )

    def to(self, device: torch.device) -> Truth:
        """Move to a device."""
        return Truth(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )

    def mirrored(self, which: Tensor, width: int) -> Truth:
        """
        Mirror some pictures left to right.

        Parameters
        ----------
        which : Tensor, (B,), bool
        width : int, pixels

        """
        flip = self.face.new_tensor([-1.0, 1.0, 1.0])
        K = self.K.clone()
        K[:, 0, 2] = width - K[:, 0, 2]
        changed = {
            'K': K,
            'rotations': mirror_rotations(self.rotations),
            'points': self.points[:, :, list(_MIRRORED_POINTS)] * flip,
            'face': self.face * flip,
        }
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, new in changed.items():
            mask = which.view(-1, *(1 for _ in new.shape[1:]))
            parts[name] = torch.where(mask, new, parts[name])
        return Truth(**parts)

    def cropped(self, zoom: Tensor, corner: Tensor) -> Truth:
        """
        Enlarge a part of each picture to its whole size.

        Parameters
        ----------
        zoom : Tensor, (B,)
            How much larger everything gets.
        corner : Tensor, (B, 2), pixels
            Upper left corner of the part.

        """
        K = self.K.clone()
        K[:, :2] = zoom[:, None, None] * K[:, :2]
        K[:, :2, 2] -= zoom[:, None] * corner
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Truth(**{**parts, 'K': K})


def truth_of(pictures: Sequence[Picture], skeleton: Skeleton, first_identity: int) -> Truth:
    """
    Bring labels into form.

    Parameters
    ----------
    pictures : sequence of Picture
    skeleton : Skeleton
        Of the lifted joints.
    first_identity : int
        Added to all identities.

    Returns
    -------
    Truth

    Raises
    ------
    InputError
        If more people are in a picture than there are places.

    """
    counts = [len(picture.labels) for picture in pictures]
    if max(counts, default=0) > MOST_PEOPLE:
        raise InputError(
            f'a picture shows {max(counts)} people, but training takes at most {MOST_PEOPLE}; '
            'render pictures of fewer'
        )
    names = BodyModel.load().joint_names
    joints = [names.index(name) for name in LIFTED_JOINTS]
    B, P = len(pictures), MOST_PEOPLE
    truth = Truth(
        K=torch.zeros(B, 3, 3),
        there=torch.zeros(B, P, dtype=torch.bool),
        clear=torch.zeros(B, P, dtype=torch.bool),
        identity=torch.zeros(B, P, dtype=torch.int64),
        phenotype=torch.full((B, P, 6), 0.5),
        stature=torch.ones(B, P),
        rotations=torch.eye(3).repeat(B, P, len(LIFTED_JOINTS), 1, 1),
        points=torch.zeros(B, P, NUM_POINTS, 3),
        face=torch.zeros(B, P, 3),
    )
    for b, (picture, n) in enumerate(zip(pictures, counts, strict=True)):
        labels = picture.labels
        K = picture.camera.K.copy()
        K[:2, 2] += 0.5  # from pixel centres to corners
        truth.K[b] = torch.as_tensor(K)
        truth.there[b, :n] = True
        seen = (labels.pixels >= _LEAST_PIXELS) & (labels.visible_share >= _LEAST_VISIBLE)
        truth.clear[b, :n] = torch.as_tensor(seen)
        truth.identity[b, :n] = torch.as_tensor(labels.identity) + first_identity
        truth.phenotype[b, :n] = torch.as_tensor(labels.phenotype)
        truth.stature[b, :n] = torch.as_tensor(labels.stature)
        truth.rotations[b, :n] = torch.as_tensor(np.ascontiguousarray(labels.rotations[:, joints]))
    at = truth.there
    places = np.concatenate([np.zeros((0, 3)), *(p.labels.translation for p in pictures)])
    rest = skeleton.rest(truth.phenotype[at])
    posed = skeleton.pose(rest, truth.rotations[at], torch.as_tensor(places).float())
    truth.points[at] = torch.cat([posed.landmarks[:, :17], posed.joint_positions], 1)
    truth.face[at] = posed.landmarks[:, skeleton.landmark_names.index('face_centre')]
    return truth
