# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
State of a training: network, optimiser, step, curve; on disk whole, or small in parts.

Whole, a run goes on as if it had never ended: everything random follows from seed and step, the
learning rate from the step. In parts (see ``parts``), with weights in half precision, it can
travel where little fits.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import math
from pathlib import Path
from typing import Any

from anny_ros.errors import InputError
from anny_ros.model.anny_vit import AnnyVitNetwork
from anny_ros.model.packed_weights import pack_weights
from safetensors.torch import save_file
import torch
from torch import nn, Tensor

from training.anny_vit import parts

CHECKPOINT = 'checkpoint.pt'
WEIGHTS = 'anny_vit.safetensors'
_BETAS = (0.9, 0.99)
_WEIGHT_DECAY = 0.05
_WARM_UP_SHARE, _LONGEST_WARM_UP = 0.05, 500
_LEAST_RATE = 0.01


@dataclass(frozen=True)
class Rates:
    """
    Highest learning rates.

    Parameters
    ----------
    decoder, backbone : float
        The latter of the backbone's last block.
    decay : float
        Factor from each block of the backbone to the one before.

    """

    decoder: float
    backbone: float
    decay: float


def schedule(step: int, steps: int) -> float:
    """Share of the highest rate at a step: warm-up, then half a cosine."""
    warm = max(1, min(_LONGEST_WARM_UP, round(_WARM_UP_SHARE * steps)))
    falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(steps, 1))))
    return min(1.0, (step + 1) / warm) * (_LEAST_RATE + (1 - _LEAST_RATE) * falling)


def _depth(name: str, blocks: int) -> int:
    """How many blocks are between a tensor of the backbone and its end."""
    if '.blocks.' in name:
        return blocks - 1 - int(name.split('.blocks.')[1].split('.')[0])
    return 0 if '.norm.' in name else blocks


def parameter_groups(network: AnnyVitNetwork, rates: Rates) -> list[dict[str, Any]]:
    """
    Group the parameters that learn by learning rate and decay.

    Returns
    -------
    list of dict
        ``highest`` is the highest rate; vectors and position tables do not decay.

    """
    blocks = network.config.backbone.depth
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = rates.decoder
        if name.startswith('encoder.backbone.'):
            rate = rates.backbone * rates.decay ** _depth(name, blocks)
        decays = parameter.ndim in (2, 4)
        groups.setdefault((rate, _WEIGHT_DECAY * decays), []).append(parameter)
    return [
        {'params': some, 'highest': rate, 'lr': rate, 'weight_decay': decay}
        for (rate, decay), some in groups.items()
    ]


class Training:
    """
    A run's state.

    Parameters
    ----------
    network : AnnyVitNetwork
        On its device; parameters that do not need gradients stay as they are.
    rates : Rates
    steps : int
        Of the whole run.

    """

    def __init__(self, network: AnnyVitNetwork, rates: Rates, steps: int) -> None:
        self.network = network
        self.steps = steps
        self.step = 0
        self.first_shard = 0
        self.curve: list[dict[str, float]] = []
        self.optimiser = torch.optim.AdamW(parameter_groups(network, rates), betas=_BETAS)

    def update(self, loss: Tensor) -> float:
        """Take one step down; returns the norm of the gradient before it was clipped."""
        share = schedule(self.step, self.steps)
        for group in self.optimiser.param_groups:
            group['lr'] = share * group['highest']
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        learning = [p for group in self.optimiser.param_groups for p in group['params']]
        norm = torch.nn.utils.clip_grad_norm_(learning, 1.0)
        if norm.isfinite():
            self.optimiser.step()
        self.step += 1
        return float(norm)

    def save(self, output: Path) -> None:
        """Write checkpoint, weights and curve; each appears whole or not at all."""
        output.mkdir(parents=True, exist_ok=True)
        state = {
            'network': self.network.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            **self._numbers(),
        }
        part = output / f'{CHECKPOINT}.part'
        torch.save(state, part)
        part.replace(output / CHECKPOINT)
        part = output / f'{WEIGHTS}.part'
        save_file(pack_weights(self.network.state_dict()), part, {'step': str(self.step)})
        part.replace(output / WEIGHTS)
        lines = ''.join(json.dumps(row) + '\n' for row in self.curve)
        part = output / 'curve.jsonl.part'
        part.write_text(lines, encoding='utf-8')
        part.replace(output / 'curve.jsonl')

    def load(self, path: Path) -> None:
        """
        Read a checkpoint of the same network and options.

        Raises
        ------
        InputError
            If it is of another run.

        """
        state: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
        try:
            self.network.load_state_dict(state['network'])
            self.optimiser.load_state_dict(state['optimiser'])
            self._take_numbers(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f'{path} is of a training with other options (--preset, --pictures, --batch, '
                '--freeze-backbone); give them again, or --output another folder'
            ) from error

    def _numbers(self) -> dict[str, Any]:
        return {
            'step': self.step,
            'steps': self.steps,
            'first_shard': self.first_shard,
            'curve': self.curve,
        }

    def _take_numbers(self, state: dict[str, Any]) -> None:
        if state['step'] and state['steps'] != self.steps:
            raise ValueError('another number of steps')
        self.step, self.curve = state['step'], state['curve']
        self.first_shard = state['first_shard']

    def export_parts(self, folder: Path) -> int:
        """
        Write what another machine needs to go on, small.

        Parameters
        ----------
        folder : Path
            Gets at most 7 files of at most 15 MiB each; older parts in it are deleted.

        Returns
        -------
        int
            Bytes in all.

        Raises
        ------
        InputError
            If the network is too large.

        """
        tensors = {
            f'weight.{name}': value.cpu().half().contiguous()
            for name, value in self.network.state_dict().items()
        }
        for name, parameter in self.network.named_parameters():
            if self.optimiser.state.get(parameter):
                tensors |= parts.shortened(name, self.optimiser.state[parameter])
        return parts.write_parts(folder, tensors, json.dumps(self._numbers()))

    def import_parts(self, folder: Path) -> None:
        """
        Go on from what ``export_parts`` wrote.

        Raises
        ------
        InputError
            If a part is missing, damaged or of another network.

        """
        tensors, numbers = parts.read_parts(folder)
        weights = {
            name.removeprefix('weight.'): value.float()
            for name, value in tensors.items()
            if name.startswith('weight.')
        }
        try:
            self.network.load_state_dict(weights)
            self._take_numbers(json.loads(numbers))
            for name, parameter in self.network.named_parameters():
                if parameter.requires_grad and f'step.{name}' in tensors:
                    self.optimiser.state[parameter] = parts.lengthened(tensors, name, parameter)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f'the parts in {folder} are of a training with other options (--preset, '
                '--pictures, --batch); give them again, or take other parts'
            ) from error
