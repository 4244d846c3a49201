# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""All cues of an assignment together: the price of every pair of a track and a person."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import appearance, assignment
from anny_ros.tracking.appearance import SimilarityScale
from anny_ros.tracking.assignment import SizeScale
from anny_ros.tracking.candidates import measured_candidates, predicted_candidates
from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.track import Tracks
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Nats added to pairs with a detection below the birth score.
LOW_SCORE_COST = 2.0
# Nats added to pairs with a find that may be somebody else's double; such finds do not
# continue a track that was not seen in the last picture.
SHADOW_COST = 3.0
# What a pair with a track that is not confirmed gains over no pair counts by this share, so that
# someone who returns is not held by the fresh track that the first doubtful glimpse founded.
TENTATIVE_SHARE = 0.4
# Matches surer than this teach what the same person's similarity is.
SURE = 0.95


@dataclass(frozen=True)
class Prices:
    """
    Costs (T, N) in nats of pairs of tracks and people, and what they are made of.

    ``geometric`` is of the place in the picture alone, ``similarity`` of looks, ``squared_sizes``
    of distance and stature; ``shadow`` (N,) says who may be somebody else's double, ``near`` (N,)
    who is so near to a surer find that they wait for what it leaves and found nobody.
    """

    costs: Float64Array
    geometric: Float64Array
    similarity: Float64Array
    squared_sizes: Float64Array
    shadow: NDArray[np.bool_]
    near: NDArray[np.bool_]


class Pricing:
    """Prices pairs, and learns from pairs that are certain what looks and sizes are worth."""

    def __init__(self) -> None:
        self.similarity = SimilarityScale()
        self.sizes = SizeScale()

    def price(
        self,
        tracks: Tracks,
        people: Detections,
        measured: Measurements,
        features: NDArray[np.float32],
        before: float,
        parameters: TrackingParameters,
    ) -> Prices:
        """
        Price all pairs of tracks, predicted to the picture, and people.

        ``measured`` and ``features`` belong to ``people``; ``before`` is the stamp of the
        last picture, in seconds.
        """
        predicted = predicted_candidates(tracks, people.camera, people.stamp)
        found = measured_candidates(people, measured)
        geometric = assignment.geometric_costs(predicted, found)
        similarity = tracks.galleries.similarity(features, np.isfinite(geometric))
        squared = assignment.squared_size_distances(predicted, found)
        costs = geometric + self.sizes.costs(squared) - self.similarity.log_ratio(similarity)
        low = people.score < parameters.birth_score
        shadow = assignment.shadowed(found, people.score)
        costs = costs + LOW_SCORE_COST * low + SHADOW_COST * shadow
        share = np.where(tracks.confirmed, 1.0, TENTATIVE_SHARE)[:, None]
        costs = assignment.LIMIT - share * (assignment.LIMIT - costs)
        # A long step between pictures is no absence.
        missing = before - tracks.last_seen > 0
        away = missing & (predicted.unseen > parameters.occlusion_time)
        near = assignment.shadowed(found, people.score, assignment.BIRTH_OVERLAP)
        doubtful = shadow | (near & ~tracks.confirmed[:, None])
        costs[away[:, None] & low | missing[:, None] & doubtful] = np.inf
        return Prices(costs, geometric, similarity, squared, shadow, near)

    def learn(
        self,
        prices: Prices,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        features: NDArray[np.float32],
    ) -> None:
        """Learn from the pairs that were made, and from the people of one picture (N, A)."""
        certain = assignment.pair_confidence(prices.geometric, rows, columns) > SURE
        self.similarity.learn(
            prices.similarity[rows, columns][certain], appearance.strangers(features)
        )
        certain = assignment.pair_confidence(prices.costs, rows, columns) > SURE
        self.sizes.learn(prices.squared_sizes[rows, columns][certain])
