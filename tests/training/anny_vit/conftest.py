# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Shards of drawn pictures."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.lifter import LIFTED_JOINTS
import pytest
import torch

from training.pictures.render import write_shard


@pytest.fixture(scope='session')
def skeleton():
    torch.set_num_threads(1)
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


@pytest.fixture(scope='session')
def shards(tmp_path_factory, draw_picture):
    """Twelve pictures of one or two people, of two sizes, in two shards."""
    folder = tmp_path_factory.mktemp('shards')
    for shard in range(2):
        pictures = [
            draw_picture(10 * shard + n, *((112, 84) if n < 4 else (84, 112)), people=1 + n % 2)
            for n in range(6)
        ]
        write_shard(folder / f'train_0_{shard:05d}.tar', iter(pictures), lossless=True)
    return folder
