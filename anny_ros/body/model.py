# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The Anny body model as the rest of the package uses it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path

from anny_ros.body import asset as body_asset
from anny_ros.body import phenotype as shape
from anny_ros.body.rest_frames import RestFrames
from anny_ros.body.skeleton import RestBody, Skeleton
from anny_ros.body.skinning import Skinning
from anny_ros.body.surface import join_parts, load_surface
from anny_ros.errors import ModelError
from anny_ros.types import Detections, FloatArray
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

# The body's rest axes are x left, y back, z up; REP-155's are x forward, y left, z up.
_REST_FROM_BODY = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)


@dataclass(frozen=True)
class PosedBody:
    """
    Posed joints, in the space of the root's rotation and translation.

    Parameters
    ----------
    joint_positions : Tensor, (N, J, 3), float32, metres
    joint_orientations : Tensor, (N, J, 3, 3), float32
        Rotation from each bone's own frame.
    landmarks : Tensor, (N, L, 3), float32, metres
        In the order of ``BodyModel.landmark_names``.

    """

    joint_positions: Tensor
    joint_orientations: Tensor
    landmarks: Tensor


class BodyModel:
    """
    Anny: joints, landmarks, meshes, stature and age of people of all ages.

    Poses come in as Anny's "local-bone" rotations (each joint in its own rest frame, the root's
    being its orientation in the target frame). Skeletons run in float64, surfaces in float32.

    Parameters
    ----------
    asset : Asset
    device : str or torch.device
        Where to compute. Tensors come in from any device and results go back to it.

    """

    name = 'anny'

    def __init__(self, asset: body_asset.Asset, device: str | torch.device = 'cpu') -> None:
        self.asset = asset
        self.device = torch.device(device)
        self.joint_names = asset.joint_names
        self.joint_parents: NDArray[np.int32] = asset.joint_parents.astype(np.int32)
        self.landmark_names = asset.landmark_names
        self.skeleton = Skeleton(asset, dtype=torch.float64).to(self.device)
        self._frames = RestFrames(asset).to(self.device)
        self._surface = cache(lambda resolution: load_surface(asset, resolution))
        self._skinning = cache(self._make_skinning)
        self._stature_template = torch.as_tensor(asset.arrays['stature.template']).to(self.device)
        self._stature_basis = torch.as_tensor(asset.arrays['stature.basis']).to(self.device)

    @staticmethod
    def load(path: Path | None = None, device: str = 'cpu') -> BodyModel:
        """
        Load the shipped asset (or another one); the same arguments give the same instance.

        Raises
        ------
        ModelError
            If the file is missing or is not a body asset, or if there is no such device.

        """
        return _load(path, device)

    def joint_index(self, name: str) -> int:
        """Row of a joint; ValueError if there is no such joint."""
        return self.joint_names.index(name)

    def landmark_index(self, name: str) -> int:
        """Row of a landmark; ValueError if there is no such landmark."""
        return self.landmark_names.index(name)

    def num_vertices(self, resolution: str) -> int:
        """Count the vertices of a surface, ``full`` or ``coarse``."""
        return self._surface(resolution).num_vertices

    def triangles(self, resolution: str) -> NDArray[np.int32]:
        """Return the triangles of a surface, (F, 3) int32, counter-clockwise from outside."""
        return self._surface(resolution).triangles

    def rest_surface(self, resolution: str) -> NDArray[np.float32]:
        """Return the vertices of a mean body in the rest pose, (V, 3) float32, metres."""
        return self._surface(resolution).mean

    def bones(self, resolution: str) -> tuple[str, ...]:
        """Name, for each vertex of a surface, the joint that moves it most."""
        surface = self._surface(resolution)
        rows = np.arange(surface.num_vertices)
        most = surface.bone_indices[rows, surface.bone_weights.argmax(axis=1)]
        return tuple(self.joint_names[joint] for joint in most)

    def hash(self, resolution: str) -> str:
        """Return 16 hex digits that identify the triangles and joints of a surface."""
        return self._surface(resolution).sha256[:16]

    @torch.inference_mode()
    def pose(
        self, phenotype: Tensor, rotations: Tensor, translation: Tensor | None = None
    ) -> PosedBody:
        """
        Pose bodies.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)
        rotations : Tensor, (N, J, 3, 3)
            Local-bone rotations.
        translation : Tensor, (N, 3), metres, or None
            Where the root joint goes; None is the origin.

        Returns
        -------
        PosedBody
            float32; N = 0 is legal.

        """
        rest, frames, world = self._world_aligned(phenotype, rotations)
        root = None if translation is None else self._here(translation)
        posed = self.skeleton.pose(rest, world, root)
        back = partial(Tensor.to, device=phenotype.device, dtype=torch.float32)
        return PosedBody(
            back(posed.joint_positions), back(posed.rotations @ frames), back(posed.landmarks)
        )

    @torch.inference_mode()
    def mesh(
        self,
        phenotype: Tensor,
        rotations: Tensor,
        translation: Tensor,
        resolution: str = 'coarse',
    ) -> Tensor:
        """
        Make the meshes of bodies.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)
        rotations : Tensor, (N, J, 3, 3)
            Local-bone rotations.
        translation : Tensor, (N, 3), metres
            Where the root joint goes.
        resolution : str
            ``full`` or ``coarse``.

        Returns
        -------
        Tensor, (N, V, 3), float32, metres, contiguous
            In the frame of the root's rotation and translation.

        """
        rest, _, world = self._world_aligned(phenotype, rotations)
        poses = self.skeleton.joint_poses(rest, world, self._here(translation))
        # a rest point x goes to G (x - head) + position
        carried = poses[..., :3] @ rest.heads[..., None]
        transforms = torch.cat([poses[..., :3], poses[..., 3:] - carried], -1).float()
        return self._skinning(resolution)(rest.coefficients, transforms).to(phenotype.device)

    @torch.inference_mode()
    def rest_frames(self, phenotype: Tensor) -> Tensor:
        """
        Make the rest orientation Q of each joint, which depends on the shape.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)

        Returns
        -------
        Tensor, (N, J, 3, 3), float64
            Columns are the axes of the bone's frame in rest axes.

        """
        frames: Tensor = self._frames(self.skeleton.coefficients(self._here(phenotype)))
        return frames.to(phenotype.device)

    @torch.inference_mode()
    def local_from_world(self, phenotype: Tensor, world: Tensor) -> Tensor:
        """
        Convert world-aligned rotations E to local-bone rotations D.

        Parameters
        ----------
        phenotype : Tensor, (N, 6)
        world : Tensor, (N, J, 3, 3)

        Returns
        -------
        Tensor, (N, J, 3, 3), float64

        """
        Q = self.rest_frames(phenotype)
        local = Q.transpose(-1, -2) @ world.double() @ Q
        local[:, 0] = world[:, 0].double() @ Q[:, 0]
        return local

    @torch.inference_mode()
    def vertices(self, detections: Detections, resolution: str = 'coarse') -> NDArray[np.float32]:
        """
        Make the meshes of detected people.

        Parameters
        ----------
        detections : Detections
            Of this body model.
        resolution : str
            ``full`` or ``coarse``.

        Returns
        -------
        ndarray, (N, V, 3), float32, metres, C-contiguous
            Optical frame.

        """
        rows = (detections.phenotype, detections.rotations, detections.translation)
        phenotype, rotations, translation = map(torch.as_tensor, rows)
        return self.mesh(phenotype, rotations, translation, resolution).numpy()

    @torch.inference_mode()
    def world_rotations(self, detections: Detections) -> NDArray[np.float32]:
        """
        Convert people's local-bone rotations to world-aligned ones E.

        Returns
        -------
        ndarray, (N, J, 3, 3), float32
            Each joint's turn relative to its parent, in the axes of the rest body; these can be
            compared between bodies of different shapes.

        """
        phenotype, rotations = map(torch.as_tensor, (detections.phenotype, detections.rotations))
        return self._world_aligned(phenotype, rotations)[2].float().cpu().numpy()

    @torch.inference_mode()
    def body_orientation(self, detections: Detections) -> NDArray[np.float32]:
        """
        Orient people as REP-155 wants it.

        Returns
        -------
        ndarray, (N, 3, 3), float32
            Columns: out of the chest, to the body's left, up to the head, in the optical frame.

        """
        Q = self.rest_frames(torch.as_tensor(detections.phenotype))[:, 0].numpy()
        R = detections.rotations[:, 0] @ Q.transpose(0, 2, 1)
        return (R @ _REST_FROM_BODY).astype(np.float32)

    @torch.inference_mode()
    def stature(self, phenotype: FloatArray) -> NDArray[np.float32]:
        """
        Measure bodies standing upright in the rest pose.

        Parameters
        ----------
        phenotype : ndarray, (N, 6)

        Returns
        -------
        ndarray, (N,), float32, metres
            From the lowest to the highest vertex.

        """
        c = self.skeleton.coefficients(self._here(torch.as_tensor(phenotype)))
        z = self._stature_template + c @ self._stature_basis
        return (z.amax(1) - z.amin(1)).float().cpu().numpy()

    def age_years(self, phenotype: FloatArray) -> NDArray[np.float32]:
        """Convert the age column of phenotypes (N, 6) to years (N,), float32."""
        return shape.age_years(phenotype[:, 1])

    def _world_aligned(
        self, phenotype: Tensor, rotations: Tensor
    ) -> tuple[RestBody, Tensor, Tensor]:
        """Rest bodies, rest frames Q and world-aligned rotations E of local-bone rotations."""
        if rotations.shape[1:] != (len(self.joint_names), 3, 3):
            raise ValueError(
                f'rotations must be (N, {len(self.joint_names)}, 3, 3), got '
                f'{tuple(rotations.shape)}'
            )
        rest = self.skeleton.rest(self._here(phenotype))
        Q = self._frames(rest.coefficients)
        D = self._here(rotations)
        world = Q @ D @ Q.transpose(-1, -2)
        world[:, 0] = D[:, 0] @ Q[:, 0].transpose(-1, -2)
        return rest, Q, world

    def _make_skinning(self, resolution: str) -> Skinning:
        surface = self._surface(resolution)
        if self.device.type != 'cpu':  # many small steps would only delay a GPU
            surface = join_parts(surface)
        return Skinning(surface, len(self.joint_names), self.device)

    def _here(self, values: Tensor) -> Tensor:
        return values.to(self.device, torch.float64)


@lru_cache(maxsize=4)
def _load(path: Path | None, device: str) -> BodyModel:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises the latter
        raise ModelError(f'there is no device {device!r} here; take cpu') from error
    return BodyModel(body_asset.load(path), device)
