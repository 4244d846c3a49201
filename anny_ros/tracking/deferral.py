# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Put off decisions: what if the two who met were taken for each other.

People merge in the picture and come apart, and for a moment little tells who is who. The likelier
reading is shown at once; the next best is kept beside it for a while. In it each of the two goes
on as if it had been the other way round, with what was known before (velocity, stature, looks),
untouched by what may be somebody else's. Both readings have to explain the next pictures, and
the log likelihood ratio of how well they do adds up: who walked goes on, who was tall is tall
again. The other reading takes over when it is clearly better.

This is multiple hypothesis tracking (Reid 1979) with two hypotheses, only where they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.tracking import readout
from anny_ros.tracking.assignment import assign, LIMIT
from anny_ros.tracking.candidates import extents
from anny_ros.tracking.correction import correct
from anny_ros.tracking.measurement import Measurements
from anny_ros.tracking.pricing import Prices
from anny_ros.tracking.track import Tracks
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

# A reading that costs at most this many nats more than the likeliest is kept.
OPEN = 3.5
# It takes over when it is better by this, and is dropped when it is worse by that.
ADOPT, DROP = 3.0, 10.0
# No motion says more than this, in nats: people who meet may turn, stop or dodge, and a filter
# that follows such a turn is surprised by picture after picture of it.
MOTION = 5.0
LONGEST = 2.0  # seconds
# Readings that say the same for so many pictures are one.
AGREED = 3
# So many at a time, the most doubtful ones.
MOST = 4
# What sizes and looks are wrong by lasts: all pictures within this time, in seconds, are one look.
LOOK_TIME = 0.5


@dataclass
class _Meeting:
    """
    Two tracks by their numbers, and when they met.

    The log odds that they were taken for each other have two parts: ``motion`` of places and
    ``lasting`` of sizes and looks. ``agreed`` counts pictures in which both readings are one.
    """

    numbers: tuple[int, int]
    since: float
    motion: float
    lasting: float = 0.0
    agreed: int = 0

    @property
    def odds(self) -> float:
        """Log odds by all that was seen, in nats."""
        return min(max(self.motion, -MOTION), MOTION) + self.lasting


class Deferral:
    """
    The other readings that are kept, and the tracks of which they consist.

    Attributes
    ----------
    tracks : Tracks
        Two rows for each meeting: state, extent and when last seen go on; the rest is as it was
        when the two met.
    columns : ndarray, (G,)
        What each of them took in the last picture, or -1.

    """

    def __init__(self, tracks: Tracks) -> None:
        self.tracks = tracks.take(np.zeros(len(tracks), bool))
        self.columns: IntArray = np.zeros(0, np.intp)
        self._meetings: list[_Meeting] = []

    def follow(
        self,
        tracks: Tracks,
        taken: IntArray,
        prices: Prices,
        otherwise: Prices,
        dt: float,
    ) -> None:
        """
        Explain a picture both ways.

        Parameters
        ----------
        tracks : Tracks
        taken : ndarray, (T,)
            The finds that the tracks took, or -1.
        prices, otherwise : Prices
            Of the tracks and of the alternative ones.
        dt : float, seconds
            Since the last picture.

        """
        self.columns = np.full(len(self.tracks), -1)
        free = ~prices.near
        free[taken[taken >= 0]] = False
        share = min(dt / LOOK_TIME, 1.0)
        for index, meeting in enumerate(self._meetings):
            rows = np.searchsorted(tracks.numbers, meeting.numbers)
            mine = taken[rows]
            seen = mine >= 0
            offered = np.concatenate([mine[seen], np.flatnonzero(free)])
            mates = np.array([2 * index, 2 * index + 1])
            picked, at = assign(otherwise.costs[mates[:, None], offered])
            self.columns[mates[picked]] = offered[at]
            free[offered[at]] = False
            if dt > 0:
                motion, lasting = _evidence(prices, rows[seen], mine[seen])
                other_motion, other_lasting = _evidence(otherwise, mates[picked], offered[at])
                meeting.motion += other_motion - motion
                meeting.lasting += share * (other_lasting - lasting)
            if not np.array_equal(self.columns[mates], mine):
                meeting.agreed = 0
            elif seen.any():
                meeting.agreed += 1

    def open(
        self,
        tracks: Tracks,
        taken: IntArray,
        costs: Float64Array,
        stamp: float,
    ) -> None:
        """Keep the next best readings of a picture in which tracks took finds (T,), or -1."""
        room = MOST - len(self._meetings)
        rows = np.flatnonzero(taken >= 0)
        if room <= 0 or not len(rows):
            return
        busy = {number for meeting in self._meetings for number in meeting.numbers}
        for row, other, excess in _doubtful(tracks, rows, taken[rows], costs):
            pair = sorted((row, other))
            numbers = (int(tracks.numbers[pair[0]]), int(tracks.numbers[pair[1]]))
            if not room:
                break
            if busy & set(numbers):
                continue
            busy |= set(numbers)
            room -= 1
            keep = np.zeros(len(tracks), bool)
            keep[pair] = True
            self.tracks = self.tracks.joined(tracks.take(keep))
            self.columns = np.concatenate([self.columns, taken[pair[::-1]]])
            self._meetings.append(_Meeting(numbers, stamp, -excess))

    def correct(self, people: Detections, measured: Measurements) -> None:
        """Correct the alternative tracks with what they took."""
        rows = np.flatnonzero(self.columns >= 0)
        if not len(rows):
            return
        tracks, columns = self.tracks, self.columns[rows]
        since = people.stamp - tracks.last_seen[rows]
        tracks.state[rows] = correct(tracks.state[rows], measured[columns], since)
        depth = readout.positions(tracks.state[rows])[:, 2]
        tracks.extent[rows] = extents(people[columns], depth)
        tracks.lateral_variance[rows] = measured.variance[columns, 0, 0]
        tracks.extra_variance[rows] = measured.extra_variance[columns]
        tracks.extra_stature_variance[rows] = measured.extra_stature_variance[columns]
        tracks.last_seen[rows] = people.stamp

    def decided(self, stamp: float) -> list[tuple[Tracks, IntArray]]:
        """Take out the readings that take over: tracks, and what they took."""
        result = []
        closed = np.zeros(len(self._meetings), bool)
        for index, meeting in enumerate(self._meetings):
            over = meeting.agreed >= AGREED or stamp - meeting.since > LONGEST
            if meeting.odds > ADOPT:
                rows = np.array([2 * index, 2 * index + 1])
                keep = np.zeros(len(self.tracks), bool)
                keep[rows] = True
                result.append((self.tracks.take(keep), self.columns[rows]))
            closed[index] = over or meeting.odds > ADOPT or meeting.odds < -DROP
        self._close(closed)
        return result

    def prune(self, tracks: Tracks) -> None:
        """Forget readings about tracks that are gone."""
        known = set(tracks.numbers.tolist())
        self._close(np.array([not known.issuperset(m.numbers) for m in self._meetings], bool))

    def _close(self, closed: NDArray[np.bool_]) -> None:
        if not closed.any():
            return
        keep = np.repeat(~closed, 2)
        self.tracks, self.columns = self.tracks.take(keep), self.columns[keep]
        self._meetings = [m for m, done in zip(self._meetings, closed, strict=True) if not done]


def _evidence(prices: Prices, rows: IntArray, columns: IntArray) -> tuple[float, float]:
    """Nats by which pairs explain a picture better than none, by places and by all else."""
    places = prices.geometric[rows, columns]
    return float((LIMIT - places).sum()), float((places - prices.costs[rows, columns]).sum())


def _doubtful(
    tracks: Tracks, rows: IntArray, columns: IntArray, costs: Float64Array
) -> list[tuple[int, int, float]]:
    """
    Pairs of tracks that may be exchanged, most doubtful first, and what that costs more, nats.

    One of the two took a find (``rows``, ``columns``), the other one took another or none.
    """
    sure = tracks.confirmed[rows]
    rows, columns = rows[sure], columns[sure]
    made = costs[rows, columns]
    unseen = tracks.confirmed.copy()
    unseen[rows] = False
    away = np.flatnonzero(unseen)
    between = costs[rows[:, None], columns]
    swapped = between + between.T - made - made[:, None]
    swapped[np.tril_indices(len(rows))] = np.inf
    instead = costs[away[:, None], columns] - made
    excess = np.concatenate([swapped, instead])
    first, second = np.nonzero(excess <= OPEN)
    order = np.argsort(excess[first, second], kind='stable')
    others = np.concatenate([rows, away])
    return [
        (int(others[i]), int(rows[j]), float(excess[i, j]))
        for i, j in zip(first[order], second[order], strict=True)
    ]
