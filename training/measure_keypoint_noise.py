# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure how the second look errs, so that the lifter can be trained on errors like its own.

Nobody labelled keypoints in the clips, so the network is compared with itself: each person who
is well seen is looked at eight times, large, plain and mirrored; the median is taken as the
truth. Then the picture is made smaller, as if the camera had fewer pixels or stood farther away,
mirrored, blurred, compressed, lighter or darker, and the person is looked at as a robot does it:
enlarged again, about a box that is a little off, judged and chosen by the same rules. What
all eight looks get wrong alike is not seen: the figures are a lower bound.

    python -m training.measure_keypoint_noise DATA_DIR --output training/keypoint_noise.json

Fields of the JSON (S sizes, 17 keypoints; lengths are shares of the longer side of the box of
the person's true keypoints)

* ``sizes_px`` (S): the person's longer side in the camera's picture.
* ``keypoint_names`` (17).
* ``probabilities`` (Q), ``error`` (S, 17, Q): quantiles of the distance from the truth where
  left and right are not exchanged.
* ``common`` (S): correlation of two joints' errors in one look, after each is made normal.
* ``side_view``: hips nearer to each other than this are a side view, others a front or back view.
* ``swap`` (``side`` or ``front`` -> name -> S): probability that left and right of exactly this
  group are exchanged. Legs are, from the side; whole bodies, from the front or the back.
* ``face_in_whole_swap``: share of eyes and ears that are exchanged too when the whole body is.
* ``missed`` (S): share of looks in which nobody would have been reported.
* ``confidence``: logit(confidence) = ``offset``[k] + ``log_error``[k] * log(max(error, 0.004)) +
  ``log_size``[k] * log(size_px / 100) + a part common to all joints of one look (standard
  deviation ``look_std``) + a part for each joint (standard deviation ``std``[k]).
* ``people`` (S), ``looks`` (S): how many went in.
* ``unseen``: joints beyond the edge and hidden ones; ``measure_hidden_keypoints`` adds it.

"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from anny_ros.errors import AnnyError
from anny_ros.keypoints.decode import decode_people
from anny_ros.keypoints.hints import MIRRORED_KEYPOINTS
from anny_ros.keypoints.movenet import judge_crops, SECOND_LOOK_HEAT
from anny_ros.keypoints.network import GRANULE, MoveNet
from anny_ros.keypoints.second_look import look_again
from anny_ros.types import COCO_KEYPOINT_NAMES
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from training.evaluate_clips import read_frames

MIRRORED = np.array(MIRRORED_KEYPOINTS)
SIZES_PX = (40, 60, 90, 140, 220)
PROBABILITIES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.85, 0.9, 0.95, 0.98, 1.0)
TRUTH_SIZES_PX = (140, 175, 215, 250)
SWAP_GROUPS = {
    'whole': range(5, 17),
    'upper_body': range(5, 11),
    'lower_body': range(11, 17),
    'arms': range(7, 11),
    'legs': range(13, 17),
    'wrists': range(9, 11),
    'ankles': range(15, 17),
}
# Clip, every how many frames, and the scale at which its people are looked for.
_CLIPS = (('park.mp4', 4, 0.4), ('street.mp4', 12, 1.3))
_CONTEXT = 1.6
# People are not shown larger than they were filmed, but for this much.
_MOST_ENLARGED = 1.3
# Looks at one person of one size: in how many pictures, and at how many boxes in each. Of few
# boxes crops are larger than of many.
_LOOKS = (2, 5)
# How far the survey's boxes are off, as a standard deviation of each side, in shares of the size.
BOX_ERROR = 0.05
# Who scores less is not reported by default, and has no errors.
LEAST_SCORE = 0.2
_SMALLEST_ERROR = 0.004
# Left and right can only be told apart where the truth has them this far from each other.
_LEAST_SEPARATION = 0.06
_LEAST_FACE_SEPARATION = 0.02
SIDE_VIEW = 0.05
TRUSTED_SPREAD = 0.03

FloatArray = NDArray[np.floating[Any]]


@dataclass
class Look:
    """One look at one person: size in pixels, errors, and what the network said."""

    person: int
    size_px: int
    found: bool
    truth: FloatArray  # (17, 2), shares of the longer side
    trusted: NDArray[np.bool_]  # (17,)
    keypoints: FloatArray  # (17, 2), same unit
    confidences: FloatArray  # (17,)


def degraded(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, compress, lighten and add noise, each a little and at random."""
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
    shown = blurred if rng.random() < 0.5 else picture
    _, jpeg = cv2.imencode('.jpg', shown, quality)
    values = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.float64)
    values = values * rng.uniform(0.75, 1.25) + rng.uniform(-15, 15)
    values = values + rng.normal(size=picture.shape) * rng.uniform(0, 5)
    return np.clip(values, 0, 255).astype(np.uint8)


def window(
    picture: NDArray[np.uint8], box: FloatArray, size_px: float, side: int, mirror: bool
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Square window about a person shown at that size, and the map (2, 3) from the picture."""
    scale = size_px / float((box[2:] - box[:2]).max())
    source = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale) if scale < 0.7 else picture
    A = np.column_stack([np.eye(2) * scale, (side - 1) / 2 - scale * (box[:2] + box[2:]) / 2])
    if mirror:
        A = np.array([[-1.0, 0.0], [0.0, 1.0]]) @ A + np.array([[0, 0, side - 1], [0, 0, 0]])
    warped = cv2.warpAffine(source, A, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8), A


def _unmapped(points: FloatArray, A: FloatArray) -> FloatArray:
    """Points (..., 17, 2) of a window in the picture; left and right as they are there."""
    points = (points - A[:, 2]) @ np.linalg.inv(A[:, :2]).T
    return points[..., MIRRORED, :] if A[0, 0] < 0 else points


def large_looks(network: MoveNet, picture: NDArray[np.uint8], box: FloatArray) -> list[FloatArray]:
    """Keypoints (17, 2) of a person, looked at up to eight times, large, plain and mirrored."""
    looks = []
    for size_px in TRUTH_SIZES_PX:
        side = int(np.ceil(size_px * _CONTEXT / GRANULE)) * GRANULE
        windows = [window(picture, box, size_px, side, mirror) for mirror in (False, True)]
        people = decode_people(network(np.stack([w[0] for w in windows])), 0.05)
        for index, (_, A) in enumerate(windows):
            distance = np.abs((people.box[:, :2] + people.box[:, 2:]) / 2 - side / 2).max(axis=1)
            near = np.flatnonzero((people.picture == index) & (distance < 0.15 * side))
            if len(near):
                best = near[np.argmax(people.centre_heat[near])]
                looks.append(_unmapped(people.keypoints[best], A))
    return looks


def robot_looks(
    network: MoveNet,
    picture: NDArray[np.uint8],
    box: FloatArray,
    size_px: int,
    boxes: int,
    rng: np.random.Generator,
) -> list[tuple[FloatArray, FloatArray] | None]:
    """
    Look at one person as the detector's second look does, in a picture that shows it small.

    Returns
    -------
    list of ``boxes`` pairs
        Keypoints (17, 2) in the given picture and confidences (17,); None who is not reported.

    """
    shown, A = window(picture, box, size_px, int(2.6 * size_px), rng.random() < 0.5)
    shown = degraded(shown, rng)
    corners = box.reshape(2, 2) @ A[:, :2].T + A[:, 2]
    there = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    around = there + BOX_ERROR * size_px * rng.normal(size=(boxes, 4))
    people, inside = look_again(network, shown, around.astype(np.float32), SECOND_LOOK_HEAT)
    target, score = judge_crops(people, inside, around)
    results: list[tuple[FloatArray, FloatArray] | None] = [None] * boxes
    for row in np.flatnonzero(target & (score >= LEAST_SCORE)):
        confidences = people.confidences[row]
        results[people.picture[row]] = (
            _unmapped(people.keypoints[row], A),
            confidences[MIRRORED] if A[0, 0] < 0 else confidences,
        )
    return results


def well_seen(network: MoveNet, picture: NDArray[np.uint8], scale: float) -> Iterator[FloatArray]:
    """Boxes of people who are surely there and wholly in the picture."""
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = (int(np.ceil(n / GRANULE)) * GRANULE for n in small.shape[:2])
    canvas = np.zeros((1, rows, columns, 3), np.uint8)
    canvas[0, : small.shape[0], : small.shape[1]] = small
    people = decode_people(network(canvas), 0.55)
    height, width = picture.shape[:2]
    for box, confidences in zip((people.box + 0.5) / scale, people.confidences, strict=True):
        inside = box[0] > 5 and box[1] > 5 and box[2] < width - 5 and box[3] < height - 5
        if inside and confidences.mean() > 0.3:
            yield box


def collect(network: MoveNet, clips: Path, rng: np.random.Generator) -> list[Look]:
    """All looks at all people of both clips."""
    looks: list[Look] = []
    person = 0
    for name, step, scale in _CLIPS:
        for index, picture in read_frames(clips / name):
            boxes = well_seen(network, picture, scale) if index % step == 0 else ()
            for box in boxes:
                new = _looks_at_person(network, picture, box, person, rng)
                person += bool(new)
                looks.extend(new)
            print(f'\r{name}: {person} people, {len(looks)} looks', end='', flush=True)
        print()
    return looks


def _looks_at_person(
    network: MoveNet,
    picture: NDArray[np.uint8],
    box: FloatArray,
    person: int,
    rng: np.random.Generator,
) -> list[Look]:
    large = large_looks(network, picture, box)
    if len(large) < 7:
        return []
    points = np.stack(large)  # (8, 17, 2)
    truth = np.median(points, axis=0)
    extent = float((truth.max(axis=0) - truth.min(axis=0)).max())
    spread = np.median(np.linalg.norm(points - truth, axis=-1), axis=0) / extent
    looks = []
    for size in SIZES_PX:
        if size > _MOST_ENLARGED * (box[2:] - box[:2]).max():
            continue
        for boxes in _LOOKS:
            for look in robot_looks(network, picture, box, size, boxes, rng):
                seen, confidences = look if look is not None else (truth, np.zeros(17))
                looks.append(
                    Look(
                        person,
                        size,
                        look is not None,
                        truth / extent,
                        spread < TRUSTED_SPREAD,
                        seen / extent,
                        confidences,
                    )
                )
    return looks


def summarise(looks: list[Look]) -> dict[str, Any]:
    """Make the table that the JSON holds."""
    rows: dict[str, list[Any]] = {
        name: [] for name in ('people', 'looks', 'missed', 'error', 'common')
    }
    swaps: dict[str, dict[str, list[float]]] = {
        view: {name: [] for name in SWAP_GROUPS} for view in ('side', 'front')
    }
    for size in SIZES_PX:
        of_size = [look for look in looks if look.size_px == size]
        rows['people'].append(len({look.person for look in of_size}))
        rows['looks'].append(len(of_size))
        rows['missed'].append(round(1 - float(np.mean([look.found for look in of_size])), 4))
        _add_size([look for look in of_size if look.found], rows, swaps)
    found = [look for look in looks if look.found]
    return {
        'sizes_px': list(SIZES_PX),
        'keypoint_names': list(COCO_KEYPOINT_NAMES),
        'probabilities': list(PROBABILITIES),
        **rows,
        'side_view': SIDE_VIEW,
        'swap': swaps,
        'face_in_whole_swap': face_in_whole_swap(found),
        'confidence': confidence_model(found),
    }


def _add_size(
    looks: list[Look], rows: dict[str, list[Any]], swaps: dict[str, dict[str, list[float]]]
) -> None:
    points = np.stack([look.keypoints for look in looks])
    truth = np.stack([look.truth for look in looks])
    trusted = np.stack([look.trusted for look in looks])
    error = np.linalg.norm(points - truth, axis=-1)  # (L, 17)
    swapped, can_tell = _swapped(looks, _LEAST_SEPARATION)
    usable = np.where(trusted & ~swapped, error, np.nan)
    # Left and right share one table: twice as many samples.
    both = np.concatenate([usable, usable[:, MIRRORED]])
    quantiles = np.nanquantile(both, PROBABILITIES, axis=0).T
    rows['error'].append(np.round(quantiles, 4).tolist())
    rows['common'].append(round(_common_part(usable), 3))
    side = np.linalg.norm(truth[:, 11] - truth[:, 12], axis=-1) < SIDE_VIEW
    left = np.ones(len(looks), bool)  # looks that no larger group has claimed
    for name, group in SWAP_GROUPS.items():
        known = can_tell[:, group].sum(axis=1)
        exchanged = swapped[:, group].sum(axis=1) / np.maximum(known, 1)
        enough = known >= len(group) // 2
        is_swapped = left & enough & (exchanged >= 0.7)
        for view, of_view in (('side', side), ('front', ~side)):
            share = (is_swapped & of_view).sum() / max((enough & of_view).sum(), 1)
            swaps[view][name].append(round(float(share), 4))
        left &= ~is_swapped


def _common_part(error: FloatArray) -> float:
    """Mean correlation of two joints' errors (L, 17), NaN unknown, after each is made normal."""
    z = np.full(error.shape, np.nan)
    for k in range(error.shape[1]):
        known = np.isfinite(error[:, k])
        z[known, k] = norm.ppf((rankdata(error[known, k]) - 0.5) / known.sum())
    correlation = np.ma.corrcoef(np.ma.masked_invalid(z), rowvar=False)
    return float(correlation[np.triu_indices(error.shape[1], 1)].mean())


def _swapped(
    looks: list[Look], least_separation: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which keypoints (L, 17) lie where their other side should, and where that can be told."""
    points = np.stack([look.keypoints for look in looks])
    truth = np.stack([look.truth for look in looks])
    error = np.linalg.norm(points - truth, axis=-1)
    apart = np.linalg.norm(truth - truth[:, MIRRORED], axis=-1)
    crossed = np.linalg.norm(points - truth[:, MIRRORED], axis=-1)
    can_tell = apart > least_separation
    return can_tell & (crossed < 0.4 * apart) & (error > 0.6 * apart), can_tell


def face_in_whole_swap(looks: list[Look]) -> float:
    """Share of eyes and ears that are exchanged when the body is."""
    swapped, can_tell = _swapped(looks, _LEAST_SEPARATION)
    body = slice(5, 17)
    known = can_tell[:, body].sum(axis=1)
    whole = (known >= 6) & (swapped[:, body].sum(axis=1) >= 0.7 * np.maximum(known, 1))
    face, can_tell_face = _swapped(looks, _LEAST_FACE_SEPARATION)
    told = can_tell_face[whole, 1:5]
    return round(float(face[whole, 1:5][told].mean()), 3) if told.any() else 0.5


def confidence_model(looks: list[Look]) -> dict[str, Any]:
    """Fit the confidence's logit on the error and the size, by keypoint."""
    error = np.stack([np.linalg.norm(look.keypoints - look.truth, axis=-1) for look in looks])
    size = np.array([look.size_px for look in looks])
    p = np.clip(np.stack([look.confidences for look in looks]), 0.01, 0.99)
    logit = np.log(p / (1 - p))
    inputs = np.stack(
        [
            np.ones_like(error),
            np.log(np.maximum(error, _SMALLEST_ERROR)),
            np.broadcast_to(np.log(size / 100)[:, None], error.shape),
        ],
        axis=-1,
    )  # (L, 17, 3)
    weights = np.empty((17, 3))
    for k in range(17):
        pair = [k, MIRRORED[k]]
        weights[k] = np.linalg.lstsq(
            inputs[:, pair].reshape(-1, 3), logit[:, pair].ravel(), rcond=None
        )[0]
    rest = logit - np.einsum('lkf,kf->lk', inputs, weights)
    common = rest.mean(axis=1)
    # The mean of 17 independent parts varies too: take that away.
    own = (rest - common[:, None]).std(axis=0) * np.sqrt(17 / 16)
    look_std = float(np.sqrt(max(common.var() - (own**2).mean() / 17, 0.0)))
    columns = {
        name: np.round(weights[:, column], 3).tolist()
        for column, name in enumerate(('offset', 'log_error', 'log_size'))
    }
    return {**columns, 'std': np.round(own, 3).tolist(), 'look_std': round(look_std, 3)}


def write_noise(path: Path, noise: dict[str, Any]) -> None:
    """Write the JSON, a field a line."""
    lines = [f' {json.dumps(key)}: {json.dumps(value)}' for key, value in noise.items()]
    path.write_text('{\n' + ',\n'.join(lines) + '\n}\n', encoding='utf-8')


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('data', type=Path, metavar='DATA_DIR', help='folder that holds clips/')
    parser.add_argument(
        '--output', type=Path, default=Path(__file__).with_name('keypoint_noise.json')
    )
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    network = MoveNet(threads=1)
    rng = np.random.default_rng(arguments.seed)
    try:
        looks = collect(network, arguments.data / 'clips', rng)
    except AnnyError as error:
        parser.exit(2, f'{error}\n')
    result = summarise(looks)
    write_noise(arguments.output, result)
    print(f'{arguments.output}: people {result["people"]}, looks {result["looks"]}')


if __name__ == '__main__':
    main()
