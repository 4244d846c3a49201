# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What one picture says about where and how tall people are, and how wrong it is.

A picture shows directions and, for a body of a given stature, the distance; the stature itself is
mostly a guess that stays wrong by the same factor for the same person. A body of another size
covers the same pixels at another distance, so the guess is wrong in both by the same factor.
Errors are therefore split into a bias, which is the person's for good, a wander that stature and
distance have in common, and what each has for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64Array = NDArray[np.float64]

# Assumed when an estimator gives no usable covariance: shares of distance and stature.
DEFAULT_DEPTH_STDDEV = 0.08
DEFAULT_STATURE_STDDEV = 0.07
STDDEV_RANGE = (0.005, 1.0)
# A distance that is surer than this share of the stature was measured, by a depth camera for
# instance; others rest on the stature.
MEASURED_BELOW = 0.5
# Of the variance of a stature, the share that changes from moment to moment; the rest is bias.
WANDER_SHARE = 0.2
# The same of the variance of a distance beyond what it has from the stature.
OWN_WANDER_SHARE = 0.5
# Least errors of the logarithms of distance and of stature beside what they have in common: how
# well a body fits the picture, and rounding.
FIT_STDDEV = 0.02
STATURE_FIT_STDDEV = 0.005
# Of the logarithm of a stature that nobody measured: anything.
UNKNOWN_VARIANCE = 1e4
# Across the ray: metres plus metres per metre of distance.
LATERAL_STDDEV_MIN = (0.005, 0.0005)
LATERAL_STDDEV_MAX = (0.06, 0.004)


@dataclass(frozen=True)
class Measurements:
    """
    Positions and statures with errors as the filter needs them.

    Parameters
    ----------
    position : ndarray, (N, 3), metres
        Optical frame.
    log_stature : ndarray, (N,)
        0 where the stature is unknown.
    variance : ndarray, (N, 4, 4)
        Of what changes from picture to picture in two angles (small ones, across the ray), in
        ln distance and in ln stature.
    coupling : ndarray, (N,)
        1 for a distance that rests on the stature and shares its bias, 0 for a measured one,
        beside which the stature is free of it.
    bias_variance : ndarray, (N,)
        Of the bias of ln stature.
    extra_variance : ndarray, (N,)
        Of ln distance beyond all this, because of the focal length for instance; no filter
        removes it.
    extra_stature_variance : ndarray, (N,)
        The same of ln stature.

    """

    position: Float64Array
    log_stature: Float64Array
    variance: Float64Array
    coupling: Float64Array
    bias_variance: Float64Array
    extra_variance: Float64Array
    extra_stature_variance: Float64Array

    def __getitem__(self, rows: NDArray[Any]) -> Measurements:
        """Take rows by an index array or a mask."""
        return Measurements(
            self.position[rows],
            self.log_stature[rows],
            self.variance[rows],
            self.coupling[rows],
            self.bias_variance[rows],
            self.extra_variance[rows],
            self.extra_stature_variance[rows],
        )


def measure(
    position: ArrayLike, covariance: ArrayLike, stature: ArrayLike, stature_stddev: ArrayLike
) -> Measurements:
    """
    Split the errors of positions and statures.

    Parameters
    ----------
    position : array, (N, 3), metres
        In the optical frame, not at its origin.
    covariance : array, (N, 3, 3), square metres
        As the estimator gives it; what is not finite or not positive is replaced by a default,
        and the standard deviations are kept in a plausible range.
    stature, stature_stddev : array, (N,), metres
        Not finite or not positive means unknown.

    Returns
    -------
    Measurements

    """
    position = np.asarray(position, np.float64)
    distance = np.linalg.norm(position, axis=-1)
    along, across = _along_and_across(position / distance[:, None], covariance)
    share = np.sqrt(np.where(along > 0, along, (DEFAULT_DEPTH_STDDEV * distance) ** 2)) / distance
    share = np.clip(share, *STDDEV_RANGE)
    (low, low_slope), (high, high_slope) = LATERAL_STDDEV_MIN, LATERAL_STDDEV_MAX
    lateral = np.sqrt(np.maximum(across, 0.0))
    lateral = np.clip(lateral, low + low_slope * distance, high + high_slope * distance)
    log_stature, stature_share, known = _statures(stature, stature_stddev)
    rests = known & (share > MEASURED_BELOW * stature_share)
    common = np.where(rests, np.minimum(share, stature_share), 0.0) ** 2
    own = share**2 - common
    fit = np.maximum(OWN_WANDER_SHARE * own, np.minimum(FIT_STDDEV, 0.7 * share) ** 2)
    wander = WANDER_SHARE * common
    stature_wander = WANDER_SHARE * stature_share**2 + STATURE_FIT_STDDEV**2
    variance = np.zeros((len(distance), 4, 4))
    variance[:, 0, 0] = variance[:, 1, 1] = (lateral / distance) ** 2
    variance[:, 2, 2] = wander + fit
    variance[:, 2, 3] = variance[:, 3, 2] = wander
    variance[:, 3, 3] = np.where(known, stature_wander, UNKNOWN_VARIANCE)
    return Measurements(
        position=position,
        log_stature=log_stature,
        variance=variance,
        coupling=rests.astype(np.float64),
        bias_variance=(1 - WANDER_SHARE) * np.where(rests, common, DEFAULT_STATURE_STDDEV**2),
        extra_variance=np.maximum(own - fit, 0.0),
        extra_stature_variance=np.where(rests, stature_share**2 - common, 0.0),
    )


def _along_and_across(
    rays: Float64Array, covariance: ArrayLike
) -> tuple[Float64Array, Float64Array]:
    """Variances (N,) along the rays and across them; 0 where unusable."""
    covariance = np.array(covariance, np.float64)
    covariance[~np.isfinite(covariance).all(axis=(1, 2))] = 0.0
    along = np.einsum('ni,nij,nj->n', rays, covariance, rays)
    across = 0.5 * (np.trace(covariance, axis1=1, axis2=2) - along)
    return along, across


def _statures(
    stature: ArrayLike, stddev: ArrayLike
) -> tuple[Float64Array, Float64Array, NDArray[np.bool_]]:
    """Logarithms, standard deviations as shares, and which are known, each (N,)."""
    stature, stddev = np.asarray(stature, np.float64), np.asarray(stddev, np.float64)
    known = np.isfinite(stature) & (stature > 0)
    metres = np.where(known, stature, 1.0)
    share = np.where(np.isfinite(stddev) & (stddev > 0), stddev / metres, DEFAULT_STATURE_STDDEV)
    return np.log(metres), np.clip(share, *STDDEV_RANGE), known
