# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.refine import rotations_from_rotvec
import numpy as np
import torch

from training.evaluate_lifter import align


def test_alignment_undoes_a_similarity():
    rng = np.random.default_rng(0)
    truth = torch.as_tensor(rng.normal(size=(5, 12, 3)))
    R = rotations_from_rotvec(torch.as_tensor(rng.normal(size=(5, 3))))
    moved = 1.7 * truth @ R.transpose(1, 2) + 3.0
    np.testing.assert_allclose(align(moved, truth), truth, atol=1e-9)
    mirrored = truth * torch.tensor([-1.0, 1.0, 1.0])
    assert (align(mirrored, truth) - truth).norm(dim=-1).mean() > 0.1
