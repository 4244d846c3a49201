# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Drawn people cut out, and the 2D network as it was before it said hints."""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.keypoints.network import DEFAULT_MODEL
import pytest
import torch

from training.convert_movenet import CHANGES
from training.keypoint_network.crops import Cutter, write_shard


@pytest.fixture(scope='session')
def cutter():
    torch.set_num_threads(1)
    return Cutter(BodyModel.load())


@pytest.fixture(scope='session')
def crops_folder(cutter, draw_picture, tmp_path_factory):
    """Two shards of people alone and in pairs."""
    folder = tmp_path_factory.mktemp('crops')
    for shard in range(2):
        pictures = [draw_picture(2 * shard + n, 256, 192, people=1 + n) for n in range(2)]
        write_shard(folder / f'crops_0_{shard:05d}.npz', cutter, iter(pictures))
    return folder


@pytest.fixture(scope='session')
def model_path(tmp_path_factory):
    """The shipped 2D network without its head for hints: what training begins with."""
    onnx = pytest.importorskip('onnx', reason='needs the development package onnx')
    model = onnx.load(str(DEFAULT_MODEL))
    graph = model.graph
    for part in (graph.node, graph.output, graph.initializer):
        for item in list(part):
            name = item.output[0] if part is graph.node else item.name
            if name.startswith('hints'):
                part.remove(item)
    for entry in model.metadata_props:
        if entry.key == 'modifications':
            entry.value = CHANGES
    path = tmp_path_factory.mktemp('model') / 'without_hints.onnx'
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
