# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What people look like: a small gallery of features for each identity.

Each identity is scored on its own (never as a share of a vote), by the best cosine
between a new feature and the gallery. What a cosine is worth is learned while tracking: features
that do not tell people apart lose their say by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

GALLERY_SIZE = 8
# A feature joins the gallery after this many seconds, before that it replaces the newest one: the
# gallery then spans seconds, not a few nearly equal pictures.
SPACING = 0.3


def normalised(features: ArrayLike) -> Float32Array:
    """Scale features (N, A) to length 1; those that are zero or not finite become zero."""
    result = np.array(features, np.float32)
    result[~np.isfinite(result).all(axis=1)] = 0.0
    length = np.linalg.norm(result, axis=1, keepdims=True)
    result /= np.where(length > 0, length, np.float32(1))
    return result


@dataclass
class Galleries:
    """
    Recent features of T identities, as arrays.

    Parameters
    ----------
    features : ndarray, (T, GALLERY_SIZE, A), float32
        Of length 1; a ring buffer of which the first ``counts`` are filled.
    counts : ndarray, (T,), int64
        How many were ever begun.
    begun : ndarray, (T,), float64, seconds
        When the newest one was begun.

    """

    features: Float32Array
    counts: NDArray[np.int64]
    begun: Float64Array

    @classmethod
    def empty(cls, num_tracks: int, size: int) -> Galleries:
        """Galleries without a feature; ``size`` 0 makes every similarity unknown."""
        return cls(
            np.zeros((num_tracks, GALLERY_SIZE, size), np.float32),
            np.zeros(num_tracks, np.int64),
            np.full(num_tracks, -np.inf),
        )

    def take(self, rows: NDArray[np.intp]) -> Galleries:
        """Return the galleries of some identities."""
        return Galleries(self.features[rows], self.counts[rows], self.begun[rows])

    def __setitem__(self, rows: NDArray[np.intp], other: Galleries) -> None:
        """Replace the galleries of some identities."""
        self.features[rows] = other.features
        self.counts[rows] = other.counts
        self.begun[rows] = other.begun

    def joined(self, other: Galleries) -> Galleries:
        """Return these identities followed by others."""
        return Galleries(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.begun, other.begun]),
        )

    def add(self, rows: NDArray[np.intp], features: Float32Array, stamp: float) -> None:
        """Take in one normalised feature (R, A) for each of ``rows``; zero ones are ignored."""
        if features.shape[1] == 0:
            return
        known = features.any(axis=1)
        rows, features = rows[known], features[known]
        fresh = rows[stamp - self.begun[rows] >= SPACING]
        self.counts[fresh] += 1
        self.begun[fresh] = stamp
        self.features[rows, (self.counts[rows] - 1) % GALLERY_SIZE] = features

    def similarity(self, features: Float32Array, wanted: NDArray[np.bool_]) -> Float64Array:
        """
        Compare new features with the galleries.

        Parameters
        ----------
        features : ndarray, (N, A), float32
            Normalised.
        wanted : ndarray, (T, N), bool
            Which pairs to compute.

        Returns
        -------
        ndarray, (T, N), float64
            The best cosine; NaN if not wanted or either side is unknown.

        """
        result = np.full(wanted.shape, np.nan)
        if features.shape[1] == 0:
            return result
        known = np.logical_and.outer(self.counts > 0, features.any(axis=1))
        tracks, people = np.nonzero(wanted & known)
        filled = np.minimum(self.counts, GALLERY_SIZE).tolist()
        # Track by track: gathering a gallery for each pair would copy far more than it computes.
        begin = 0
        for track, end in enumerate(np.cumsum(np.bincount(tracks)).tolist()):
            if end > begin:
                cosines = features[people[begin:end]] @ self.features[track, : filled[track]].T
                result[track, people[begin:end]] = cosines.max(axis=1)
            begin = end
        return result


class SimilarityScale:
    """
    Turns similarities into log likelihood ratios of same person over another person.

    Two Gaussians with a common spread, of the same person and of others, and a share of looks at
    the same person that are no more like the earlier ones than a stranger is (from behind for the
    first time, half hidden). All are learned from what is certain: people whom the place alone
    identifies, and people who are in one picture together. So features that do not tell people
    apart lose their say by themselves, and what looks different is held against somebody only
    as far as people do not change their looks.
    """

    LIMIT = 8.0
    # Forgetting after this many examples keeps it adapting (light, camera).
    MEMORY = 500.0
    CHANGED_RANGE = (0.01, 0.5)

    def __init__(self) -> None:
        self.same, self.other = 0.8, 0.4
        self.variance = 0.15**2
        self.changed = 0.05
        self._weights = np.array([20.0, 20.0])

    def log_ratio(self, similarity: Float64Array) -> Float64Array:
        """Log likelihood ratio in nats, positive for the same person; 0 where NaN."""
        known = np.isfinite(similarity)
        unchanged = self._unchanged(np.where(known, similarity, 0.0))
        ratio = np.logaddexp(np.log(1 - self.changed) + unchanged, np.log(self.changed))
        return np.where(known, np.minimum(ratio, self.LIMIT), 0.0)

    def learn(self, same: Float64Array, other: Float64Array) -> None:
        """Take in similarities of certain matches and of certain strangers (any length)."""
        same, other = same[np.isfinite(same)], other[np.isfinite(other)]
        if len(same):
            likely = (1 - self.changed) * np.exp(self._unchanged(same))
            unchanged = likely / (likely + self.changed)
            share = self._share(0, len(same))
            changed = float(1 - unchanged.mean())
            self.changed = float(
                np.clip((1 - share) * self.changed + share * changed, *self.CHANGED_RANGE)
            )
            self.same = self._learned(self.same, same, unchanged, share)
        if len(other):
            share = self._share(1, len(other))
            self.other = self._learned(self.other, other, np.ones(len(other)), share)

    def _unchanged(self, similarity: Float64Array) -> Float64Array:
        """Log likelihood ratio of somebody who did not change over another person."""
        middle = 0.5 * (self.same + self.other)
        slope = max(self.same - self.other, 0.0) / self.variance
        return np.asarray(np.clip(slope * (similarity - middle), -50.0, 50.0))

    def _share(self, index: int, count: int) -> float:
        """Weight of ``count`` new examples against what is known."""
        share = count / (self._weights[index] + count)
        self._weights[index] = min(self._weights[index] + count, self.MEMORY)
        return float(share)

    def _learned(
        self, mean: float, values: Float64Array, weights: Float64Array, share: float
    ) -> float:
        """Return the mean with weighed values in it; the common variance learns too."""
        total = float(weights.sum())
        share *= total / len(values)
        if total < 1e-6:
            return mean
        spread = float(weights @ (values - mean) ** 2) / total
        self.variance = max((1 - share / 2) * self.variance + share / 2 * spread, 0.02**2)
        return mean + share * (float(weights @ values) / total - mean)


def strangers(features: Float32Array) -> Float64Array:
    """Return the cosines of all pairs of people in one picture (up to 16 of them)."""
    known = features[features.any(axis=1)][:16]
    cosines = known @ known.T
    order = np.arange(len(known))
    return cosines[order[:, None] < order].astype(np.float64)
