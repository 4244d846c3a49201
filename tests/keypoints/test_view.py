# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.keypoints.view import (
    box_tops,
    make_view,
    NUM_FEATURES,
    picture_edges,
    rotation_to_forward,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import torch

_TANGENT = st.floats(-2.0, 2.0)


def make_rays(seed=0, num_people=3):
    rng = np.random.default_rng(seed)
    rays = rng.normal(scale=0.1, size=(num_people, 17, 2)) + rng.normal(
        scale=0.5, size=(num_people, 1, 2)
    )
    rays = torch.as_tensor(rays, dtype=torch.float32)
    edges = torch.tensor([-1.2, 1.1, -0.9, 0.8]).expand(num_people, -1)
    return rays, torch.full((num_people, 17), 0.5), rays[..., 1].amin(1) - 0.05, edges


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
    rays, confidences, top, edges = make_rays()
    confidences[:, 9] = 0.0
    view = make_view(rays, confidences, top, edges)
    assert view.features.shape == (3, NUM_FEATURES)
    xy = view.features[:, :34].view(3, 17, 2)
    seen = confidences[0] > 0
    extent = (xy[:, seen].amax(1) - xy[:, seen].amin(1)).amax(-1)
    np.testing.assert_allclose(extent, 1.0, atol=1e-4)
    assert (xy[:, 9] == 0).all()
    rays[:, 9] += 10.0  # a keypoint that was not seen must not matter
    np.testing.assert_array_equal(make_view(rays, confidences, top, edges).features, view.features)


def test_points_are_the_rays_turned():
    rays, confidences, top, edges = make_rays()
    view = make_view(rays, confidences, top, edges)
    back = torch.nn.functional.pad(view.points, (0, 1), value=1.0) @ view.R_view_camera
    np.testing.assert_allclose(back[..., :2] / back[..., 2:], rays, atol=1e-5)


def test_people_do_not_influence_each_other():
    rays, confidences, top, edges = make_rays()
    together = make_view(rays, confidences, top, edges).features
    alone = torch.cat(
        [
            make_view(r[None], c[None], t[None], e[None]).features
            for r, c, t, e in zip(rays, confidences, top, edges, strict=True)
        ]
    )
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_the_top_is_seen_over_the_extent_and_may_be_unknown():
    # Somebody in the middle of the picture, 0.4 tall; the box's edge is 0.05 above them.
    rays, confidences = torch.zeros(2, 17, 2), torch.ones(2, 17)
    rays[:, :, 1] = torch.linspace(-0.2, 0.2, 17)
    edges = torch.tensor([[-0.1, 0.2, -0.5, 0.16]]).expand(2, -1)
    view = make_view(rays, confidences, torch.tensor([-0.25, float('nan')]), edges)
    top = view.features[:, -6:-4]
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
    rays, confidences = torch.zeros(3, 17, 2), torch.ones(3, 17)
    rays[:, :, 1] = torch.linspace(-0.2, 0.2, 17)
    edges = torch.tensor([[-0.1, 0.2, -0.5, 0.16], [-5.0, 5.0, -5.0, 0.0], [0.0] * 4])
    edges[2] = torch.tensor([-torch.inf, torch.inf, -torch.inf, torch.inf])
    view = make_view(rays, confidences, torch.full((3,), torch.nan), edges)
    far = 1.5
    wanted = [[-0.25, 0.5, -1.25, 0.4], [-far, far, -far, 0.0], [-far, far, -far, far]]
    np.testing.assert_allclose(view.features[:, -4:], wanted, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(_TANGENT, _TANGENT, st.floats(0.05, 1.0))
def test_an_edge_through_a_person_is_where_it_cuts_them(x, y, size):
    """Points on an edge come out at the edge, wherever the person is in the picture."""
    rays = torch.zeros(1, 17, 2)
    rays[0, :, 0] = x
    rays[0, :, 1] = y + size * torch.linspace(-0.5, 0.5, 17)
    edges = torch.tensor([[x, x, rays[0, 4, 1], rays[0, 12, 1]]])
    view = make_view(rays, torch.ones(1, 17), torch.full((1,), torch.nan), edges)
    points = view.features[0, :34].view(17, 2)
    found = view.features[0, -4:]
    np.testing.assert_allclose(found[2:], [points[4, 1], points[12, 1]], atol=2e-3)
    # As high as the middle is the edge itself.
    np.testing.assert_allclose(found[:2], points[8, 0].expand(2), atol=2e-3)


def test_edges_of_a_picture_are_those_of_its_first_and_last_pixels():
    K = np.array([[500.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    edges = picture_edges(np.stack([K] * 2), np.array([[641, 481], [800, 481]]))
    np.testing.assert_allclose(edges[0], [-320.5 / 500, 320.5 / 500, -240.5 / 400, 240.5 / 400])
    np.testing.assert_allclose(edges[1, 1], 479.5 / 500)
