# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""An assumed lens, corrected over time by the people who are seen through it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
import math

from anny_ros.geometry.standing_people import fit_lens, Lens, Looks
from anny_ros.types import Camera, CameraSource, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

_EARS, _SHOULDERS, _KNEES, _ANKLES, _FACE = [3, 4], [5, 6], [13, 14], [15, 16], slice(0, 5)
_LEAST_CONFIDENCE = 0.3
# Whoever is shorter than this share of the stature sits or bends down; whoever is smaller than
# this in the picture says little.
_UPRIGHT, _SMALLEST_PX = 0.8, 50.0
# Looks at a person are at least so far apart, in seconds; so many of each, the newest, of so many.
_SPACING = 0.5
_LOOKS_EACH, _PEOPLE = 20, 16
# Fewer looks than this say nothing.
_FEWEST = 4
# How well the length of a body can be known at best (logarithm).
_LEAST_LENGTH_STDDEV = 0.05
# The shown focal length goes this much a second at most towards the fitted one, so that nobody
# seems to run because the lens became better known.
_RATE = 0.05
# Of so many newest looks, the middle one is off by this many standard deviations: the camera was
# turned to another tilt or height, and only what is known of the lens carries over, less surely.
_RECENT, _OFF, _TURNED_STDDEV = 9, 3.0, 0.05
# Errors of the model of people as sticks, of the logarithm of the focal length.
_MODEL_STDDEV = 0.03


@dataclass(frozen=True)
class _Look:
    """One look at one person; see ``Looks``."""

    stamp: float
    points: Float64Array  # (4, 2): foot, head, knee, shoulder
    length: float
    length_stddev: float


class CameraFromPeople:
    """
    Correct an assumed field of view by people who stand and walk on one floor.

    The assumption, with its standard deviation, is the prior of a fit to looks at people over
    time; see ``standing_people``. People on a level floor seen by a camera that looks level say
    nothing, and the assumption stays.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the camera and everybody."""
        self._assumed: Camera | None = None
        self._stamp = math.inf
        self._looks: dict[int, deque[_Look]] = {}
        self._newest: deque[tuple[int, _Look]] = deque(maxlen=_RECENT)
        self._prior = (0.0, math.inf)
        self._lens: Lens | None = None
        self._shown = 0.0

    def __call__(self, camera: Camera, stamp: float) -> Camera:
        """
        Correct what is assumed of a picture's camera.

        Parameters
        ----------
        camera : Camera
            As assumed, with the standard deviation of the assumption; one that is not
            ``ESTIMATED``, or is sure, passes unchanged. Another one, or time that goes back,
            starts anew.
        stamp : float, seconds
            Of the picture.

        Returns
        -------
        Camera
            The same with focal lengths (their ratio stays) and standard deviation as they are
            known from everybody seen so far.

        """
        if camera.source != CameraSource.ESTIMATED or not camera.hfov_stddev > 0:
            return camera
        if not self._same(camera) or stamp < self._stamp:
            self.reset()
            self._assumed = camera
            self._prior = (0.0, camera.hfov_stddev / math.sin(camera.hfov))
        known, stddev = self._prior
        if self._lens is not None:
            known, stddev = self._lens.log_focal, math.hypot(self._lens.stddev, _MODEL_STDDEV)
        reach = _RATE * max(stamp - self._stamp, 0.0) if math.isfinite(self._stamp) else 0.0
        self._shown += min(max(known - self._shown, -reach), reach)
        self._stamp = stamp
        K = camera.K.copy()
        K[:2, :2] *= math.exp(self._shown)
        corrected = replace(camera, K=K)
        spread = min(math.hypot(stddev, known - self._shown), self._first_stddev)
        # f = (w / 2) / tan(hfov / 2), so d log f = -d hfov / sin(hfov).
        return replace(corrected, hfov_stddev=spread * math.sin(corrected.hfov))

    @property
    def _first_stddev(self) -> float:
        assert self._assumed is not None
        return self._assumed.hfov_stddev / math.sin(self._assumed.hfov)

    def _same(self, camera: Camera) -> bool:
        old = self._assumed
        return (
            old is not None
            and (old.width, old.height) == (camera.width, camera.height)
            and np.array_equal(old.K, camera.K)
            and old.hfov_stddev == camera.hfov_stddev
        )

    def observe(self, scene: Scene) -> None:
        """Learn from everybody in a picture whose camera this corrected; others change nothing."""
        if self._assumed is None or scene.camera.source != CameraSource.ESTIMATED:
            return
        fresh = False
        for row in self._upright(scene):
            number = int(scene.track_numbers[row])
            looks = self._looks.setdefault(number, deque(maxlen=_LOOKS_EACH))
            if looks and scene.stamp - looks[-1].stamp < _SPACING:
                continue
            look = self._look(scene, row)
            looks.append(look)
            self._newest.append((number, look))
            fresh = True
        for number in sorted(self._looks, key=lambda n: self._looks[n][-1].stamp)[:-_PEOPLE]:
            del self._looks[number]
        if fresh and sum(map(len, self._looks.values())) >= _FEWEST:
            self._fit()

    def _upright(self, scene: Scene) -> NDArray[np.intp]:
        """Rows of those who are seen from head to foot, and stand or walk."""
        humans, camera = scene.humans, scene.camera
        points, pixels = humans.keypoints_3d, humans.keypoints_2d
        sure = humans.keypoint_confidences
        span = points[:, _EARS].mean(1) - points[:, _ANKLES].mean(1)
        shown = pixels[:, _EARS].mean(1) - pixels[:, _ANKLES].mean(1)
        size = np.array([camera.width, camera.height])
        inside = np.asarray(((pixels >= 0) & (pixels < size)).all(axis=-1))
        seen = (scene.states == TrackState.TRACKED) & (scene.time_since_observed <= 0)
        seen &= inside[:, _EARS].all(1) & inside[:, _ANKLES].all(1)
        seen &= (sure[:, _SHOULDERS + _KNEES + _ANKLES] > _LEAST_CONFIDENCE).all(1)
        seen &= sure[:, _FACE].max(1, initial=0) > _LEAST_CONFIDENCE
        seen &= np.linalg.norm(shown, axis=1) > _SMALLEST_PX
        seen &= np.isfinite(humans.stature) & np.isfinite(humans.stature_stddev)
        return np.flatnonzero(seen & (np.linalg.norm(span, axis=1) > _UPRIGHT * humans.stature))

    def _look(self, scene: Scene, row: int) -> _Look:
        assert self._assumed is not None
        humans, K = scene.humans, self._assumed.K
        pixels = humans.keypoints_2d[row].astype(np.float64)
        plane = (pixels - K[:2, 2]) / [K[0, 0], K[1, 1]]
        points = humans.keypoints_3d[row].astype(np.float64)
        length = np.linalg.norm(points[_EARS].mean(0) - points[_ANKLES].mean(0))
        spread = float(humans.stature_stddev[row] / humans.stature[row])
        return _Look(
            scene.stamp,
            plane[[_ANKLES, _EARS, _KNEES, _SHOULDERS]].mean(1),
            float(length),
            max(spread, _LEAST_LENGTH_STDDEV),
        )

    def _fit(self) -> None:
        looks = self._collected()
        lens = fit_lens(looks, *self._prior, self._lens)
        if len(looks.length) > 2 * _RECENT and self._turned(lens):
            self._prior = (lens.log_focal, math.hypot(lens.stddev, _TURNED_STDDEV))
            self._looks = {}
            for number, look in self._newest:
                self._looks.setdefault(number, deque(maxlen=_LOOKS_EACH)).append(look)
            self._newest.clear()
            lens = fit_lens(self._collected(), *self._prior)
        self._lens = lens

    def _collected(self) -> Looks:
        people = list(self._looks.values())
        everyone = [look for looks in people for look in looks]
        foot, head, knee, shoulder = np.stack([look.points for look in everyone], axis=1)
        return Looks(
            foot=foot,
            head=head,
            knee=knee,
            shoulder=shoulder,
            length=np.array([look.length for look in everyone]),
            person=np.repeat(np.arange(len(people)), [len(looks) for looks in people]),
            length_stddev=np.array([looks[-1].length_stddev for looks in people]),
        )

    def _turned(self, lens: Lens) -> bool:
        """Whether the newest looks no longer fit, though the older ones do."""
        order = [look for looks in self._looks.values() for look in looks]
        newest = {id(look) for _, look in self._newest}
        recent = np.array([id(look) in newest for look in order])
        if recent.sum() < _RECENT:
            return False
        return bool(np.median(lens.misfit[recent]) > _OFF > 2 * np.median(lens.misfit[~recent]))
