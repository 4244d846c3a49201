# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The estimator around a single-shot network such as Multi-HMR 2."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.errors import ModelError
from anny_ros.geometry.camera import Letterbox, project
from anny_ros.inference.assemble import assemble_detections
from anny_ros.inference.backends import NetworkBackend, RawPeople
from anny_ros.inference.decode import (
    find_people,
    FoundPeople,
    picture_camera,
    position_covariance,
    predicted_camera,
)
from anny_ros.inference.estimator import Estimator, fallback_camera
from anny_ros.inference.nms import distance_nms, image_nms
from anny_ros.inference.preprocess import letterbox_picture
from anny_ros.inference.stopwatch import Stopwatch
from anny_ros.model.pose import person_convention
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, Detections, FloatArray, Frame
import numpy as np
import torch


class SingleShotEstimator(Estimator):
    """
    Everybody in a picture from one forward pass.

    The camera of the picture is used where it is known, else the parameter ``camera.k``, else
    the network's own guess. With ``detection.image_nms`` off and ``detection.threshold`` 0.4 the
    people are those of the published network.

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
        self.name = network.model
        self.backend = network.name
        self.body = body or BodyModel.load()
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
            If the file or its runtime does not fit; see ``anny_ros.model.load_network``.

        """
        from anny_ros.inference.backends.torch import TorchBackend
        from anny_ros.model import load_network

        parameters = parameters or Parameters()
        if parameters.inference.backend not in ('auto', 'torch'):
            raise ModelError(
                f'inference.backend {parameters.inference.backend} cannot run a checkpoint; set '
                'it to torch or auto'
            )
        network = TorchBackend(load_network(model), parameters.inference)
        return SingleShotEstimator(network, parameters=parameters)

    def __call__(self, frame: Frame) -> Detections:
        """Find and reconstruct everybody; see ``Estimator``."""
        watch = Stopwatch()
        canvas, letterbox = letterbox_picture(
            frame.rgb, longest=self.network.image_size, multiple=self.network.multiple
        )
        watch.lap('preprocess')
        (raw,) = self.network(canvas[None])
        watch.lap('network')
        camera, on_canvas = self._cameras(frame, raw, letterbox)
        people = find_people(raw, on_canvas, self.parameters.detection.threshold, self.convention)
        if self.convention.world_aligned_root:
            self._turn_roots_local(people)
        translation = self._root_positions(people)
        rows = distance_nms(translation, people.score, self.parameters.detection.nms_distance)
        watch.lap('decode')
        detections = assemble_detections(
            self.body,
            stamp=frame.stamp,
            camera=camera,
            score=people.score[rows],
            phenotype=people.phenotype[rows],
            rotations=people.rotations[rows],
            translation=translation[rows],
            position_covariance=position_covariance(translation[rows], camera),
            appearance=people.appearance[rows],
        )
        if self.parameters.detection.image_nms:
            detections = _drop_image_doubles(detections)
        detections = _distrust_unseen(detections)
        watch.lap('body')
        return replace(detections, timings_ms=watch.laps_ms)

    def _cameras(
        self, frame: Frame, raw: RawPeople, letterbox: Letterbox
    ) -> tuple[Camera, Camera]:
        """Cameras of the picture and of the canvas, the best that is known."""
        if frame.camera is not None or self.parameters.camera.k:
            camera = fallback_camera(frame, self.parameters)
            return camera, letterbox.canvas_camera(camera)
        if not math.isfinite(raw.hfov):
            self.num_rejected += 1
            camera = fallback_camera(frame, self.parameters)
            return camera, letterbox.canvas_camera(camera)
        camera = picture_camera(predicted_camera(raw.hfov, letterbox), letterbox)
        if self.camera_filter is not None:
            camera = self.camera_filter(camera, frame.stamp)
        return camera, letterbox.canvas_camera(camera)

    def _root_positions(self, people: FoundPeople) -> FloatArray:
        """Where the root joint has to be, (N, 3), so that the anchor is where it was found."""
        posed = self.body.pose(
            torch.as_tensor(people.phenotype), torch.as_tensor(people.rotations), None
        )
        name = self.convention.anchor
        if name in self.body.joint_names:
            anchor = posed.joint_positions[:, self.body.joint_index(name)].numpy()
        else:
            anchor = posed.landmarks[:, self.body.landmark_index(name)].numpy()
        root = posed.joint_positions[:, 0].numpy()
        translation: FloatArray = (people.anchor - anchor + root).astype(np.float32)
        return translation

    def _turn_roots_local(self, people: FoundPeople) -> None:
        """Convert the roots' world-aligned rotations E to the root bone's own frame, E Q."""
        rest = self.body.rest_frames(torch.as_tensor(people.phenotype))[:, 0].numpy()
        people.rotations[:, 0] = people.rotations[:, 0] @ rest


def _drop_image_doubles(detections: Detections) -> Detections:
    rows = image_nms(
        detections.keypoints_2d,
        detections.bbox,
        detections.position[:, 2],
        detections.score,
    )
    return detections[rows]


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
