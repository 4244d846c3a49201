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
_STEP = 0.05  # of the height, for its derivative
_ROUNDS = 2


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
    Change the height of phenotypes (N, 6) so that bodies have a stature (N,), in metres.

    Others than the height stay, so a stature that is not human at that age is met as far as the
    height goes. NaN leaves the phenotype as it is.
    """
    result = np.array(phenotype, np.float32)
    for _ in range(_ROUNDS):
        now = body.stature(result)
        other = result.copy()
        other[:, _HEIGHT] += np.where(result[:, _HEIGHT] > 0.5, -_STEP, _STEP)
        slope = (body.stature(other) - now) / (other[:, _HEIGHT] - result[:, _HEIGHT])
        change = np.nan_to_num((stature - now) / np.maximum(slope, 1e-3))
        result[:, _HEIGHT] = np.clip(result[:, _HEIGHT] + change, 0.0, 1.0)
    return result
