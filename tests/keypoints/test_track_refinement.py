# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Somebody who waves and sways 4 m away, and what is said of them picture by picture."""

from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.keypoints.track_refinement import (
    Floor,
    rotvec_from_rotations,
    Track,
    TrackRefiner,
    TrackWeights,
)
import numpy as np
import pytest
import torch

RATE, FOCAL, COUNT = 15.0, 900.0, 12  # pictures a second, pixels, pictures
# Rest axes (x left, y back, z up) of somebody who faces the camera.
FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
EXACT = TrackWeights(keypoint_stddev=5e-4, rotation_stddev=0.5, joint_acceleration=60.0)


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Let small tensors not wait for threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def skeleton():
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


def move(skeleton, count=COUNT):
    """True rotations, translation and phenotype, and the keypoints (F, 17, 3) they make."""
    rng = torch.Generator().manual_seed(1)
    time = torch.arange(count) / RATE
    amplitude = 0.3 * torch.randn(1, len(LIFTED_JOINTS), 3, generator=rng)
    phase = 6.0 * torch.rand(1, len(LIFTED_JOINTS), 3, generator=rng)
    E = rotations_from_rotvec(amplitude * torch.sin(3.0 * time[:, None, None] + phase))
    E[:, 0] = rotations_from_rotvec(0.2 * torch.sin(time)[:, None] * torch.eye(3)[1]) @ FACING
    phenotype = torch.tensor([0.4, 0.7, 0.5, 0.5, 0.6, 0.5])
    place = torch.stack([0.4 * time, 0.1 * torch.sin(2 * time), 4.0 + 0.2 * time], 1)
    return E, place, phenotype, keypoints_of(skeleton, E, place, phenotype)


def keypoints_of(skeleton, rotations, translation, phenotype):
    with torch.no_grad():
        rest = skeleton.rest(phenotype.expand(len(rotations), -1))
        return skeleton.pose(rest, rotations, translation).landmarks[:, :17]


def make_track(skeleton, count=COUNT, turn=0.08, pixels=0.0, depth=0.005, seed=0):
    """A Track with errors (radians, pixels; metres of the known distance), and the truth."""
    rng = torch.Generator().manual_seed(seed)
    E, place, phenotype, points = move(skeleton, count)
    rays = points[..., :2] / points[..., 2:]
    hips = points[:, 11:13].mean(1)
    track = Track(
        stamps=torch.arange(count).double() / RATE,
        rays=rays + pixels / FOCAL * torch.randn(rays.shape, generator=rng),
        confidences=torch.full((count, 17), 0.9),
        rotations=rotations_from_rotvec(turn * torch.randn(count, 28, 3, generator=rng)) @ E,
        translation=place + 0.05 * torch.randn(count, 3, generator=rng),
        position=hips,
        position_precision=torch.eye(3).expand(count, 3, 3) / depth**2,
        phenotype=phenotype + 0.02,
        phenotype_stddev=torch.full((6,), 0.05),
        world_rotation=torch.eye(3).expand(count, 3, 3),
        world_translation=torch.zeros(count, 3),
    )
    return track, points


def refined_points(skeleton, track, weights=None, steps=12):
    result = TrackRefiner(skeleton).refine_track(track, weights, steps)
    assert torch.isfinite(result.rotations).all()
    return keypoints_of(skeleton, result.rotations, result.translation, result.phenotype)


def test_exact_keypoints_at_a_known_distance_give_the_body_to_millimetres(skeleton):
    track, truth = make_track(skeleton, turn=0.03)
    points = refined_points(skeleton, track, EXACT, steps=25)
    pixels = FOCAL * (points[..., :2] / points[..., 2:] - track.rays).norm(dim=-1)
    assert float(pixels.mean()) < 0.1
    assert float((points - truth).norm(dim=-1).mean()) < 0.006
    before = keypoints_of(skeleton, track.rotations, track.translation, track.phenotype)
    assert float((before - truth).norm(dim=-1).mean()) > 0.03


def test_noise_and_jitter_become_less(skeleton):
    track, truth = make_track(skeleton, turn=0.15, pixels=4.0)
    before = keypoints_of(skeleton, track.rotations, track.translation, track.phenotype)
    after = refined_points(skeleton, track)

    def errors(points):
        off = points - points[:, 11:13].mean(1, keepdim=True)
        off = off - (truth - truth[:, 11:13].mean(1, keepdim=True))
        return off.norm(dim=-1).mean(), off.diff(dim=0).diff(dim=0).norm(dim=-1).mean()

    (error_before, jitter_before), (error_after, jitter_after) = errors(before), errors(after)
    assert error_after < 0.7 * error_before
    assert jitter_after < 0.25 * jitter_before


def test_a_camera_that_moves_is_taken_out(skeleton):
    """The same motion, seen by a camera that turns and drives, is refined to the same body."""
    still, _ = make_track(skeleton, turn=0.1, pixels=2.0)
    count = len(still.stamps)
    swing = 0.15 * torch.sin(5.0 * still.stamps.float())[:, None] * torch.eye(3)[1]
    R = rotations_from_rotvec(swing)  # optical frame to world
    drive = torch.stack([0.2 * still.stamps.float(), torch.zeros(count), torch.zeros(count)], 1)

    def seen(points):
        return (
            (points - drive.view(-1, *[1] * (points.dim() - 2), 3)).unsqueeze(-2)
            @ (R.view(-1, *[1] * (points.dim() - 2), 3, 3))
        ).squeeze(-2)

    _, place, _, points = move(skeleton)
    turned = still.rotations.clone()
    turned[:, 0] = R.transpose(1, 2) @ turned[:, 0]
    moved = seen(points)
    track = replace(
        still, rays=moved[..., :2] / moved[..., 2:], rotations=turned,
        position=seen(still.position), translation=seen(place),
        world_rotation=R, world_translation=drive,
    )  # fmt: skip
    known = refined_points(skeleton, track)
    world = (R[:, None] @ known[..., None])[..., 0] + drive[:, None]
    plain = refined_points(skeleton, replace(still, rays=points[..., :2] / points[..., 2:],
                                             translation=place))  # fmt: skip
    assert float((world - plain).norm(dim=-1).mean()) < 0.01


def test_a_floor_settles_the_distance(skeleton):
    track, truth = make_track(skeleton, turn=0.02)
    far = track.position * 1.08  # as a body that is taken for larger, farther away
    precision = torch.eye(3).expand(COUNT, 3, 3) / 0.5**2
    track = replace(
        track, position=far, translation=track.translation * 1.08, position_precision=precision,
        phenotype_stddev=torch.full((6,), 0.2),
    )  # fmt: skip
    up = torch.tensor([0.0, -1.0, 0.0])
    lowest = (truth[:, 15:17] @ up).amin(1)
    floor = Floor(up.expand(COUNT, 3), -lowest)
    off = [
        float((refined_points(skeleton, t)[:, 11:13] - truth[:, 11:13]).norm(dim=-1).mean())
        for t in (track, replace(track, floor=floor))
    ]
    assert off[1] < 0.7 * off[0]


def test_lost_keypoints_and_outliers_are_bridged(skeleton):
    track, truth = make_track(skeleton, turn=0.05)
    confidences, rays = track.confidences.clone(), track.rays.clone()
    confidences[6:8] = 0.0
    rays[5, 9] += 0.3
    points = refined_points(skeleton, replace(track, confidences=confidences, rays=rays))
    clean = refined_points(skeleton, track)
    assert float((points - clean).norm(dim=-1).mean()) < 0.02
    assert float((points - truth)[5, 9].norm()) < 0.1


@pytest.mark.parametrize('count', [1, 2, 3])
def test_short_tracks_are_fine(skeleton, count):
    track, truth = make_track(skeleton, count=count)
    points = refined_points(skeleton, track)
    assert float((points - truth).norm(dim=-1).mean()) < 0.1


def test_nothing_is_smoothed_over_a_gap(skeleton):
    track, _ = make_track(skeleton, count=8)
    apart = replace(track, stamps=track.stamps + 10.0 * (torch.arange(8) >= 4))
    together = refined_points(skeleton, apart)
    first = {
        name: value[:4] if name != 'phenotype' and name != 'phenotype_stddev' else value
        for name, value in vars(track).items()
        if value is not None
    }
    alone = refined_points(skeleton, Track(**first))
    np.testing.assert_allclose(together[:3], alone[:3], atol=0.05)  # the shape is shared


def test_logarithm_undoes_the_exponential():
    rng = torch.Generator().manual_seed(0)
    v = torch.randn(200, 3, generator=rng).double()
    v = v * torch.rand(200, 1, generator=rng).double() * 3.0 / v.norm(dim=-1, keepdim=True)
    np.testing.assert_allclose(rotvec_from_rotations(rotations_from_rotvec(v)), v, atol=1e-6)
    assert rotvec_from_rotations(torch.eye(3)).abs().max() == 0
