# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Bodies of one picture in the shape that their identity has over its life.

Local-bone rotations are relative to bones at rest, whose directions depend on the shape: kept as
they are while the shape changes, a body would lean. So tracks carry world-aligned rotations.
"""

from __future__ import annotations

from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.types import Detections, FloatArray, PHENOTYPE_NAMES
import numpy as np
import torch

_HEIGHT = PHENOTYPE_NAMES.index('height')


def world_aligned(people: Detections, body: BodyModel) -> Detections:
    """Take rotations that mean the same in every shape (``BodyModel.world_rotations``)."""
    return replace(people, rotations=body.world_rotations(people))


def in_own_shape(people: Detections, body: BodyModel) -> Detections:
    """
    Give people whose rotations are world-aligned a mesh in their phenotype and of their stature.

    Parameters
    ----------
    people : Detections
        ``rotations`` are world-aligned; ``phenotype`` and ``stature`` may be of other bodies than
        the one that was seen. A stature that is not known is the phenotype's.
    body : BodyModel

    Returns
    -------
    Detections
        ``rotations`` are local-bone again; the phenotype's height fits the stature.

    """
    if not len(people):
        return people
    phenotype = with_stature(people.phenotype, people.stature, body)
    tensors = (torch.as_tensor(phenotype), torch.as_tensor(people.rotations))
    local = body.local_from_world(*tensors).float().cpu().numpy()
    return replace(people, phenotype=phenotype, rotations=local)


def with_stature(phenotype: FloatArray, stature: FloatArray, body: BodyModel) -> FloatArray:
    """
    Set the heights of phenotypes (N, 6) so that bodies have statures (N,), as far as they go.

    Anny's vertices are linear in the height, so the stature is monotone in it and, but for the
    choice of the lowest and the highest vertex, linear (to 0.2 mm). NaN leaves a phenotype alone.
    """
    ends = np.repeat(phenotype[None], 2, axis=0)
    ends[0, :, _HEIGHT], ends[1, :, _HEIGHT] = 0.0, 1.0
    low, high = body.stature(ends.reshape(-1, phenotype.shape[1])).reshape(2, -1)
    result = phenotype.copy()
    height = np.clip((stature - low) / (high - low), 0.0, 1.0)
    result[:, _HEIGHT] = np.where(np.isnan(stature), phenotype[:, _HEIGHT], height)
    return result
