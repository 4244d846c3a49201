# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A field of view that is guessed anew in every picture, filtered over time.

A network's guess of the focal length jitters by several percent from picture to picture, and
every distance with it, while a lens hardly ever changes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
import math
from statistics import fmean

from anny_ros.types import Camera, CameraSource

# Share of a guess's variance that all guesses of the same camera have in common, so that no
# averaging removes it. An assumption: the published distance errors with a predicted and with
# the true camera differ by more than jitter explains, but nobody has split the two.
SYSTEMATIC_SHARE = 0.5
# Random walk of the logarithm of the focal length, per square root of a second: forgets guesses
# after some seconds, since their errors change with the scene more than lenses do.
DRIFT = 0.002
# A guess that is farther off than so many standard deviations is not taken in.
GATE = 3.0
# The camera has changed when the median of the recent guesses is off by so many standard
# deviations of one guess, or by so many of the median, whichever is more.
CHANGE = 1.5
CHANGE_OF_MEDIAN = 5.0
# What is recent: this many seconds, but at least and at most so many guesses.
RECENT = 0.7
FEWEST, MOST = 7, 256
# Standard deviation of a median over that of a mean of independent normal numbers.
_MEDIAN_RATIO = 1.2533


class FieldOfViewFilter:
    """
    A scalar Kalman filter on the logarithm of the focal length, with an outlier gate.

    The logarithm, because errors of the focal length are relative and distances follow it in
    proportion. Single outliers are left out; a zoom or another camera, which the median of the
    recent guesses shows, starts the filter anew from those. So do time that goes back and
    another size of picture.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the camera; the next guess is taken as it is."""
        self._log_focal = math.nan
        self._variance = math.inf  # without the systematic part
        self._size = (0, 0)
        self._stamp = math.inf
        self._recent: deque[tuple[float, float]] = deque(maxlen=MOST)

    def __call__(self, camera: Camera, stamp: float) -> Camera:
        """
        Take in the guess of one picture.

        Parameters
        ----------
        camera : Camera
            As guessed from this picture alone; one that is not ``ESTIMATED`` passes unchanged.
        stamp : float, seconds
            Of the picture.

        Returns
        -------
        Camera
            The same with the filtered focal lengths (their ratio stays) and standard deviation,
            which never falls below the systematic share of a guess's.

        """
        if camera.source != CameraSource.ESTIMATED:
            return camera
        guess = math.log(camera.K[0, 0])
        # f = (w / 2) / tan(hfov / 2), so d log f = -d hfov / sin(hfov).
        stddev = max(camera.hfov_stddev / math.sin(camera.hfov), 1e-6)
        random = (1.0 - SYSTEMATIC_SHARE) * stddev**2
        size = (camera.width, camera.height)
        if size != self._size or stamp < self._stamp:
            self.reset()
            self._size = size
            self._log_focal, self._variance = guess, random
            self._recent.append((stamp, guess))
        else:
            self._update(guess, stddev, random, stamp)
        self._stamp = stamp
        K = camera.K.copy()
        K[:2, :2] *= math.exp(self._log_focal - guess)
        filtered = replace(camera, K=K)
        spread = math.sqrt(self._variance + SYSTEMATIC_SHARE * stddev**2)
        return replace(filtered, hfov_stddev=spread * math.sin(filtered.hfov))

    def _update(self, guess: float, stddev: float, random: float, stamp: float) -> None:
        self._variance += DRIFT**2 * (stamp - self._stamp)
        self._recent.append((stamp, guess))
        while len(self._recent) > FEWEST and stamp - self._recent[0][0] > RECENT:
            self._recent.popleft()
        guesses = sorted(value for _, value in self._recent)
        median = guesses[len(guesses) // 2]  # one of them, never the middle of two clusters
        share = CHANGE_OF_MEDIAN * _MEDIAN_RATIO / math.sqrt(len(guesses))
        off = abs(median - self._log_focal) > max(CHANGE, share) * stddev
        if off and len(guesses) >= FEWEST:
            self._recent = deque(
                (pair for pair in self._recent if abs(pair[1] - median) <= 2.0 * stddev), MOST
            )
            self._log_focal = fmean(value for _, value in self._recent)
            self._variance = random / len(self._recent)
        elif abs(guess - self._log_focal) <= GATE * math.hypot(math.sqrt(self._variance), stddev):
            gain = self._variance / (self._variance + random)
            self._log_focal += gain * (guess - self._log_focal)
            self._variance *= 1.0 - gain
