# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The estimator around a single-shot network such as Multi-HMR 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.geometry.boxes import overlap
from anny_ros.geometry.camera import project
from anny_ros.inference.assemble import assemble_detections, body_boxes, project_points
from anny_ros.inference.backends import NetworkBackend
from anny_ros.inference.body_colours import BodyColours
from anny_ros.inference.decode import (
    find_people,
    FoundPeople,
    LOCATION_STDDEV_PX,
    picture_camera,
    position_covariance,
    predicted_camera,
)
from anny_ros.inference.estimator import Estimator, fallback_camera
from anny_ros.inference.nms import body_nms, distance_nms, merge_views
from anny_ros.inference.stopwatch import Stopwatch
from anny_ros.inference.zoom import View, whole_picture, zoomed_views
from anny_ros.model.pose import person_convention
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, Detections, FloatArray, Frame
import numpy as np
from numpy.typing import NDArray
import torch

# Score of a candidate, over the lowest score of a person; and the overlap (intersection over
# union) of its box with that of a person who it is.
CANDIDATE_SHARE = 0.25
SAME_PERSON = 0.5


@dataclass(frozen=True)
class _Placed:
    """
    People of all views in the picture and in space, before doubles are dropped; N rows.

    Parameters
    ----------
    found : FoundPeople
    view : ndarray, (N,)
        Index of the view that each was found in; 0 is the whole picture.
    translation : ndarray, (N, 3), metres
        Where the root joint has to be so that the anchor is where it was found.
    keypoints : ndarray, (N, 17, 2), pixels of the picture
    bbox : ndarray, (N, 4), pixels of the picture

    """

    found: FoundPeople
    view: NDArray[np.intp]
    translation: FloatArray
    keypoints: FloatArray
    bbox: FloatArray


class SingleShotEstimator(Estimator):
    """
    Everybody in a picture from one forward pass.

    The camera of the picture is used where it is known, else the parameter ``camera.k``, else
    the network's own guess. With ``detection.image_nms`` off and everything else at its default
    the people are those of the published network. ``detection.zoom_regions`` adds enlarged parts
    of large pictures to the same pass.

    Parameters
    ----------
    network : NetworkBackend
    body : BodyModel or None
        None loads the shipped one.
    parameters : Parameters or None

    """

    def __init__(
        self,
        network: NetworkBackend,
        body: BodyModel | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        self.network = network
        self.convention = person_convention(network.model)
        self.default_threshold = self.convention.threshold
        self.name = network.model
        self.backend = network.name
        self.body = body or BodyModel.load()
        self._colours = BodyColours(self.body)
        self.parameters = parameters or Parameters()

    @staticmethod
    def load(model: str | Path = '', parameters: Parameters | None = None) -> SingleShotEstimator:
        """
        Load a checkpoint.

        Parameters
        ----------
        model : str or Path
            Of the weights, for instance multihmr2.pt.
        parameters : Parameters or None

        Returns
        -------
        SingleShotEstimator

        Raises
        ------
        ModelError
            If the file or its runtime does not fit; see ``load_backend``.

        """
        from anny_ros.inference.backends.choose import load_backend

        parameters = parameters or Parameters()
        network = load_backend(Path(model), parameters.inference)
        return SingleShotEstimator(network, parameters=parameters)

    def __call__(self, frame: Frame) -> Detections:
        """Find and reconstruct everybody; see ``Estimator``."""
        watch = Stopwatch()
        views = self._views(frame)
        canvases = np.stack([view.canvas(frame.rgb) for view in views])
        watch.lap('preprocess')
        raws = self.network(canvases)
        watch.lap('network')
        camera = self._camera(frame, raws[0].hfov, views[0])
        cameras = [view.camera(camera) for view in views]
        parts = [
            find_people(raw, on_canvas, CANDIDATE_SHARE * self.threshold, self.convention)
            for raw, on_canvas in zip(raws, cameras, strict=True)
        ]
        people = self._placed(parts, camera)
        self.num_rejected += people.found.num_rejected
        rows = self._selected(people, views, camera)
        watch.lap('people')
        found, translation = people.found[rows], people.translation[rows]
        focal = np.array([on_canvas.K[0, 0] for on_canvas in cameras])[people.view[rows]]
        detections = assemble_detections(
            self.body,
            stamp=frame.stamp,
            camera=camera,
            score=found.score,
            phenotype=found.phenotype,
            rotations=found.rotations,
            translation=translation,
            position_covariance=position_covariance(translation, camera, focal),
            appearance=found.appearance,
        )
        detections = _distrust_unseen(detections)
        watch.lap('body')
        if detections.appearance.shape[1] == 0:
            detections = replace(detections, appearance=self._colours(frame.rgb, detections))
            watch.lap('appearance')
        doubtful = people.bbox[people.found.score <= self.threshold]
        covered = (overlap(doubtful, detections.bbox) > SAME_PERSON).any(axis=1)
        return replace(detections, candidates=doubtful[~covered], timings_ms=watch.laps_ms)

    def _views(self, frame: Frame) -> Sequence[View]:
        """Where to look: the whole picture first."""
        height, width = frame.rgb.shape[:2]
        whole = whole_picture(width, height, self.network.image_size, self.network.multiple)
        count = self.parameters.detection.zoom_regions
        return [whole, *zoomed_views(whole, frame.expected, frame.stamp, count)]

    def _camera(self, frame: Frame, hfov: float, whole: View) -> Camera:
        """Camera of the picture, the best that is known; ``hfov`` is the network's guess."""
        if frame.camera is not None or self.parameters.camera.k:
            return fallback_camera(frame, self.parameters)
        if not math.isfinite(hfov):
            self.num_rejected += 1
            return fallback_camera(frame, self.parameters)
        camera = picture_camera(predicted_camera(hfov, whole.letterbox), whole.letterbox)
        return camera if self.camera_filter is None else self.camera_filter(camera, frame.stamp)

    def _placed(self, parts: Sequence[FoundPeople], camera: Camera) -> _Placed:
        """Pose everybody with the anchor where it was found."""
        found = FoundPeople.concatenate(parts)
        if self.convention.world_aligned_root:
            found = self._with_local_rotations(found)
        posed = self.body.pose(torch.as_tensor(found.phenotype), torch.as_tensor(found.rotations))
        joints, landmarks = posed.joint_positions.numpy(), posed.landmarks.numpy()
        name = self.convention.anchor
        if name in self.body.joint_names:
            anchor = joints[:, self.body.joint_index(name)]
        else:
            anchor = landmarks[:, self.body.landmark_index(name)]
        offset = (found.anchor - anchor)[:, None]
        return _Placed(
            found,
            np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            (joints[:, 0] + offset[:, 0]).astype(np.float32),
            project_points(landmarks[:, :17] + offset, camera.K),
            body_boxes(joints + offset, landmarks + offset, camera.K),
        )

    def _with_local_rotations(self, found: FoundPeople) -> FoundPeople:
        """Convert world-aligned rotations E to the bones' own frames; the root's is E Q."""
        world = torch.as_tensor(found.rotations)
        local = self.body.local_from_world(torch.as_tensor(found.phenotype), world).float().numpy()
        if not self.convention.world_aligned_joints:
            local[:, 1:] = found.rotations[:, 1:]
        return replace(found, rotations=local)

    def _selected(
        self, people: _Placed, views: Sequence[View], camera: Camera
    ) -> NDArray[np.intp]:
        """Rows of everybody once, the most certain first."""
        wanted = self.parameters.detection
        rows: list[NDArray[np.intp]] = []
        for index, view in enumerate(views):
            mine = (people.view == index) & (people.found.score > self.threshold)
            if index > 0:  # whoever is cut off by a window's edge is left to the whole picture
                mine &= view.shows_whole(people.bbox, camera)
            own = np.flatnonzero(mine)
            place, score = people.translation[own], people.found.score[own]
            if wanted.image_nms:
                bodies = (people.keypoints[own], people.bbox[own])
                rows.append(own[body_nms(place, *bodies, score, wanted.nms_distance)])
            else:
                rows.append(own[distance_nms(place, score, wanted.nms_distance)])
        if len(views) == 1:
            return rows[0]
        together = np.concatenate(rows)
        blur = np.array([LOCATION_STDDEV_PX / view.letterbox.scale.min() for view in views])
        kept = merge_views(
            people.translation[together],
            people.keypoints[together],
            people.bbox[together],
            people.found.score[together],
            people.view[together],
            blur[people.view[together]],
        )
        return together[kept]


def _distrust_unseen(detections: Detections) -> Detections:
    """Confidence 0 for points outside of the picture; the network can only have guessed them."""
    camera = detections.camera
    end = np.array([camera.width, camera.height]) - 0.5

    def seen(points: FloatArray, confidences: FloatArray) -> FloatArray:
        uv = project(points, camera.K)
        inside = ((uv > -0.5) & (uv < end)).all(axis=-1)
        return np.where(inside, confidences, 0.0)

    return replace(
        detections,
        keypoint_confidences=seen(detections.keypoints_3d, detections.keypoint_confidences),
        joint_confidences=seen(detections.joint_positions, detections.joint_confidences),
    )
