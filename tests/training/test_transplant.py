# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.observe_pictures import Observed
from training.transplant import heading, MeasuredErrors


@pytest.fixture(scope='module')
def skeleton(lifted_skeleton):
    return lifted_skeleton


@pytest.fixture(scope='module')
def people(simulated_people):
    return simulated_people


def extent_of_keypoints(people):
    rays = people.reported[..., :2] / people.reported[..., 2:]
    return (rays.amax(1) - rays.amin(1)).amax(-1)


def looks_at(people, change=lambda rays, extent: rays):
    rays = people.reported[..., :2] / people.reported[..., 2:]
    extent = (rays.amax(1) - rays.amin(1)).amax(-1)
    return Observed(
        people,
        change(rays.clone(), extent),
        torch.full((len(people), 17), 0.6),
        people.top + 0.02 * extent,
        people.edges(),
    )


def test_looks_without_errors_show_people_where_they_are(people, skeleton):
    errors = MeasuredErrors(looks_at(people), skeleton)
    rays, confidences, top, edges = errors.observe(people, np.random.default_rng(1))
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    apart = (rays - truth).norm(dim=-1) / extent[:, None]
    assert apart.median() < 1e-3
    assert apart.max() < 8e-3  # the body's own sides differ by millimetres
    np.testing.assert_allclose(confidences, 0.6)
    np.testing.assert_allclose((top - people.top) / extent, 0.02, atol=3e-3)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert (edges[:, 2] < edges[:, 3]).all()


def test_an_error_is_given_over_the_extent(people, skeleton):
    def lower_the_nose(rays, extent):
        rays[:, 0, 1] += 0.1 * extent
        return rays

    errors = MeasuredErrors(looks_at(people, lower_the_nose), skeleton)
    rays, *_ = errors.observe(people, np.random.default_rng(1))
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth) / extent[:, None, None])[:, 0]
    assert given[:, 1].median() == pytest.approx(0.1, abs=0.01)
    assert 0.015 < given[:, 1].std() < 0.04  # varied
    assert given[:, 0].abs().max() < 5e-3


def test_exchanged_legs_stay_exchanged(people, skeleton):
    def exchange(rays, extent):
        return rays[:, [*range(13), 14, 13, 16, 15]]

    errors = MeasuredErrors(looks_at(people, exchange), skeleton)
    rays, *_ = errors.observe(people, np.random.default_rng(1))
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    crossed = (rays[:, 13] - truth[:, 14]).norm(dim=-1) / extent
    # Knees behind each other could be either.
    apart = (truth[:, 13] - truth[:, 14]).norm(dim=-1) / extent > 0.05
    assert (crossed[apart] < 0.02).float().mean() > 0.8


def test_errors_come_from_people_seen_from_the_same_side(people, skeleton):
    sides = torch.as_tensor(heading(people))

    def mark(rays, extent):
        rays[:, 0, 1] += torch.where(sides.abs() < 0.8, 0.2, 0.0) * extent
        return rays

    errors = MeasuredErrors(looks_at(people, mark), skeleton)
    rays, *_ = errors.observe(people, np.random.default_rng(1))
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth)[:, 0, 1] / extent).abs()
    assert (given[sides.abs() < 0.3] > 0.05).float().mean() > 0.95
    assert (given[sides.abs() > 1.3] < 0.05).float().mean() > 0.95


def test_errors_come_from_people_of_about_the_same_age(people, skeleton):
    people = people[torch.arange(len(people)).repeat(8)]  # enough children from every side
    child = torch.as_tensor(people.phenotype[:, 1] < 0.15)

    def mark(rays, extent):
        rays[:, 0, 1] += torch.where(child, 0.2, 0.0) * extent
        return rays

    errors = MeasuredErrors(looks_at(people, mark), skeleton)
    rays, *_ = errors.observe(people, np.random.default_rng(1))
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth)[:, 0, 1] / extent).abs() > 0.05
    assert given[child].float().mean() > 0.6
    assert given[people.phenotype[:, 1] > 0.6].float().mean() < 0.02


def test_where_the_picture_ends_comes_with_the_errors(people, skeleton):
    """Whose feet were cut off is given to somebody whose picture ends as high."""
    truth = people.reported[..., :2] / people.reported[..., 2:]
    low, high = truth.amin(1), truth.amax(1)
    looks = looks_at(people)
    edges = torch.stack([low[:, 0] - 9, high[:, 0] + 9, low[:, 1] - 9, high[:, 1]], 1)
    height = (high - low).amax(-1)
    edges[:, 3] -= 0.2 * height
    rays, _, _, given = MeasuredErrors(replace(looks, edges=edges), skeleton).observe(
        people, np.random.default_rng(1)
    )
    extent = (high - low).amax(-1)
    below = (given[:, 3] - (low[:, 1] + high[:, 1]) / 2) / extent
    wanted = (edges[:, 3] - (low[:, 1] + high[:, 1]) / 2) / extent
    np.testing.assert_allclose(below.quantile(0.5), wanted.quantile(0.5), atol=0.05)
    assert (given[:, 2] < rays[..., 1].amin(1)).all()


def test_hair_of_those_who_were_rendered_is_given_too(people, skeleton):
    """Boxes end at the hair; simulated people have none, and rendered ones say no truth of it."""
    extent = extent_of_keypoints(people)
    looks = looks_at(people)
    dressed = replace(people, top=people.top - 0.03 * extent)
    looks = replace(looks, people=dressed, top=dressed.top)
    *_, top, _ = MeasuredErrors(looks, skeleton).observe(people, np.random.default_rng(1))
    np.testing.assert_allclose((people.top - top) / extent, 0.03, atol=3e-3)
