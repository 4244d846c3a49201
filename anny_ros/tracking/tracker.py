# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Keeps identities over time: Detections of each picture in, a Scene out.

An update predicts all tracks to the picture's stamp, prices every pair of a track and a
detection (``assignment``), solves one assignment, corrects, and lets tracks be born, age and go
(``track``). Time is the pictures' stamps and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
import math

from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import appearance, assignment, motion
from anny_ros.tracking.appearance import Galleries, SimilarityScale
from anny_ros.tracking.candidates import (
    extents,
    measured_candidates,
    predicted_candidates,
    reestimated,
    statures,
)
from anny_ros.tracking.motion import Measurements
from anny_ros.tracking.names import NameGenerator
from anny_ros.tracking.scene import make_scene
from anny_ros.tracking.track import fused_statures, TIME_TOLERANCE, Tracks
from anny_ros.types import Camera, CameraSource, Detections, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Nats added to pairs with a detection below the birth score.
LOW_SCORE_COST = 2.0
# What a pair with a track that is not confirmed gains over no pair counts by this share, so that
# someone who returns is not held by the fresh track that the first doubtful glimpse founded.
TENTATIVE_SHARE = 0.4
# A doubted identity recovers with this time constant while it is seen, in seconds.
CONFIDENCE_RECOVERY = 3.0
# Matches surer than this teach what the same person's similarity is.
SURE = 0.95
# Random walk of the stature estimate, square metres per second: forgets in minutes.
STATURE_DRIFT = 1e-5
_FINITE_ROWS = ('score', 'bbox', 'phenotype', 'rotations', 'translation', 'joint_positions',
                'joint_orientations', 'keypoints_3d', 'keypoints_2d', 'position',
                'head_position', 'ground_position')  # fmt: skip


class Tracker:
    """
    Gives people identities that last.

    Parameters
    ----------
    parameters : TrackingParameters, optional
        May be replaced at any time by setting ``parameters``; the next update obeys.
    seed : int, optional
        Makes the ids reproducible; without one they are random, and no two trackers of a
        process ever give the same.

    Attributes
    ----------
    num_rejected : int
        Rows that were skipped because of numbers that are not finite or a pelvis that is not
        in front of the camera.

    Notes
    -----
    A Scene holds everybody alive, by ascending track number: TENTATIVE only in pictures that show
    them, TRACKED, OCCLUDED and LOST until ``memory`` ends; ``states`` tells. People who
    are seen stay on their measured viewing ray, so nothing lags in the picture; their distance
    is filtered. People who are not seen stand where they are predicted. The stature is a running
    estimate of the identity; the mesh (phenotype) is that of the picture.

    """

    def __init__(
        self,
        parameters: TrackingParameters | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        self.parameters = TrackingParameters() if parameters is None else parameters
        self.num_rejected = 0
        self._names = NameGenerator(seed)
        self._next_number = 1
        self._tracks: Tracks | None = None
        self._camera: Camera | None = None
        self._stamp = -math.inf
        self._expected: NDArray[np.float32] = np.zeros((0, 4), np.float32)
        self._similarity = SimilarityScale()

    def reset(self) -> None:
        """Forget everybody; ids and numbers go on and are not given again."""
        self._tracks = None
        self._camera = None
        self._stamp = -math.inf
        self._expected = np.zeros((0, 4), np.float32)
        self._similarity = SimilarityScale()

    def update(self, detections: Detections) -> Scene:
        """
        Take in the people of one picture; call it for empty pictures too, so that tracks age.

        Parameters
        ----------
        detections : Detections
            Rows in any order; not changed. The stamp may equal the last one's (then nobody
            moves and the rows are one more look at the same moment). If it is earlier, or if
            the number of joints or features changed, all tracks are dropped and the scene says
            ``reset``.

        Returns
        -------
        Scene

        Raises
        ------
        ValueError
            If the stamp is not finite.

        """
        stamp = detections.stamp
        if not math.isfinite(stamp):
            raise ValueError(f'stamp must be finite, got {stamp}; pass the stamp of the picture')
        people = self._usable(detections)
        reset = stamp < self._stamp
        if reset:
            self.reset()
        tracks = self._remembered(stamp, people)
        if len(tracks) and not len(people):
            people = replace(tracks.bodies[:0], stamp=stamp, camera=people.camera)
        elif len(tracks) and not _same_layout(tracks.bodies, people):
            self.reset()
            reset = True
        if reset or not len(tracks):
            tracks = Tracks.none(people)
        tracks = self._predicted(tracks, people)
        tracks, seen = self._associated(tracks, people)
        tracks = tracks.take(seen | tracks.alive(stamp, self.parameters))
        self._tracks, self._stamp, self._camera = tracks, stamp, detections.camera
        scene = make_scene(tracks, detections, self.parameters, reset)
        present = np.isin(scene.states, (TrackState.TRACKED, TrackState.OCCLUDED))
        self._expected = scene.humans.bbox[present]
        return scene

    def expected_boxes(self) -> NDArray[np.float32]:
        """
        Say where people should be found in the next picture, for ``Frame.expected``.

        Returns
        -------
        ndarray, (K, 4), float32, pixels
            Boxes x0, y0, x1, y1 of who was TRACKED or OCCLUDED in the last picture.

        """
        return self._expected

    def _usable(self, detections: Detections) -> Detections:
        """Drop and count rows that would corrupt a track."""
        usable = detections.position[:, 2] > 0  # False for NaN
        for name in _FINITE_ROWS:
            array = getattr(detections, name)
            usable &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        self.num_rejected += int(len(usable) - np.count_nonzero(usable))
        return detections if usable.all() else detections[usable]

    def _remembered(self, stamp: float, people: Detections) -> Tracks:
        """Return a copy of the tracks without those that were away for too long."""
        if self._tracks is None:
            return Tracks.none(people)
        # A gap without pictures is no absence as long as it is short, whatever the memory.
        limit = max(self.parameters.memory, self.parameters.occlusion_time)
        return self._tracks.take(stamp - self._tracks.last_seen <= limit)

    def _predicted(self, tracks: Tracks, people: Detections) -> Tracks:
        """Move tracks on to the picture's stamp."""
        if not len(tracks):
            return tracks
        if self._camera is not None and people.camera.source == CameraSource.ESTIMATED:
            M = reestimated(self._camera, people.camera)
            tracks.mean, tracks.covariance = motion.transform(tracks.mean, tracks.covariance, M)
        unseen = self._stamp - tracks.last_seen > 0
        tracks.mean, tracks.covariance = motion.predict(
            tracks.mean,
            tracks.covariance,
            people.stamp - self._stamp,
            np.where(unseen, motion.FADE_RATE, 0.0),
        )
        tracks.stature_variance = tracks.stature_variance + STATURE_DRIFT * (
            people.stamp - self._stamp
        )
        return tracks

    def _associated(self, tracks: Tracks, people: Detections) -> tuple[Tracks, NDArray[np.bool_]]:
        """Match, correct the matched tracks, add new ones; also which rows were seen."""
        num_tracks = len(tracks)
        measured = motion.measure(people.position, people.position_covariance)
        features = appearance.normalised(people.appearance)
        costs, similarity = self._costs(tracks, people, measured, features)
        rows, columns = assignment.assign(costs)
        sure = assignment.pair_confidence(costs, rows, columns)
        self._similarity.learn(
            similarity[rows, columns][sure > SURE], appearance.strangers(features)
        )
        self._observe(tracks, rows, people[columns], measured[columns])
        tracks.galleries.add(rows, features[columns], people.stamp)
        seen = np.zeros(num_tracks, bool)
        seen[rows] = True
        self._doubt(tracks, seen, rows, sure, people.stamp - self._stamp)
        new = (people.score >= self.parameters.birth_score) & ~np.isin(
            np.arange(len(people)), columns
        )
        fresh = self._born(
            people[new], measured[new], features[new], assignment.newness(costs)[new]
        )
        return tracks.joined(fresh), np.concatenate([seen, np.ones(len(fresh), bool)])

    def _costs(
        self,
        tracks: Tracks,
        people: Detections,
        measured: Measurements,
        features: NDArray[np.float32],
    ) -> tuple[Float64Array, Float64Array]:
        """Price all pairs, (T, N) in nats; also the similarities that were computed."""
        predicted = predicted_candidates(tracks, people.camera, people.stamp)
        costs = assignment.geometric_costs(predicted, measured_candidates(people, measured))
        similarity = tracks.galleries.similarity(features, np.isfinite(costs))
        costs = costs - self._similarity.log_ratio(similarity)
        low = people.score < self.parameters.birth_score
        away = predicted.unseen > self.parameters.occlusion_time
        costs = costs + LOW_SCORE_COST * low[None]
        share = np.where(tracks.confirmed, 1.0, TENTATIVE_SHARE)[:, None]
        costs = assignment.LIMIT - share * (assignment.LIMIT - costs)
        # A long step between pictures is no absence.
        away &= self._stamp - tracks.last_seen > 0
        return np.where(low[None] & away[:, None], np.inf, costs), similarity

    def _observe(
        self,
        tracks: Tracks,
        rows: NDArray[np.intp],
        people: Detections,
        measured: Measurements,
    ) -> None:
        """Correct the matched tracks ``rows`` in place with a person each."""
        tracks.mean[rows], tracks.covariance[rows] = motion.correct(
            tracks.mean[rows], tracks.covariance[rows], measured
        )
        tracks.extent[rows] = extents(people, tracks.mean[rows, 2])
        tracks.depth_stddev[rows] = measured.depth_stddev
        tracks.last_seen[rows] = people.stamp
        tracks.confirmed[rows] |= (
            people.stamp - tracks.born[rows] >= self.parameters.confirm_time - TIME_TOLERANCE
        )
        tracks.stature[rows], tracks.stature_variance[rows] = fused_statures(
            tracks.stature[rows], tracks.stature_variance[rows], *statures(people)
        )
        everybody = np.arange(len(tracks))
        everybody[rows] = len(tracks) + np.arange(len(rows))
        tracks.bodies = Detections.concatenate([tracks.bodies, people])[everybody]

    def _doubt(
        self,
        tracks: Tracks,
        seen: NDArray[np.bool_],
        rows: NDArray[np.intp],
        sure: Float64Array,
        dt: float,
    ) -> None:
        """Update the identity confidence: down at once, up slowly, fading while unseen."""
        confidence = tracks.confidence
        if not len(confidence):
            return
        recovered = 1 - (1 - confidence[rows]) * math.exp(-dt / CONFIDENCE_RECOVERY)
        confidence[rows] = np.minimum(recovered, sure)
        fade = math.exp(-dt / self.parameters.memory) if self.parameters.memory > 0 else 0.0
        confidence[~seen] *= fade

    def _born(
        self,
        people: Detections,
        measured: Measurements,
        features: NDArray[np.float32],
        confidence: Float64Array,
    ) -> Tracks:
        """Make a track of each of some people, numbered in the order of their rows."""
        num = len(people)
        mean, covariance = motion.initiate(measured)
        stature, variance = statures(people)
        galleries = Galleries.empty(num, features.shape[1])
        galleries.add(np.arange(num), features, people.stamp)
        numbers = self._next_number + np.arange(num, dtype=np.uint32)
        self._next_number += num
        return Tracks(
            ids=np.array([self._names.draw() for _ in range(num)], '<U5'),
            numbers=numbers.astype(np.uint32),
            born=np.full(num, people.stamp),
            last_seen=np.full(num, people.stamp),
            confirmed=np.full(num, self.parameters.confirm_time <= 0),
            confidence=confidence,
            mean=mean,
            covariance=covariance,
            extent=extents(people, mean[:, 2]),
            depth_stddev=measured.depth_stddev,
            stature=stature,
            stature_variance=variance,
            galleries=galleries,
            bodies=people,
        )


def _same_layout(first: Detections, second: Detections) -> bool:
    """Whether rows of one can follow those of the other."""
    return all(
        getattr(first, name).shape[1:] == getattr(second, name).shape[1:]
        for name in ('rotations', 'appearance')
    )
