# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Who is who: the cost of every pair of a track and a detection, and the best assignment.

A cost is a negative log likelihood in nats, so that cues add up in comparable units. The place
in the picture leads: the predicted covariance, in units of the person's size, is its gate, which
widens by itself with the time unseen and narrows with the distance from the camera. Size, overlap,
distance, stature and appearance add bounded terms, so that none of them rejects alone: a
monocular distance is wrong by metres too easily.
"""

from __future__ import annotations

from typing import Any

from anny_ros.geometry.boxes import overlap
from anny_ros.tracking.candidates import Candidates
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Float64Array = NDArray[np.float64]

# A pair that costs more is worse than a person lost and a new one found.
LIMIT = 7.0
# People turn on the spot and start to run: the share of steps that are not what was expected, and
# how far those lead, as a share of the person's size, at once and per second unseen.
SURPRISE_SHARE = 0.05
SURPRISE = (0.1, 1.2)
# Who is out of sight turns or stops at this rate, 1/s, in the first second.
TURN_RATE = 0.3
# The share of people out of sight who stay about where they are expected, however long, and within
# what after a second, as a share of the person's size: who waits behind a pillar, and everybody
# while no picture comes.
STAY_SHARE = 0.1
STAY = 0.3
# Squared Mahalanobis distance in the picture (2 degrees of freedom), surprise included, beyond
# which no pair is made.
GATE = 16.0
# Wobble of the measured pelvis from pose and fit, as a share of the person's size.
PLACE_STDDEV = 0.05
# Place covariances are compared with this one, share of the size.
PLACE_REFERENCE = 0.1
SIZE_STDDEV = 0.08
# Two people who have nothing to do with each other differ by this much in log size.
SIZE_SPREAD = 0.5
# Log size beyond which no pair is made; grows with the time unseen.
SIZE_GATE = (0.7, 0.3)
OVERLAP_WEIGHT = 2.0
# Intersection over union of two finds of one person, or of two people one of whom is hidden. From
# the lower one on a find waits for what surer ones leave and founds no track.
SHADOW_OVERLAP = 0.65
BIRTH_OVERLAP = 0.5


def geometric_costs(tracks: Candidates, people: Candidates) -> Float64Array:
    """
    Cost of every pair from where people are in the picture, and how large.

    Parameters
    ----------
    tracks, people : Candidates
        T predicted tracks, N detections.

    Returns
    -------
    ndarray, (T, N), nats
        Infinite outside the gates.

    """
    size = tracks.size
    turned = ((SURPRISE[0] + SURPRISE[1] * np.minimum(tracks.unseen, 0.5)) * size) ** 2
    log_size = np.log(people.size[None] / size[:, None])
    growth = SIZE_GATE[0] + SIZE_GATE[1] * tracks.unseen[:, None]
    near = _within(tracks, people, (PLACE_STDDEV * size) ** 2 + turned)
    t, n = np.nonzero(near & (np.abs(log_size) <= growth))
    size, log_size, unseen = size[t], log_size[t, n], tracks.unseen[t]

    dx, dy = (people.place[n] - tracks.place[t]).T
    wobble = (PLACE_STDDEV * size) ** 2
    found, expected = people.place_covariance[n], tracks.place_covariance[t]
    xx, xy, yy = (found[:, i, j] + expected[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    xx, yy = xx + wobble, yy + wobble
    _, usual_log = _log_density(dx, dy, xx, xy, yy)
    distance, surprised_log = _log_density(dx, dy, xx + turned[t], xy, yy + turned[t])
    stay = (np.maximum(STAY * np.minimum(unseen, 1.0), PLACE_STDDEV) * size) ** 2
    _, staying_log = _log_density(
        dx, dy, found[:, 0, 0] + stay, found[:, 0, 1], found[:, 1, 1] + stay
    )
    steady = (1 - SURPRISE_SHARE) * np.exp(-TURN_RATE * np.minimum(unseen, 1.0))
    usual_log += np.log((1 - STAY_SHARE) * steady)
    surprised_log += np.log((1 - STAY_SHARE) * (1 - steady))
    staying_log += np.log(STAY_SHARE)
    log_density = np.logaddexp(np.logaddexp(usual_log, surprised_log), staying_log)
    place = -log_density - 2 * np.log(PLACE_REFERENCE * size)

    spread = SIZE_STDDEV + 0.1 * unseen
    scale = 0.5 * np.minimum((log_size / spread) ** 2, 12.0) + np.log(spread / SIZE_SPREAD)
    shared = overlap(tracks.box, people.box)[t, n]
    total = place + scale + OVERLAP_WEIGHT * (0.5 - shared)
    costs = np.full(near.shape, np.inf)
    costs[t, n] = np.where(distance <= GATE, total, np.inf)
    return costs


def _within(tracks: Candidates, people: Candidates, variance: Float64Array) -> NDArray[np.bool_]:
    """Pairs (T, N) that may be inside the gate: no ellipse reaches beyond its summed variances."""
    reach = 2 * variance + np.trace(tracks.place_covariance, axis1=1, axis2=2)
    total = reach[:, None] + np.trace(people.place_covariance, axis1=1, axis2=2)
    dx, dy = (people.place[:, i] - tracks.place[:, i, None] for i in (0, 1))
    return np.asarray(dx * dx + dy * dy <= GATE * total)


def shared_with_surer(people: Candidates, score: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """
    Largest intersection over union of each person (N,) with a surer one.

    Who covers the same pixels as a surer find is mostly the same person again.
    """
    shared = overlap(people.box, people.box)
    order = np.arange(len(score))
    surer = (score[:, None] > score) | ((score[:, None] == score) & (order[:, None] < order))
    return np.asarray(np.where(surer, shared, 0.0).max(axis=0, initial=0.0))


def assign(costs: Float64Array, limit: float = LIMIT) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Find the pairs of least total cost, where leaving a pair unmade costs ``limit``.

    Parameters
    ----------
    costs : ndarray, (T, N), nats
        Infinite for pairs that must not be made.
    limit : float, nats

    Returns
    -------
    rows, columns : ndarray, (P,), intp
        The pairs, by ascending row.

    """
    gain = np.minimum(costs - limit, 0.0)
    rows, columns = linear_sum_assignment(gain)
    made = gain[rows, columns] < 0
    return rows[made], columns[made]


def assign_in_turn(
    costs: Float64Array, later: NDArray[np.bool_], limit: float = LIMIT
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Find the pairs of ``assign``, but the columns of ``later`` (N,) take what the others leave.

    So a double gets nobody whom the surer find of the same person would have kept.
    """
    rows, columns = assign(np.where(later, np.inf, costs), limit)
    if not later.any():
        return rows, columns
    left = np.where(later, costs, np.inf)
    left[rows] = np.inf
    more_rows, more_columns = assign(left, limit)
    rows, columns = np.concatenate([rows, more_rows]), np.concatenate([columns, more_columns])
    order = np.argsort(rows)
    return rows[order], columns[order]


def pair_confidence(
    costs: Float64Array,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    limit: float = LIMIT,
) -> Float64Array:
    """
    How sure each made pair is against its rivals, (P,), 0..1.

    The likelihood of the pair over the summed likelihoods of all that compete with it: the other
    detections of its track, the other tracks of its detection, and no pair at all (``limit``).
    1 means no rival, 1/2 one that is as good.
    """
    likelihood = np.exp(limit - np.minimum(costs, limit + 50.0))
    pair = likelihood[rows, columns]
    rivals = likelihood[rows].sum(axis=1) + likelihood[:, columns].sum(axis=0) - pair
    return np.asarray(pair / (rivals + 1.0))


def newness(costs: Float64Array, limit: float = LIMIT) -> Float64Array:
    """How sure it is that each detection (N,) is none of the tracks, 0..1."""
    likelihood = np.exp(limit - np.minimum(costs, limit + 50.0))
    return np.asarray(1.0 / (1.0 + likelihood.sum(axis=0)))


def _log_density(
    dx: Float64Array, dy: Float64Array, xx: Float64Array, xy: Float64Array, yy: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Squared Mahalanobis distances and Gaussian log densities (less a constant) of offsets."""
    determinant = xx * yy - xy * xy
    squared = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant
    return squared, -0.5 * (squared + np.log(determinant))


def squared_size_distances(tracks: Candidates, people: Candidates) -> Float64Array:
    """Squared Mahalanobis distances (T, N) of the logarithms of distances and statures."""
    covariance = tracks.size_covariance[:, None] + people.size_covariance[None]
    offset = people.sizes[None] - tracks.sizes[:, None]
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    dx, dy = offset[..., 0], offset[..., 1]
    squared = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    return np.asarray(squared)


class SizeScale:
    """
    Turns differences of distance and stature into costs.

    How much they differ for one person is learned from what is certain: an estimator that jitters
    more than it says would otherwise lose people. The cost is half the squared distance over
    its mean less what is typical, bounded: one wild distance must not end a track.
    """

    CAP, WEIGHT = 20.0, 0.7
    MEMORY = 500.0

    def __init__(self) -> None:
        self.looseness = 1.0
        self._weight = 20.0

    def costs(self, squared: Float64Array) -> Float64Array:
        """Nats of squared distances (T, N)."""
        scaled = np.minimum(squared / self.looseness, self.CAP)
        return np.asarray(self.WEIGHT * (0.5 * scaled - 1.0))

    def learn(self, squared: Float64Array) -> None:
        """Take in squared distances of certain matches (any length)."""
        if not len(squared):
            return
        share = len(squared) / (self._weight + len(squared))
        self._weight = min(self._weight + len(squared), self.MEMORY)
        # Two degrees of freedom: the mean is 2 where the covariances are true.
        mean = 0.5 * float(np.minimum(squared, 3 * self.CAP).mean())
        self.looseness = float(np.clip((1 - share) * self.looseness + share * mean, 0.5, 10.0))
