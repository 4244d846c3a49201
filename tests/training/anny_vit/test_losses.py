# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who answers for whom, and what it costs to be wrong."""

from __future__ import annotations

from itertools import permutations

from anny_ros.geometry.rotations import rotmat_to_rot6d
from anny_ros.model.anny_vit import Described
from anny_ros.model.anny_vit_layers import Window
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from training.anny_vit.learner import Learner, make_network
from training.anny_vit.losses import (
    contrastive_loss,
    focal_loss,
    heading_degrees,
    network_loss,
    total,
    WEIGHTS,
)
from training.anny_vit.matching import match
from training.anny_vit.pool import Pool
from training.anny_vit.targets import make_targets
from training.anny_vit.truth import truth_of

PATCH = 14


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), people=st.lists(st.integers(0, 3), min_size=1, max_size=3))
def test_matching_is_the_cheapest(seed, people):
    generator = torch.Generator().manual_seed(seed)
    location = torch.randn(len(people), 5, 2, generator=generator)
    picture = torch.repeat_interleave(torch.arange(len(people)), torch.tensor(people))
    wanted = torch.randn(len(picture), 2, generator=generator)
    queries = match(location, picture, wanted)
    for b, count in enumerate(people):
        mine, faces = queries[picture == b], wanted[picture == b]
        assert len(set(mine.tolist())) == count
        distance = torch.cdist(faces[None], location[b][None])[0]
        best = min(
            sum(float(distance[i, q]) for i, q in enumerate(order))
            for order in permutations(range(5), count)
        )
        met = sum(float(distance[i, q]) for i, q in enumerate(mine))
        assert met == pytest.approx(best, abs=1e-5)


def test_matching_survives_numbers_that_are_not_finite():
    location = torch.tensor([[[float('nan'), 0.0], [3.0, 3.0]]])
    assert match(location, torch.tensor([0]), torch.tensor([[9.0, 9.0]])).tolist() == [1]


@pytest.fixture(scope='module')
def targets(draw_picture, skeleton):
    pictures = [draw_picture(0, people=2), draw_picture(4, people=2), draw_picture(2, people=0)]
    return make_targets(truth_of(pictures, skeleton, 0), 112, 84)


def perfect(targets, queries=6):
    """What an all-knowing layer says; persons are at queries 1, 2, ... of their picture."""
    B = 3
    logit = torch.full((B, queries), -12.0)
    location = torch.full((B, queries, 2), 900.0) + 40 * torch.arange(queries)[:, None]
    centre, half = torch.full((B, queries, 2), 50.0), torch.ones(B, queries, 2)
    scale, shape = torch.full((B, queries), 4.0), torch.full((B, queries, 6), 0.5)
    pose = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(B, queries, 28, 1)
    taken = [0] * B
    for m, b in enumerate(targets.picture.tolist()):
        taken[b] += 1
        at = (b, taken[b])
        logit[at], location[at] = 12.0, targets.location[m]
        centre[at], half[at] = targets.centre[m] / PATCH, targets.half[m] / PATCH
        scale[at], shape[at] = targets.log_pixels_per_metre[m], targets.phenotype[m]
        pose[at] = torch.as_tensor(rotmat_to_rot6d(targets.rotations[m].numpy())).float()
    return Described(logit, location, Window(centre, half), scale, shape, pose)


def losses_of(layers, targets, skeleton, hfov=1.0):
    ratio = torch.full((3,), 0.5 / np.tan(0.5))
    appearance = torch.zeros(3, layers[0].logit.shape[1], 4)
    fov = torch.full((3,), hfov)
    return network_loss(layers, appearance, fov, targets, ratio, skeleton, PATCH)


def test_the_truth_costs_nothing(targets, skeleton):
    losses = losses_of([perfect(targets)] * 2, targets, skeleton)
    assert set(losses) == {*WEIGHTS, 'heading_deg'}
    for name, value in losses.items():
        if name == 'root':  # the root of a small number, so that its slope is finite
            assert float(value) == pytest.approx(0.01, abs=2e-3)
        elif name == 'heading_deg':
            assert float(value) < 0.2
        elif name != 'appearance':
            assert float(value) == pytest.approx(0, abs=2e-3), name


@pytest.mark.parametrize(
    ('field', 'wrong', 'names'),
    [
        ('logit', lambda x: -x, {'confidence'}),
        ('location', lambda x: x + 6, {'place', 'flat'}),
        ('log_pixels_per_metre', lambda x: x + 0.3, {'scale', 'flat'}),
        ('shape', lambda x: 1 - 0.7 * x, {'shape', 'joints', 'flat'}),
        ('window', lambda w: Window(w.centre + 1, w.half), {'window'}),
        ('pose', lambda p: p.roll(1, 2), {'rotations', 'root', 'joints', 'flat', 'heading_deg'}),
    ],
)
def test_each_mistake_costs_where_it_should(targets, skeleton, field, wrong, names):
    right = perfect(targets)
    before = losses_of([right], targets, skeleton)
    bad = right._replace(**{field: wrong(getattr(right, field))})
    after = losses_of([bad], targets, skeleton)
    for name in before:
        if name in names:
            assert after[name] > before[name] + 0.01, name
        elif name != 'appearance':
            assert float(after[name]) == pytest.approx(float(before[name]), abs=2e-3), name


def test_every_layer_costs(targets, skeleton):
    right = perfect(targets)
    bad = right._replace(log_pixels_per_metre=right.log_pixels_per_metre + 1)
    one = losses_of([bad, right], targets, skeleton)['scale']
    both = losses_of([bad, bad], targets, skeleton)['scale']
    assert float(both) == pytest.approx(2 * float(one))


def test_who_does_not_count_is_no_false_alarm(targets, skeleton):
    box = torch.tensor([[0.0, 0, 112, 84]])
    parts = {**vars(targets), 'unclear': box, 'unclear_picture': torch.tensor([2])}
    excused = type(targets)(**parts)
    right = perfect(targets)
    logit, location = right.logit.clone(), right.location.clone()
    logit[2, 3], location[2, 3] = 5.0, torch.tensor([50.0, 40.0])
    alarm = right._replace(logit=logit, location=location)
    assert losses_of([alarm], targets, skeleton)['confidence'] > 0.3
    assert losses_of([alarm], excused, skeleton)['confidence'] < 0.01


def test_pictures_of_nobody_teach_not_to_see_people(draw_picture, skeleton):
    nobody = make_targets(truth_of([draw_picture(1, people=0)] * 3, skeleton, 0), 112, 84)
    layer = perfect(nobody)._replace(logit=torch.zeros(3, 6, requires_grad=True))
    losses = losses_of([layer], nobody, skeleton)
    total(losses).backward()
    assert (layer.logit.grad > 0).all()


def test_focal_loss_is_small_for_what_is_nearly_right():
    logit, target = torch.tensor([3.0, -3.0, 0.0]), torch.tensor([1.0, 0.0, 1.0])
    loss = focal_loss(logit, target)
    p = 1 / (1 + np.exp(-3.0))
    assert float(loss[0]) == pytest.approx(0.25 * (1 - p) ** 2 * -np.log(p), rel=1e-4)
    assert float(loss[1]) == pytest.approx(0.75 * (1 - p) ** 2 * -np.log(p), rel=1e-4)
    assert float(loss[2]) == pytest.approx(0.25 * 0.25 * np.log(2), rel=1e-4)


def test_alike_features_of_one_person_cost_least():
    identity, picture = torch.tensor([7, 8, 7, 8]), torch.tensor([0, 0, 1, 1])
    good = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    bad = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert contrastive_loss(5 * good, identity, picture) < 0.01
    assert contrastive_loss(bad, identity, picture) > 5
    assert contrastive_loss(bad, torch.arange(4), picture) == 0


def test_headings():
    turn = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    torch.testing.assert_close(heading_degrees(turn, torch.eye(3)[None]), torch.tensor([90.0]))
    torch.testing.assert_close(heading_degrees(turn, turn), torch.tensor([0.0]))


@pytest.mark.parametrize('frozen', [False, True])
def test_gradients_reach_what_learns_and_nothing_else(shards, skeleton, frozen):
    network = make_network('anny_vit_tiny', 0, pretrained=False)
    learner = Learner(network, frozen=frozen, seed=0)
    prepare = {'prepare': learner.tokens} if frozen else {}
    pool = Pool(skeleton, torch.device('cpu'), **prepare)
    pool.read_new(shards)
    draw = pool.draw(np.random.default_rng(1), 6)
    total(learner.losses(draw, 0)).backward()
    for name, parameter in network.named_parameters():
        learns = name != 'encoder.backbone.mask_token'
        if frozen and name.startswith('encoder.backbone.'):
            learns = False
        if learns:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
        else:
            assert parameter.grad is None, name
