# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Keypoints of simulated people as a 2D network would report them, with its measured errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
import json
from pathlib import Path

from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.view import Report
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
import torch

from training.simulate import extent_of_points, People

# Pairs of COCO keypoints that change places in each kind of left-right swap.
_SWAPS: dict[str, tuple[tuple[int, int], ...]] = {
    'whole': tuple((i, i + 1) for i in range(5, 16, 2)),
    'upper_body': ((5, 6), (7, 8), (9, 10)),
    'lower_body': ((11, 12), (13, 14), (15, 16)),
    'arms': ((7, 8), (9, 10)),
    'legs': ((13, 14), (15, 16)),
    'wrists': ((9, 10),),
    'ankles': ((15, 16),),
}
_FACE_PAIRS = ((1, 2), (3, 4))
# What was measured is how looks at a person differ; where the 2D network puts a joint differs
# from the body's own point by about this share of the extent besides.
_JOINT_DEFINITION = 0.01
_NO_EDGES = torch.tensor([-torch.inf, torch.inf, -torch.inf, torch.inf])
# Error of the box's upper edge over the extent: usual, and now and then (hats, somebody behind);
# and how often it is not given.
_TOP_ERROR, _TOP_WRONG, _TOP_WRONG_SHARE, _TOP_UNKNOWN = 0.015, 0.06, 0.1, 0.2
# Boxes hold hair, bodies have none: how far it stands above the head, over the extent, the median
# and the spread of the logarithm (measured on 24,000 looks at rendered people).
_HAIR, _HAIR_SPREAD = 0.026, 0.87
_LEAST_ERROR = 0.004
# Single keypoints that are hidden, and those on the far side of the head.
_HIDDEN_ERROR, _HIDDEN_LOGIT = 0.06, 0.7
_FAR_SIDE_LOGIT = 0.2
_NOISE_FILE = Path(__file__).with_name('keypoint_noise.json')
LOWEST_CONFIDENCE = 0.1


@dataclass(frozen=True)
class Unseen:
    """
    What is reported of joints that cannot be seen; see ``measure_hidden_keypoints``.

    Parameters
    ----------
    distance, kept, logit, logit_std : ndarray, (D,)
    probabilities : ndarray, (Q,)
    back : ndarray, (D, Q)

    """

    distance: NDArray[np.float64]
    kept: NDArray[np.float64]
    logit: NDArray[np.float64]
    logit_std: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    back: NDArray[np.float64]

    def report(
        self,
        seen: NDArray[np.float64],
        logit: NDArray[np.float64],
        beyond: NDArray[np.float64],
        normal: NDArray[np.float64],
        extent: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Report keypoints beyond an edge on its near side, with less confidence or none.

        Parameters
        ----------
        seen : ndarray, (N, 17, 2); logit : ndarray, (N, 17)
            As they would be reported were they seen.
        beyond : ndarray, (N, 17)
            How far the truth is beyond the edge over the extent; not positive if it is seen.
        normal : ndarray, (N, 17, 2)
            Away from what is seen.
        extent : ndarray, (N, 1, 1)
        rng : Generator

        Returns
        -------
        seen, logit : ndarray

        """
        unseen = beyond > 0
        row = np.searchsorted(self.distance, np.maximum(beyond, 0.0), side='right') - 1
        place = rng.random(beyond.shape)
        back = np.empty_like(beyond)
        for k, quantiles in enumerate(self.back):
            of_row = row == k
            back[of_row] = np.interp(place[of_row], self.probabilities, quantiles)
        moved = seen - ((beyond + back)[..., None] * extent) * normal
        drawn = self.logit[row] + self.logit_std[row] * rng.normal(size=row.shape)
        # One that was lost already, or was behind another edge too, does not come back.
        drawn = np.where(rng.random(row.shape) < self.kept[row], np.minimum(drawn, logit), -9.0)
        return np.where(unseen[..., None], moved, seen), np.where(unseen, drawn, logit)


@dataclass(frozen=True)
class KeypointNoise:
    """
    How the 2D network errs, by the person's size in the picture; see ``measure_keypoint_noise``.

    Parameters
    ----------
    sizes_px : ndarray, (S,)
    probabilities : ndarray, (Q,)
    error : ndarray, (S, 17, Q)
        Quantiles of the error over the longer side of the person's box.
    common : ndarray, (S, 1)
        Correlation of two joints' errors, made normal, in one look.
    side_view : float
        Hips nearer to each other than this, over the extent, are seen from the side.
    swap_from_side, swap_from_front : ndarray, (S, number of kinds of swaps)
        Probabilities, in the order of ``_SWAPS``.
    face_in_whole_swap : float
        Share of the swaps of the whole body that exchange eyes and ears too.
    offset, log_error, log_size, std : ndarray, (17,)
    look_std : float
        logit(confidence) = offset + log_error log(error) + log_size log(size / 100 px), with a
        spread of ``std`` for each joint and ``look_std`` for the person.
    outside, hidden : Unseen
        Beyond the picture's edge, and behind obstacles.

    """

    sizes_px: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    error: NDArray[np.float64]
    common: NDArray[np.float64]
    side_view: float
    swap_from_side: NDArray[np.float64]
    swap_from_front: NDArray[np.float64]
    face_in_whole_swap: float
    offset: NDArray[np.float64]
    log_error: NDArray[np.float64]
    log_size: NDArray[np.float64]
    std: NDArray[np.float64]
    look_std: float
    outside: Unseen
    hidden: Unseen

    @staticmethod
    @cache
    def load(path: Path = _NOISE_FILE) -> KeypointNoise:
        """Read what was measured."""
        raw = json.loads(path.read_text())
        confidence = raw['confidence']
        return KeypointNoise(
            sizes_px=np.array(raw['sizes_px'], float),
            probabilities=np.array(raw['probabilities']),
            error=np.array(raw['error']),
            common=np.array(raw['common'])[:, None],
            side_view=float(raw['side_view']),
            swap_from_side=np.array([raw['swap']['side'][kind] for kind in _SWAPS]).T,
            swap_from_front=np.array([raw['swap']['front'][kind] for kind in _SWAPS]).T,
            face_in_whole_swap=float(raw['face_in_whole_swap']),
            offset=np.array(confidence['offset']),
            log_error=np.array(confidence['log_error']),
            log_size=np.array(confidence['log_size']),
            std=np.array(confidence['std']),
            look_std=float(confidence['look_std']),
            **{
                kind: Unseen(
                    *(
                        np.array(table[name])
                        for name in ('distance', 'kept', 'logit', 'logit_std')
                    ),
                    np.array(raw['probabilities']),
                    np.array(table['back']),
                )
                for kind, table in raw['unseen'].items()
            },
        )

    def at(self, size_px: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Interpolate a table (S, ...) to people's sizes (N,) in the logarithm: (N, ...)."""
        place = np.interp(np.log(size_px), np.log(self.sizes_px), np.arange(len(self.sizes_px)))
        low = np.minimum(place.astype(int), len(self.sizes_px) - 2)
        share = (place - low).reshape(-1, *(1,) * (table.ndim - 1))
        return np.asarray((1 - share) * table[low] + share * table[low + 1])

    def errors(
        self, size_px: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw how far the keypoints (N, 17) of people of these sizes (N,) are off."""
        common = np.sqrt(self.at(size_px, self.common))
        own = np.sqrt(1 - common**2)
        count = len(size_px)
        normal = common * rng.normal(size=(count, 1)) + own * rng.normal(size=(count, 17))
        place = np.interp(ndtr(normal), self.probabilities, np.arange(len(self.probabilities)))
        low = np.minimum(place.astype(int), len(self.probabilities) - 2)
        table = self.at(size_px, self.error)  # (N, 17, Q)
        below, above = (
            np.take_along_axis(table, k[..., None], axis=-1)[..., 0] for k in (low, low + 1)
        )
        return np.asarray(below + (place - low) * (above - below))


def observe(people: People, rng: np.random.Generator, exact: bool = False) -> Report:
    """
    Simulate what the 2D network reports, without hints.

    Parameters
    ----------
    people : People
    rng : Generator
    exact : bool
        Give all keypoints as they are instead.

    Returns
    -------
    Report
        If exact, without edges of the picture.

    """
    points = people.reported.double().numpy()
    rays = points[..., :2] / points[..., 2:]
    count = len(rays)
    unknown = torch.full((count, NUM_HINTS), torch.nan)
    extent = extent_of_points(people.reported)[:, None, None]
    if exact:
        confident = torch.full((count, 17), 0.8)
        hair = torch.as_tensor(_HAIR * extent[:, 0, 0], dtype=torch.float32)
        edges = _NO_EDGES.expand(count, -1)
        exactly = torch.as_tensor(rays, dtype=torch.float32)
        return Report(exactly, confident, people.top - hair, edges, unknown)
    noise = KeypointNoise.load()
    size_px = np.clip(people.size_px, noise.sizes_px[0], noise.sizes_px[-1])
    apart = noise.errors(size_px, rng)
    single = rng.random(apart.shape) < rng.choice([0.0, 0.02, 0.08], size=(count, 1))
    alone = np.maximum(2 * apart, _HIDDEN_ERROR * rng.rayleigh(size=apart.shape))
    apart = np.where(single, alone, apart)
    angle = rng.uniform(-np.pi, np.pi, apart.shape)
    error = apart[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    logit = noise.offset + noise.log_size * np.log(size_px / 100)[:, None]
    logit = logit + noise.log_error * np.log(np.maximum(apart, _LEAST_ERROR))
    logit = logit + noise.look_std * rng.normal(size=(count, 1))
    logit = logit + noise.std * rng.normal(size=(count, 17)) - _HIDDEN_LOGIT * single
    logit = logit - _FAR_SIDE_LOGIT * _far_side_of_the_head(points)
    error = error + _JOINT_DEFINITION * rng.normal(size=rays.shape)
    seen = unhidden = rays + extent * error
    beyond, normal = _behind_obstacles(rays, extent[:, :, 0], rng)
    top = _report_top(people, extent[:, 0, 0], beyond, rng)
    seen, logit = noise.hidden.report(seen, logit, beyond, normal, extent, rng)
    for axis in (0, 1):
        beyond = (np.abs(rays[..., axis]) - people.half_view[:, None, axis]) / extent[:, :, 0]
        normal = np.zeros_like(rays)
        normal[..., axis] = np.sign(rays[..., axis])
        seen, logit = noise.outside.report(seen, logit, beyond, normal, extent, rng)
    confidences = 1 / (1 + np.exp(-logit))
    confidences = _drop(confidences, rng)
    hips = np.linalg.norm(rays[:, 11] - rays[:, 12], axis=-1) / extent[:, 0, 0]
    probability = np.where(
        (hips < noise.side_view)[:, None],
        noise.at(size_px, noise.swap_from_side),
        noise.at(size_px, noise.swap_from_front),
    )
    seen, confidences = _swap(seen, confidences, probability, noise.face_in_whole_swap, rng)
    confidences[confidences < LOWEST_CONFIDENCE] = 0.0
    # Somebody of whom nearly nothing is left is no detection at all: show the body again.
    lost = (confidences[:, 5:] > 0).sum(1) < 4
    confidences[lost] = np.maximum(confidences[lost], 0.3)
    seen[lost] = unhidden[lost]
    return Report(
        torch.as_tensor(seen, dtype=torch.float32),
        torch.as_tensor(confidences, dtype=torch.float32),
        torch.as_tensor(top, dtype=torch.float32),
        people.edges(),
        unknown,
    )


def _report_top(
    people: People,
    extent: NDArray[np.float64],
    beyond: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Report the box's upper edge (N,), hair in it; NaN if head or edge are not to be seen."""
    count = len(extent)
    wrong = rng.random(count) < _TOP_WRONG_SHARE
    error = np.where(wrong, _TOP_WRONG, _TOP_ERROR) * rng.normal(size=count)
    true = people.top.double().numpy()
    unknown = (true < -people.half_view[:, 1]) | (beyond[:, :5] > 0).any(1)
    unknown |= rng.random(count) < _TOP_UNKNOWN
    hair = _HAIR * np.exp(_HAIR_SPREAD * rng.normal(size=count))
    return np.where(unknown, np.nan, true + extent * (error - hair))


def _far_side_of_the_head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each face keypoint (N, 17) is turned away from the camera: 0 seen, 1 fully away."""
    middle = points[:, 3:5].mean(1, keepdims=True)  # between the ears
    outward = points[:, :5] - middle
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True) + 1e-9
    ray = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    away = np.zeros(points.shape[:2])
    away[:, :5] = np.clip(2 * (outward * ray).sum(-1), 0.0, 1.0)
    return away


def _behind_obstacles(
    rays: NDArray[np.float64], extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Hide a part of a fifth of the people behind a half plane.

    What a body hides of itself is part of the measured errors already. Returns how far each
    keypoint is behind the obstacle's edge (N, 17), over the extent, and the edge's normal.
    """
    count = len(rays)
    angle = np.where(
        rng.random(count) < 0.6, -np.pi / 2, rng.uniform(-np.pi, np.pi, count)
    )  # mostly from below
    normal = np.stack([np.cos(angle), -np.sin(angle)], -1)[:, None]  # (N, 1, 2)
    along = (rays * normal).sum(-1)
    low, high = along.min(1), along.max(1)
    cut = low + (high - low) * rng.uniform(0.4, 0.95, count)
    beyond = (along - cut[:, None]) / extent
    there = rng.random((count, 1)) < 0.22
    return np.where(there, beyond, -1.0), np.broadcast_to(normal, rays.shape)


def _drop(confidences: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    count = len(confidences)
    share = np.where(rng.random((count, 1)) < 0.15, rng.uniform(0, 0.3, (count, 1)), 0.0)
    confidences[rng.random(confidences.shape) < share] = 0.0
    no_face = rng.random(count) < 0.05
    confidences[no_face, :5] = 0.0
    return confidences


def _swap(
    rays: NDArray[np.float64],
    confidences: NDArray[np.float64],
    probability: NDArray[np.float64],
    face_share: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for kind, (name, pairs) in enumerate(_SWAPS.items()):
        rows = np.flatnonzero(rng.random(len(rays)) < probability[:, kind])
        exchanges = [(rows, pairs)]
        if name == 'whole':
            exchanges.append((rows[rng.random(len(rows)) < face_share], _FACE_PAIRS))
        for who, what in exchanges:
            left, right = np.array(what).T
            to, source = np.concatenate([left, right]), np.concatenate([right, left])
            rays[who[:, None], to] = rays[who[:, None], source]
            confidences[who[:, None], to] = confidences[who[:, None], source]
    return rays, confidences
