# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
From pictures to tracked people: the one place where estimator and tracker are put together.

The node, ``anny-ros track`` and the benchmarks all go this way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import threading
import time
from typing import TYPE_CHECKING

from anny_ros.geometry.boxes import overlap
from anny_ros.geometry.camera_from_people import CameraFromPeople
from anny_ros.geometry.depth import scale_from_depth
from anny_ros.geometry.field_of_view import FieldOfViewFilter
from anny_ros.geometry.ground import Ground, scale_from_ground
from anny_ros.inference.fusion import distance_spread, fuse_scale
from anny_ros.inference.shape_memory import in_own_shape, world_aligned
from anny_ros.parameters import Parameters
from anny_ros.tracking import Tracker
from anny_ros.types import Detections, FloatArray, Frame, Scene
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anny_ros.inference import Estimator

# Boxes that overlap (intersection over union) more than this show the same person.
_SAME_PERSON = 0.5
# Fine enough to compare skin with a depth picture.
_SURFACE = 'coarse'


@dataclass(frozen=True)
class Surroundings:
    """
    What other sensors know at the time of a picture; None: not known.

    Parameters
    ----------
    world_from_camera : ndarray, (4, 4), or None
        Pose of the optical frame in a frame that does not move with the robot; see
        ``Tracker.update``.
    ground : Ground or None
        The floor that people stand on.
    depth : ndarray, (H, W), float32, metres, or None
        Along the optical axis, 0 or not finite where nothing was measured; registered to the
        picture (the same view, perhaps another size).

    """

    world_from_camera: FloatArray | None = None
    ground: Ground | None = None
    depth: NDArray[np.float32] | None = None


# Who would wait for other sensors gives a function: it is called when the estimator is done, so
# that the wait costs nothing as long as the estimator takes longer.
SurroundingsSource = Callable[[], Surroundings]


class Perception:
    """
    An estimator and what carries over from one picture to the next.

    The tracker tells the estimator where people were a moment ago, and gives identities to whom
    it finds. Where no camera is given, the field of view that the estimator reads from pictures
    is filtered over time, and one that it only assumes is corrected by the people who are seen.

    Parameters
    ----------
    estimator : Estimator
        Serves this alone from now on.
    parameters : Parameters or None
        None takes the estimator's.
    tracker : Tracker or None
        One that lives longer than this; None makes one.

    Attributes
    ----------
    detections : Detections or None
        What the estimator and other sensors said of the last picture, before it was tracked.

    Examples
    --------
    >>> perception = Perception(Estimator.load('anny-lite'))
    >>> scene = perception(Frame(rgb, stamp))

    """

    def __init__(
        self,
        estimator: Estimator,
        parameters: Parameters | None = None,
        *,
        tracker: Tracker | None = None,
    ) -> None:
        self.estimator = estimator
        self.tracker = Tracker() if tracker is None else tracker
        self._camera = CameraFromPeople() if estimator.assumes_camera else FieldOfViewFilter()
        estimator.camera_filter = self._camera
        self.detections: Detections | None = None
        self._reset_wanted = threading.Event()
        self.parameters = estimator.parameters if parameters is None else parameters

    @property
    def parameters(self) -> Parameters:
        """May be replaced between pictures; those that are marked dynamic take effect."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.estimator.parameters = parameters
        self.tracker.parameters = parameters.tracking

    @property
    def num_rejected(self) -> int:
        """How many people were left out because of numbers that are not finite."""
        return self.estimator.num_rejected + self.tracker.num_rejected

    def reset(self) -> None:
        """Forget everything before the next picture; may be called from any thread."""
        self._reset_wanted.set()

    def __call__(
        self, frame: Frame, surroundings: Surroundings | SurroundingsSource | None = None
    ) -> Scene:
        """
        Find everybody and say who they are.

        Parameters
        ----------
        frame : Frame
            In the order of time; a stamp that is earlier than the last one's resets the tracks.
            ``expected`` is filled in.
        surroundings : Surroundings, function without arguments that gives them, or None
            Correct people's sizes and distances, and tell the tracker how the camera moves.

        Returns
        -------
        Scene
            ``humans.timings_ms`` are the estimator's stages (or ``estimate``, if it names none),
            ``fusion`` (with the wait for surroundings, if there are any), then ``track``.
            ``humans.candidates`` are the estimator's, and the boxes of people whom it found but
            who belong to no track.

        """
        if self._reset_wanted.is_set():
            self._reset_wanted.clear()
            self.tracker.reset()
            self._camera.reset()
        begin = time.perf_counter()
        detections = self.estimator(replace(frame, expected=self.tracker.expected_boxes()))
        estimated = time.perf_counter()
        timings_ms = dict(detections.timings_ms) or {'estimate': 1e3 * (estimated - begin)}
        pose = None
        if surroundings is not None:
            known = surroundings() if callable(surroundings) else surroundings
            pose = known.world_from_camera
            detections = self._fused(detections, known)
            timings_ms['fusion'] = 1e3 * (time.perf_counter() - estimated)
        self.detections = detections
        fused = time.perf_counter()
        body = self.estimator.body
        scene = self.tracker.update(world_aligned(detections, body), pose)
        scene = replace(scene, humans=in_own_shape(scene.humans, body))
        if isinstance(self._camera, CameraFromPeople):
            self._camera.observe(scene)
        timings_ms['track'] = 1e3 * (time.perf_counter() - fused)
        shared = overlap(detections.bbox, scene.humans.bbox)
        untracked = ~(shared > _SAME_PERSON).any(axis=1)
        candidates = np.concatenate([detections.candidates, detections.bbox[untracked]])
        humans = replace(scene.humans, candidates=candidates, timings_ms=timings_ms)
        return replace(scene, humans=humans)

    def _fused(self, people: Detections, known: Surroundings) -> Detections:
        """Correct sizes and distances by floor and depth picture."""
        measurements = []
        if len(people) and known.ground is not None:
            measurements.append(scale_from_ground(people, known.ground))
        if len(people) and known.depth is not None:
            body = self.estimator.body
            measurements.append(
                scale_from_depth(
                    known.depth,
                    people.camera,
                    body.vertices(people, _SURFACE),
                    body.triangles(_SURFACE),
                    distance_spread(people),
                )
            )
        if not measurements:
            return people
        return fuse_scale(people, self.estimator.body, measurements)
