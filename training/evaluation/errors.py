# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Errors of people whose truth is known, a row a person, and figures of groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch

from training.evaluate_lifter import align
from training.evaluation.people import counting, Estimates, match, sizes
from training.pictures.labels import Labels

FloatArray = NDArray[np.floating[Any]]

# Shoulders, elbows, wrists, hips, knees, ankles.
LIMBS = slice(5, 17)
_HIPS = slice(11, 13)


@dataclass(frozen=True)
class Outcome:
    """
    What became of P people of several pictures; errors are NaN for whoever was not found.

    Parameters
    ----------
    picture : ndarray, (P,), int
        Number of the picture.
    person : ndarray, (P,), int
        Row in the picture's labels.
    row : ndarray, (P,), int
        Row of the find, or -1.
    counts : ndarray, (P,), bool
        Whether this person counts.
    age : ndarray, (P,), years
    size : ndarray, (P,), pixels
        Longer side of the box of all of the body.
    visible, inside : ndarray, (P,)
        Share that nothing hides, share that lies inside of the picture.
    alone : ndarray, (P,), bool
        Nobody else is seen in the picture.
    pa_mpjpe, mpjpe : ndarray, (P,), metres
        Mean over the 12 limb joints, after the best similarity; after making the hips meet.
    heading : ndarray, (P,), degrees
        Angle between the directions that the trunk faces.
    distance : ndarray, (P,)
        Logarithm of the estimated over the true distance of the hips.
    place : ndarray, (P,), metres
        How far the hips are from the true ones.
    stature : ndarray, (P,)
        Logarithm of the estimated over the true stature.
    residual : ndarray, (P, 12, 3), metres
        What the best similarity leaves, along the axes of the true trunk.

    """

    picture: NDArray[np.int64]
    person: NDArray[np.int64]
    row: NDArray[np.int64]
    counts: NDArray[np.bool_]
    age: FloatArray
    size: FloatArray
    visible: FloatArray
    inside: FloatArray
    alone: NDArray[np.bool_]
    pa_mpjpe: FloatArray
    mpjpe: FloatArray
    heading: FloatArray
    distance: FloatArray
    place: FloatArray
    stature: FloatArray
    residual: FloatArray

    def __len__(self) -> int:
        return len(self.picture)

    def __getitem__(self, rows: Any) -> Outcome:
        """Take rows by a mask or an index array."""
        return Outcome(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def found(self) -> NDArray[np.bool_]:
        """Who (P,) was found."""
        return np.asarray(self.row >= 0)


def trunk_axes(joints: FloatArray) -> FloatArray:
    """
    Axes of trunks: to the left, forward and up.

    Parameters
    ----------
    joints : ndarray, (N, 17, 3)
        In a right-handed frame.

    Returns
    -------
    ndarray, (N, 3, 3)
        Rows are orthonormal: left, forward, up.

    """
    left = joints[:, 5] + joints[:, 11] - joints[:, 6] - joints[:, 12]
    up = joints[:, 5] + joints[:, 6] - joints[:, 11] - joints[:, 12]
    forward = np.cross(left, up)
    left = np.cross(up, forward)
    axes = np.stack([left, forward, up], 1)
    return np.asarray(axes / np.maximum(np.linalg.norm(axes, axis=-1, keepdims=True), 1e-9))


def _aligned(joints: FloatArray, truth: FloatArray) -> FloatArray:
    points = torch.as_tensor(np.ascontiguousarray(joints[:, LIMBS], np.float64))
    return align(points, torch.as_tensor(truth[:, LIMBS].astype(np.float64))).numpy()


def compare(labels: Labels, found: Estimates, picture: int) -> tuple[Outcome, int]:
    """
    Compare the finds in one picture with its labels.

    Returns
    -------
    Outcome
        A row a person.
    int
        How many finds are nobody.

    """
    rows, false = match(labels, found)
    met = np.flatnonzero(rows >= 0)
    num = len(labels)
    errors: dict[str, FloatArray] = {
        name: np.full(num, np.nan)
        for name in ('pa_mpjpe', 'mpjpe', 'heading', 'distance', 'place', 'stature')
    }
    errors['residual'] = np.full((num, 12, 3), np.nan)
    if len(met):
        people, truth = found[rows[met]], labels.keypoints_3d[met].astype(np.float64)
        joints = people.joints.astype(np.float64)
        hips = truth[:, _HIPS].mean(axis=1)
        left_over = _aligned(joints, truth) - truth[:, LIMBS]
        errors['pa_mpjpe'][met] = np.linalg.norm(left_over, axis=-1).mean(axis=1)
        shifted = joints - joints[:, _HIPS].mean(axis=1, keepdims=True)
        apart = shifted[:, LIMBS] - (truth - hips[:, None])[:, LIMBS]
        errors['mpjpe'][met] = np.linalg.norm(apart, axis=-1).mean(axis=1)
        axes = trunk_axes(truth)
        cosine = np.einsum('na,na->n', trunk_axes(joints)[:, 1], axes[:, 1])
        errors['heading'][met] = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
        away = np.linalg.norm(people.position.astype(np.float64), axis=1)
        errors['distance'][met] = np.log(away / np.linalg.norm(hips, axis=1))
        errors['place'][met] = np.linalg.norm(people.position - hips, axis=1)
        errors['stature'][met] = np.log(people.stature / labels.stature[met])
        errors['residual'][met] = np.einsum('nab,nkb->nka', axes, left_over)
    seen = np.minimum(labels.visible_share, labels.inside_share) > 0
    outcome = Outcome(
        picture=np.full(num, picture),
        person=np.arange(num),
        row=rows,
        counts=counting(labels),
        age=labels.age_years,
        size=sizes(labels.bbox),
        visible=labels.visible_share,
        inside=labels.inside_share,
        alone=np.full(num, np.count_nonzero(seen) == 1),
        **errors,
    )
    return outcome, int(np.count_nonzero(false))


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Stack the people of several pictures (at least one)."""
    return Outcome(
        *(np.concatenate([getattr(o, f.name) for o in outcomes]) for f in fields(Outcome))
    )


FIGURES = (
    'people', 'recall', 'pa_mpjpe_mm', 'mpjpe_mm', 'pa_mpjpe_offsets_removed_mm',
    'heading_median_deg', 'heading_within_45', 'heading_within_30', 'distance_median_error',
    'distance_bias', 'place_median_m', 'stature_median_error', 'stature_bias',
)  # fmt: skip


def figures(people: Outcome) -> dict[str, float | None]:
    """
    Figures of a group of people; None where there is nothing to take them of.

    ``people`` is how many there are, ``recall`` the share of them that was found; the others are
    over those. ``pa_mpjpe_offsets_removed_mm`` is without the mean offset of each joint along the
    axes of the trunk: what is left when two ways of saying where a hip is are made the same.
    ``distance_bias`` and ``stature_bias`` are medians of the signed errors.

    Parameters
    ----------
    people : Outcome
        All of its rows are taken, whether they count or not.

    Returns
    -------
    dict
        The keys are ``FIGURES``. Errors of distance and stature are shares.

    """
    met = people[people.found]
    result: dict[str, float | None] = dict.fromkeys(FIGURES)
    result['people'] = float(len(people))
    if len(people):
        result['recall'] = len(met) / len(people)
    if not len(met):
        return result
    result['pa_mpjpe_mm'] = 1000 * float(met.pa_mpjpe.mean())
    result['mpjpe_mm'] = 1000 * float(met.mpjpe.mean())
    centred = met.residual - met.residual.mean(axis=0)
    result['pa_mpjpe_offsets_removed_mm'] = 1000 * float(np.linalg.norm(centred, axis=-1).mean())
    result['heading_median_deg'] = float(np.median(met.heading))
    for angle in (45, 30):
        result[f'heading_within_{angle}'] = float(np.mean(met.heading < angle))
    for name in ('distance', 'stature'):
        error = getattr(met, name)
        if np.isfinite(error).all():
            ratio = np.expm1(error)
            result[f'{name}_median_error'] = float(np.median(np.abs(ratio)))
            result[f'{name}_bias'] = float(np.median(ratio))
    if np.isfinite(met.place).all():
        result['place_median_m'] = float(np.median(met.place))
    return result
