# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is true costs least, and what is not known costs nothing."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.keypoints.decode import ORIGIN, STRIDE
from anny_ros.keypoints.hints import NUM_HINTS, STATURE
import numpy as np
import pytest
import torch

from training.keypoint_network.batches import Batch
from training.keypoint_network.losses import losses
from training.pictures.labels import KeypointState

ROWS, COLUMNS = 32, 24
VISIBLE, HIDDEN = float(KeypointState.VISIBLE), float(KeypointState.HIDDEN)
TERMS = ('heat', 'offset', 'regressed', 'centre', 'box', 'hints')


def make_batch(count=2):
    """Two people in each of some crops: one in the middle, and one right of them."""
    rng = torch.Generator().manual_seed(0)
    cells = torch.rand((count, 2, 17, 2), generator=rng) * torch.tensor([5.0, 20.0])
    cells = cells + torch.tensor([6.0, 6.0])  # x before y
    cells[:, 1, :, 0] += 9.0
    points = cells * STRIDE + ORIGIN
    return Batch(
        pictures=torch.zeros(count, 3, ROWS * STRIDE, COLUMNS * STRIDE),
        points=points,
        state=torch.full((count, 2, 17), VISIBLE),
        box=torch.cat([points.amin(2), points.amax(2)], -1),
        inside_share=torch.ones(count, 2),
        reach=(points[:, 0].amax(1) - points[:, 0].amin(1)).amax(-1),
        hints=torch.randn((count, NUM_HINTS), generator=rng),
    )


def distances(places):
    """From each cell (R, C) to places (..., 2), x before y: (..., 2, R, C), y before x."""
    y, x = torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing='ij')
    return places.flip(-1)[..., None, None] - torch.stack([y, x])


def true_heads(batch):
    """What a network says that knows everything."""
    cells = (batch.points - ORIGIN) / STRIDE
    apart = distances(cells)  # (B, 2, 17, 2, R, C)
    square = apart.square().sum(3)
    nearest = square.argmin(1, keepdim=True)[:, :, :, None].expand(-1, -1, -1, 2, -1, -1)
    corners = (batch.box[:, 0].unflatten(1, (2, 2)) - ORIGIN) / STRIDE
    size = (corners[:, 1] - corners[:, 0]).flip(-1)
    middle = distances(corners.mean(1))
    return {
        'keypoint_heat': torch.exp(-square.amin(1)).clamp(0.001, 0.99),
        'keypoint_offset': apart.gather(1, nearest)[:, 0].flatten(1, 2),
        'regressed': apart[:, 0].flatten(1, 2),
        'centre_heat': 0.9 * torch.exp(-0.1 * middle.square().sum(1, keepdim=True)),
        'box_size': size[..., None, None].expand(-1, -1, ROWS, COLUMNS),
        'centre_offset': middle,
        'hints': batch.hints[..., None, None].expand(-1, -1, ROWS // 8, COLUMNS // 8),
    }


@pytest.fixture
def batch():
    return make_batch()


@pytest.fixture
def truth(batch):
    return true_heads(batch)


def shifted(heads, *names, axis=3):
    """Heads that say everything of two cells away."""
    return {k: torch.roll(v, 2, axis) if k in names else v for k, v in heads.items()}


def terms(found, batch, original=None):
    """Losses as numbers."""
    found = {name: value.clone() for name, value in found.items()}
    return {k: float(v) for k, v in losses(found, original or found, batch).items()}


def test_the_truth_costs_nothing_but_the_spread_of_heat(batch, truth):
    found = terms(truth, batch)
    assert found.keys() == {*TERMS, 'total'}
    for name in ('offset', 'regressed', 'box', 'hints'):
        assert found[name] == pytest.approx(0.0, abs=1e-4), name
    assert 0 <= found['heat'] < 0.3


@pytest.mark.parametrize('axis', [2, 3], ids=['rows', 'columns'])
@pytest.mark.parametrize(
    ('head', 'term'),
    [('keypoint_heat', 'heat'), ('keypoint_offset', 'offset'), ('regressed', 'regressed')],
)
def test_two_cells_away_costs_more(batch, truth, head, term, axis):
    true, found = terms(truth, batch), terms(shifted(truth, head, axis=axis), batch, truth)
    assert found[term] > true[term] + 0.05
    assert found['total'] > true['total'] + 0.05
    for other in set(TERMS) - {term}:
        assert found[other] == pytest.approx(true[other], abs=1e-6)


def test_everything_two_cells_away_costs_most(batch, truth):
    heads = ('keypoint_heat', 'keypoint_offset', 'regressed')
    whole = terms(shifted(truth, *heads), batch, truth)['total']
    for head in heads:
        assert whole > terms(shifted(truth, head), batch, truth)['total']


def test_nearer_guesses_cost_less(batch, truth):
    """Each head is pulled towards the truth, wherever it is."""
    for head, term in (('keypoint_offset', 'offset'), ('regressed', 'regressed'),
                       ('box_size', 'box'), ('centre_offset', 'box'),
                       ('hints', 'hints')):  # fmt: skip
        costs = [
            terms({**truth, head: truth[head] + off}, batch, truth)[term]
            for off in (-1.0, -0.5, 0.0, 0.5, 1.0)
        ]
        assert costs[0] > costs[1] > costs[2] < costs[3] < costs[4], head


def test_all_terms_are_finite_and_pull(batch, truth):
    rng = torch.Generator().manual_seed(1)
    noise = {k: torch.rand(v.shape, generator=rng) * 0.8 + 0.1 for k, v in truth.items()}
    found = {  # heats of chance, and the others somewhat off
        name: (value if 'heat' in name else truth[name] + value).requires_grad_()
        for name, value in noise.items()
    }
    heads = {
        'heat': ['keypoint_heat'],
        'offset': ['keypoint_offset'],
        'regressed': ['regressed'],
        'centre': ['centre_heat'],
        'box': ['box_size', 'centre_offset'],
        'hints': ['hints'],
    }
    cost = losses(found, truth, batch)
    assert cost['total'].isfinite()
    for term, names in heads.items():
        assert cost[term].isfinite()
        slopes = torch.autograd.grad(
            cost[term], list(found.values()), retain_graph=True, allow_unused=True
        )
        moved = {
            name for name, slope in zip(found, slopes, strict=True)
            if slope is not None and slope.abs().sum() > 0
        }  # fmt: skip
        assert moved == set(names)
        assert all(slope.isfinite().all() for slope in slopes if slope is not None)
    cost['total'].backward()
    assert all(value.grad.isfinite().all() for value in found.values())


@pytest.mark.parametrize('extreme', [0.0, 1.0])
def test_heat_that_is_quite_sure_costs_no_infinity(batch, truth, extreme):
    found = dict(truth)
    for name in ('keypoint_heat', 'centre_heat'):
        found[name] = torch.full_like(truth[name], extreme)
    assert np.isfinite(list(terms(found, batch, truth).values())).all()


def test_places_where_nobody_is_do_not_matter(batch, truth):
    more = replace(
        batch,
        points=torch.cat([batch.points, torch.full((2, 3, 17, 2), torch.nan)], 1),
        state=torch.cat([batch.state, torch.zeros(2, 3, 17)], 1),
        box=torch.cat([batch.box, torch.full((2, 3, 4), torch.nan)], 1),
        inside_share=torch.cat([batch.inside_share, torch.full((2, 3), torch.nan)], 1),
    )
    assert terms(truth, more) == pytest.approx(terms(truth, batch))


def test_keypoints_of_others_that_cannot_be_seen_do_not_matter(batch, truth):
    state = batch.state.clone()
    state[:, 1, 9] = HIDDEN
    hidden = replace(batch, state=state)
    points = batch.points.clone()
    points[:, 1, 9] = torch.tensor([11.0, 17.0])
    other = replace(hidden, points=points)
    assert terms(truth, other) == pytest.approx(terms(truth, hidden))
    assert terms(truth, replace(batch, points=points))['heat'] > terms(truth, batch)['heat'] + 0.01


def test_keypoints_beyond_the_crop_have_no_heat(batch, truth):
    points = batch.points.clone()
    points[:, 1, 9] = torch.tensor([COLUMNS * STRIDE + 1.0, 30.0])
    gone = replace(batch, points=points)
    state = batch.state.clone()
    state[:, 1, 9] = float(KeypointState.OUTSIDE)
    assert terms(truth, gone) == pytest.approx(terms(truth, replace(batch, state=state)))


def test_hidden_keypoints_of_the_person_count_less_than_seen_ones(batch, truth):
    found = {**truth, 'keypoint_offset': truth['keypoint_offset'].clone()}
    found['keypoint_offset'][:, 18:20] += 1.0  # of the left wrist
    seen = terms(found, batch)['offset']
    state = batch.state.clone()
    state[:, 0, 9] = HIDDEN
    state[:, 1, 9] = HIDDEN
    assert 0.1 * seen < terms(found, replace(batch, state=state))['offset'] < 0.7 * seen


def test_boxes_of_people_cut_off_stay_as_the_original_has_them(batch, truth):
    original = {**truth, 'box_size': truth['box_size'] + 3.0}
    assert terms(truth, batch, original)['box'] == pytest.approx(0.0, abs=1e-5)
    cut = replace(batch, inside_share=torch.full((2, 2), 0.6))
    assert terms(truth, cut, original)['box'] > 0.01
    assert terms(original, cut, original)['box'] == pytest.approx(0.0, abs=1e-5)


def test_hints_are_read_in_the_middle(batch, truth):
    wrong = truth['hints'].clone()
    wrong[:, STATURE] += 0.1
    assert terms({**truth, 'hints': wrong}, batch)['hints'] == pytest.approx(0.1, abs=1e-4)
    costs = []
    for row, column in ((0, 0), (2, 1)):
        local = truth['hints'].clone()
        local[:, STATURE, row, column] += 1.0
        costs.append(terms({**truth, 'hints': local}, batch)['hints'])
    assert 0 < 2 * costs[0] < costs[1]


def test_the_centre_stays_as_the_original_has_it(batch, truth):
    best = terms(truth, batch)['centre']
    for change in (0.8, 1.1):
        found = {**truth, 'centre_heat': truth['centre_heat'] * change}
        assert terms(found, batch, truth)['centre'] > best
