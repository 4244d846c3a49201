# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Walking and standing that can be played for as long as one likes, from captured clips."""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
import numpy as np
from numpy.typing import NDArray

from training.pictures.motions import Motions

Float64Array = NDArray[np.float64]

# A full cycle is two steps: seconds, and travel in lengths of a leg.
_CYCLE_SECONDS = (0.85, 1.6)
_CYCLE_TRAVEL = (1.1, 2.6)
_WORST_LOOP_DEG = 11.0  # mean difference of the joints at both ends of a cycle
_WORST_TURN = 0.25  # radians within a cycle
_STANDING = ('standing_idle', 'conversation', 'carry')


@dataclass(frozen=True)
class Cycle:
    """
    Motion that repeats, facing and travelling along -y.

    Parameters
    ----------
    rotations : ndarray, (T, J, 3, 3)
        World-aligned E at equal steps of the phase; after the last comes the first.
    sway : ndarray, (T, 2)
        Middle of the hips, less the steady travel, in lengths of a leg.
    travel : float
        Along -y in one cycle, in lengths of a leg; 0 stands.
    seconds : float
        Of one cycle as captured.

    """

    rotations: Float64Array
    sway: Float64Array
    travel: float
    seconds: float

    def at(self, phase: float) -> tuple[Float64Array, Float64Array]:
        """Rotations (J, 3, 3) and sway (2,) at a phase; whole numbers start the cycle."""
        count = len(self.rotations)
        place = (phase % 1.0) * count
        share = place - int(place)
        k, following = int(place) % count, (int(place) + 1) % count
        sway = (1 - share) * self.sway[k] + share * self.sway[following]
        return between(self.rotations[k], self.rotations[following], share), sway


def between(a: Float64Array, b: Float64Array, share: float) -> Float64Array:
    """Rotations (J, 3, 3) on the shortest way from a to b."""
    if share <= 0:
        return a
    if share >= 1:
        return b
    return np.asarray(a @ rotvec_to_rotmat(share * rotmat_to_rotvec(np.swapaxes(a, -1, -2) @ b)))


def yaw_matrix(angle: float) -> Float64Array:
    """Rotation (3, 3) about z by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _headings(root: Float64Array) -> Float64Array:
    """Headings (T,), radians about z away from -y, of root rotations (T, 3, 3)."""
    front = -root[:, :, 1]
    angle: Float64Array = np.unwrap(np.arctan2(front[:, 0], -front[:, 1]))
    return angle


def _joint_angles(a: Float64Array, b: Float64Array) -> Float64Array:
    """Mean angle in degrees, (...), between rotations (..., C, 3, 3)."""
    trace = np.einsum('...cij,...cij->...c', a, b)
    return np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean(-1)


def _close(rotations: Float64Array, after: Float64Array) -> Float64Array:
    """Spread over a cycle (T, J, 3, 3) what is missing between its start and what follows it."""
    missing = rotmat_to_rotvec(rotations[0] @ np.swapaxes(after, -1, -2))  # (J, 3)
    share = (np.arange(len(rotations)) / len(rotations))[:, None, None]
    return np.asarray(rotvec_to_rotmat(share * missing) @ rotations)


def walking_cycle(motions: Motions, clip: int, num_joints: int) -> Cycle | None:
    """
    Find a cycle of straight walking in a clip.

    Parameters
    ----------
    motions : Motions
    clip : int
    num_joints : int

    Returns
    -------
    Cycle or None
        None if the clip holds none that closes well.

    """
    frames = motions.clip_frames(clip)
    fps = float(motions.fps[clip])
    E = motions.rotations(frames, num_joints)
    place = motions.root[frames, :2].astype(np.float64)
    moving = motions.joints[motions.joints > 0]
    heading = _headings(E[:, 0])
    best: tuple[float, int, int] | None = None
    for length in range(int(_CYCLE_SECONDS[0] * fps), int(_CYCLE_SECONDS[1] * fps) + 1):
        for i in range(len(frames) - length - 1):
            j = i + length
            travel = float(np.linalg.norm(place[j] - place[i]))
            turned = float(np.ptp(heading[i : j + 1] - heading[i : j + 1].mean()))
            steady = abs(heading[j] - heading[i])
            if not _CYCLE_TRAVEL[0] <= travel <= _CYCLE_TRAVEL[1] or steady > _WORST_TURN:
                continue
            if turned > 3 * _WORST_TURN:
                continue
            pair = _joint_angles(E[[i, i + 1]][:, moving], E[[j, j + 1]][:, moving])
            cost = float(pair.mean())
            if best is None or cost < best[0]:
                best = (cost, i, j)
    if best is None or best[0] > _WORST_LOOP_DEG:
        return None
    _, i, j = best
    travel = place[j] - place[i]
    turn = yaw_matrix(-float(np.arctan2(travel[0], -travel[1])))
    rotations = E[i:j].copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    after = E[j].copy()
    after[0] = turn @ after[0]
    distance = float(np.linalg.norm(travel))
    path = (place[i:j] - place[i]) @ turn[:2, :2].T
    path[:, 1] += distance * np.arange(j - i) / (j - i)
    return Cycle(_close(rotations, after), path - path.mean(0), distance, (j - i) / fps)


def standing_cycle(motions: Motions, clip: int, num_joints: int, seconds: float = 12.0) -> Cycle:
    """Play a clip forwards, then backwards, for ever, facing -y."""
    frames = motions.clip_frames(clip)
    frames = frames[: max(2, int(seconds * motions.fps[clip]))]
    frames = np.concatenate([frames, frames[-2:0:-1]])
    E = motions.rotations(frames, num_joints)
    E[:, 0] = yaw_matrix(-float(_headings(E[:, 0]).mean())) @ E[:, 0]
    place = motions.root[frames, :2].astype(np.float64)
    return Cycle(E, place - place.mean(0), 0.0, len(frames) / float(motions.fps[clip]))


@dataclass(frozen=True)
class Repertoire:
    """
    What people of a split can do for long.

    Parameters
    ----------
    walks, stands : tuple of Cycle

    """

    walks: tuple[Cycle, ...]
    stands: tuple[Cycle, ...]

    @staticmethod
    def find(motions: Motions, num_joints: int, count: int = 12) -> Repertoire:
        """Find up to ``count`` walks and as many ways to stand."""
        walking = [c for c in motions.clips if motions.category[c] == 'walk']
        walks: list[Cycle] = []
        for clip in walking:
            if len(walks) == count:
                break
            cycle = walking_cycle(motions, int(clip), num_joints)
            if cycle is not None:
                walks.append(cycle)
        standing = [
            c for c in motions.clips if motions.category[c] in _STANDING and motions.fps[c] > 1
        ][:count]
        return Repertoire(
            tuple(walks), tuple(standing_cycle(motions, int(c), num_joints) for c in standing)
        )
