# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Train the lifter on posed bodies seen by simulated cameras; needs no pictures.

    python -m training.train_lifter DATA --output out/lifter

Writes a checkpoint every few minutes and continues from it when started again; at the end (and
with every checkpoint) ``lifter.safetensors`` holds the averaged weights in half precision, and
``curve.png`` the error on held-out clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
import json
import math
from pathlib import Path
import time
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import RestBody, Skeleton
from anny_ros.errors import AnnyError
from anny_ros.keypoints.lifter import Lifted, LIFTED_JOINTS, LifterNetwork
from anny_ros.keypoints.view import make_view, View
import numpy as np
from safetensors.torch import load_file, save_file
import torch
from torch import Tensor
from tqdm import trange

from training.evaluate_lifter import evaluate_network, held_out_people
from training.keypoint_errors import observe
from training.observe_pictures import joined, Observed, read_observed
from training.poses import load_poses, PoseData, sample_phenotypes, sample_rotations
from training.simulate import People, place
from training.transplant import MeasuredErrors

_BATCH = 512
_CHUNK = 16384  # bodies made at a time
_LOOKS = 2  # times each body is observed anew
_PHENOTYPES = 100_000
# Of a batch: looks at rendered people, each moved a little so that none is learnt by heart, and
# simulated people with the errors of such looks. Of the others some are seen exactly.
_OBSERVED, _SHAKEN = 32, 0.012
_TRANSPLANTED = 288
_EXACT = 0.05
_WARM_UP = 100
_AVERAGE = 0.9985
_SAVE_SECONDS = 300.0
# Rows of a batch whose joints are compared in space.
_THROUGH_SKELETON = 192
_LIMBS = list(range(5, 17))
_HEAD, _FEET = LIFTED_JOINTS.index('head'), [LIFTED_JOINTS.index(f'foot.{s}') for s in 'LR']


def _people(
    poses: PoseData,
    phenotypes: Tensor,
    skeleton: Skeleton,
    rng: np.random.Generator,
) -> People:
    E = sample_rotations(poses, _CHUNK, rng, augment=True)
    rows = torch.as_tensor(rng.integers(len(phenotypes), size=_CHUNK))
    return place(skeleton, E, phenotypes[rows], rng)


def _geodesic(a: Tensor, b: Tensor) -> Tensor:
    """Angle between rotations, radians."""
    cosine = ((a * b).sum((-1, -2)) - 1) / 2
    return torch.arccos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))


def _negative_log_likelihood(error: Tensor, stddev: Tensor) -> Tensor:
    """Gaussian, up to a constant; the error itself gets no gradient from it."""
    error = error.detach()
    return (0.5 * (error / stddev) ** 2 + stddev.log()).mean()


def _height(rest: RestBody) -> Tensor:
    """From the feet to the head (N,), metres."""
    z = rest.heads[..., 2]
    return z[:, _HEAD] - z[:, _FEET].mean(1)


def lifting_loss(lifted: Lifted, view: View, people: People, skeleton: Skeleton) -> Tensor:
    """
    Compare what was lifted with the truth.

    Parameters
    ----------
    lifted : Lifted
    view : View
    people : People
    skeleton : Skeleton
        Of the lifted joints.

    Returns
    -------
    Tensor, ()

    """
    R = view.R_view_camera
    truth = people.keypoints @ R.transpose(1, 2)  # (N, 17, 3), view frame
    hips = truth[:, 11:13].mean(1)
    offset = (hips[:, :2] / hips[:, 2:] - view.centre) / view.extent[:, None]
    log_size = (hips[:, 2].clamp_min(0.05) * view.extent).log()
    target = people.rotations.clone()
    target[:, 0] = R @ target[:, 0]

    # Going through the skeleton is what costs: a part of the batch is enough.
    some = slice(_THROUGH_SKELETON)
    rest = skeleton.rest(lifted.phenotype[some])
    posed = skeleton.pose(rest, lifted.rotations[some])
    joints = posed.landmarks[:, :17]
    joints = joints - joints[:, 11:13].mean(1, keepdim=True)
    # Scaled to the true size: who does not know where an arm points is nearest with a short one,
    # and bodies came out 5 % too small for their distance.
    too_small = (_height(skeleton.rest(people.phenotype[some])) / _height(rest)).log()
    at_true_size = joints * too_small.exp()[:, None, None]
    joint_error = (at_true_size - (truth - hips[:, None])[some]).norm(dim=-1)
    extent = view.extent[some, None]
    depth = lifted.log_size[some, None].exp() / extent
    place_xy = (view.centre[some] + lifted.offset[some] * extent) * depth
    world = joints + torch.cat([place_xy, depth], 1)[:, None]
    seen_xy = world[..., :2] / world[..., 2:].clamp_min(0.1)
    true_xy = (truth[..., :2] / truth[..., 2:])[some]
    flat = ((seen_xy - true_xy) / extent[..., None]).norm(dim=-1).clamp_max(1.0)

    turned = (lifted.rotations - target).square().sum((-1, -2))
    shape_error = (lifted.phenotype - people.phenotype).abs()
    size_error = (lifted.log_size - log_size).abs()
    offset_error = (lifted.offset - offset).norm(dim=-1)
    unsure = (
        _negative_log_likelihood(_geodesic(lifted.rotations, target), lifted.rotation_stddev)
        + _negative_log_likelihood(shape_error, lifted.phenotype_stddev)
        + _negative_log_likelihood(size_error, lifted.log_size_stddev)
        + _negative_log_likelihood(offset_error, lifted.offset_stddev)
    )
    return (
        3.0 * (joint_error[:, _LIMBS].mean() + 0.3 * joint_error[:, :5].mean())
        + 0.5 * flat.mean()
        + 0.35 * turned[:, 1:].mean()
        # Not squared: of two headings that fit it should choose one, not go between them.
        + 0.5 * (turned[:, 0] + 1e-4).sqrt().mean()
        + 0.5 * shape_error.mean()
        + too_small.abs().mean()
        + size_error.mean()
        + offset_error.mean()
        + 0.05 * unsure
    )


def _schedule(step: int, steps: int) -> float:
    """Share of the highest learning rate: warm-up, then a cosine."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))


class Training:
    """State of a run: network, its running average, optimiser, step and curve."""

    def __init__(
        self, output: Path, width: int, depth: int, seed: int, initial: Sequence[Path] = ()
    ) -> None:
        torch.manual_seed(seed)
        self.output = output
        self.network = LifterNetwork(width, depth)
        self.average = deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), weight_decay=0.01, fused=True
        )
        if initial:
            self._start_from(initial)
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.checkpoint = output / 'checkpoint.pt'
        if self.checkpoint.is_file():
            state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
            self.network.load_state_dict(state['network'])
            self.average.load_state_dict(state['average'])
            self.optimiser.load_state_dict(state['optimiser'])
            self.step, self.curve = state['step'], state['curve']
            print(f'continues at step {self.step}')

    def _start_from(self, initial: Sequence[Path]) -> None:
        """Take the mean of weights of the same width; what they lack begins at nothing."""
        mean = {k: torch.zeros_like(v) for k, v in self.network.state_dict().items()}
        for path in initial:
            weights = {k: v.float() for k, v in load_file(path).items()}
            inlet = weights['inlet.weight']
            new = self.network.inlet.in_features - inlet.shape[1]
            weights['inlet.weight'] = torch.nn.functional.pad(inlet, (0, new))
            for name, value in self.network.state_dict().items():
                if name not in weights:
                    weights[name] = torch.zeros_like(value) if '.down.' in name else value
            # Whatever the network lacks is an error here, not left out.
            for name, value in weights.items():
                mean[name] += value / len(initial)
        self.network.load_state_dict(mean)
        self.average.load_state_dict(mean)

    def update(self, view: View, people: People, skeleton: Skeleton, rate: float) -> float:
        """Take one step; returns the loss."""
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        with torch.autocast('cpu', torch.bfloat16):
            raw = self.network.trunk(view.features)
        loss = lifting_loss(self.network.decode(raw.float()), view, people, skeleton)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        keep = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(
                self.average.parameters(), self.network.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - keep)
        self.step += 1
        return float(loss.detach())

    def save(self) -> None:
        """Write checkpoint, half-precision weights and curve; each appears whole or not at all."""
        state = {
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
            'curve': self.curve,
        }
        part = self.checkpoint.with_suffix('.part')
        torch.save(state, part)
        part.replace(self.checkpoint)
        weights = self.average.state_dict()
        weights = {k: v.half().contiguous() for k, v in weights.items()}
        save_file(weights, self.output / 'lifter.safetensors', {'step': str(self.step)})
        (self.output / 'curve.json').write_text(json.dumps(self.curve, indent=1))
        self._plot()

    def _plot(self) -> None:
        import matplotlib as mpl

        mpl.use('Agg')
        import matplotlib.pyplot as plt

        if not self.curve:
            return
        figure, axis = plt.subplots(figsize=(7, 4))
        steps = [row['step'] * _BATCH / 1e6 for row in self.curve]
        for key, label in (('exact', 'exact keypoints'), ('noisy', 'simulated 2D network')):
            axis.plot(steps, [row[f'{key}_pa_mpjpe_mm'] for row in self.curve], label=label)
        axis.set_xlabel('bodies seen, millions')
        axis.set_ylabel('PA-MPJPE on held-out clips, mm')
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
        figure.savefig(self.output / 'curve.png', dpi=110, bbox_inches='tight')
        plt.close(figure)


class Batches:
    """
    What training looks at: simulated people, and with looks at rendered ones those too.

    Parameters
    ----------
    looks : Observed or None
    skeleton : Skeleton
    body : BodyModel

    """

    def __init__(self, looks: Observed | None, skeleton: Skeleton, body: BodyModel) -> None:
        self.looks = looks
        self.errors = None if looks is None else MeasuredErrors(looks, skeleton, body)
        self.num_simulated = _BATCH if looks is None else _BATCH - _OBSERVED

    def draw(self, bodies: People, rng: np.random.Generator) -> tuple[People, View]:
        """Draw a batch, in an order that mixes its parts."""
        rows = torch.as_tensor(rng.choice(len(bodies), self.num_simulated, replace=False))
        if self.looks is None or self.errors is None:
            people = bodies[rows]
            return people, make_view(observe(people, rng, exact=rng.random() < _EXACT))
        few, many = bodies[rows[:_TRANSPLANTED]], bodies[rows[_TRANSPLANTED:]]
        chosen = rng.choice(len(self.looks), _OBSERVED, replace=False)
        looks = self.looks[torch.as_tensor(chosen)]
        half = torch.arange(_OBSERVED // 2)
        looks = joined([looks[half], looks[half + len(half)].mirrored()])
        rays = looks.report.rays
        extent = (rays.amax(1) - rays.amin(1)).amax(-1)
        shake = torch.as_tensor(rng.normal(size=rays.shape), dtype=torch.float32)
        shaken = rays + _SHAKEN * extent[:, None, None] * shake
        looks = replace(looks, report=replace(looks.report, rays=shaken))
        parts = [
            Observed(few, self.errors.observe(few, rng)),
            Observed(many, observe(many, rng, exact=rng.random() < _EXACT)),
            looks,
        ]
        mixed = joined(parts)[torch.as_tensor(rng.permutation(_BATCH))]
        return mixed.people, make_view(mixed.report)


def train(options: argparse.Namespace) -> None:
    """Run or continue a training."""
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    body = BodyModel.load()
    skeleton = Skeleton(body.asset, LIFTED_JOINTS)
    poses, held_out = load_poses(options.data)
    phenotypes = sample_phenotypes(body, _PHENOTYPES, np.random.default_rng(options.seed))
    people = held_out_people(held_out, skeleton, body, 1000)
    looks = None if options.observed is None else read_observed(options.observed)
    batches = Batches(looks, skeleton, body)
    training = Training(
        options.output, options.width, options.depth, options.seed, options.initial
    )
    saved = time.monotonic()
    bar = trange(training.step, options.steps, initial=training.step, total=options.steps)
    per_chunk = 0
    bodies: People | None = None
    for step in bar:
        if bodies is None or per_chunk >= _LOOKS * (len(bodies) // _BATCH):
            rng = np.random.default_rng([options.seed, step])
            bodies, per_chunk = _people(poses, phenotypes, skeleton, rng), 0
        batch, view = batches.draw(bodies, rng)
        rate = options.rate * _schedule(step, options.steps)
        loss = training.update(view, batch, skeleton, rate)
        per_chunk += 1
        if training.step % 1000 == 0 or training.step == options.steps:
            figures = {'step': float(training.step), 'loss': loss}
            for key in ('exact', 'noisy'):
                result = evaluate_network(training.average, skeleton, people, key == 'exact')
                figures.update({f'{key}_{k}': v for k, v in result.items()})
            training.curve.append(figures)
            bar.write(json.dumps({k: round(v, 3) for k, v in figures.items()}))
        if time.monotonic() - saved > _SAVE_SECONDS:
            training.save()
            saved = time.monotonic()
    training.save()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path, help='folder that holds poses.npz')
    parser.add_argument('--output', type=Path, default=Path('out/lifter'))
    parser.add_argument('--steps', type=int, default=38_000)
    parser.add_argument('--rate', type=float, default=1e-3, help='highest learning rate')
    parser.add_argument('--width', type=int, default=512)
    parser.add_argument('--depth', type=int, default=9)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--initial',
        type=Path,
        nargs='+',
        default=(),
        metavar='FILE',
        help='weights of the same width to start from; of several the mean (--steps 0 writes it)',
    )
    parser.add_argument(
        '--observed', type=Path, help='folder of training.observe_pictures: a part of each batch'
    )
    parser.add_argument('--seed', type=int, default=0)
    try:
        train(parser.parse_args())
    except AnnyError as error:
        parser.exit(2, f'{error}\n')


if __name__ == '__main__':
    main()
