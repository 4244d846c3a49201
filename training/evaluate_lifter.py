# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure the lifter on posed bodies of held-out clips, with simulated 2D noise.

    python -m training.evaluate_lifter DATA [--count 4000] [--output out/evaluation/lifter.json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import AnnyError
from anny_ros.inference.lite import lifter_path
from anny_ros.keypoints.lifter import Lifted, LIFTED_JOINTS, Lifter, LifterNetwork
from anny_ros.keypoints.refine import Refiner
from anny_ros.keypoints.view import make_view, View
import numpy as np
import torch
from torch import Tensor

from training.keypoint_errors import observe
from training.poses import load_poses, PoseData, sample_phenotypes, sample_rotations
from training.simulate import People, place

_LIMBS = list(range(5, 17))
_SEED = 12345


def held_out_people(
    poses: PoseData, skeleton: Skeleton, body: BodyModel, count: int, seed: int = _SEED
) -> People:
    """Draw people whose clips training never saw, not mixed and not jittered."""
    rng = np.random.default_rng(seed)
    E = sample_rotations(poses, count, rng, augment=False)
    return place(skeleton, E, sample_phenotypes(body, count, rng), rng)


def align(points: Tensor, truth: Tensor) -> Tensor:
    """
    Align points by the best similarity.

    Parameters
    ----------
    points, truth : Tensor, (N, K, 3)

    Returns
    -------
    Tensor, (N, K, 3)
        ``points`` scaled, turned and moved.

    Notes
    -----
    Umeyama (1991), equations 40 to 43.

    """
    x, y = points - points.mean(1, keepdim=True), truth - truth.mean(1, keepdim=True)
    U, S, Vt = torch.linalg.svd(y.transpose(1, 2) @ x)
    sign = torch.ones_like(S)
    sign[:, 2] = torch.linalg.det(U @ Vt).sign()
    R = U @ (sign[..., None] * Vt)
    scale = (S * sign).sum(1) / x.square().sum((1, 2))
    return scale[:, None, None] * x @ R.transpose(1, 2) + truth.mean(1, keepdim=True)


def figures(
    joints: Tensor, forward: Tensor, position: Tensor, stature: Tensor, truth: dict[str, Tensor]
) -> dict[str, float]:
    """
    Compare lifted people with the truth.

    Parameters
    ----------
    joints : Tensor, (N, 17, 3), metres
    forward : Tensor, (N, 3)
        Out of the chest.
    position : Tensor, (N, 3), metres
        Middle of the hips.
    stature : Tensor, (N,), metres
    truth : dict of the same four

    Returns
    -------
    dict of str to float

    """
    centred = joints - joints[:, 11:13].mean(1, keepdim=True)
    true_joints = truth['joints']
    true_centred = true_joints - true_joints[:, 11:13].mean(1, keepdim=True)
    error = (centred - true_centred)[:, _LIMBS].norm(dim=-1)
    aligned = align(joints[:, _LIMBS], true_joints[:, _LIMBS]) - true_joints[:, _LIMBS]
    cosine = (forward * truth['forward']).sum(-1).clamp(-1, 1)
    heading = torch.rad2deg(torch.arccos(cosine))
    depth = (position.norm(dim=-1) / truth['position'].norm(dim=-1) - 1).abs()
    height = (stature / truth['stature'] - 1).abs()
    return {
        'pa_mpjpe_mm': 1000 * float(aligned.norm(dim=-1).mean()),
        'mpjpe_mm': 1000 * float(error.mean()),
        'heading_median_deg': float(heading.median()),
        'heading_within_45': float((heading < 45).float().mean()),
        'heading_within_30': float((heading < 30).float().mean()),
        'distance_median_error': float(depth.median()),
        'stature_median_error': float(height.median()),
    }


def positions(lifted: Lifted, view: View) -> Tensor:
    """Middle of the hips in the view frame, (N, 3), metres."""
    depth = lifted.log_size.exp() / view.extent
    tangents = view.centre + lifted.offset * view.extent[:, None]
    return torch.cat([tangents * depth[:, None], depth[:, None]], 1)


def _stature(phenotype: Tensor) -> Tensor:
    return torch.as_tensor(BodyModel.load().stature(phenotype.numpy()))


def truth_of(people: People, R: Tensor) -> dict[str, Tensor]:
    """Truth of people, turned by R (N, 3, 3)."""
    joints = people.keypoints @ R.transpose(1, 2)
    return {
        'joints': joints,
        'forward': -(R @ people.rotations[:, 0])[..., 1],
        'position': joints[:, 11:13].mean(1),
        'stature': _stature(people.phenotype),
    }


@torch.no_grad()
def evaluate_network(
    network: LifterNetwork, skeleton: Skeleton, people: People, exact: bool
) -> dict[str, float]:
    """Figures of the network alone, without mirror image or refinement."""
    view = make_view(observe(people, np.random.default_rng(_SEED), exact))
    lifted = network(view.features)
    posed = skeleton.pose(skeleton.rest(lifted.phenotype), lifted.rotations)
    return figures(
        posed.landmarks[:, :17],
        -lifted.rotations[:, 0, :, 1],
        positions(lifted, view),
        _stature(lifted.phenotype),
        truth_of(people, view.R_view_camera),
    )


@torch.no_grad()
def evaluate_chain(
    lifter: Lifter, skeleton: Skeleton, people: People, *, exact: bool, iterations: int
) -> dict[str, float]:
    """Figures of the lifter as it runs: mirrored mean, then refinement."""
    view = make_view(observe(people, np.random.default_rng(_SEED), exact))
    lifted = lifter(view)
    refined = Refiner(skeleton, iterations)(lifted, view)
    truth = truth_of(people, view.R_view_camera)
    result = figures(
        refined.landmarks[:, :17],
        -refined.rotations[:, 0, :, 1],
        refined.landmarks[:, 11:13].mean(1),
        _stature(refined.phenotype),
        truth,
    )
    xy = refined.reported[:, 5:17, :2] / refined.reported[:, 5:17, 2:]
    off = (xy - view.points[:, 5:]).norm(dim=-1) / view.extent[:, None]
    seen = view.confidences[:, 5:] > 0
    result['reprojection_median'] = float(off[seen].median())
    position = refined.landmarks[:, 11:13].mean(1)
    away = (position.norm(dim=-1) / truth['position'].norm(dim=-1)).log().abs()
    taller = (_stature(refined.phenotype) / truth['stature']).log().abs()
    for name, error in (('distance', away), ('stature', taller)):
        for share, width in ((68, 1.0), (95, 1.96)):
            inside = error < width * lifted.log_size_stddev
            result[f'{name}_inside_{share}'] = float(inside.float().mean())
    return result


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path, help='folder that holds poses.npz')
    parser.add_argument('--weights', type=Path, default=lifter_path())
    parser.add_argument('--count', type=int, default=4000, help='people')
    parser.add_argument('--output', type=Path, default=Path('out/evaluation/lifter.json'))
    options = parser.parse_args()
    body = BodyModel.load()
    skeleton = Skeleton(body.asset, LIFTED_JOINTS)
    try:
        _, held_out = load_poses(options.data)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    people = held_out_people(held_out, skeleton, body, options.count)
    years = np.asarray(body.age_years(people.phenotype.numpy()))
    size = people.size_px
    masks = {
        'all': size > 0,
        'adults': years >= 18,
        'under 18 years': years < 18,
        '2 to 12 years': (years >= 2) & (years < 12),
        'below 60 pixels': size < 60,
        '60 to 120 pixels': (size >= 60) & (size < 120),
        '120 to 240 pixels': (size >= 120) & (size < 240),
        'above 240 pixels': size >= 240,
    }
    groups = {name: torch.as_tensor(np.flatnonzero(mask)) for name, mask in masks.items()}
    lifter = Lifter(options.weights)
    results: dict[str, dict[str, float]] = {}
    for exact in (False, True):
        for iterations in (0, 3):
            for group, rows in groups.items():
                if exact and 'pixels' in group:
                    continue
                kind = 'exact' if exact else 'noisy'
                name = f'{kind}, {"refined" if iterations else "lifted"}, {group}'
                results[name] = evaluate_chain(
                    lifter, skeleton, people[rows], exact=exact, iterations=iterations
                )
    columns = list(next(iter(results.values())))
    print(f'{len(people)} people of held-out clips')
    print(f'{"":34}{"people":>7}' + ''.join(f'{c.replace("_", " "):>24}' for c in columns))
    for name, row in results.items():
        count = len(groups[name.split(', ')[-1]])
        print(f'{name:34}{count:7}' + ''.join(f'{row[c]:24.3f}' for c in columns))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
