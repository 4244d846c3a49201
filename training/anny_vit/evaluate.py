# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
How well a network does on rendered pictures that it never saw.

Found or not: faces placed within a third of half the body's box, best score first, at one
threshold and at the best one. Pose, size and heading: of everybody, found or not, as said by the
query that the person is nearest to (Hungarian), so that the figures of all networks are of the
same people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from anny_ros.body.skeleton import Skeleton
from anny_ros.model.anny_vit import Described
from anny_ros.model.anny_vit_layers import Window
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from training.anny_vit.losses import body_errors, heading_degrees
from training.anny_vit.matching import match
from training.anny_vit.pool import Draw
from training.anny_vit.targets import make_targets, Targets
from training.evaluate_lifter import align

THRESHOLD = 0.3
_THRESHOLDS = np.linspace(0.05, 0.8, 16)
_NEAR = 1 / 3
_LIMBS = list(range(5, 17))
# What the last layer says of pictures, and the field of view (B,).
Forward = Callable[[Draw], tuple[Described, Tensor]]


def _detections(
    described: Described, targets: Targets, ignored_beyond: float = 1.0
) -> tuple[NDArray[np.float64], int]:
    """
    Judge every query of a batch: score, and 1 for a person, 0 for nobody, -1 for neither.

    Returns
    -------
    judged : ndarray, (N, 2)
    people : int

    """
    score = described.logit.sigmoid().cpu().numpy()
    place = described.location.cpu().numpy()
    face, reach = targets.location.cpu().numpy(), targets.half.amax(-1).cpu().numpy()
    picture = targets.picture.cpu().numpy()
    boxes, of_box = targets.unclear.cpu().numpy(), targets.unclear_picture.cpu().numpy()
    rows = []
    for b in range(len(score)):
        mine = np.flatnonzero(picture == b)
        unclear = boxes[of_box == b]
        free = np.ones(len(mine), bool)
        for q in np.argsort(-score[b]):
            away = np.linalg.norm(face[mine] - place[b, q], axis=-1) / reach[mine]
            away = np.where(free, away, np.inf)
            verdict = 0.0
            if len(mine) and away.min() < _NEAR:
                free[away.argmin()] = False
                verdict = 1.0
            elif ((place[b, q] > unclear[:, :2]) & (place[b, q] < unclear[:, 2:])).all(-1).any():
                verdict = -1.0
            rows.append((score[b, q], verdict))
    return np.array(rows).reshape(-1, 2), len(targets)


def _found(judged: NDArray[np.float64], people: int) -> dict[str, float]:
    """Recall and precision at the threshold, and the best F1."""

    def at(threshold: float) -> tuple[float, float]:
        kept = judged[judged[:, 0] > threshold, 1]
        met, false = int((kept == 1).sum()), int((kept == 0).sum())
        return met / max(people, 1), met / max(met + false, 1)

    def f1(threshold: float) -> float:
        recall, precision = at(threshold)
        return 2 * recall * precision / max(recall + precision, 1e-9)

    recall, precision = at(THRESHOLD)
    best = max(_THRESHOLDS, key=f1)
    return {
        'recall': recall,
        'precision': precision,
        'best_f1': f1(best),
        'best_threshold': float(best),
    }


@torch.no_grad()
def evaluate(draws: Sequence[Draw], forward: Forward, skeleton: Skeleton) -> dict[str, float]:
    """
    Measure.

    Parameters
    ----------
    draws : sequence of Draw
        From ``Pool.in_order``.
    forward : callable
    skeleton : Skeleton
        Of the lifted joints.

    Returns
    -------
    dict of str to float

    """
    judged, people = [], 0
    errors: dict[str, list[Tensor]] = {}
    for draw in draws:
        described, hfov = forward(draw)
        truth = draw.truth.to(hfov.device)
        targets = make_targets(truth, draw.width, draw.height)
        rows, count = _detections(described, targets)
        judged.append(rows)
        people += count
        focal = 0.5 * draw.width / (hfov / 2).tan()
        _note(errors, 'focal', (focal / truth.K[:, 0, 0]).log().abs())
        if count:
            _judge_bodies(errors, described, targets, skeleton)
    found = {name: torch.cat(parts).cpu().numpy() for name, parts in errors.items()}
    if not people:
        return {'people': 0.0}
    away = found['location']
    return {
        'people': float(people),
        **_found(np.concatenate(judged), people),
        'near': float((away < _NEAR).mean()),
        'pa_mpjpe_mm': 1000 * float(found['pa'].mean()),
        'mpjpe_mm': 1000 * float(found['mpjpe'].mean()),
        'heading_median_deg': float(np.median(found['heading'])),
        'heading_over_90': float((found['heading'] > 90).mean()),
        'depth_median': float(np.expm1(np.median(found['depth']))),
        'shape': float(found['shape'].mean()),
        'focal_median': float(np.expm1(np.median(found['focal']))),
    }


def _note(errors: dict[str, list[Tensor]], name: str, value: Tensor) -> None:
    errors.setdefault(name, []).append(value)


def _judge_bodies(
    errors: dict[str, list[Tensor]], described: Described, targets: Targets, skeleton: Skeleton
) -> None:
    rows = (targets.picture, match(described.location, targets.picture, targets.location))
    window = Window(described.window.centre[rows], described.window.half[rows])
    mine = Described(
        window=window,
        **{n: getattr(described, n)[rows] for n in Described._fields if n != 'window'},
    )
    _, rotations, points = body_errors(mine, targets, skeleton)
    limbs, wanted = points[:, _LIMBS], targets.points[:, _LIMBS]
    hips, true_hips = (p[:, 11:13].mean(1, keepdim=True) for p in (points, targets.points))
    reach = targets.half.amax(-1)
    _note(errors, 'pa', (align(limbs, wanted) - wanted).norm(dim=-1).mean(-1))
    _note(errors, 'mpjpe', (limbs - hips - wanted + true_hips).norm(dim=-1).mean(-1))
    _note(errors, 'heading', heading_degrees(rotations[:, 0], targets.rotations[:, 0]))
    _note(errors, 'location', (mine.location - targets.location).norm(dim=-1) / reach)
    _note(errors, 'depth', (mine.log_pixels_per_metre - targets.log_pixels_per_metre).abs())
    _note(errors, 'shape', (mine.shape - targets.phenotype).abs().mean(-1))


def plot(curve: Sequence[dict[str, float]], batch: int, path: Path) -> None:
    """Draw held-out errors over the pictures seen."""
    import matplotlib as mpl

    mpl.use('Agg')
    import matplotlib.pyplot as plt

    rows = [row for row in curve if 'pa_mpjpe_mm' in row]
    if not rows:
        return
    seen = [row['step'] * batch / 1000 for row in rows]
    panels = {
        'people found': ('recall', 'precision', 'near'),
        'pose, mm': ('pa_mpjpe_mm', 'mpjpe_mm'),
        'heading, degrees': ('heading_median_deg',),
        'heading off by more than 90°, depth, focal length': (
            'heading_over_90',
            'depth_median',
            'focal_median',
        ),
    }
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex=True)
    for axis, (title, names) in zip(axes.flat, panels.items(), strict=True):
        for name in names:
            axis.plot(seen, [row[name] for row in rows], label=name, marker='.')
        axis.set_title(title)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    for axis in axes[1]:
        axis.set_xlabel('pictures seen, thousands')
    figure.savefig(path, dpi=100, bbox_inches='tight')
    plt.close(figure)
