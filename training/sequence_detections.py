# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What a perfect but noisy estimator reports of a simulated sequence.

Every person that can be seen is found but for a few; place, size and looks carry the errors that
a monocular estimator makes, and its covariances claim exactly the errors that are made:

* the stature is wrong by a factor that stays with the person, because it is a guess from the
  silhouette, and by one that wanders with the pose; the distance is wrong by the same factors,
  because a body of another size covers the same pixels at another distance;
* the pelvis wobbles in the picture by a share of the person's size;
* features look like the person's clothes, seen from the front or from behind, with noise, and the
  more of whoever stands in front the more is hidden;
* some people are missed, more when hidden; doubles and false people come up.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.geometry.camera import backproject, project
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray

from training.sequences import Sequence

Float64Array = NDArray[np.float64]

FEATURE_SIZE = 64
NUM_JOINTS = 3


@dataclass(frozen=True)
class Noise:
    """
    Errors of the estimator, as standard deviations or probabilities.

    Parameters
    ----------
    stature_bias, stature_wander : float
        Of the logarithm of the stature: of a person for good, and from moment to moment.
    fit : float
        Of the logarithm of the distance for a given stature, from picture to picture.
    wobble, pixel : float
        Of the pelvis in the picture: share of the person's size that wanders, and the share that
        is new in every picture.
    wander_time : float, seconds
        After which what wanders has forgotten itself to 1/e.
    missed, doubled, false : float
        Probability that somebody in full view is missed, that a found person is found twice, and
        the mean number of false people in a picture.

    """

    stature_bias: float = 0.06
    stature_wander: float = 0.03
    fit: float = 0.03
    wobble: float = 0.012
    pixel: float = 0.006
    wander_time: float = 0.3
    missed: float = 0.02
    doubled: float = 0.015
    false: float = 0.03


# Somebody of whom less than this share is visible is never found.
LEAST_VISIBLE, SURELY_VISIBLE = 0.25, 0.7


def detect(
    sequence: Sequence, seed: int, noise: Noise | None = None, features: bool = True
) -> list[Detections]:
    """
    Report a sequence picture by picture.

    Parameters
    ----------
    sequence : Sequence
    seed : int
    noise : Noise or None
    features : bool
        Whether there are appearance features.

    Returns
    -------
    list of F Detections
        Rows in random order.

    """
    noise = noise or Noise()
    rng = np.random.default_rng(seed)
    num_frames, num_people = sequence.visible.shape
    wander = _wander(rng, sequence.stamps, (num_people, 3), noise.wander_time)  # (F, P, 3)
    bias = noise.stature_bias * rng.normal(size=num_people)
    log_factor = bias + noise.stature_wander * wander[..., 0]  # (F, P)
    clothes = _clothes(rng, sequence.look)
    pictures = []
    for f in range(num_frames):
        seen = sequence.visible[f]
        chance = (seen - LEAST_VISIBLE) / (SURELY_VISIBLE - LEAST_VISIBLE)
        found = rng.random(num_people) < (1 - noise.missed) * np.clip(chance, 0.0, 1.0)
        rows = np.flatnonzero(found)
        doubled = rows[rng.random(len(rows)) < noise.doubled]
        people = np.concatenate([rows, doubled])
        double = np.arange(len(people)) >= len(rows)
        hidden = 1 - seen[people]
        size = (sequence.box[f, people, 3] - sequence.box[f, people, 1])[:, None]
        shift = noise.wobble * wander[f, people, 1:] + noise.pixel * rng.normal(
            size=(len(people), 2)
        )
        shift = shift * (1 + 2 * hidden[:, None]) + 0.06 * double[:, None] * rng.normal(
            size=(len(people), 2)
        )
        stature_error = log_factor[f, people] + 0.05 * double * rng.normal(size=len(people))
        fit = noise.fit * rng.normal(size=len(people)) + 0.05 * double * rng.normal(
            size=len(people)
        )
        centre = project(sequence.position[f, people], sequence.camera.K) + shift * size
        box = sequence.box[f, people] + np.tile(shift * size, 2)
        score = 0.9 * np.sqrt(seen[people]) * (1 - 0.3 * double)
        pictures.append(
            _picture(
                sequence.camera,
                float(sequence.stamps[f]),
                noise,
                rng,
                centre=centre,
                box=box + 0.006 * size * rng.normal(size=box.shape),
                depth=sequence.position[f, people, 2] * np.exp(stature_error + fit),
                stature=sequence.stature[people] * np.exp(stature_error),
                facing=sequence.facing[f, people] + 0.2 * rng.normal(size=len(people)),
                score=score + 0.04 * rng.normal(size=len(people)),
                lateral=hidden,
                look=_look(rng, clothes[people], sequence.facing[f, people], hidden),
                features=features,
            )
        )
    return pictures


def _wander(
    rng: np.random.Generator, stamps: Float64Array, shape: tuple[int, ...], time: float
) -> Float64Array:
    """First-order Gauss-Markov processes (F, *shape) of standard deviation 1."""
    values = [rng.normal(size=shape)]
    for step in np.diff(stamps):
        kept = np.exp(-step / time)
        values.append(kept * values[-1] + np.sqrt(1 - kept**2) * rng.normal(size=shape))
    return np.stack(values)


def _unit(vectors: Float64Array) -> Float64Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _clothes(rng: np.random.Generator, look: NDArray[np.int64]) -> Float64Array:
    """Front and back (P, 2, A) of each person; two of one look differ by their faces alone."""
    common = _unit(rng.normal(size=FEATURE_SIZE))
    whole = _unit(rng.normal(size=(look.max() + 1, 1, FEATURE_SIZE)))
    side = _unit(rng.normal(size=(look.max() + 1, 2, FEATURE_SIZE)))
    own = _unit(rng.normal(size=(len(look), 1, FEATURE_SIZE)))
    return _unit(0.8 * common + 0.9 * whole[look] + 0.45 * side[look] + 0.15 * own)


def _look(
    rng: np.random.Generator, clothes: Float64Array, facing: Float64Array, hidden: Float64Array
) -> Float64Array:
    """Features (N, A) of people (N, 2, A) seen from a side, mixed with what hides them."""
    front = 0.5 - 0.5 * np.cos(facing)[:, None]
    seen = front * clothes[:, 0] + (1 - front) * clothes[:, 1]
    noise = _unit(rng.normal(size=seen.shape)) * 0.45
    other = _unit(rng.normal(size=seen.shape)) * 0.8 * hidden[:, None]
    return _unit(seen + noise + other)


def _picture(
    camera: Camera,
    stamp: float,
    noise: Noise,
    rng: np.random.Generator,
    *,
    centre: Float64Array,
    box: Float64Array,
    depth: Float64Array,
    stature: Float64Array,
    facing: Float64Array,
    score: Float64Array,
    lateral: Float64Array,
    look: Float64Array,
    features: bool,
) -> Detections:
    """Assemble people and false people, in random order."""
    num_false = rng.poisson(noise.false)
    if num_false:
        spot = rng.uniform((0, 250), (camera.width, 500), (num_false, 2))
        far, tall = rng.uniform(4, 15, num_false), rng.uniform(1.0, 1.8, num_false)
        half = 0.5 * tall * camera.K[0, 0] / far
        reach = np.column_stack([0.35 * half, half])
        centre = np.concatenate([centre, spot])
        box = np.concatenate([box, np.concatenate([spot - reach, spot + reach], axis=1)])
        depth, stature = np.concatenate([depth, far]), np.concatenate([stature, tall])
        facing = np.concatenate([facing, rng.uniform(-np.pi, np.pi, num_false)])
        score = np.concatenate([score, rng.uniform(0.2, 0.65, num_false)])
        lateral = np.concatenate([lateral, np.zeros(num_false)])
        look = np.concatenate([look, _unit(rng.normal(size=(num_false, FEATURE_SIZE)))])
    order = rng.permutation(len(depth))
    centre, box, depth, stature = centre[order], box[order], depth[order], stature[order]
    num = len(order)
    position = backproject(centre, depth, camera.K)
    distance = np.linalg.norm(position, axis=1)
    ray = position / distance[:, None]
    outer = ray[:, :, None] * ray[:, None, :]
    share = np.sqrt(noise.stature_bias**2 + noise.stature_wander**2)
    across = np.hypot(noise.wobble, noise.pixel) * (1 + 2 * lateral[order]) * stature
    covariance = (np.hypot(share, noise.fit) * distance)[:, None, None] ** 2 * outer
    covariance = covariance + across[:, None, None] ** 2 * (np.eye(3) - outer)
    turn = np.zeros((num, 3))
    turn[:, 1] = facing[order]
    eye = np.broadcast_to(np.eye(3), (num, NUM_JOINTS, 3, 3)).copy()
    eye[:, 0] = rotvec_to_rotmat(turn)
    up = stature[:, None] * np.array([0.0, -1.0, 0.0])
    return Detections(
        stamp=stamp,
        camera=camera,
        score=np.clip(score[order], 0.2, 0.99),
        bbox=box,
        phenotype=np.tile([0.5, 0.6, 0.5, 0.5, 0.5, 0.5], (num, 1)),
        rotations=eye,
        translation=position,
        joint_positions=np.repeat(position[:, None], NUM_JOINTS, axis=1),
        joint_orientations=eye,
        joint_confidences=np.ones((num, NUM_JOINTS)),
        keypoints_3d=np.repeat(position[:, None], 17, axis=1),
        keypoints_2d=np.repeat(centre[:, None], 17, axis=1),
        keypoint_confidences=np.ones((num, 17)),
        position=position,
        position_covariance=covariance,
        head_position=position + 0.45 * up,
        ground_position=position - 0.53 * up,
        stature=stature,
        stature_stddev=share * stature,
        age_years=np.full(num, 30.0),
        minor_probability=np.zeros(num),
        appearance=look[order] if features else np.zeros((num, 0)),
    )
