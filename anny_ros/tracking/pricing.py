# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""All cues of an assignment together: the price of every pair of a track and a person."""

from __future__ import annotations

from dataclasses import dataclass
import math

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import appearance, assignment
from anny_ros.tracking.appearance import SimilarityScale
from anny_ros.tracking.assignment import SizeScale
from anny_ros.tracking.candidates import measured_candidates, predicted_candidates
from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.track import Tracks
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Nats added to pairs with a detection below the birth score.
LOW_SCORE_COST = 2.0
# Nats added to pairs with a find that may be somebody else's double; such finds do not
# continue a track that was not seen in the last picture.
SHADOW_COST = 3.0
# Nats added to pairs of somebody who is hidden within the picture and somebody who just comes into
# it: whoever left their cover would have been seen on the way to the edge.
ENTERING_COST = 2.0
# What a pair with a track that is not confirmed gains over no pair counts by this share, so that
# someone who returns is not held by the fresh track that the first doubtful glimpse founded.
TENTATIVE_SHARE = 0.4
# A box ends at the picture's edge if it is within this share of its height.
EDGE_SHARE = 0.05
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


def at_the_edge(boxes: Float64Array, camera: Camera) -> NDArray[np.bool_]:
    """Which boxes (M, 4), pixels, reach the left or the right edge of the picture or beyond it."""
    margin = EDGE_SHARE * (boxes[:, 3] - boxes[:, 1])
    left, right = boxes[:, 0] < margin, boxes[:, 2] > camera.width - 1 - margin
    return np.asarray(left | right)


class Arrivals:
    """
    How often strangers come, which is learned.

    Whoever turns up may be somebody who was out of sight, or a stranger, the likelier the more
    of those come: a door in use is not a room of four.
    """

    # Strangers a second for which costs are as they are, as if met for so many seconds before.
    USUAL, BEFORE = 0.5, 4.0
    # Nobody is a stranger who was there at first, within so many seconds.
    SETTLED = 1.0
    MEMORY = 300.0  # seconds
    LONGEST_STEP = 1.0  # seconds; who came during a longer one is not known
    RANGE = (-1.0, 2.0)  # nats

    def __init__(self) -> None:
        self._count, self._time = self.USUAL * self.BEFORE, self.BEFORE
        self._began = -math.inf

    def learn(self, born: Float64Array, stamp: float, dt: float) -> None:
        """Take in when people were first seen (any length) who are believed from now on."""
        if not math.isfinite(self._began):
            self._began = stamp
            return
        step = min(dt, self.LONGEST_STEP)
        kept = math.exp(-step / self.MEMORY)
        self._count = kept * self._count + np.count_nonzero(born > self._began + self.SETTLED)
        self._time = kept * self._time + step

    def bonus(self) -> float:
        """Nats by which somebody known is likelier than where strangers come as is usual."""
        return float(np.clip(math.log(self.USUAL * self._time / self._count), *self.RANGE))


class Pricing:
    """Prices pairs, and learns from pairs that are certain what looks and sizes are worth."""

    def __init__(self) -> None:
        self.similarity = SimilarityScale()
        self.sizes = SizeScale()
        self.arrivals = Arrivals()

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
        shared = assignment.shared_with_surer(found, people.score)
        shadow = shared > assignment.SHADOW_OVERLAP
        near = shared > assignment.BIRTH_OVERLAP
        costs = costs + LOW_SCORE_COST * low + SHADOW_COST * shadow
        share = np.where(tracks.confirmed, 1.0, TENTATIVE_SHARE)[:, None]
        costs = assignment.LIMIT - share * (assignment.LIMIT - costs)
        # A long step between pictures is no absence.
        missing = before - tracks.last_seen > 0
        away = missing & (predicted.unseen > parameters.occlusion_time)
        hidden = missing & ~at_the_edge(predicted.box, people.camera)
        entering = hidden[:, None] & at_the_edge(found.box, people.camera)
        returning = (missing & tracks.confirmed)[:, None] & ~entering
        costs += ENTERING_COST * entering - self.arrivals.bonus() * returning
        doubtful = shadow | (near & ~tracks.confirmed[:, None])
        costs[away[:, None] & low | missing[:, None] & doubtful] = np.inf
        return Prices(costs, geometric, similarity, squared, shadow, near)

    def learn(
        self,
        prices: Prices,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        sure: Float64Array,
        features: NDArray[np.float32],
    ) -> None:
        """
        Learn from the pairs that were made, and from the people of one picture (N, A).

        ``sure`` (P,) is how sure each pair is by all cues.
        """
        certain = assignment.pair_confidence(prices.geometric, rows, columns) > SURE
        self.similarity.learn(
            prices.similarity[rows, columns][certain], appearance.strangers(features)
        )
        self.sizes.learn(prices.squared_sizes[rows, columns][sure > SURE])
