# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Training ends when told, goes on from there, and leaves a file that the package loads."""

from __future__ import annotations

from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.network import MoveNet
import numpy as np
import pytest
import torch

pytest.importorskip('onnx', reason='needs the development package onnx')

from training.keypoint_network.network import KeypointNetwork
from training.keypoint_network.train import main, NOTICE, Training


@pytest.fixture
def steps_taken(monkeypatch):
    """Losses of the steps that are really taken."""
    taken = []
    learn = Training.learn

    def counted(self, batch):
        taken.append(learn(self, batch))
        return taken[-1]

    monkeypatch.setattr(Training, 'learn', counted)
    return taken


def run(model, crops, output, steps, *more):
    size = ['--steps', str(steps), '--batch', '1', '--threads', '1']
    return main([str(model), str(crops), '--output', str(output), *size, *more])


def state_of(output):
    return torch.load(output / 'checkpoint.pt', weights_only=True)


def test_a_run_goes_on_where_it_stopped(model_path, crops_folder, tmp_path, steps_taken):
    assert run(model_path, crops_folder, tmp_path, 2) == 0
    assert len(steps_taken) == 2
    first = state_of(tmp_path)
    assert first['step'] == 2
    assert run(model_path, crops_folder, tmp_path, 4) == 0
    assert len(steps_taken) == 4
    second = state_of(tmp_path)
    assert second['step'] == 4
    for terms in steps_taken:
        assert np.isfinite(list(terms.values())).all()
    # The optimiser goes on too, with rates as if there had been no stop.
    assert {int(moments['step']) for moments in second['optimizer']['state'].values()} == {4}
    assert run(model_path, crops_folder, tmp_path / 'once', 4) == 0
    rates = [
        [group['lr'] for group in state['optimizer']['param_groups']]
        for state in (second, state_of(tmp_path / 'once'))
    ]
    assert rates[0] == pytest.approx(rates[1])
    assert all(rate > 0 for rate in rates[0])
    # Weights moved in both runs, and so did their mean.
    before = KeypointNetwork(model_path).weights
    for name, weight in before.items():
        at = [state[which][f'weights.{name}'] for state in (first, second)
              for which in ('network', 'mean')]  # fmt: skip
        assert not any(torch.equal(weight, other) for other in at), name
        assert not torch.equal(at[0], at[2]), name
        assert not torch.equal(at[1], at[3]), name
    # No files of a checkpoint half written.
    files = {path.name for path in (tmp_path / 'once').iterdir()}
    assert files == {'checkpoint.pt', 'keypoints.onnx'}


def test_the_file_holds_a_share_of_the_mean_and_is_loaded_by_the_package(
    model_path, crops_folder, tmp_path
):
    import onnx

    assert run(model_path, crops_folder, tmp_path, 2, '--share', '0.3') == 0
    path = tmp_path / 'keypoints.onnx'
    heads = MoveNet(path, threads=1)(np.full((1, 64, 32, 3), 90, np.uint8))
    assert heads.hints.shape == (1, NUM_HINTS, 2, 1)
    assert np.isfinite(heads.hints).all()
    assert heads.keypoint_heat.shape == (1, 17, 16, 8)
    metadata = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    assert metadata['modifications'].endswith(NOTICE)
    mean = KeypointNetwork(model_path)
    mean.load_state_dict(state_of(tmp_path)['mean'])
    mean.write(tmp_path / 'again.onnx', NOTICE, 0.3)
    assert path.read_bytes() == (tmp_path / 'again.onnx').read_bytes()


def test_a_run_that_is_complete_takes_no_more_steps(
    model_path, crops_folder, tmp_path, steps_taken
):
    assert run(model_path, crops_folder, tmp_path, 1) == 0
    assert run(model_path, crops_folder, tmp_path, 1) == 0
    assert len(steps_taken) == 1


def test_a_folder_without_crops_is_named(model_path, tmp_path, capsys):
    assert run(model_path, tmp_path, tmp_path / 'out', 1) == 2
    assert 'holds no crops' in capsys.readouterr().err


def test_a_few_steps_on_the_same_pictures_lower_their_loss(model_path, crops_folder):
    from training.keypoint_network.batches import Crops
    from training.keypoint_network.crops import read_shards

    torch.manual_seed(0)
    training = Training(model_path, rate=2e-3, steps=20, threads=1)
    batch = next(iter(Crops(*read_shards(crops_folder), batch=1, seed=0)))
    costs = [training.learn(batch)['total'] for _ in range(12)]
    assert np.mean(costs[-3:]) < 0.95 * costs[0]
