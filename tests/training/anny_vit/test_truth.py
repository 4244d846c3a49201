# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is true of pictures stays true when they are mirrored and cropped."""

from __future__ import annotations

from anny_ros.errors import InputError
from anny_ros.geometry.rotations import rotmat_to_ray
import numpy as np
import pytest
import torch

from training.anny_vit.augment import change_pictures, crop, mirror_tokens
from training.anny_vit.pool import Draw
from training.anny_vit.targets import make_targets, project_corner, rotations_to_rays
from training.anny_vit.truth import MOST_PEOPLE, Truth, truth_of


@pytest.fixture(scope='module')
def pictures(draw_picture):
    return [draw_picture(seed, people=n) for seed, n in ((0, 2), (1, 0), (2, 3))]


@pytest.fixture(scope='module')
def truth(pictures, skeleton):
    return truth_of(pictures, skeleton, 50)


def test_it_is_what_the_labels_say(pictures, truth):
    for b, picture in enumerate(pictures):
        labels, n = picture.labels, len(picture.labels)
        assert truth.there[b].sum() == n
        assert truth.identity[b, :n].tolist() == (labels.identity + 50).tolist()
        # The lifted joints alone leave fingers and toes out, which move no keypoint far.
        np.testing.assert_allclose(truth.points[b, :n, :17], labels.keypoints_3d, atol=2e-3)
        uv = project_corner(truth.points[b, :n], truth.K[b]) - 0.5
        np.testing.assert_allclose(uv[:, :17], labels.keypoints_2d, atol=0.15)


def test_too_many_people_are_refused(pictures, skeleton):
    crowd = pictures[0].labels[np.zeros(MOST_PEOPLE + 1, int)]
    picture = type(pictures[0])(pictures[0].rgb, pictures[0].camera, crowd)
    with pytest.raises(InputError, match='render pictures of fewer'):
        truth_of([picture], skeleton, 0)


def posed(truth, skeleton):
    """Points from pose and shape, about the hips."""
    rest = skeleton.rest(truth.phenotype.flatten(0, 1))
    body = skeleton.pose(rest, truth.rotations.flatten(0, 1))
    points = torch.cat([body.landmarks[:, :17], body.joint_positions], 1)
    return (points - points[:, 11:13].mean(1, keepdim=True)).unflatten(0, truth.there.shape)


def test_mirrored_poses_give_mirrored_points(truth, skeleton):
    mirrored = truth.mirrored(torch.tensor([True, True, False]), 112)
    wanted = mirrored.points - mirrored.points[:, :, 11:13].mean(2, keepdim=True)
    met = posed(mirrored, skeleton)
    # Anny's bodies are not quite symmetric.
    torch.testing.assert_close(met[truth.there], wanted[truth.there], atol=2e-3, rtol=0)
    assert torch.equal(mirrored.points[2], truth.points[2])
    assert not torch.equal(mirrored.points[0], truth.points[0])


def test_mirroring_twice_changes_nothing(truth):
    which = torch.tensor([True, False, True])
    again = truth.mirrored(which, 112).mirrored(which, 112)
    for name, value in vars(truth).items():
        torch.testing.assert_close(getattr(again, name), value)


def test_mirrored_targets_are_those_of_the_mirrored_picture(truth):
    plain = make_targets(truth, 112, 84)
    other = make_targets(truth.mirrored(torch.ones(3, dtype=torch.bool), 112), 112, 84)
    flip = torch.tensor([-1.0, 1, 1])
    assert len(plain) == len(other) > 2
    end = torch.tensor([112.0, 0])
    torch.testing.assert_close(other.location, (end - plain.location).abs(), atol=1e-3, rtol=0)
    torch.testing.assert_close(other.half, plain.half, atol=1e-3, rtol=0)
    torch.testing.assert_close(other.log_pixels_per_metre, plain.log_pixels_per_metre)
    turned = flip[:, None] * plain.rotations[:, 0] * flip
    torch.testing.assert_close(other.rotations[:, 0], turned, atol=1e-5, rtol=0)


def test_targets_are_relative_to_the_ray(truth):
    targets = make_targets(truth, 112, 84)
    face = torch.cat([truth.face[b, truth.there[b]] for b in range(3)])
    wanted = torch.as_tensor(rotmat_to_ray(face.numpy())).float()
    torch.testing.assert_close(rotations_to_rays(face), wanted)
    back = targets.points @ targets.R_camera_ray.transpose(1, 2) + face[:, None]
    wanted = torch.cat([truth.points[b, truth.there[b]] for b in range(3)])
    torch.testing.assert_close(back, wanted, atol=1e-5, rtol=0)
    root = targets.R_camera_ray @ targets.rotations[:, 0]
    wanted = torch.cat([truth.rotations[b, truth.there[b], 0] for b in range(3)])
    torch.testing.assert_close(root, wanted, atol=1e-5, rtol=0)
    depth = targets.K[:, 0, 0] / targets.log_pixels_per_metre.exp()
    torch.testing.assert_close(depth, face[:, 2])


def test_people_outside_or_hardly_seen_do_not_count(truth):
    assert len(make_targets(truth, 112, 84).unclear) == 0
    hidden = Truth(**{**vars(truth), 'clear': torch.zeros_like(truth.clear)})
    targets = make_targets(hidden, 112, 84)
    assert len(targets) == 0
    assert len(targets.unclear) == 5
    away = truth.cropped(torch.full((3,), 1.0), torch.full((3, 2), 5000.0))
    assert len(make_targets(away, 112, 84)) == 0


def pixel_of(picture):
    """Mean place of what is red, from the corner."""
    weight = (picture[0] - 0.5).clamp_min(0)
    rows, columns = torch.meshgrid(torch.arange(84) + 0.5, torch.arange(112) + 0.5, indexing='ij')
    return torch.stack([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@pytest.mark.parametrize('mirror', [False, True])
def test_pictures_move_with_their_cameras(truth, mirror):
    """A red spot at a point in space stays at the point's pixel."""
    spot = torch.tensor([[[0.3, -0.2, 4.0]]])
    one = truth[torch.tensor([0])]
    u, v = project_corner(spot, one.K)[0, 0].round().int().tolist()
    picture = torch.zeros(1, 3, 84, 112)
    picture[:, 0, v - 2 : v + 2, u - 2 : u + 2] = 1.0
    start = project_corner(spot, one.K)[0, 0] - torch.tensor([u, v])
    zoom, corner = torch.tensor([1.6]), torch.tensor([[u - 30.0, v - 25.0]])
    which = torch.tensor([mirror])
    changed = one.cropped(zoom, corner).mirrored(which, 112)
    met = pixel_of(crop(picture, zoom, corner, which)[0])
    flip = torch.tensor([-1.0 if mirror else 1.0, 1, 1])
    wanted = project_corner(spot * flip, changed.K)[0, 0] - 1.6 * start * flip[:2]
    torch.testing.assert_close(met, wanted, atol=0.25, rtol=0)


def test_nothing_is_changed_by_no_crop():
    picture = torch.rand(2, 3, 84, 112)
    which = torch.tensor([False, True])
    met = crop(picture, torch.ones(2), torch.zeros(2, 2), which)
    torch.testing.assert_close(met[0], picture[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(met[1], picture[1].flip(-1), atol=1e-4, rtol=0)


def test_changes_follow_from_the_seed(truth, pictures):
    rgb = torch.from_numpy(np.stack([picture.rgb for picture in pictures]))
    draw = Draw((rgb,), truth, 112, 84)
    one, two, three = (change_pictures(draw, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1].K, two[1].K)
    assert not torch.equal(one[0], three[0])
    assert one[0].shape == (3, 3, 84, 112)


def test_tokens_are_mirrored_with_the_truth(truth):
    features = torch.arange(3 * 6 * 8 * 2).half().view(3, 6, 8, 2) / 300
    draw = Draw((features, torch.zeros(3, 2).half()), truth, 112, 84)
    met, _, changed = mirror_tokens(draw, np.random.default_rng(3))
    flipped = [bool((met[b, :, 0] > met[b, :, 1]).all()) for b in range(3)]
    assert len(set(flipped)) == 2
    for b, flip in enumerate(flipped):
        wanted = features[b].float().flip(1) if flip else features[b].float()
        assert torch.equal(met[b], wanted)
        sign = -1 if flip else 1
        torch.testing.assert_close(changed.face[b, :, 0], sign * truth.face[b, :, 0])
