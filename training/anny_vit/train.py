# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Train anny-vit on rendered pictures of dressed people.

    python -m training.anny_vit.train DATA --shards SHARDS --heldout SHARDS --output out/anny_vit

Pictures are read from shards (``training.pictures.render``); with --render-workers they are
rendered into --shards while training runs. The folder --output gets a checkpoint every two
minutes, ``anny_vit.safetensors``, and the held-out errors as ``curve.jsonl`` and ``curve.png``.
The same command goes on where it ended: at a time limit, at SIGTERM, or at worst two minutes
before.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
import json
from pathlib import Path
import signal
import sys
import threading
import time
from types import FrameType

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import AnnyError, InputError
from anny_ros.keypoints.lifter import LIFTED_JOINTS
import numpy as np
import torch
from torch import Tensor

from training.anny_vit.evaluate import evaluate, plot
from training.anny_vit.learner import ANNY_VIT_PRESETS, Learner, make_network
from training.anny_vit.losses import total
from training.anny_vit.pool import Draw, keep_pictures, Pool, Prepare
from training.anny_vit.rendering import next_shard, Renderers
from training.anny_vit.state import CHECKPOINT, Rates, Training

_SAVE_SECONDS = 120.0


class Clock:
    """When to save and when to end: by time or by SIGTERM."""

    def __init__(self, minutes: float) -> None:
        self._start = self._saved = time.monotonic()
        self._minutes = minutes
        self._told = threading.Event()
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._told.set()

    def is_over(self) -> bool:
        """Whether to end."""
        return self._told.is_set() or time.monotonic() - self._start > 60 * self._minutes

    def save_now(self) -> bool:
        """Whether two minutes have passed since this last was true."""
        due = time.monotonic() - self._saved > _SAVE_SECONDS
        if due:
            self._saved = time.monotonic()
        return due


def _measure(
    training: Training,
    learner: Learner,
    held_out: list[Draw],
    seen: dict[str, list[float]],
    options: argparse.Namespace,
) -> None:
    """Add a line to the curve."""
    row = {'step': float(training.step)}
    row |= {f'train_{name}': float(np.mean(values)) for name, values in seen.items()}
    if held_out:
        row |= evaluate(held_out, learner.describe, learner.skeleton)
    training.curve.append(row)
    print(json.dumps({name: round(value, 4) for name, value in row.items()}), flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    plot(training.curve, options.batch, options.output / 'curve.png')


def _wait_for_pictures(
    pool: Pool, least: int, clock: Clock, renderers: Renderers | None, folder: Path
) -> None:
    """Wait until there are enough pictures; InputError if none will come."""
    while len(pool) < least and not clock.is_over():
        if pool.failed is not None:
            raise pool.failed
        if renderers is None:
            if len(pool):
                return
            raise InputError(
                f'there are no shards in {folder}; render some (python -m '
                'training.pictures.render) or give --render-workers'
            )
        if not renderers.alive:
            raise InputError('a process that renders pictures has ended; see its message above')
        time.sleep(0.5)


def run(options: argparse.Namespace) -> None:
    """Run or continue a training."""
    clock = Clock(options.minutes)
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision('high')
    shards = options.shards or options.output / 'shards'
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    checkpoint = options.output / CHECKPOINT
    fresh = not checkpoint.is_file() and options.import_parts is None
    network = make_network(options.preset, options.seed, pretrained=fresh).to(device)
    learner = Learner(network, frozen=options.freeze_backbone, seed=options.seed)
    rates = Rates(options.rate, options.backbone_rate, options.layer_decay)
    training = Training(network, rates, max(1, options.pictures // options.batch))
    if checkpoint.is_file():
        training.load(checkpoint)
    elif options.import_parts is not None:
        training.import_parts(options.import_parts)
    print(f'step {training.step} of {training.steps} on {device}', flush=True)
    prepare: Prepare = keep_pictures
    cache = None
    if options.freeze_backbone:
        prepare, cache = learner.tokens, options.output / 'tokens'
    host = Skeleton(BodyModel.load().asset, LIFTED_JOINTS)
    renderers, stop = None, threading.Event()
    try:
        if options.render_workers:
            renderers = Renderers(
                options.data, options.backgrounds, shards, options.seed, training.first_shard,
                options.render_workers,
            )  # fmt: skip
        unseen = Pool(host, device, prepare, cache=cache)
        if options.heldout is not None:
            unseen.read_new(options.heldout, clock.is_over)
        held_out = unseen.in_order(options.batch)
        pool = Pool(host, device, prepare, options.most_pictures, cache)
        pool.read_new(shards, clock.is_over)
        if renderers is not None:
            pool.watch(shards, stop)
        _wait_for_pictures(pool, options.least_pictures, clock, renderers, shards)
        _loop(training, learner, pool, held_out, clock, options)
        training.save(options.output)
        if options.export_parts is not None:
            if options.render_workers:
                training.first_shard = next_shard(shards)
            size = training.export_parts(options.export_parts)
            print(f'{size / 2**20:.1f} MiB of parts in {options.export_parts}')
    finally:
        stop.set()
        if renderers is not None:
            renderers.stop()
    print(f'ended after step {training.step} of {training.steps}, {len(pool)} pictures')


def _loop(
    training: Training,
    learner: Learner,
    pool: Pool,
    held_out: list[Draw],
    clock: Clock,
    options: argparse.Namespace,
) -> None:
    seen: dict[str, list[float]] = defaultdict(list)
    pending: dict[str, list[Tensor]] = defaultdict(list)
    if not training.curve and not clock.is_over():
        _measure(training, learner, held_out, seen, options)
    began, first = time.monotonic(), training.step
    while training.step < training.steps and not clock.is_over():
        if pool.failed is not None:
            raise pool.failed
        draw = pool.draw(np.random.default_rng([options.seed, training.step]), options.batch)
        losses = learner.losses(draw, training.step)
        training.update(total(losses))
        for name, value in losses.items():
            pending[name].append(value.detach())
        due = training.step % options.evaluate_every == 0 or training.step == training.steps
        if due:
            for name, values in pending.items():
                seen[name] = torch.stack(values).tolist()
            passed = time.monotonic() - began
            seen['pictures_a_second'] = [(training.step - first) * options.batch / passed]
            seen['pool'] = [float(len(pool))]
            _measure(training, learner, held_out, seen, options)
            pending.clear()
            began, first = time.monotonic(), training.step
        if clock.save_now():
            training.save(options.output)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('data', type=Path, help='folder of the data pack; read only by --render-workers')
    add('--output', type=Path, default=Path('out/anny_vit'))
    add('--preset', choices=ANNY_VIT_PRESETS, default='anny_vit')
    add('--shards', type=Path, help='pictures to learn from; by default OUTPUT/shards')
    add('--heldout', type=Path, help='pictures to measure with')
    add('--pictures', type=int, default=2_000_000, help='looks at pictures in all')
    add('--batch', type=int, default=256, help='pictures a step')
    add('--rate', type=float, default=4e-4, help='highest learning rate of the decoder')
    add('--backbone-rate', type=float, default=5e-5, help="of the backbone's last block")
    add('--layer-decay', type=float, default=0.8, help='factor from block to block before')
    add('--freeze-backbone', action='store_true', help='learn the decoder alone, from tokens')
    add('--render-workers', type=int, default=0, help='processes that render into --shards')
    add('--backgrounds', type=Path, help='folder of pictures for surroundings')
    add('--least-pictures', type=int, default=3000, help='rendered before the first step')
    add('--most-pictures', type=int, default=150_000, help='held in memory; the newest')
    add('--minutes', type=float, default=1e6, help='time limit')
    add('--evaluate-every', type=int, default=250, metavar='STEPS')
    add('--import-parts', type=Path, help='go on from these if there is no checkpoint')
    add('--export-parts', type=Path, help='write small parts at the end')
    add('--threads', type=int, default=1, help='of the CPU')
    add('--seed', type=int, default=0)
    try:
        run(parser.parse_args(arguments))
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
