# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Training learns, ends when told, and goes on as if it had not ended."""

from __future__ import annotations

import json
import os
import signal
import threading

from anny_ros.model import load_network, PRESETS
from anny_ros.model.anny_vit import AnnyVitNetwork
from anny_ros.model.network import normalise
import numpy as np
import pytest
import torch

from training.anny_vit import parts
from training.anny_vit.evaluate import evaluate
from training.anny_vit.learner import Learner, make_network
from training.anny_vit.losses import total
from training.anny_vit.pool import Pool
from training.anny_vit.rendering import next_shard
from training.anny_vit.state import parameter_groups, Rates, schedule, Training
from training.anny_vit.train import main
from training.pictures.render import write_shard

CPU = torch.device('cpu')
RATES = Rates(3e-3, 1e-3, 0.8)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """Bit for bit is asked of the CPU."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


@pytest.fixture(autouse=True)
def handler():
    """Put the handler of SIGTERM back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_four_pictures_are_learnt_by_heart(draw_picture, skeleton, tmp_path):
    pictures = [draw_picture(seed, people=1 + seed % 2) for seed in range(4)]
    write_shard(tmp_path / 'train_0_00000.tar', iter(pictures), lossless=True)
    network = make_network('anny_vit_tiny', 0, pretrained=False)
    learner = Learner(network, frozen=False, seed=0)
    pool = Pool(skeleton, CPU)
    pool.read_new(tmp_path)
    draw = pool.in_order(4)
    before = evaluate(draw, learner.describe, skeleton)
    training = Training(network, RATES, 170)
    (pictures,), truth = draw[0].held, draw[0].truth
    for _ in range(170):
        features, cls = network.encoder.backbone(normalise(pictures))
        training.update(total(learner.compare(features, cls, truth, 112, 84)))
    after = evaluate(draw, learner.describe, skeleton)
    print(before, after)
    assert after['best_f1'] > 0.8
    assert after['pa_mpjpe_mm'] < 0.5 * before['pa_mpjpe_mm']
    assert after['heading_median_deg'] < 20 < before['heading_median_deg']
    assert after['depth_median'] < 0.5 * before['depth_median']


def run(shards, output, *more):
    """Call the command at tiny size."""
    size = [
        '--preset',
        'anny_vit_tiny',
        '--batch',
        '4',
        '--evaluate-every',
        '3',
        '--least-pictures',
        '1',
    ]
    given = ['nowhere', '--shards', str(shards), '--heldout', str(shards)]
    return main([*given, *size, '--output', str(output), *more])


def weights(output):
    return torch.load(output / 'checkpoint.pt', weights_only=True)


def lines(output):
    """Held-out errors by step, without what depends on the clock."""
    rows = [json.loads(line) for line in (output / 'curve.jsonl').read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith('train_')} for row in rows]


def assert_equal(one, two):
    for name, value in one['network'].items():
        assert torch.equal(value, two['network'][name]), name
    for number, state in one['optimiser']['state'].items():
        for name, value in state.items():
            assert torch.equal(value, two['optimiser']['state'][number][name]), name


def end_after(patch, steps):
    """Let the time limit be reached after some steps."""
    done = []
    update = Training.update

    def counted(self, loss):
        done.append(self.step)
        return update(self, loss)

    patch.setattr(Training, 'update', counted)
    patch.setattr('training.anny_vit.train.Clock.is_over', lambda _: len(done) >= steps)


@pytest.mark.parametrize('more', [(), ('--freeze-backbone',)])
def test_a_run_in_pieces_is_the_run_at_once(shards, tmp_path, monkeypatch, more):
    steps = ['--pictures', '24', *more]
    assert run(shards, tmp_path / 'once', *steps) == 0
    for count in (1, 2):
        with monkeypatch.context() as patch:
            end_after(patch, count)
            assert run(shards, tmp_path / 'pieces', *steps) == 0
    assert weights(tmp_path / 'pieces')['step'] == 3
    assert run(shards, tmp_path / 'pieces', *steps) == 0
    once, pieces = (weights(tmp_path / name) for name in ('once', 'pieces'))
    assert once['step'] == pieces['step'] == 6
    assert_equal(once, pieces)
    assert lines(tmp_path / 'once') == lines(tmp_path / 'pieces')
    assert [row['step'] for row in lines(tmp_path / 'once')] == [0, 3, 6]
    assert (tmp_path / 'pieces' / 'curve.png').stat().st_size > 1000


def test_sigterm_ends_with_a_checkpoint(shards, tmp_path):
    threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert run(shards, tmp_path / 'a', '--pictures', '4000000') == 0
    assert 0 < weights(tmp_path / 'a')['step'] < 1_000_000


def test_no_time_at_all_still_leaves_weights(shards, tmp_path):
    assert run(shards, tmp_path / 'a', '--minutes', '0') == 0
    network = load_network(tmp_path / 'a' / 'anny_vit.safetensors')
    assert isinstance(network, AnnyVitNetwork)
    assert weights(tmp_path / 'a')['step'] == 0


def test_a_run_goes_on_from_parts(shards, tmp_path, monkeypatch):
    steps = ['--pictures', '24']
    with monkeypatch.context() as patch:
        end_after(patch, 4)
        assert run(shards, tmp_path / 'a', *steps, '--export-parts', str(tmp_path / 'p')) == 0
    before = weights(tmp_path / 'a')
    assert before['step'] == 4
    assert run(shards, tmp_path / 'b', *steps, '--minutes', '0', '--import-parts',
               str(tmp_path / 'p')) == 0  # fmt: skip
    taken = weights(tmp_path / 'b')
    assert taken['step'] == 4
    assert taken['curve'] == before['curve']
    for name, value in before['network'].items():
        torch.testing.assert_close(taken['network'][name], value.half().float())
    assert run(shards, tmp_path / 'b', *steps) == 0  # its own checkpoint goes before parts
    assert weights(tmp_path / 'b')['step'] == 6


def test_moments_survive_as_means():
    """A matrix whose squares are a product of a column and a row comes back as it was."""
    rows, columns = torch.rand(5, 1) + 0.1, torch.rand(1, 12) + 0.1
    square = (rows * columns * 1e-9).view(5, 3, 2, 2)
    moments = {'step': torch.tensor(41.0), 'exp_avg': torch.ones(5, 3, 2, 2), 'exp_avg_sq': square}
    again = parts.lengthened(parts.shortened('a', moments), 'a', torch.zeros(5, 3, 2, 2))
    torch.testing.assert_close(again['exp_avg_sq'], square, rtol=1e-5, atol=0)
    assert again['step'] == 41
    vector = {**moments, 'exp_avg_sq': torch.tensor([1e-12, 4.0])}
    again = parts.lengthened(parts.shortened('b', vector), 'b', torch.zeros(2))
    torch.testing.assert_close(again['exp_avg_sq'], vector['exp_avg_sq'])


def test_the_full_state_travels(tmp_path):
    """At most 7 files of 15 MiB, and 60 MiB together."""
    network = AnnyVitNetwork(PRESETS['anny_vit'])
    training = Training(network, RATES, 10)
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    training.optimiser.step()
    size = training.export_parts(tmp_path)
    files = list(tmp_path.iterdir())
    assert len(files) <= 7
    assert all(path.stat().st_size <= 15 << 20 for path in files)
    assert size <= sum(path.stat().st_size for path in files) <= 60 << 20
    print(f'{len(files)} files, {size / 2**20:.1f} MiB')


def test_parts_that_are_missing_or_strange_are_refused(shards, tmp_path, capsys):
    assert run(shards, tmp_path / 'a', '--minutes', '0', '--import-parts', str(tmp_path)) == 2
    assert 'holds 0 of 1 parts' in capsys.readouterr().err
    (tmp_path / 'state_0.safetensors').write_bytes(b'no')
    assert run(shards, tmp_path / 'a', '--minutes', '0', '--import-parts', str(tmp_path)) == 2
    assert 'is damaged; copy it again' in capsys.readouterr().err


def test_a_folder_of_another_run_is_refused(shards, tmp_path, capsys):
    assert run(shards, tmp_path / 'a', '--pictures', '4') == 0
    assert run(shards, tmp_path / 'a', '--minutes', '0', '--pictures', '77') == 2
    assert 'give them again, or --output another folder' in capsys.readouterr().err


def test_no_pictures_is_an_error_with_a_cure(tmp_path, capsys):
    assert run(tmp_path / 'none', tmp_path / 'a') == 2
    assert 'render some' in capsys.readouterr().err


def test_rates_fall_from_block_to_block():
    network = AnnyVitNetwork(PRESETS['anny_vit_tiny'])
    groups = parameter_groups(network, RATES)
    rate = {id(p): (g['highest'], g['weight_decay']) for g in groups for p in g['params']}
    named = dict(network.named_parameters())
    backbone = 'encoder.backbone.'
    assert rate[id(named['people.from_token.weight'])] == (3e-3, 0.05)
    assert rate[id(named[f'{backbone}blocks.1.attn.qkv.weight'])] == (1e-3, 0.05)
    assert rate[id(named[f'{backbone}blocks.0.attn.qkv.bias'])] == (1e-3 * 0.8, 0)
    assert rate[id(named[f'{backbone}pos_embed'])] == (1e-3 * 0.8**2, 0)
    assert rate[id(named[f'{backbone}norm.weight'])] == (1e-3, 0)
    assert rate[id(named['encoder.mlp_fov_unique.0.weight'])] == (3e-3, 0.05)


def test_the_rate_rises_then_falls():
    shares = [schedule(step, 1000) for step in range(1001)]
    assert shares[0] < 0.05
    assert max(shares) > 0.98
    assert np.argmax(shares) == 49
    assert shares[-1] == pytest.approx(0.01)


def test_pairs_share_a_person(shards, skeleton):
    pool = Pool(skeleton, CPU)
    assert pool.read_new(shards) == 2
    assert pool.read_new(shards) == 0
    assert len(pool) == 12
    draw = pool.draw(np.random.default_rng(4), 8)
    assert draw.held[0].shape == (8, draw.height, draw.width, 3)
    identities = [
        set(row[there].tolist())
        for row, there in zip(draw.truth.identity, draw.truth.there, strict=True)
    ]
    shared = [bool(a & b) for a, b in zip(identities[::2], identities[1::2], strict=True)]
    assert sum(shared) >= 3
    again = pool.draw(np.random.default_rng(4), 8)
    assert torch.equal(draw.held[0], again.held[0])


def test_the_oldest_shards_go(shards, skeleton):
    pool = Pool(skeleton, CPU, most=8)
    pool.read_new(shards)
    assert len(pool) == 6
    assert pool.draw(np.random.default_rng(0), 2).truth.identity.max() >= 1_000_000


def test_shards_are_numbered_on(tmp_path):
    assert next_shard(tmp_path) == 0
    (tmp_path / 'train_3_00041.tar').touch()
    (tmp_path / 'train_3_00007.part').touch()
    assert next_shard(tmp_path) == 42


@pytest.mark.gpu
def test_a_gpu_learns_too(shards, tmp_path, monkeypatch):
    monkeypatch.undo()
    if not torch.cuda.is_available():
        pytest.skip('torch sees no GPU')
    assert run(shards, tmp_path / 'a', '--pictures', '24') == 0
    rows = lines(tmp_path / 'a')
    assert [row['step'] for row in rows] == [0, 3, 6]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
