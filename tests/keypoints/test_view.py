# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import fields, replace

from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.lifter import mirror_features
from anny_ros.keypoints.view import (
    box_tops,
    make_view,
    NUM_FEATURES,
    picture_edges,
    Report,
    rotation_to_forward,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import torch

_TANGENT = st.floats(-2.0, 2.0)
# Columns of the features.
TOP, EDGES, HINTS = slice(56, 58), slice(58, 62), slice(62, NUM_FEATURES)


def make_report(seed=0, num_people=3):
    rng = np.random.default_rng(seed)
    rays = rng.normal(scale=0.1, size=(num_people, 17, 2)) + rng.normal(
        scale=0.5, size=(num_people, 1, 2)
    )
    rays = torch.as_tensor(rays, dtype=torch.float32)
    edges = torch.tensor([-1.2, 1.1, -0.9, 0.8]).expand(num_people, -1)
    hints = torch.as_tensor(rng.normal(size=(num_people, NUM_HINTS)), dtype=torch.float32)
    confidences = torch.as_tensor(rng.uniform(0.2, 0.9, (num_people, 17)), dtype=torch.float32)
    return Report(rays, confidences, rays[..., 1].amin(1) - 0.05, edges, hints)


def upright_line(top, edges, x=0.0, y=0.0, size=0.4):
    """People without width, who are fully seen, and of whom no hints are known."""
    count = len(edges)
    rays = torch.zeros(count, 17, 2)
    rays[..., 0] = x
    rays[..., 1] = y + size * torch.linspace(-0.5, 0.5, 17)
    hints = torch.full((count, NUM_HINTS), torch.nan)
    return Report(rays, torch.ones(count, 17), top, edges, hints)


@settings(max_examples=50, deadline=None)
@given(_TANGENT, _TANGENT)
def test_rotation_takes_the_ray_forward_by_the_shortest_way(x, y):
    ray = torch.tensor([[x, y]], dtype=torch.float64)
    R = rotation_to_forward(ray)[0]
    d = torch.tensor([x, y, 1.0], dtype=torch.float64)
    d = d / d.norm()
    np.testing.assert_allclose(R @ d, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    # the smallest rotation's angle is the angle between the ray and z
    angle = torch.arccos(((R.trace() - 1) / 2).clamp(-1, 1))
    np.testing.assert_allclose(angle, torch.arccos(d[2].clamp(-1, 1)), atol=1e-6)


def test_features_have_unit_extent_and_ignore_missing_keypoints():
    report = make_report()
    report.confidences[:, 9] = 0.0
    view = make_view(report)
    assert view.features.shape == (3, NUM_FEATURES)
    xy = view.features[:, :34].view(3, 17, 2)
    seen = report.confidences[0] > 0
    extent = (xy[:, seen].amax(1) - xy[:, seen].amin(1)).amax(-1)
    np.testing.assert_allclose(extent, 1.0, atol=1e-4)
    assert (xy[:, 9] == 0).all()
    report.rays[:, 9] += 10.0  # a keypoint that was not seen must not matter
    np.testing.assert_array_equal(make_view(report).features, view.features)


def test_points_are_the_rays_turned():
    report = make_report()
    view = make_view(report)
    back = torch.nn.functional.pad(view.points, (0, 1), value=1.0) @ view.R_view_camera
    np.testing.assert_allclose(back[..., :2] / back[..., 2:], report.rays, atol=1e-5)


def test_people_do_not_influence_each_other():
    report = make_report()
    together = make_view(report).features
    alone = torch.cat([make_view(report[row : row + 1]).features for row in range(len(report))])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_the_top_is_seen_over_the_extent_and_may_be_unknown():
    # Somebody in the middle of the picture, 0.4 tall; the box's edge is 0.05 above them.
    edges = torch.tensor([[-0.1, 0.2, -0.5, 0.16]]).expand(2, -1)
    view = make_view(upright_line(torch.tensor([-0.25, float('nan')]), edges))
    top = view.features[:, TOP]
    np.testing.assert_allclose(top, [[-0.25 / 0.4, 1.0], [0.0, 0.0]], atol=1e-6)
    assert torch.isfinite(view.features).all()


def test_tops_of_boxes_are_unknown_at_the_upper_edge_of_the_picture():
    K = np.array([[500.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    boxes = np.array([[10, 40, 60, 240], [10, 3, 60, 240], [10, -20, 60, 240]], np.float32)
    one = box_tops(boxes, K)
    np.testing.assert_allclose(one[0], -0.5)
    assert one[1:].isnan().all()
    np.testing.assert_array_equal(box_tops(boxes, np.stack([K] * 3)), one)


def test_edges_are_seen_from_the_middle_over_the_extent():
    edges = torch.tensor([[-0.1, 0.2, -0.5, 0.16], [-5.0, 5.0, -5.0, 0.0], [0.0] * 4])
    edges[2] = torch.tensor([-torch.inf, torch.inf, -torch.inf, torch.inf])
    view = make_view(upright_line(torch.full((3,), torch.nan), edges))
    far = 1.5
    wanted = [[-0.25, 0.5, -1.25, 0.4], [-far, far, -far, 0.0], [-far, far, -far, far]]
    np.testing.assert_allclose(view.features[:, EDGES], wanted, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(_TANGENT, _TANGENT, st.floats(0.05, 1.0))
def test_an_edge_through_a_person_is_where_it_cuts_them(x, y, size):
    """Points on an edge come out at the edge, wherever the person is in the picture."""
    edges = torch.tensor([[x, x, y - size / 4, y + size / 4]])
    view = make_view(upright_line(torch.full((1,), torch.nan), edges, x, y, size))
    points = view.features[0, :34].view(17, 2)
    found = view.features[0, EDGES]
    np.testing.assert_allclose(found[2:], [points[4, 1], points[12, 1]], atol=2e-3)
    # As high as the middle is the edge itself.
    np.testing.assert_allclose(found[:2], points[8, 0].expand(2), atol=2e-3)


def test_edges_of_a_picture_are_those_of_its_first_and_last_pixels():
    K = np.array([[500.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    edges = picture_edges(np.stack([K] * 2), np.array([[641, 481], [800, 481]]))
    np.testing.assert_allclose(edges[0], [-320.5 / 500, 320.5 / 500, -240.5 / 400, 240.5 / 400])
    np.testing.assert_allclose(edges[1, 1], 479.5 / 500)


def assert_same(one, other, atol=0.0):
    for field in fields(Report):
        a, b = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=field.name)


def test_unknown_hints_are_zeros_and_leave_the_other_features_alone():
    report = make_report()
    hints = report.hints.clone()
    hints[1] = torch.nan
    known = make_view(report).features
    unknown = make_view(replace(report, hints=hints)).features
    np.testing.assert_array_equal(unknown[:, : HINTS.start], known[:, : HINTS.start])
    np.testing.assert_array_equal(unknown[[0, 2]], known[[0, 2]])
    assert (unknown[1, HINTS] == 0).all()
    np.testing.assert_array_equal(known[:, -1], 1.0)
    assert (known[:, HINTS].abs() > 0).all()


def test_a_report_mirrored_twice_is_as_it_was():
    report = make_report()
    report.hints[1] = torch.nan
    report.top[2] = torch.nan
    assert_same(report.mirrored().mirrored(), report)
    assert (report.mirrored().rays - report.rays).abs().max() > 0.1


def test_a_mirrored_report_is_that_of_the_mirrored_picture():
    report = make_report(num_people=1)
    other = report.mirrored()
    left_wrist, right_wrist = report.rays[0, 9], report.rays[0, 10]
    np.testing.assert_array_equal(other.rays[0, 10], left_wrist * torch.tensor([-1.0, 1.0]))
    np.testing.assert_array_equal(other.rays[0, 9], right_wrist * torch.tensor([-1.0, 1.0]))
    assert other.confidences[0, 9] == report.confidences[0, 10]
    np.testing.assert_allclose(other.edges, [[-1.1, 1.2, -0.9, 0.8]])
    assert other.top == report.top


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_views_of_mirrored_reports_are_the_mirrored_views(seed, known):
    report = make_report(seed)
    if not known:
        report.hints[:] = torch.nan
    mirrored = mirror_features(make_view(report).features)
    np.testing.assert_allclose(make_view(report.mirrored()).features, mirrored, atol=2e-4)


def test_rows_of_reports_are_taken_and_put_together():
    report = make_report()
    assert len(report) == 3
    last = report[torch.tensor([False, False, True])]
    assert_same(last, report[2:])
    assert_same(Report.concatenate([last, report[:0], report[torch.tensor([0, 1])]]),
                report[torch.tensor([2, 0, 1])])  # fmt: skip
