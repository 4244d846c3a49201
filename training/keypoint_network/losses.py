# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the 2D network should have said about a batch, and how far off it was."""

from __future__ import annotations

from anny_ros.keypoints.decode import ORIGIN, STRIDE
from anny_ros.keypoints.hints import AGE, DEPTHS, middle_weights, STATURE, TURN
import torch
from torch import Tensor

from training.keypoint_network.batches import Batch
from training.pictures.labels import KeypointState

# Standard deviation of the heat around a keypoint, over the person's longer side, and in cells.
_SPREAD, _LEAST_SPREAD, _MOST_SPREAD = 0.022, 0.7, 1.6
_PATCH = 4  # cells on either side of a keypoint that are warm
_LEAST_HEAT = 1e-4
# How much a keypoint of the person in the middle counts, and one of somebody else.
_TARGET = {KeypointState.VISIBLE: 1.0, KeypointState.SELF_HIDDEN: 1.0, KeypointState.HIDDEN: 0.5}
_OTHER = {KeypointState.VISIBLE: 1.0, KeypointState.SELF_HIDDEN: 0.5}
_WEIGHTS = {'heat': 1.0, 'offset': 0.5, 'regressed': 4.0, 'centre': 1.0, 'box': 2.0, 'hints': 2.0}
# Whose box the original network knows better than the truth: of the cut, it has what is inside.
_WHOLE = 0.97


def losses(
    found: dict[str, Tensor], original: dict[str, Tensor], batch: Batch
) -> dict[str, Tensor]:
    """
    Compare what a network says with the truth, and with what the original one says.

    Parameters
    ----------
    found, original : dict of Tensor
        Of ``KeypointNetwork``.
    batch : Batch

    Returns
    -------
    dict of Tensor
        Terms by name, and ``total``.

    """
    heat = found['keypoint_heat'].clamp(_LEAST_HEAT, 1 - _LEAST_HEAT)
    rows, columns = heat.shape[2:]
    cells = (batch.points - ORIGIN) / STRIDE  # (B, M, 17, 2), x before y
    weight = _importance(batch.state)
    near = cells.nan_to_num(-9.0)
    limits = torch.tensor([columns, rows])
    weight = weight * ((near > -0.5) & (near < limits - 0.5)).all(-1)
    b, m, k = torch.nonzero(weight, as_tuple=True)
    at, w = near[b, m, k], weight[b, m, k]
    terms = {'heat': _heat(heat, batch, b, k, at, w)}
    column, row = at.round().long().unbind(-1)
    count = w.sum().clamp_min(1.0)
    off: list[Tensor] = []
    offset = found['keypoint_offset'].unflatten(1, (17, 2))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = (row + dy).clamp(0, rows - 1), (column + dx).clamp(0, columns - 1)
            said = offset[b, k, :, y, x]  # y before x
            true = torch.stack([at[:, 1] - y, at[:, 0] - x], -1)
            off.append(((said - true).abs().sum(-1) * w).sum() / count)
    terms['offset'] = torch.stack(off).mean()
    terms |= _of_the_person(found, original, batch, cells[:, 0])
    said = original['centre_heat']
    entropy = torch.nn.functional.binary_cross_entropy(
        found['centre_heat'].clamp(_LEAST_HEAT, 1 - _LEAST_HEAT), said, reduction='sum'
    )
    terms['centre'] = entropy / said.sum().clamp_min(1.0)
    middle = torch.as_tensor(middle_weights(*found['hints'].shape[2:]))
    hints = ((found['hints'] * middle).sum((2, 3)) - batch.hints).abs().mean(0)
    terms['hints'] = hints[TURN].mean() + 4.0 * hints[DEPTHS].mean() + hints[STATURE] + hints[AGE]
    terms['total'] = sum(
        (_WEIGHTS[name] * value for name, value in terms.items()), start=heat.new_zeros(())
    )
    return terms


def _importance(state: Tensor) -> Tensor:
    """How much each keypoint (B, M, 17) counts."""
    weight = torch.zeros_like(state)
    for people, worth in ((slice(0, 1), _TARGET), (slice(1, None), _OTHER)):
        for kind, value in worth.items():
            weight[:, people] += value * (state[:, people] == int(kind))
    return weight


def _heat(heat: Tensor, batch: Batch, b: Tensor, k: Tensor, at: Tensor, w: Tensor) -> Tensor:
    """
    Focal loss of heat maps (B, 17, R, C) with warm points ``at`` (P, 2).

    Notes
    -----
    Zhou et al., Objects as points, equation 1, with powers 2 and 4.

    """
    rows, columns = heat.shape[2:]
    spread = (_SPREAD * batch.reach / STRIDE).clamp(_LEAST_SPREAD, _MOST_SPREAD)[b]
    column, row = at.round().long().unbind(-1)
    steps = torch.arange(-_PATCH, _PATCH + 1)
    y = (row[:, None, None] + steps[:, None]).expand(-1, -1, len(steps))
    x = (column[:, None, None] + steps).expand(-1, len(steps), -1)
    apart = (y - at[:, 1, None, None]) ** 2 + (x - at[:, 0, None, None]) ** 2
    warm = torch.exp(-0.5 * apart / spread[:, None, None] ** 2)
    inside = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
    index = ((b * 17 + k)[:, None, None] * rows + y) * columns + x
    target = torch.zeros(heat.numel())
    target.scatter_reduce_(0, index[inside], warm[inside], 'amax')
    flat = heat.flatten()
    cold = -((1 - target) ** 4) * flat**2 * torch.log1p(-flat)
    hit = ((b * 17 + k) * rows + row) * columns + column
    p = flat[hit]
    hot = -w * (1 - p) ** 2 * p.log()
    return (hot.sum() + cold.sum() - cold[hit.unique()].sum()) / w.sum().clamp_min(1.0)


def _of_the_person(
    found: dict[str, Tensor], original: dict[str, Tensor], batch: Batch, cells: Tensor
) -> dict[str, Tensor]:
    """Regressed keypoints and box at the centre of the person in the middle."""
    rows, columns = original['centre_heat'].shape[2:]
    reach = batch.reach / STRIDE
    y, x = torch.arange(rows)[:, None], torch.arange(columns)
    apart = (y - (rows - 1) / 2) ** 2 + (x - (columns - 1) / 2) ** 2
    likely = original['centre_heat'][:, 0] * torch.exp(
        -0.5 * apart / (0.15 * reach[:, None, None]) ** 2
    )
    best = likely.flatten(1).argmax(1)
    row, column = best // columns, best % columns
    sure = original['centre_heat'][torch.arange(len(best)), 0, row, column] > 0.05
    row = torch.where(sure, row, rows // 2)
    column = torch.where(sure, column, columns // 2)
    known = ~cells.isnan().any(-1)
    visible = batch.state[:, 0] >= int(KeypointState.SELF_HIDDEN)
    weight = known * torch.where(visible, 1.0, 0.3)
    truth = cells.nan_to_num(0.0).flip(-1)  # y before x
    corners = (batch.box[:, 0].reshape(-1, 2, 2) - ORIGIN) / STRIDE
    size, middle = (corners[:, 1] - corners[:, 0]).flip(-1), corners.mean(1).flip(-1)
    whole = (batch.inside_share[:, 0] > _WHOLE)[:, None]
    regressed, box = [], []
    each = torch.arange(len(row))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = (row + dy).clamp(0, rows - 1), (column + dx).clamp(0, columns - 1)
            cell = torch.stack([r, c], -1)
            said = found['regressed'][each, :, r, c].unflatten(1, (17, 2)) + cell[:, None]
            error = (said - truth).abs().sum(-1).clamp_max(20.0) / reach[:, None]
            regressed.append((error * weight).sum() / weight.sum().clamp_min(1.0))
            for name, true in (('box_size', size), ('centre_offset', middle - cell)):
                goal = torch.where(whole, true, original[name][each, :, r, c])
                apart = (found[name][each, :, r, c] - goal).abs().sum(-1) / reach
                box.append(apart.clamp_max(1.0).mean())
    return {'regressed': torch.stack(regressed).mean(), 'box': torch.stack(box).mean()}
