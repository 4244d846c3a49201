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
from anny_ros.tracking import appearance, assignment, motion, observe
from anny_ros.tracking.candidates import reestimated
from anny_ros.tracking.deferral import Deferral
from anny_ros.tracking.measurement import measure, Measurements
from anny_ros.tracking.names import NameGenerator
from anny_ros.tracking.pose import camera_motion, checked_pose
from anny_ros.tracking.pricing import Pricing
from anny_ros.tracking.scene import make_scene
from anny_ros.tracking.track import Tracks
from anny_ros.types import Camera, CameraSource, Detections, FloatArray, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# A doubted identity recovers with this time constant while it is seen, in seconds.
CONFIDENCE_RECOVERY = 3.0
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
    is filtered. People who are not seen stand where they are predicted. Stature and shape
    (phenotype) are those of the identity, fused over its life; with ``tracking.smoothing`` the
    pose is filtered too.

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
        self._pose: Float64Array | None = None
        self._stamp = -math.inf
        self._expected: NDArray[np.float32] = np.zeros((0, 4), np.float32)
        self._pricing = Pricing()
        self._deferral: Deferral | None = None

    def reset(self) -> None:
        """Forget everybody; ids and numbers go on and are not given again."""
        self._tracks = None
        self._camera = None
        self._pose = None
        self._stamp = -math.inf
        self._expected = np.zeros((0, 4), np.float32)
        self._pricing = Pricing()
        self._deferral = None

    def update(self, detections: Detections, world_from_camera: FloatArray | None = None) -> Scene:
        """
        Take in the people of one picture; call it for empty pictures too, so that tracks age.

        Parameters
        ----------
        detections : Detections
            Rows in any order; not changed. The stamp may equal the last one's (then nobody
            moves and the rows are one more look at the same moment). If it is earlier, or if
            the number of joints or features changed, all tracks are dropped and the scene says
            ``reset``.
        world_from_camera : ndarray, (4, 4), optional
            Pose of the optical frame at this stamp in a frame that does not move with the robot
            (``odom`` is best, ``map`` jumps). With it people keep still while the robot turns and
            drives, and velocities are relative to that frame. None: not known. Poses may come and
            go: a step is compensated for the camera's motion if both its ends have one, and when
            they begin or cease, velocities lose their certainty for a moment, because they change
            their meaning.

        Returns
        -------
        Scene

        Raises
        ------
        ValueError
            If the stamp is not finite, or the pose is none (its message says why).

        """
        stamp = detections.stamp
        pose = None if world_from_camera is None else checked_pose(world_from_camera)
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
            self._deferral = None
        deferral = Deferral(tracks) if self._deferral is None else self._deferral
        deferral.prune(tracks)
        deferral.tracks = self._predicted(deferral.tracks, people, pose)
        tracks = self._predicted(tracks, people, pose)
        tracks, seen = self._associated(tracks, people, deferral)
        tracks = tracks.take(seen | tracks.alive(stamp, self.parameters))
        self._tracks, self._stamp, self._camera = tracks, stamp, detections.camera
        self._pose, self._deferral = pose, deferral
        scene = make_scene(tracks, detections, self.parameters, reset, pose)
        present = np.isin(scene.states, (TrackState.TRACKED, TrackState.OCCLUDED))
        present &= scene.humans.position[:, 2] > 0
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
            finite = np.isfinite(getattr(detections, name))
            if not finite.all():
                usable &= finite.reshape(len(usable), -1).all(axis=1)
        self.num_rejected += int(len(usable) - np.count_nonzero(usable))
        return detections if usable.all() else detections[usable]

    def _remembered(self, stamp: float, people: Detections) -> Tracks:
        """Return the tracks without those that were away for too long."""
        if self._tracks is None:
            return Tracks.none(people)
        # A gap without pictures is no absence as long as it is short, whatever the memory.
        limit = max(self.parameters.memory, self.parameters.occlusion_time)
        return self._tracks.take(stamp - self._tracks.last_seen <= limit)

    def _predicted(self, tracks: Tracks, people: Detections, pose: Float64Array | None) -> Tracks:
        """Move tracks on to the picture's stamp."""
        if not len(tracks):
            return tracks
        if self._camera is not None and people.camera.source == CameraSource.ESTIMATED:
            M = reestimated(self._camera, people.camera)
            if not np.allclose(M, np.eye(3), rtol=0, atol=1e-9):
                tracks.state = motion.transform(tracks.state, M)
        if (pose is None) != (self._pose is None):
            tracks.state = motion.doubted(tracks.state)
        unseen = self._stamp - tracks.last_seen > 0
        moved = camera_motion(self._pose, pose)
        tracks.state = motion.predict(
            tracks.state,
            people.stamp - self._stamp,
            np.where(unseen, motion.FADE_RATE, 0.0),
            moved,
            np.where(
                people.stamp - tracks.last_seen > motion.UNSEEN_AFTER,
                motion.UNSEEN_DENSITY,
                motion.ACCELERATION_DENSITY,
            ),
        )
        if moved is not None:
            tracks.poses = tracks.poses.turned(moved[:3, :3])
        return tracks

    def _associated(
        self, tracks: Tracks, people: Detections, deferral: Deferral
    ) -> tuple[Tracks, NDArray[np.bool_]]:
        """Match, correct the matched tracks, add new ones; also which rows were seen."""
        dt = people.stamp - self._stamp
        measured = measure(
            people.position, people.position_covariance, people.stature, people.stature_stddev
        )
        features = appearance.normalised(people.appearance)
        prices = self._pricing.price(
            tracks, people, measured, features, self._stamp, self.parameters
        )
        rows, columns = assignment.assign_in_turn(prices.costs, prices.near)
        sure = assignment.pair_confidence(prices.costs, rows, columns)
        self._pricing.learn(prices, rows, columns, sure, features)
        taken = np.full(len(tracks), -1)
        taken[rows] = columns
        if len(deferral.tracks):
            other = self._pricing.price(
                deferral.tracks, people, measured, features, self._stamp, self.parameters
            )
            deferral.follow(tracks, taken, prices, other, dt)
        deferral.open(tracks, taken, prices.costs, people.stamp)
        deferral.correct(people, measured)
        doubted = rows[~tracks.confirmed[rows]]
        observe.again(
            tracks, rows, people[columns], measured[columns], features[columns], self.parameters
        )
        believed = doubted[tracks.confirmed[doubted]]
        self._pricing.arrivals.learn(tracks.born[believed], people.stamp, dt)
        seen = taken >= 0
        for alternatives, at in deferral.decided(people.stamp):
            seen[observe.otherwise(tracks, alternatives, at, taken, people)] = at >= 0
            columns = np.concatenate([columns, at[at >= 0]])
        self._doubt(tracks, seen, rows, sure, dt)
        new = (people.score >= self.parameters.birth_score) & ~prices.near
        new[columns] = False
        if not new.any():
            return tracks, seen
        fresh = self._born(
            people[new], measured[new], features[new], assignment.newness(prices.costs)[new]
        )
        return tracks.joined(fresh), np.concatenate([seen, np.ones(len(fresh), bool)])

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
        ids = np.array([self._names.draw() for _ in range(num)], '<U5')
        numbers = (self._next_number + np.arange(num)).astype(np.uint32)
        self._next_number += num
        return observe.begin(people, measured, features, ids, numbers, confidence, self.parameters)


def _same_layout(first: Detections, second: Detections) -> bool:
    """Whether rows of one can follow those of the other."""
    return all(
        getattr(first, name).shape[1:] == getattr(second, name).shape[1:]
        for name in ('rotations', 'appearance')
    )
