# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
People's size and distance corrected by what other sensors say.

One picture shows a body up to its scale about the camera; a floor and a depth picture measure
that scale. Estimate and measurements are Gaussian in its logarithm and are multiplied, the surest
measurement first; one that contradicts what is known so far is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.geometry.ground import ScaleMeasurement
from anny_ros.inference.shape_memory import with_stature
from anny_ros.types import Detections
import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

# Measurements farther off than so many standard deviations belong to something else.
GATE = 3.0
# At a known distance the picture shows the stature up to this share: hair, shoes, bent knees. The
# tracker thereby sees that such a distance was measured and does not rest on a guessed stature.
FIT_STDDEV = 0.04
_PLACES = (
    'translation', 'joint_positions', 'keypoints_3d', 'position', 'head_position',
    'ground_position',
)  # fmt: skip


def distance_spread(people: Detections) -> Float64Array:
    """
    Read how sure distances are.

    Parameters
    ----------
    people : Detections
        N rows.

    Returns
    -------
    ndarray, (N,), float64
        Standard deviation of the logarithm of the distance, from the covariance along the viewing
        ray; 0 where that is unusable.

    """
    ray, distance = _rays(people)
    covariance = people.position_covariance.astype(np.float64)
    variance = np.einsum('ni,nij,nj->n', ray, covariance, ray) / distance**2
    usable = np.isfinite(variance) & (variance > 0)
    return np.sqrt(np.where(usable, variance, 0.0))


def fuse_scale(
    people: Detections, body: BodyModel, measurements: Sequence[ScaleMeasurement]
) -> Detections:
    """
    Scale people about the camera to where estimate and measurements agree best.

    Parameters
    ----------
    people : Detections
        N rows; not changed.
    body : BodyModel
        That of the rows.
    measurements : sequence of ScaleMeasurement
        N rows each, relative to ``people``, with errors independent of each other.

    Returns
    -------
    Detections
        Everything metric is scaled, so that people cover the same pixels (what is 2D is the
        same). The covariance along the ray is that of the product; statures keep besides what
        a body fits the picture badly (``FIT_STDDEV``). The height of the phenotype is such that
        the mesh has the new stature (as far as bodies of this age go). Rows without a
        measurement, or whose covariance is unusable, stay as they are.

    """
    prior = distance_spread(people)
    if not measurements or not len(people) or not prior.any():
        return people
    log_scale, spread = _product(prior, measurements)
    changed = (spread < prior) & np.isfinite(log_scale)
    if not changed.any():
        return people
    scale = np.where(changed, np.exp(log_scale), 1.0)
    stature = scale * people.stature
    before = people.stature_stddev.astype(np.float64) / people.stature
    after = np.minimum(np.hypot(spread, FIT_STDDEV), np.maximum(spread, before))
    stature_stddev = np.where(changed, after * stature, people.stature_stddev)
    phenotype = people.phenotype.copy()
    phenotype[changed] = with_stature(phenotype[changed], stature[changed], body)
    # Only the deviation along the ray changes its share of the distance.
    ray, _ = _rays(people)
    shrink = np.where(changed, spread / np.where(prior > 0, prior, 1.0), 1.0) - 1
    A = np.eye(3) + shrink[:, None, None] * ray[:, :, None] * ray[:, None, :]
    A *= scale[:, None, None]
    covariance = A @ people.position_covariance @ A.swapaxes(1, 2)
    places = {
        name: getattr(people, name) * scale.reshape(-1, *[1] * (getattr(people, name).ndim - 1))
        for name in _PLACES
    }
    return replace(
        people,
        phenotype=phenotype,
        stature=stature,
        stature_stddev=stature_stddev,
        position_covariance=np.where(
            changed[:, None, None], covariance, people.position_covariance
        ),
        **places,
    )


def _rays(people: Detections) -> tuple[Float64Array, Float64Array]:
    """Directions (N, 3) of unit length to the pelvises, and distances (N,)."""
    position = people.position.astype(np.float64)
    distance = np.maximum(np.linalg.norm(position, axis=1), 1e-6)
    return position / distance[:, None], distance


def _product(
    prior: Float64Array, measurements: Sequence[ScaleMeasurement]
) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation (N,) of log scale, of the prior times what passes the gate."""
    values = np.stack([np.asarray(m.log_scale, np.float64) for m in measurements])
    spreads = np.stack([np.asarray(m.stddev, np.float64) for m in measurements])
    surest = np.argsort(spreads, axis=0)
    values = np.take_along_axis(values, surest, axis=0)
    spreads = np.take_along_axis(spreads, surest, axis=0)
    mean, variance = np.zeros_like(prior), prior**2
    for value, spread in zip(values, spreads, strict=True):
        known = np.isfinite(spread) & np.isfinite(value) & (spread > 0) & (variance > 0)
        noise = np.where(known, spread, 1.0) ** 2
        innovation = np.where(known, value, 0.0) - mean
        accepted = known & (innovation**2 <= GATE**2 * (variance + noise))
        gain = np.where(accepted, variance / (variance + noise), 0.0)
        mean = mean + gain * innovation
        variance = (1 - gain) * variance
    return mean, np.sqrt(variance)
