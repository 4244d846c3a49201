# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.keypoints.hints import AGE, DEPTHS, NUM_HINTS, STATURE, TURN
from anny_ros.keypoints.view import Report
import numpy as np
import pytest
import torch

from training.observe_pictures import Observed
from training.simulate import People
from training.transplant import heading, MeasuredErrors, true_hints


@pytest.fixture(scope='module')
def skeleton(lifted_skeleton):
    return lifted_skeleton


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


@pytest.fixture(scope='module')
def people(simulated_people):
    return simulated_people


def extent_of_keypoints(people):
    rays = people.reported[..., :2] / people.reported[..., 2:]
    return (rays.amax(1) - rays.amin(1)).amax(-1)


def looks_at(people, change=lambda rays, extent: rays, hints=None):
    rays = people.reported[..., :2] / people.reported[..., 2:]
    extent = (rays.amax(1) - rays.amin(1)).amax(-1)
    report = Report(
        change(rays.clone(), extent),
        torch.full((len(people), 17), 0.6),
        people.top + 0.02 * extent,
        people.edges(),
        torch.full((len(people), NUM_HINTS), torch.nan) if hints is None else hints,
    )
    return Observed(people, report)


def test_looks_without_errors_show_people_where_they_are(people, skeleton, body):
    errors = MeasuredErrors(looks_at(people), skeleton, body)
    report = errors.observe(people, np.random.default_rng(1))
    edges = report.edges
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    apart = (report.rays - truth).norm(dim=-1) / extent[:, None]
    assert apart.median() < 1e-3
    assert apart.max() < 8e-3  # the body's own sides differ by millimetres
    np.testing.assert_allclose(report.confidences, 0.6)
    np.testing.assert_allclose((report.top - people.top) / extent, 0.02, atol=3e-3)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert (edges[:, 2] < edges[:, 3]).all()


def test_an_error_is_given_over_the_extent(people, skeleton, body):
    def lower_the_nose(rays, extent):
        rays[:, 0, 1] += 0.1 * extent
        return rays

    errors = MeasuredErrors(looks_at(people, lower_the_nose), skeleton, body)
    rays = errors.observe(people, np.random.default_rng(1)).rays
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth) / extent[:, None, None])[:, 0]
    assert given[:, 1].median() == pytest.approx(0.1, abs=0.01)
    assert 0.015 < given[:, 1].std() < 0.04  # varied
    assert given[:, 0].abs().max() < 5e-3


def test_exchanged_legs_stay_exchanged(people, skeleton, body):
    def exchange(rays, extent):
        return rays[:, [*range(13), 14, 13, 16, 15]]

    errors = MeasuredErrors(looks_at(people, exchange), skeleton, body)
    rays = errors.observe(people, np.random.default_rng(1)).rays
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    crossed = (rays[:, 13] - truth[:, 14]).norm(dim=-1) / extent
    # Knees behind each other could be either.
    apart = (truth[:, 13] - truth[:, 14]).norm(dim=-1) / extent > 0.05
    assert (crossed[apart] < 0.02).float().mean() > 0.8


def test_errors_come_from_people_seen_from_the_same_side(people, skeleton, body):
    sides = torch.as_tensor(heading(people))

    def mark(rays, extent):
        rays[:, 0, 1] += torch.where(sides.abs() < 0.8, 0.2, 0.0) * extent
        return rays

    errors = MeasuredErrors(looks_at(people, mark), skeleton, body)
    rays = errors.observe(people, np.random.default_rng(1)).rays
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth)[:, 0, 1] / extent).abs()
    assert (given[sides.abs() < 0.3] > 0.05).float().mean() > 0.95
    assert (given[sides.abs() > 1.3] < 0.05).float().mean() > 0.95


def test_errors_come_from_people_of_about_the_same_age(people, skeleton, body):
    people = people[torch.arange(len(people)).repeat(8)]  # enough children from every side
    child = torch.as_tensor(people.phenotype[:, 1] < 0.15)

    def mark(rays, extent):
        rays[:, 0, 1] += torch.where(child, 0.2, 0.0) * extent
        return rays

    errors = MeasuredErrors(looks_at(people, mark), skeleton, body)
    rays = errors.observe(people, np.random.default_rng(1)).rays
    truth = people.reported[..., :2] / people.reported[..., 2:]
    extent = (truth.amax(1) - truth.amin(1)).amax(-1)
    given = ((rays - truth)[:, 0, 1] / extent).abs() > 0.05
    assert given[child].float().mean() > 0.6
    assert given[people.phenotype[:, 1] > 0.6].float().mean() < 0.02


def test_where_the_picture_ends_comes_with_the_errors(people, skeleton, body):
    """Whose feet were cut off is given to somebody whose picture ends as high."""
    truth = people.reported[..., :2] / people.reported[..., 2:]
    low, high = truth.amin(1), truth.amax(1)
    looks = looks_at(people)
    edges = torch.stack([low[:, 0] - 9, high[:, 0] + 9, low[:, 1] - 9, high[:, 1]], 1)
    height = (high - low).amax(-1)
    edges[:, 3] -= 0.2 * height
    looks = replace(looks, report=replace(looks.report, edges=edges))
    report = MeasuredErrors(looks, skeleton, body).observe(people, np.random.default_rng(1))
    given = report.edges
    extent = (high - low).amax(-1)
    below = (given[:, 3] - (low[:, 1] + high[:, 1]) / 2) / extent
    wanted = (edges[:, 3] - (low[:, 1] + high[:, 1]) / 2) / extent
    np.testing.assert_allclose(below.quantile(0.5), wanted.quantile(0.5), atol=0.05)
    assert (given[:, 2] < report.rays[..., 1].amin(1)).all()


def test_hair_of_those_who_were_rendered_is_given_too(people, skeleton, body):
    """Boxes end at the hair; simulated people have none, and rendered ones say no truth of it."""
    extent = extent_of_keypoints(people)
    looks = looks_at(people)
    dressed = replace(people, top=people.top - 0.03 * extent)
    looks = replace(looks, people=dressed, report=replace(looks.report, top=dressed.top))
    report = MeasuredErrors(looks, skeleton, body).observe(people, np.random.default_rng(1))
    np.testing.assert_allclose((people.top - report.top) / extent, 0.03, atol=3e-3)


def far_edges(people):
    return torch.tensor([-90.0, 90.0, -90.0, 90.0]).expand(len(people), -1)


def exact_hints(people, body):
    turn, others = true_hints(people, far_edges(people), body)
    columns = turn[:, :, :2].transpose(0, 2, 1).reshape(-1, 6)
    return torch.as_tensor(np.concatenate([columns, others], 1), dtype=torch.float32)


def given_hints(looks, people, skeleton, body):
    looks = replace(looks, report=replace(looks.report, edges=far_edges(looks)))
    errors = MeasuredErrors(looks, skeleton, body)
    return errors.observe(people, np.random.default_rng(1)).hints


def test_depths_are_told_over_what_is_in_the_picture(people, body):
    rays = people.reported[..., :2] / people.reported[..., 2:]
    low, high = rays.amin(1), rays.amax(1)
    upright = (high - low)[:, 1] > 2.2 * (high - low)[:, 0]
    assert upright.sum() > 10
    edges = far_edges(people).clone()
    edges[:, 3] = (low + high)[:, 1] / 2
    whole = true_hints(people, far_edges(people), body)[1][upright, :17]
    half = true_hints(people, edges, body)[1][upright, :17]
    ratio = np.ptp(half, axis=1) / np.ptp(whole, axis=1)
    assert np.median(ratio) == pytest.approx(2.0, abs=0.2)


def test_true_hints_are_those_of_somebody_upright_before_the_camera(skeleton, body):
    """By hand: who faces the camera has a turn that is told in the view frame, and flat depths."""
    facing = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    E = torch.eye(3).repeat(1, 28, 1, 1)
    E[:, 0] = facing
    phenotype = torch.full((1, 6), 0.5)
    points = skeleton.pose(skeleton.rest(phenotype), E).landmarks[:, :17]
    points = points + torch.tensor([0.0, 0.0, 4.0]) - points.mean(1, keepdim=True)
    upright = People(
        E, phenotype, points, np.ones((1, 2)), np.full(1, 100.0), points, torch.zeros(1)
    )
    turn, others = true_hints(upright, far_edges(upright), body)
    # Seen along the ray to the middle, that is a little above or below the camera's axis.
    np.testing.assert_allclose(turn[0] @ turn[0].T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(turn[0], facing, atol=0.1)
    np.testing.assert_allclose(turn[0][:, 0], [1, 0, 0], atol=1e-2)
    depths = others[0, :17]
    assert depths.mean() == pytest.approx(0.0, abs=1e-6)
    nose, ears = points[0, 0, 2], points[0, 3:5, 2].mean()
    height = float(np.ptp(points[0, :, 1].numpy()))
    told = float(ears - nose) / height
    assert depths[3:5].mean() - depths[0] == pytest.approx(told, rel=0.1)
    assert others[0, 17] == pytest.approx(float(np.log(body.stature(phenotype.numpy())[0])))
    assert others[0, 18] == pytest.approx(0.5)


def test_true_turns_and_depths_are_seen_along_the_ray_of_the_person(people, body):
    turn, others = true_hints(people, far_edges(people), body)
    R = turn @ people.rotations[:, 0].numpy().transpose(0, 2, 1)  # from the optical frame
    points = people.reported.numpy()
    rays = points[..., :2] / points[..., 2:]
    middle = np.pad((rays.min(1) + rays.max(1)) / 2, ((0, 0), (0, 1)), constant_values=1.0)
    ahead = np.einsum('nij,nj->ni', R, middle / np.linalg.norm(middle, axis=1, keepdims=True))
    np.testing.assert_allclose(ahead, np.tile([0, 0, 1.0], (len(people), 1)), atol=1e-5)
    depth = np.einsum('nj,nkj->nk', R[:, 2], points)
    order = np.take_along_axis(others[:, :17], depth.argsort(1), axis=1)
    assert (np.diff(order, axis=1) > -1e-5).all()
    np.testing.assert_allclose(others[:, :17].mean(1), 0.0, atol=1e-5)


def test_who_was_seen_exactly_gives_exact_hints(people, skeleton, body):
    exact = exact_hints(people, body)
    given = given_hints(looks_at(people, hints=exact), people, skeleton, body)
    np.testing.assert_allclose(given, exact, atol=2e-4)


def test_who_is_taken_for_facing_away_makes_others_be(people, skeleton, body):
    hints = exact_hints(people, body)
    turn, _ = true_hints(people, far_edges(people), body)
    backwards = turn @ np.diag([-1.0, -1.0, 1.0])
    columns = backwards[:, :, :2].transpose(0, 2, 1).reshape(-1, 6)
    hints[:, TURN] = torch.as_tensor(columns, dtype=torch.float32)
    given = given_hints(looks_at(people, hints=hints), people, skeleton, body)
    np.testing.assert_allclose(given[:, TURN], columns, atol=2e-4)
    others = exact_hints(people, body)[:, DEPTHS.start :]
    np.testing.assert_allclose(given[:, DEPTHS.start :], others, atol=2e-4)


def test_turns_told_half_as_surely_stay_half_as_sure(people, skeleton, body):
    hints = exact_hints(people, body)
    exact = hints[:, TURN].clone()
    hints[:, TURN] *= 0.5
    given = given_hints(looks_at(people, hints=hints), people, skeleton, body)
    np.testing.assert_allclose(given[:, TURN], exact / 2, atol=2e-4)


@pytest.mark.parametrize('column', [DEPTHS.start + 3, STATURE, AGE], ids=['ear', 'stature', 'age'])
def test_errors_of_hints_are_given_on(people, skeleton, body, column):
    exact = exact_hints(people, body)
    wrong = exact.clone()
    wrong[:, column] += 0.1
    given = given_hints(looks_at(people, hints=wrong), people, skeleton, body) - exact
    if column in range(DEPTHS.start, DEPTHS.stop):  # mirror images have it at the other ear
        given[:, DEPTHS.start + 3] += given[:, DEPTHS.start + 4]
        given[:, DEPTHS.start + 4] = 0.0
    np.testing.assert_allclose(given[:, column], 0.1, atol=4e-4)
    rest = [k for k in range(NUM_HINTS) if k != column]
    np.testing.assert_allclose(given[:, rest], 0.0, atol=4e-4)


def test_unknown_hints_stay_unknown(people, skeleton, body):
    given = given_hints(looks_at(people), people, skeleton, body)
    assert given.shape == (len(people), NUM_HINTS)
    assert given.isnan().all()
