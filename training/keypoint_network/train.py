# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Fine-tune the 2D network on rendered people, and teach it hints of turn, depth and size.

    python -m training.keypoint_network.train movenet.onnx out/crops --output out/keypoint_network

Runs again with the same output continue where they stopped.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
import sys
import time
from typing import Any

from anny_ros.errors import AnnyError
import torch
from tqdm import tqdm

from training.keypoint_network.batches import Batch, Crops
from training.keypoint_network.crops import read_shards
from training.keypoint_network.losses import losses
from training.keypoint_network.network import KeypointNetwork, Original, STEM

_SAVE_SECONDS = 240.0
_HINTS_RATE = 1e-3
_MEMORY = 0.997
_RISE = 100  # steps
NOTICE = 'weights fine-tuned on rendered people and head "hints" added by the anny_ros developers'


def _share(step: int, steps: int) -> float:
    """Rise for a while, then fall as a cosine to nothing."""
    rise = min(step + 1, _RISE) / _RISE
    return rise * 0.5 * (1 + math.cos(math.pi * step / steps))


class Training:
    """
    A run: network, its running mean, optimiser and where it is.

    Parameters
    ----------
    model : Path
    rate : float
        Highest step, over the root mean square of the weights.
    steps : int
    threads : int

    """

    def __init__(self, model: Path, rate: float, steps: int, threads: int) -> None:
        self.original = Original(model, threads)
        self.network, self.mean = KeypointNetwork(model), KeypointNetwork(model)
        self.mean.load_state_dict(self.network.state_dict())
        self.network.to(memory_format=torch.channels_last)
        # Normalisation is folded into the weights, whose sizes differ by orders of magnitude: a
        # step is a share of each tensor's size.
        self.optimizer = torch.optim.AdamW(
            [
                {'params': [w], 'lr': rate * w.detach().square().mean().sqrt().item()}
                for w in self.network.weights.values()
            ]
            + [{'params': list(self.network.hints.parameters()), 'lr': _HINTS_RATE}],
            weight_decay=0.0,
        )
        self._highest = [group['lr'] for group in self.optimizer.param_groups]
        self._steps = steps
        self.step = 0

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on."""
        return {
            'network': self.network.state_dict(),
            'mean': self.mean.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'step': self.step,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on where another run was."""
        self.network.load_state_dict(state['network'])
        self.mean.load_state_dict(state['mean'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.step = state['step']

    def learn(self, batch: Batch) -> dict[str, float]:
        """Take one step; returns the terms of the loss."""
        original = self.original(batch.pictures)
        stem = original[STEM].contiguous(memory_format=torch.channels_last)
        terms = losses(self.network(stem), original, batch)
        share = _share(self.step, self._steps)
        for group, highest in zip(self.optimizer.param_groups, self._highest, strict=True):
            group['lr'] = share * highest
        self.optimizer.zero_grad()
        terms['total'].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        memory = min(_MEMORY, self.step / (self.step + 10))
        with torch.no_grad():
            for kept, new in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - memory)
        return {name: value.item() for name, value in terms.items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', type=Path, help='what training.convert_movenet wrote')
    parser.add_argument('crops', type=Path, help='folder of training.keypoint_network.crops')
    parser.add_argument('--output', type=Path, default=Path('out/keypoint_network'))
    parser.add_argument('--steps', type=int, default=4600)
    parser.add_argument('--batch', type=int, default=20)
    parser.add_argument('--rate', type=float, default=1e-3, help='highest step over the weights')
    parser.add_argument(
        '--share',
        type=float,
        default=0.55,
        help='of the new weights in the file; the rest is as before',
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        jpegs, truth = read_shards(options.crops)
        training = Training(options.model, options.rate, options.steps, options.threads)
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = options.output / 'checkpoint.pt'
    if checkpoint.is_file():
        training.load(torch.load(checkpoint, weights_only=True))
    crops = iter(Crops(jpegs, truth, options.batch, options.seed + training.step))
    means: dict[str, float] = {}
    saved = time.monotonic()
    with tqdm(total=options.steps, initial=training.step) as bar:
        while training.step < options.steps:
            for name, value in training.learn(next(crops)).items():
                means[name] = 0.98 * means.get(name, value) + 0.02 * value
            bar.update()
            if training.step % 100 == 0:
                shown = {name: round(value, 4) for name, value in means.items()}
                tqdm.write(json.dumps({'step': training.step, **shown}), file=sys.stdout)
                sys.stdout.flush()
            if time.monotonic() - saved > _SAVE_SECONDS or training.step == options.steps:
                part = checkpoint.with_suffix('.part')
                torch.save(training.state(), part)
                part.replace(checkpoint)
                training.mean.write(options.output / 'keypoints.onnx', NOTICE, options.share)
                saved = time.monotonic()
    return 0


if __name__ == '__main__':
    sys.exit(main())
