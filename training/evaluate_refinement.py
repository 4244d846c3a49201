# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure what refining whole tracks (``anny-ros track --refine``) gains over picture by picture.

Held-out motions are seen by a camera that stands still, their keypoints with the errors of the 2D
network (``training.keypoint_errors``): anew in each picture, or half of them the same for half a
second.
They are lifted and refined picture by picture as anny-lite does it, then refined as tracks. Errors
are of the 12 limb joints; jitter is the root mean square of second differences of the errors of
joints relative to the pelvis, at 15 pictures a second.

    python -m training.evaluate_refinement DATA
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
import time

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import AnnyError
from anny_ros.inference.lite import lifter_path
from anny_ros.keypoints.lifter import LIFTED_JOINTS, Lifter
from anny_ros.keypoints.refine import Refiner
from anny_ros.keypoints.reported import ReportedPoints
from anny_ros.keypoints.track_refinement import Track, TrackRefiner
from anny_ros.keypoints.view import make_view, Report
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from tqdm import tqdm

from training.evaluate_lifter import align
from training.keypoint_errors import observe
from training.poses import load_poses, PoseData
from training.simulate import People, place

Float64Array = NDArray[np.float64]

NUM_CLIPS, NUM_FRAMES, RATE = 24, 60, 15.0
# Cameras are drawn so often until somebody is in view.
ATTEMPTS = 8
LIMBS = slice(5, 17)


@dataclass(frozen=True)
class Estimate:
    """Bodies of a clip, one a picture; see ``Track``."""

    rotations: Tensor
    translation: Tensor
    phenotype: Tensor


def clips(poses: PoseData, rng: np.random.Generator) -> list[Tensor]:
    """Draw stretches of motion, (F, 28, 3, 3) each."""
    names, counts = np.unique(poses.clip, return_counts=True)
    chosen = rng.permutation(names[counts >= NUM_FRAMES])[:NUM_CLIPS]
    rows = [torch.as_tensor(np.flatnonzero(poses.clip == c)[:NUM_FRAMES]) for c in chosen]
    return [poses.rotations[r] for r in rows]


def film(skeleton: Skeleton, rotations: Tensor, rng: np.random.Generator) -> People | None:
    """Stand a moving person before one camera; None if they would not be reported."""
    shape = torch.as_tensor(rng.uniform(0.3, 0.7, (1, 6)), dtype=torch.float32)
    shape[0, 1] = float(rng.choice([0.45, 0.67, 0.75, 0.85], p=(0.15, 0.35, 0.35, 0.15)))
    first = place(skeleton, rotations[:1], shape, rng)
    if not len(first):
        return None
    count = len(rotations)
    turn = first.rotations[0, 0] @ rotations[0, 0].T  # world to optical frame
    E = rotations.clone()
    E[:, 0] = turn @ E[:, 0]
    with torch.no_grad():
        posed = skeleton.pose(skeleton.rest(shape.expand(count, -1)), E)
    points = posed.landmarks[:, :17]
    shift = first.keypoints[0] - points[0]
    points = points + shift.mean(0)
    if float(points[..., 2].min()) < 0.3:
        return None
    reported = ReportedPoints(skeleton.joint_names)(posed) + shift.mean(0)
    return People(
        E, shape.expand(count, -1), points,
        np.repeat(first.half_view, count, 0), np.repeat(first.size_px, count),
        reported, torch.full((count,), torch.nan),
    )  # fmt: skip


def lift(lifter: Lifter, refiner: Refiner, report: Report) -> tuple[Estimate, Track]:
    """Estimate bodies picture by picture, and the track that they make."""
    view = make_view(report)
    lifted = lifter(view)
    refined = refiner(lifted, view)
    R = view.R_view_camera.transpose(1, 2)
    E = refined.rotations.clone()
    E[:, 0] = R @ E[:, 0]
    translation = (R @ refined.translation[..., None])[..., 0]
    both = torch.stack([refined.landmarks[:, :17], refined.reported]) @ R.transpose(1, 2)
    own, reported = both[..., :2] / both[..., 2:]
    hips = (R @ refined.landmarks[:, 11:13].mean(1)[..., None])[..., 0]
    count = len(report)
    distance = hips.norm(dim=1)
    along = hips / distance[:, None]
    outer = along[:, :, None] * along[:, None, :]
    depth = (lifted.log_size_stddev * distance)[:, None, None] ** -2
    across = (lifted.offset_stddev * view.extent * distance)[:, None, None] ** -2
    track = Track(
        stamps=torch.arange(count).double() / RATE,
        rays=report.rays + own - reported,
        confidences=report.confidences,
        rotations=E,
        translation=translation,
        position=hips,
        position_precision=depth * outer + across * (torch.eye(3) - outer),
        phenotype=refined.phenotype.median(0).values,
        phenotype_stddev=lifted.phenotype_stddev.median(0).values,
        world_rotation=torch.eye(3).expand(count, 3, 3),
        world_translation=torch.zeros(count, 3),
    )
    return Estimate(E, translation, refined.phenotype), track


def judge(skeleton: Skeleton, truth: Tensor, bodies: Estimate) -> list[float]:
    """PA-MPJPE, MPJPE, jitter (mm), distance error (share) of bodies of a clip."""
    with torch.no_grad():
        rest = skeleton.rest(bodies.phenotype.expand(len(truth), -1))
        points = skeleton.pose(rest, bodies.rotations, bodies.translation).landmarks[:, :17]
    exact, found = truth.double().numpy(), points.double().numpy()
    off = np.linalg.norm(found[:, 11:13].mean(1), axis=1)
    off = np.log(off / np.linalg.norm(exact[:, 11:13].mean(1), axis=1))
    exact = (exact - exact[:, 11:13].mean(1, keepdims=True))[:, LIMBS]
    found = (found - found[:, 11:13].mean(1, keepdims=True))[:, LIMBS]
    rough = np.diff(found - exact, n=2, axis=0)
    aligned = align(torch.as_tensor(found), torch.as_tensor(exact)).numpy()
    return [
        1e3 * float(np.linalg.norm(aligned - exact, axis=-1).mean()),
        1e3 * float(np.linalg.norm(found - exact, axis=-1).mean()),
        1e3 * float(np.sqrt((rough**2).sum(-1).mean())),
        float(np.abs(off).mean()),
    ]


def seen(people: People, rng: np.random.Generator, held: float) -> Report:
    """Report people; a share ``held`` of the half seconds keep their first errors."""
    report = observe(people, rng)
    exact = people.reported[..., :2] / people.reported[..., 2:]
    block = np.arange(len(people)) // round(RATE / 2)
    keeps = (rng.random(block[-1] + 1) < held)[block]
    source = torch.as_tensor(np.where(keeps, block * round(RATE / 2), np.arange(len(people))))
    return replace(
        report,
        rays=exact + (report.rays - exact)[source],
        confidences=report.confidences[source],
        top=torch.full_like(report.top, torch.nan),
    )


def measure(data: Path, seed: int) -> dict[str, Float64Array]:
    """Errors before and after of each clip, (clips, 2, 4), by kind of noise; and times."""
    torch.set_num_threads(1)
    skeleton = Skeleton(BodyModel.load().asset, LIFTED_JOINTS)
    lifter, refiner, tracks = Lifter(lifter_path()), Refiner(skeleton), TrackRefiner(skeleton)
    _, held_out = load_poses(data)
    results: dict[str, Float64Array] = {}
    for kind, held in (('new in each picture', 0.0), ('half of them stay for 0.5 s', 0.5)):
        rng, rows, spent, count = np.random.default_rng(seed), [], 0.0, 0
        for rotations in tqdm(clips(held_out, rng), desc=kind):
            tries = (film(skeleton, rotations, rng) for _ in range(ATTEMPTS))
            people = next((people for people in tries if people is not None), None)
            if people is None:
                continue
            before, track = lift(lifter, refiner, seen(people, rng, held))
            begin = time.perf_counter()
            after = tracks.refine_track(track)
            spent += time.perf_counter() - begin
            count += len(rotations)
            refined = Estimate(after.rotations, after.translation, after.phenotype[None])
            rows.append([judge(skeleton, people.keypoints, b) for b in (before, refined)])
        results[kind] = np.array(rows)
        print(f'{kind}: {1e3 * spent / count:.1f} ms a person and picture, {len(rows)} clips')
    return results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    try:
        results = measure(arguments.data, arguments.seed)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    print(f'{"":36}{"PA-MPJPE mm":>12}{"MPJPE mm":>10}{"jitter mm":>11}{"distance":>10}')
    for kind, rows in results.items():
        for name, column in (('picture by picture', 0), ('as a track', 1)):
            pa, plain, jitter, distance = rows[:, column].mean(axis=0)
            print(f'{f"{kind}, {name}":40}{pa:8.1f}{plain:10.1f}{jitter:11.1f}{distance:10.1%}')


if __name__ == '__main__':
    main()
