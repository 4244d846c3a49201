# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Bodies without jitter: rotations and joints of each person, filtered over time.

The one-euro filter (Casiez, Roussel and Vogel 2012): a low-pass whose cut-off rises with the
speed, so that somebody who stands still does not tremble and a swinging arm does not lag. Rotation
matrices are filtered as they are and made orthonormal again, which for the small steps between
two pictures is as good as along arcs. Everything is float32 and in optical axes; a camera that is
known to turn turns what is remembered along.

Keypoint networks exchange left and right for a picture or two, and the whole body then faces the
other way, which nobody does within so little time. Such a look is not believed until looks like it
outlast those that agree by ``TURN_TIME``; until then the last body is shown, where the person is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from anny_ros.types import Detections, FloatArray
import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

# Cut-off frequency in Hz: at rest, and its rise by speed, per rad/s and per m/s.
REST_CUTOFF = 0.7
ROTATION_SLOPE = 1.5
POSITION_SLOPE = 3.0
SPEED_CUTOFF = 1.0
# After this long without a look a body begins anew, in seconds.
LONGEST_STEP = 0.5
# A root that turned farther than this (radians) from one picture to the next contradicts what was
# known, and is believed after this long (seconds): who turns fast turns 90 degrees meanwhile.
LARGEST_TURN = 2.1
TURN_TIME = 0.3
_SINGLE = ('head_position', 'ground_position', 'translation')


@dataclass
class Poses:
    """
    Filtered bodies of T people and how fast they change.

    Parameters
    ----------
    rotations : ndarray, (T, 2 J, 3, 3), float32
        ``Detections.rotations``, then ``joint_orientations``.
    offsets : ndarray, (T, J + 20, 3), float32, metres
        Joints, 17 keypoints, head, ground and root, relative to the pelvis.
    rotation_rates, offset_rates : ndarray
        Of the same shapes, per second.
    doubt : ndarray, (T,), float32, seconds
        By how much looks that contradict the orientation of the root outlasted those that agree.

    """

    rotations: Float32Array
    offsets: Float32Array
    rotation_rates: Float32Array
    offset_rates: Float32Array
    doubt: Float32Array

    @classmethod
    def of(cls, people: Detections) -> Poses:
        """Begin with bodies as they are, at rest."""
        position = people.position[:, None]
        rotations = np.concatenate([people.rotations, people.joint_orientations], axis=1)
        points = [people.joint_positions, people.keypoints_3d]
        points += [getattr(people, name)[:, None] for name in _SINGLE]
        offsets = np.concatenate(points, axis=1) - position
        return cls(
            np.asarray(rotations, np.float32),
            np.asarray(offsets, np.float32),
            np.zeros_like(rotations, np.float32),
            np.zeros_like(offsets, np.float32),
            np.zeros(len(people), np.float32),
        )

    def __getitem__(self, rows: NDArray[np.intp]) -> Poses:
        """Take people by an index array."""
        return Poses(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __setitem__(self, rows: NDArray[np.intp], other: Poses) -> None:
        """Replace people by an index array."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(other, f.name)

    def joined(self, other: Poses) -> Poses:
        """Return these people followed by others."""
        return Poses(
            *(
                np.concatenate([getattr(self, f.name), getattr(other, f.name)])
                for f in fields(self)
            )
        )

    def turned(self, R: FloatArray) -> Poses:
        """Express everything in the optical axes of a camera that turned by R (3, 3)."""
        R = R.astype(np.float32)
        half = self.rotations.shape[1] // 2
        result = replace(self, rotations=self.rotations.copy())
        # Local rotations stay; the root's and the joints' orientations are seen anew.
        seen = [0, *range(half, 2 * half)]
        result.rotations[:, seen] = R @ self.rotations[:, seen]
        result.rotation_rates = self.rotation_rates.copy()
        result.rotation_rates[:, seen] = R @ self.rotation_rates[:, seen]
        result.offsets = np.asarray(self.offsets @ R.T, np.float32)
        result.offset_rates = np.asarray(self.offset_rates @ R.T, np.float32)
        return result

    def followed(self, people: Detections, since: FloatArray) -> Poses:
        """
        Filter the next look at each person.

        Parameters
        ----------
        people : Detections
            T rows.
        since : ndarray, (T,), seconds
            Since the last look; none at all changes nothing, a long one begins anew, and so does
            one that contradicted for long enough.

        """
        seen = Poses.of(people)
        again, anew = since <= 0, since > LONGEST_STEP
        against = _angles(self.rotations[:, 0], seen.rotations[:, 0]) > LARGEST_TURN
        doubt = np.maximum(self.doubt + np.where(against, since, -since), 0).astype(np.float32)
        anew = anew | (against & (doubt >= TURN_TIME))
        held = again | (against & ~anew)
        step = np.where(held | anew, 1.0, since).astype(np.float32)
        rotations, rotation_rates = _one_euro(
            self.rotations, self.rotation_rates, seen.rotations, step, ROTATION_SLOPE
        )
        offsets, offset_rates = _one_euro(
            self.offsets, self.offset_rates, seen.offsets, step, POSITION_SLOPE
        )
        result = Poses(_orthonormal(rotations), offsets, rotation_rates, offset_rates, doubt)
        for rows, source in ((anew, seen), (held, replace(self, doubt=doubt))):
            if rows.any():
                result[np.flatnonzero(rows)] = source[np.flatnonzero(rows)]
        return result

    def bodies(self, people: Detections) -> Detections:
        """Put the filtered bodies (T rows) at the pelvises of ``people``; nothing is shared."""
        joints = people.rotations.shape[1]
        points = people.position[:, None] + self.offsets
        single: dict[str, Any] = {
            name: points[:, joints + 17 + i] for i, name in enumerate(_SINGLE)
        }
        return replace(
            people,
            rotations=self.rotations[:, :joints].copy(),
            joint_orientations=self.rotations[:, joints:].copy(),
            joint_positions=points[:, :joints],
            keypoints_3d=points[:, joints : joints + 17],
            **single,
        )


def _angles(first: Float32Array, second: Float32Array) -> Float32Array:
    """Angles (T,) of the rotations between matrices (T, 3, 3), radians."""
    cosines = 0.5 * (np.einsum('tij,tij->t', first, second) - 1)
    return np.asarray(np.arccos(np.clip(cosines, -1, 1)), np.float32)


def _one_euro(
    old: Float32Array, rate: Float32Array, seen: Float32Array, step: Float32Array, slope: float
) -> tuple[Float32Array, Float32Array]:
    """
    Filter values (T, K, …) by the speed of each of the K.

    Returns the values and their rates. The speed of a rotation matrix is its Frobenius norm over
    the root of 2, which is the angular velocity.
    """
    num, count = old.shape[:2]
    inner = old.ndim - 2
    flat, x = (values.reshape(num, count, 3**inner) for values in (old, seen))
    change = x - flat
    share = _gain(np.full(num, SPEED_CUTOFF, np.float32), step)[:, None, None]
    rates = (1 - share) * rate.reshape(flat.shape)
    rates += (share / step[:, None, None]) * change
    speed = np.sqrt(np.einsum('tkc,tkc->tk', rates, rates) * np.float32(1 / inner))
    gain = _gain(REST_CUTOFF + np.float32(slope) * speed, step[:, None])
    change *= gain[..., None]
    change += flat
    return change.reshape(old.shape), rates.reshape(old.shape)


def _gain(cutoff: Float32Array, step: Float32Array) -> Float32Array:
    """Share of a new value in a low-pass of a cut-off in Hz, for a step in seconds."""
    phase = np.float32(2 * np.pi) * cutoff * step
    return np.asarray(phase / (1 + phase), np.float32)


def _orthonormal(matrices: Float32Array) -> Float32Array:
    """Rotations near matrices (..., 3, 3), by Gram-Schmidt on the columns."""
    # Numbers by component: long loops over people and joints instead of many short ones.
    columns = np.ascontiguousarray(np.moveaxis(matrices, (-1, -2), (0, 1)))  # (3, 3, ...)
    a, b = columns[0], columns[1]
    a /= np.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    b -= (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) * a
    b /= np.sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2])
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        columns[2, i] = a[j] * b[k] - a[k] * b[j]
    return np.ascontiguousarray(np.moveaxis(columns, (0, 1), (-1, -2)))
