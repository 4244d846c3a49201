# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Pull lifted bodies onto their keypoints: damped Gauss-Newton, all people at once.

Unknowns of a person: a small rotation of each joint, the place, and the phenotype. They are held
near what the lifter said by how sure it was of each; keypoints pull by how sure the 2D network
was, and a robust weight lets go of the ones that do not fit.

Shapes: N people, J joints, L = 17 landmarks, P points fixed to bones.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.body.skeleton import PosedSkeleton, Skeleton
from anny_ros.keypoints.lifter import Lifted
from anny_ros.keypoints.reported import ReportedPoints
from anny_ros.keypoints.view import NUM_KEYPOINTS, View
import torch
from torch import Tensor

_NEAREST = 0.1  # metres
_PHENOTYPE_STEP = 0.02


@dataclass(frozen=True)
class RefinementWeights:
    """
    How residuals are weighed.

    Parameters
    ----------
    keypoint_stddev : float
        Error of a keypoint of confidence 1, over the person's extent.
    confidence_power : float
        The error grows as confidence ** -power.
    outlier : float
        Residuals of this many standard deviations count half (Geman-McClure).
    rotation_prior, phenotype_prior, depth_prior : float
        Factors on the lifter's own standard deviations.
    damping : float
        Added to the diagonal of the normal equations.

    """

    keypoint_stddev: float = 0.015
    confidence_power: float = 2.0
    outlier: float = 2.5
    rotation_prior: float = 0.5
    phenotype_prior: float = 0.3
    depth_prior: float = 0.6
    damping: float = 1e-3


@dataclass(frozen=True)
class Refined:
    """
    Bodies in the view frame.

    Parameters
    ----------
    rotations : Tensor, (N, J, 3, 3)
        World-aligned; the root's in the view frame.
    phenotype : Tensor, (N, 6)
    translation : Tensor, (N, 3), metres
        Root joint.
    landmarks : Tensor, (N, L', 3), metres
        All landmarks of the skeleton.
    reported : Tensor, (N, 17, 3), metres
        Where the 2D network would put the keypoints.

    """

    rotations: Tensor
    phenotype: Tensor
    translation: Tensor
    landmarks: Tensor
    reported: Tensor


@dataclass(frozen=True)
class _State:
    """Bodies of one iteration, and how far each unknown has come from the lifter's."""

    rotations: Tensor  # (N, J, 3, 3)
    phenotype: Tensor  # (N, 6)
    translation: Tensor  # (N, 3)
    turned: Tensor  # (N, 3 J), radians
    placed: Tensor  # (N, 3), over the depth
    shaped: Tensor  # (N, 6)

    def moved(self, delta: Tensor, depth: Tensor) -> _State:
        """Take a step (N, 3 J + 9): rotations, place over depth, phenotype."""
        num_turn = self.turned.shape[1]
        rotation = delta[:, :num_turn]
        place, shape = delta[:, num_turn : num_turn + 3], delta[:, num_turn + 3 :]
        phenotype = (self.phenotype + shape).clamp(0.0, 1.0)
        return _State(
            rotations_from_rotvec(rotation.unflatten(1, (-1, 3))) @ self.rotations,
            phenotype,
            self.translation + place * depth[:, None],
            self.turned + rotation,
            self.placed + place,
            self.shaped + phenotype - self.phenotype,
        )


def rotations_from_rotvec(v: Tensor) -> Tensor:
    """Exponential map (Rodrigues): rotation vectors (..., 3), radians, to (..., 3, 3)."""
    angle = v.norm(dim=-1, keepdim=True).clamp_min(1e-8)
    x, y, z = (v / angle).unbind(-1)
    zero = torch.zeros_like(x)
    S = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    sine, cosine = angle.sin()[..., None], angle.cos()[..., None]
    return torch.eye(3, dtype=v.dtype) + sine * S + (1 - cosine) * (S @ S)


class Refiner:
    """
    Gauss-Newton over a fixed number of steps.

    Parameters
    ----------
    skeleton : Skeleton
        Of the lifted joints.
    iterations : int
        0 leaves bodies as lifted.
    weights : RefinementWeights

    """

    def __init__(
        self,
        skeleton: Skeleton,
        iterations: int = 3,
        weights: RefinementWeights | None = None,
    ) -> None:
        self.skeleton = skeleton
        self.iterations = iterations
        self.weights = weights or RefinementWeights()
        ancestors = torch.zeros(skeleton.num_joints, skeleton.num_joints)
        for joint in range(skeleton.num_joints):
            above = joint
            while above >= 0:
                ancestors[above, joint] = 1.0
                above = skeleton.parents[above]
        self._moves_point = ancestors[:, skeleton.point_joint]  # (J, P)
        self._parents = torch.tensor([max(p, 0) for p in skeleton.parents])
        self._sums = skeleton.point_sums[:NUM_KEYPOINTS].float()
        self._reported = ReportedPoints(skeleton.joint_names)

    @torch.inference_mode()
    def __call__(self, lifted: Lifted, view: View) -> Refined:
        """
        Refine people.

        Parameters
        ----------
        lifted : Lifted
        view : View
            That the people were lifted from.

        Returns
        -------
        Refined

        """
        rest = self.skeleton.rest(lifted.phenotype)
        posed = self.skeleton.pose(rest, lifted.rotations)
        depth = lifted.log_size.exp() / view.extent
        tangents = view.centre + lifted.offset * view.extent[:, None]
        hips = torch.cat([tangents, torch.ones_like(depth)[:, None]], 1) * depth[:, None]
        state = _State(
            lifted.rotations,
            lifted.phenotype,
            hips - posed.landmarks[:, 11:13].mean(1),
            torch.zeros(len(depth), 3 * self.skeleton.num_joints),
            torch.zeros(len(depth), 3),
            torch.zeros_like(lifted.phenotype),
        )
        precision = self._precision(lifted, view)
        by_shape = self._shape_derivative(state, posed) if self.iterations else None
        for _ in range(self.iterations):
            assert by_shape is not None
            H, g = self._normal_equations(state, posed, by_shape, depth, view)
            H = H + torch.diag_embed(precision * (1 + self.weights.damping))
            done = torch.cat([state.turned, state.placed, state.shaped], 1)
            delta = torch.linalg.solve_ex(H, g - precision * done)[0]
            state = state.moved(torch.nan_to_num(delta), depth)
            posed = self.skeleton.pose(self.skeleton.rest(state.phenotype), state.rotations)
        landmarks = posed.landmarks + state.translation[:, None]
        reported = self._reported(posed) + state.translation[:, None]
        return Refined(state.rotations, state.phenotype, state.translation, landmarks, reported)

    def _precision(self, lifted: Lifted, view: View) -> Tensor:
        """Prior precision of each unknown, (N, 3 J + 9)."""
        w = self.weights
        # a rotation's standard deviation is that of its angle: a third of the variance each axis
        turn = 3 * (w.rotation_prior * lifted.rotation_stddev) ** -2
        lateral = (lifted.offset_stddev * view.extent) ** -2
        along = (w.depth_prior * lifted.log_size_stddev) ** -2
        shape = (w.phenotype_prior * lifted.phenotype_stddev) ** -2
        place = torch.stack([lateral, lateral, along], 1)
        return torch.cat([turn.repeat_interleave(3, 1), place, shape], 1)

    def _shape_derivative(self, state: _State, posed: PosedSkeleton) -> Tensor:
        """Differentiate the keypoints by the phenotype, (N, 17, 3, 6), numerically."""
        num_people = len(state.phenotype)
        # towards the middle, so that the step never leaves 0..1
        step = torch.where(state.phenotype > 0.5, -_PHENOTYPE_STEP, _PHENOTYPE_STEP)
        changed = (state.phenotype[:, None] + torch.diag_embed(step)).flatten(0, 1)
        E = state.rotations.repeat_interleave(6, 0)
        moved = self.skeleton.pose(self.skeleton.rest(changed), E).landmarks[:, :NUM_KEYPOINTS]
        moved = moved.view(num_people, 6, NUM_KEYPOINTS, 3)
        slope = (moved - posed.landmarks[:, None, :NUM_KEYPOINTS]) / step[:, :, None, None]
        return slope.permute(0, 2, 3, 1)

    def _rotation_derivative(self, posed: PosedSkeleton) -> Tensor:
        """
        Differentiate the keypoints by a small rotation of each joint, (N, 17, 3, 3 J).

        A turn of joint j about axis a moves a point y below it by a x (y - head_j); the axes are
        those of the parent's skinning rotation.
        """
        above = posed.rotations[:, self._parents].clone()
        above[:, 0] = torch.eye(3)
        axes = above.transpose(-1, -2)  # (N, J, 3, 3), rows are axes
        weight = self.skeleton.point_weight
        lever = posed.points[:, None] - weight[:, None] * posed.joint_positions[:, :, None]
        lever = lever * self._moves_point[..., None]  # (N, J, P, 3)
        lever = torch.einsum('lp,njpc->njlc', self._sums, lever)
        moved = torch.linalg.cross(axes[:, :, :, None], lever[:, :, None], dim=-1)
        return moved.permute(0, 3, 4, 1, 2).flatten(3)

    def _normal_equations(
        self, state: _State, posed: PosedSkeleton, by_shape: Tensor, depth: Tensor, view: View
    ) -> tuple[Tensor, Tensor]:
        """Of the keypoints alone: (N, M, M) and (N, M) with M = 3 J + 9."""
        w = self.weights
        # Their offset from the body's own points hardly depends on the unknowns.
        points = self._reported(posed) + state.translation[:, None]
        z = points[..., 2:].clamp_min(_NEAREST)
        xy = points[..., :2] / z  # (N, 17, 2)
        by_place = torch.eye(3) * depth[:, None, None, None]
        by_place = by_place.expand(-1, NUM_KEYPOINTS, -1, -1)
        by_all = torch.cat([self._rotation_derivative(posed), by_place, by_shape], -1)
        flat = (by_all[..., :2, :] - xy[..., None] * by_all[..., 2:, :]) / z[..., None]
        confidence = view.confidences.clamp_min(1e-3)
        sigma = w.keypoint_stddev * view.extent[:, None] * confidence**-w.confidence_power
        residual = (view.points - xy) / sigma[..., None]
        fit = 1 / (1 + residual.square().sum(-1, keepdim=True) / w.outlier**2)
        fit = fit * (view.confidences > 0)[..., None]  # (N, 17, 1)
        A = (flat * (fit / sigma[..., None])[..., None]).flatten(1, 2)  # (N, 34, M)
        b = (residual * fit).flatten(1)[..., None]
        return A.transpose(1, 2) @ A, (A.transpose(1, 2) @ b)[..., 0]
