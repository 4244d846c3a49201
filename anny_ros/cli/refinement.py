# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Scenes that wait until everything has been seen, then are refined track by track."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.geometry.feet import common_floor
from anny_ros.inference.assemble import assemble_detections
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.track_refinement import Floor, Track, TrackRefiner
from anny_ros.types import Detections, Scene
import numpy as np
from numpy.typing import NDArray
import torch

# Longer tracks are refined in pieces; the first one decides on the shape.
_LONGEST = 3000
# Of each value of a phenotype before a track is refined (an adult's age, the second, must not
# give way to a child's for the sake of some pixels), and after.
_SHAPE_STDDEV = np.array([0.1, 0.03, 0.1, 0.1, 0.1, 0.1])
_DECIDED_STDDEV = np.full(6, 1e-3)
_LEAST_CONFIDENCE = 0.1
_ANKLES = (15, 16)
# What refining changes of a row.
_REFINED = (
    'phenotype', 'rotations', 'translation', 'joint_positions', 'joint_orientations',
    'keypoints_3d', 'keypoints_2d', 'position', 'head_position', 'ground_position', 'stature',
    'age_years',
)  # fmt: skip


@dataclass
class _Sighting:
    """One person in one picture: rows of the scene and of what the estimator reported."""

    picture: int
    row: int
    reported: Detections


@dataclass
class TracksRefinement:
    """
    Keeps scenes and what they were made of; refines everybody at the end.

    Parameters
    ----------
    body : BodyModel

    """

    body: BodyModel
    scenes: list[Scene] = field(default_factory=list)
    tracks: dict[int, list[_Sighting]] = field(default_factory=dict)

    def add(self, scene: Scene, reported: Detections) -> None:
        """Keep a picture: its people, and the detections that were tracked."""
        for row in np.flatnonzero(scene.time_since_observed <= 0):
            # The box of somebody who is seen is the one that was reported.
            same = (reported.bbox == scene.humans.bbox[row]).all(axis=1)
            for mine in np.flatnonzero(same)[:1]:
                sighting = _Sighting(len(self.scenes), int(row), reported[int(mine)])
                self.tracks.setdefault(int(scene.track_numbers[row]), []).append(sighting)
        self.scenes.append(scene)

    @property
    def num_sightings(self) -> int:
        """How many bodies there are to refine."""
        return sum(map(len, self.tracks.values()))

    def refined(self, progress: Callable[[int], object] | None = None) -> Iterator[Scene]:
        """
        Refine everybody and give back the scenes in their order.

        Parameters
        ----------
        progress : callable or None
            Is told how many bodies more are done.

        Yields
        ------
        Scene
            People who were seen are refined; those who are only predicted stay, but for their
            stature.

        """
        # Tensors are small: several threads would wait for each other longer than they work.
        torch.set_num_threads(1)
        skeleton = Skeleton(self.body.asset, LIFTED_JOINTS)
        refiner = TrackRefiner(skeleton)
        floor = self._floor()
        rows = {scene: list[tuple[int, Detections]]() for scene in range(len(self.scenes))}
        stature: dict[int, tuple[float, float]] = {}
        for number, sightings in self.tracks.items():
            last = sightings[-1]
            humans = self.scenes[last.picture].humans
            shape = humans.phenotype[last.row]
            spread = _SHAPE_STDDEV
            for start in range(0, len(sightings), _LONGEST):
                piece = sightings[start : start + _LONGEST]
                track = self._track(piece, shape, spread, floor)
                result = refiner.refine_track(track)
                shape, spread = result.phenotype.numpy(), _DECIDED_STDDEV
                bodies = self._bodies(piece, result.rotations, result.translation, shape)
                for sighting, body in zip(piece, bodies, strict=True):
                    rows[sighting.picture].append((sighting.row, body))
                if progress is not None:
                    progress(len(piece))
            stature[number] = (float(bodies[-1].stature[0]), float(bodies[-1].age_years[0]))
        for index, scene in enumerate(self.scenes):
            yield _with_bodies(scene, rows[index], stature)

    def _floor(self) -> tuple[NDArray[np.float64], float] | None:
        """Plane on which everybody walks, in the world: up and the height of its origin."""
        feet, up, cameras = [], [], []
        for sightings in self.tracks.values():
            for sighting in sightings:
                R, t = _pose(self.scenes[sighting.picture])
                points = sighting.reported.keypoints_3d[0].astype(np.float64) @ R.T + t
                if sighting.reported.keypoint_confidences[0, list(_ANKLES)].min() > 0.3:
                    feet.append(points[list(_ANKLES)])
                    cameras.append(t)
                    up.append(points[5:7].mean(0) - points[13:15].mean(0))
        return common_floor(*map(np.array, (feet, up, cameras))) if feet else None

    def _track(
        self,
        sightings: list[_Sighting],
        shape: NDArray[np.float32],
        spread: NDArray[np.float64],
        floor: tuple[NDArray[np.float64], float] | None,
    ) -> Track:
        people = Detections.concatenate([s.reported for s in sightings])
        poses = [_pose(self.scenes[s.picture]) for s in sightings]
        R, t = (np.array(part) for part in zip(*poses, strict=True))
        K = np.array([s.reported.camera.K for s in sightings])
        y = (people.measured_2d[..., 1] - K[:, None, 1, 2]) / K[:, None, 1, 1]
        x = people.measured_2d[..., 0] - K[:, None, 0, 2] - K[:, None, 0, 1] * y
        confidences = people.keypoint_confidences
        stands_on = None
        if floor is not None:
            up, height = floor
            stands_on = Floor(_tensor(np.einsum('fji,j->fi', R, up)), _tensor(t @ up + height))
        joints = [self.body.joint_index(name) for name in LIFTED_JOINTS]
        return Track(
            stamps=torch.tensor([self.scenes[s.picture].stamp for s in sightings]).double(),
            rays=_tensor(np.stack([x / K[:, None, 0, 0], y], axis=-1)),
            confidences=_tensor(np.where(confidences < _LEAST_CONFIDENCE, 0.0, confidences)),
            rotations=torch.as_tensor(self.body.world_rotations(people)[:, joints]),
            translation=_tensor(people.translation),
            position=_tensor(people.position),
            position_precision=_tensor(np.linalg.inv(people.position_covariance.astype(float))),
            phenotype=_tensor(shape),
            phenotype_stddev=_tensor(spread),
            world_rotation=_tensor(R),
            world_translation=_tensor(t - t[0]),
            floor=stands_on,
        )

    def _bodies(
        self,
        sightings: list[_Sighting],
        rotations: torch.Tensor,
        translation: torch.Tensor,
        shape: NDArray[np.float32],
    ) -> list[Detections]:
        """Make a row for each picture; all that refining does not change is as reported."""
        people = Detections.concatenate([s.reported for s in sightings])
        world = torch.as_tensor(self.body.world_rotations(people))
        world[:, [self.body.joint_index(name) for name in LIFTED_JOINTS]] = rotations
        phenotype = np.tile(shape, (len(people), 1))
        local = self.body.local_from_world(torch.as_tensor(phenotype), world)
        posed = assemble_detections(
            self.body,
            stamp=people.stamp,
            camera=people.camera,
            score=people.score,
            phenotype=phenotype,
            rotations=local.float().numpy(),
            translation=translation.numpy(),
        )
        K = np.array([s.reported.camera.K for s in sightings])
        points = np.einsum('fij,fkj->fki', K, posed.keypoints_3d)
        posed = replace(posed, keypoints_2d=points[..., :2] / np.maximum(points[..., 2:], 0.05))
        return [posed[row] for row in range(len(posed))]


def _tensor(values: NDArray[np.floating]) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float32))


def _pose(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation and translation from the optical frame to the world; none: it stands still."""
    pose = np.eye(4) if scene.world_from_camera is None else scene.world_from_camera
    return np.asarray(pose[:3, :3], np.float64), np.asarray(pose[:3, 3], np.float64)


def _with_bodies(
    scene: Scene,
    bodies: list[tuple[int, Detections]],
    stature: dict[int, tuple[float, float]],
) -> Scene:
    """Put refined bodies in their rows."""
    changed = {name: getattr(scene.humans, name).copy() for name in _REFINED}
    for row, number in enumerate(scene.track_numbers.tolist()):
        if number in stature:
            changed['stature'][row], changed['age_years'][row] = stature[number]
    for row, body in bodies:
        for name, values in changed.items():
            values[row] = getattr(body, name)[0]
    return replace(scene, humans=replace(scene.humans, **changed))
