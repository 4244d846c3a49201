# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
One person's body refined over all pictures of a track at once: offline, nothing is too late.

Unknowns are a rotation of each joint and the place in every picture, and one phenotype for all of
them. They are pulled onto the keypoints (robustly, by their confidence), held near what was said
picture by picture, moved smoothly (white noise of acceleration, in the world if the camera's pose
is known), and set on the floor where one is known. A step of Gauss-Newton is solved by conjugate
gradients: pictures are coupled to their neighbours alone, and to the phenotype.

Shapes: F pictures, J joints, M = 3 J + 3 unknowns of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from anny_ros.body.skeleton import PosedSkeleton
from anny_ros.keypoints.refine import Refiner, rotations_from_rotvec
from anny_ros.keypoints.view import NUM_KEYPOINTS
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

_HIPS, _ANKLES = slice(11, 13), slice(15, 17)
_NEAREST = 0.1  # metres
_PHENOTYPE = 6
_FIRST_OUTLIERS = 16.0


@dataclass(frozen=True)
class Floor:
    """
    The floor in each picture.

    Parameters
    ----------
    up : Tensor, (F, 3)
        Against gravity, optical frame, of length 1.
    camera_height : Tensor, (F,), metres
        Of the camera above the ankles of somebody who stands there.

    """

    up: Tensor
    camera_height: Tensor


@dataclass(frozen=True)
class Track:
    """
    What is known of one person in F pictures, in the order of time.

    Parameters
    ----------
    stamps : Tensor, (F,), float64, seconds
    rays : Tensor, (F, 17, 2)
        Tangents x / z, y / z of the measured keypoints.
    confidences : Tensor, (F, 17)
        0 marks a keypoint that was not seen.
    rotations : Tensor, (F, J, 3, 3)
        World-aligned, as said picture by picture; the root's to the optical frame.
    translation : Tensor, (F, 3), metres
        Root joint.
    position : Tensor, (F, 3), metres; position_precision : Tensor, (F, 3, 3)
        Middle of the hips as it was measured, and the inverse of its covariance.
    phenotype, phenotype_stddev : Tensor, (6,)
    world_rotation : Tensor, (F, 3, 3); world_translation : Tensor, (F, 3)
        Optical frame to a world that stands still; identity for a camera that stands still.
    floor : Floor or None

    """

    stamps: Tensor
    rays: Tensor
    confidences: Tensor
    rotations: Tensor
    translation: Tensor
    position: Tensor
    position_precision: Tensor
    phenotype: Tensor
    phenotype_stddev: Tensor
    world_rotation: Tensor
    world_translation: Tensor
    floor: Floor | None = None


@dataclass(frozen=True)
class TrackWeights:
    """
    How residuals are weighed.

    Parameters
    ----------
    keypoint_stddev, confidence_power, outlier
        As in ``RefinementWeights``.
    rotation_stddev : float, radians
        Of what was said of a joint in one picture.
    joint_acceleration, root_acceleration : float, rad/s^2; place_acceleration : float, m/s^2
        As if drawn anew 30 times a second.
    longest_gap : float, seconds
        What lies farther apart is not smoothed.
    sole_stddev : float, metres
        Of the lower ankle from the floor.

    """

    keypoint_stddev: float = 0.02
    confidence_power: float = 1.0
    outlier: float = 2.5
    rotation_stddev: float = 0.15
    joint_acceleration: float = 12.0
    root_acceleration: float = 6.0
    place_acceleration: float = 4.0
    longest_gap: float = 0.5
    sole_stddev: float = 0.03


@dataclass(frozen=True)
class RefinedTrack:
    """Rotations (F, J, 3, 3), translation (F, 3) and phenotype (6,); as in ``Track``."""

    rotations: Tensor
    translation: Tensor
    phenotype: Tensor


@dataclass(frozen=True)
class _Equations:
    """Normal equations of all but smoothness: (F, M + 6, M + 6), (F, M + 6), and their cost."""

    H: Tensor
    g: Tensor
    cost: float


class TrackRefiner(Refiner):
    """
    Gauss-Newton over whole tracks.

    Parameters
    ----------
    skeleton : Skeleton
        Of the joints that the rotations are of.
    iterations : int
    track_weights : TrackWeights or None

    """

    def refine_track(
        self,
        track: Track,
        weights: TrackWeights | None = None,
        steps: int = 12,
        progress: Callable[[], object] | None = None,
    ) -> RefinedTrack:
        """
        Refine one person.

        Parameters
        ----------
        track : Track
            At least one picture.
        weights : TrackWeights or None
        steps : int
            At most so many steps of Gauss-Newton.
        progress : callable or None
            Is called after each step.

        Returns
        -------
        RefinedTrack

        """
        w = weights or TrackWeights()
        smoothness = _Smoothness.of(track, w, self.skeleton.num_joints)
        state = RefinedTrack(track.rotations, track.translation, track.phenotype)
        with torch.inference_mode():
            motion = smoothness.of_state(state)
            for outlier in w.outlier * _annealing(steps):
                scaled = replace(w, outlier=outlier)
                equations = self._equations(track, state, scaled)
                delta, shape = _solve(equations, smoothness, motion)
                cost = equations.cost + smoothness.cost(motion)
                for _ in range(4):
                    tried = _moved(state, delta, shape)
                    there = self._equations(track, tried, scaled, linearise=False)
                    moving = smoothness.of_state(tried)
                    if there.cost + smoothness.cost(moving) < cost:
                        break
                    delta, shape = delta / 4, shape / 4
                else:
                    break
                gain = cost - there.cost - smoothness.cost(moving)
                state, motion = tried, moving
                if progress is not None:
                    progress()
                if gain < 1e-4 * cost and outlier == w.outlier:
                    break
        return state

    def _equations(
        self, track: Track, state: RefinedTrack, w: TrackWeights, linearise: bool = True
    ) -> _Equations:
        """Linearise keypoints, what was said, places and floor; or only tell their cost."""
        F, J = state.rotations.shape[:2]
        shape = state.phenotype[None]
        posed = self.skeleton.pose(self.skeleton.rest(shape.expand(F, -1)), state.rotations)
        points = posed.landmarks[:, :NUM_KEYPOINTS] + state.translation[:, None]
        size = 3 * J + 3 + _PHENOTYPE
        by_all = (
            self._derivatives(state, posed) if linearise else points.new_zeros(F, 17, 3, size)
        )  # (F, 17, 3, M + 6)
        H, g = points.new_zeros(F, size, size), points.new_zeros(F, size)
        cost = 0.0

        def add(jacobian: Tensor, residual: Tensor, fit: Tensor) -> None:
            """Take in residuals (F, R), to be reduced along jacobian (F, R, M + 6)."""
            if not linearise:
                return
            weighed = jacobian * fit[..., None]
            H.add_(weighed.transpose(1, 2) @ jacobian)
            g.add_((weighed.transpose(1, 2) @ residual[..., None])[..., 0])

        z = points[..., 2:].clamp_min(_NEAREST)
        xy = points[..., :2] / z
        flat = (by_all[..., :2, :] - xy[..., None] * by_all[..., 2:, :]) / z[..., None]
        sigma = w.keypoint_stddev * _extents(track)[:, None]
        sigma = sigma * track.confidences.clamp_min(1e-3) ** -w.confidence_power
        residual = (track.rays - xy) / sigma[..., None]
        squared = residual.square().sum(-1)
        seen = (track.confidences > 0).float()
        fit = seen / (1 + squared / w.outlier**2) ** 2
        cost += float((seen * squared / (1 + squared / w.outlier**2)).sum())
        add((flat / sigma[..., None, None]).flatten(1, 2), residual.flatten(1),
            fit.repeat_interleave(2, 1))  # fmt: skip

        hips = by_all[:, _HIPS].mean(1)
        off = track.position - points[:, _HIPS].mean(1)
        root = torch.linalg.cholesky(track.position_precision).transpose(1, 2)
        away = (root @ off[..., None])[..., 0]
        cost += float(away.square().sum())
        add(root @ hips, away, torch.ones_like(away))

        if track.floor is not None:
            up = track.floor.up[:, None]
            above = (points[:, _ANKLES] * up).sum(-1) + track.floor.camera_height[:, None]
            lower = above.argmin(1)
            rows = torch.arange(F)
            lift = above[rows, lower][:, None] / w.sole_stddev
            squared = lift.square()
            cost += float((squared / (1 + squared / w.outlier**2)).sum())
            down = (by_all[:, _ANKLES][rows, lower] * up.transpose(1, 2)).sum(1)[:, None]
            add(down / w.sole_stddev, -lift, 1 / (1 + squared / w.outlier**2) ** 2)

        turned = rotvec_from_rotations(state.rotations @ track.rotations.transpose(-1, -2))
        # a rotation's standard deviation is that of its angle: a third of the variance each axis
        said = torch.full((3 * J,), 3 / w.rotation_stddev**2)
        diagonal = H.diagonal(dim1=1, dim2=2)
        diagonal[:, : 3 * J] += said
        g[:, : 3 * J] -= said * turned.flatten(1)
        cost += float((said * turned.flatten(1).square()).sum())
        precision = track.phenotype_stddev**-2 / F  # the same in all pictures: once in their sum
        shaped = state.phenotype - track.phenotype
        diagonal[:, 3 * J + 3 :] += precision
        g[:, 3 * J + 3 :] -= precision * shaped
        cost += float(F * (precision * shaped.square()).sum())
        return _Equations(H, g, cost)

    def _derivatives(self, state: RefinedTrack, posed: PosedSkeleton) -> Tensor:
        """Differentiate the keypoints by all unknowns of a picture, (F, 17, 3, M + 6)."""
        F = len(state.rotations)
        by_place = torch.eye(3).expand(F, NUM_KEYPOINTS, 3, 3)
        moved = self._keypoints_by_shape(state, posed)
        return torch.cat([self._rotation_derivative(posed), by_place, moved], -1)

    def _keypoints_by_shape(self, state: RefinedTrack, posed: PosedSkeleton) -> Tensor:
        """Differentiate the keypoints by the phenotype, (F, 17, 3, 6), numerically."""
        F = len(state.rotations)
        # towards the middle, so that the step never leaves 0..1
        slopes = []
        for k in range(_PHENOTYPE):
            step = -0.02 if float(state.phenotype[k]) > 0.5 else 0.02
            changed = state.phenotype.clone()
            changed[k] += step
            rest = self.skeleton.rest(changed[None].expand(F, -1))
            landmarks = self.skeleton.pose(rest, state.rotations).landmarks
            slopes.append((landmarks - posed.landmarks)[:, :NUM_KEYPOINTS] / step)
        return torch.stack(slopes, -1)


def rotvec_from_rotations(R: Tensor) -> Tensor:
    """Logarithm of rotations (..., 3, 3): rotation vectors (..., 3), radians, below pi."""
    skew = torch.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1
    )
    sine = skew.norm(dim=-1) / 2
    cosine = (R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    angle = torch.atan2(sine, cosine)
    scale = torch.where(sine > 1e-4, angle / sine.clamp_min(1e-4), torch.ones_like(sine))
    return skew * (scale / 2)[..., None]


def _annealing(steps: int) -> NDArray[np.float64]:
    """Factors (steps,) on what counts as an outlier: everything at first."""
    return np.maximum(_FIRST_OUTLIERS * 0.5 ** np.arange(steps), 1.0)


def _extents(track: Track) -> Tensor:
    """Longer side (F,) of the box of the seen keypoints, in ray tangents."""
    seen = (track.confidences > 0)[..., None]
    far = torch.finfo(track.rays.dtype).max
    low = track.rays.masked_fill(~seen, far).amin(1)
    high = track.rays.masked_fill(~seen, -far).amax(1)
    return (high - low).amax(-1).clamp_min(1e-4)


def _moved(state: RefinedTrack, delta: Tensor, shape: Tensor) -> RefinedTrack:
    """Take a step: (F, M) and (6,)."""
    turn = delta[:, :-3].unflatten(1, (-1, 3))
    return RefinedTrack(
        rotations_from_rotvec(turn) @ state.rotations,
        state.translation + delta[:, -3:],
        (state.phenotype + shape).clamp(0.0, 1.0),
    )


@dataclass(frozen=True)
class _Smoothness:
    """
    Second differences over time of what moves, in the world.

    A step x (F, M) changes them by ``apply(x)``; ``weight`` (F - 2, M) are their precisions.
    """

    before: Tensor  # (F - 2, 1)
    after: Tensor
    weight: Tensor
    world_rotation: Tensor
    world_translation: Tensor

    @classmethod
    def of(cls, track: Track, w: TrackWeights, num_joints: int) -> _Smoothness:
        dt = track.stamps.diff().clamp_min(1e-3)
        between = (dt[1:] + dt[:-1]) / 2
        spread = torch.full((3 * num_joints + 3,), w.joint_acceleration)
        spread[:3], spread[-3:] = w.root_acceleration, w.place_acceleration
        near = (torch.maximum(dt[1:], dt[:-1]) < w.longest_gap).double()
        weight = (near * between * 30.0).float()[:, None] * spread**-2
        return cls(
            (1 / (dt[:-1] * between)).float()[:, None],
            (1 / (dt[1:] * between)).float()[:, None],
            weight,
            track.world_rotation,
            track.world_translation,
        )

    def of_state(self, state: RefinedTrack) -> Tensor:
        """Accelerations (F - 2, M) of joints, root and place."""
        E = torch.cat(
            [self.world_rotation[:, None] @ state.rotations[:, :1], state.rotations[:, 1:]], 1
        )
        turns = rotvec_from_rotations(E[1:] @ E[:-1].transpose(-1, -2)).flatten(1)
        place = (self.world_rotation @ state.translation[..., None])[..., 0]
        steps = torch.cat([turns, (place + self.world_translation).diff(dim=0)], 1)
        return self.after * steps[1:] - self.before * steps[:-1]

    def cost(self, acceleration: Tensor) -> float:
        return float((self.weight * acceleration.square()).sum())

    def apply(self, x: Tensor) -> Tensor:
        steps = self._turned(x, self.world_rotation).diff(dim=0)
        return self.after * steps[1:] - self.before * steps[:-1]

    def transposed(self, a: Tensor) -> Tensor:
        """Transpose of ``apply`` on a (F - 2, M)."""
        x = a.new_zeros(len(self.world_rotation), a.shape[1])
        x[2:] += self.after * a
        x[1:-1] -= (self.after + self.before) * a
        x[:-2] += self.before * a
        return self._turned(x, self.world_rotation.transpose(1, 2))

    def diagonal(self) -> Tensor:
        """Diagonal (F, M) of the normal equations, as if the axes were the world's."""
        x = self.weight.new_zeros(len(self.world_rotation), self.weight.shape[1])
        x[2:] += self.after**2 * self.weight
        x[1:-1] += (self.after + self.before) ** 2 * self.weight
        x[:-2] += self.before**2 * self.weight
        return x

    @staticmethod
    def _turned(x: Tensor, R: Tensor) -> Tensor:
        root, place = (R @ x[:, part, None] for part in (slice(0, 3), slice(-3, None)))
        return torch.cat([root[..., 0], x[:, 3:-3], place[..., 0]], 1)


def _solve(
    equations: _Equations, smoothness: _Smoothness, motion: Tensor, most: int = 60
) -> tuple[Tensor, Tensor]:
    """Solve for a step (F, M), (6,) by conjugate gradients, preconditioned by picture."""
    M = equations.H.shape[1] - _PHENOTYPE
    H = equations.H
    own = H[:, :M, :M] + torch.diag_embed(smoothness.diagonal())
    # Products with an inverse are far quicker than solving for each picture again and again.
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(own))
    shape_inverse = torch.cholesky_inverse(torch.linalg.cholesky(H[:, M:, M:].sum(0)))

    def product(x: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, p.expand(len(x), -1)], 1)
        Hx = (H @ both[..., None])[..., 0]
        smooth = smoothness.transposed(smoothness.weight * smoothness.apply(x))
        return Hx[:, :M] + smooth, Hx[:, M:].sum(0)

    def preconditioned(x: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        return (inverse @ x[..., None])[..., 0], shape_inverse @ p

    r = equations.g[:, :M] - smoothness.transposed(smoothness.weight * motion)
    rp = equations.g[:, M:].sum(0)
    x, p = torch.zeros_like(r), torch.zeros_like(rp)
    z, zp = preconditioned(r, rp)
    d, dp = z, zp
    rz = first = (r * z).sum() + (rp * zp).sum()
    for _ in range(most):
        q, qp = product(d, dp)
        step = rz / ((d * q).sum() + (dp * qp).sum()).clamp_min(1e-30)
        x, p, r, rp = x + step * d, p + step * dp, r - step * q, rp - step * qp
        z, zp = preconditioned(r, rp)
        new = (r * z).sum() + (rp * zp).sum()
        if float(new) < 1e-4 * float(first):
            break
        d, dp, rz = z + new / rz * d, zp + new / rz * dp, new
    return x, p
