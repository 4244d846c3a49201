# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""anny-lite: everybody's 2D keypoints, lifted to Anny and refined on the keypoints."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
import math
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.inference.assemble import assemble_detections, project_points, ray_covariance
from anny_ros.inference.body_colours import BodyColours, FEATURE_SIZE
from anny_ros.inference.estimator import EMBEDDED, Estimator, fallback_camera
from anny_ros.inference.nms import distance_nms
from anny_ros.inference.stopwatch import Stopwatch
from anny_ros.keypoints.lifter import Lifted, LIFTED_JOINTS, Lifter
from anny_ros.keypoints.movenet import KeypointDetections, KeypointDetector
from anny_ros.keypoints.refine import Refined, Refiner
from anny_ros.keypoints.view import box_tops, make_view, NUM_KEYPOINTS, picture_edges, Report, View
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, Detections, FloatArray, Frame
import numpy as np
from numpy.typing import NDArray
import torch

# Keypoints below this confidence say less than what the lifter makes up; training drops them.
LEAST_CONFIDENCE = 0.1
# With fewer keypoints than this from shoulders to ankles there is nothing to lift.
_LEAST_KEYPOINTS = 4
_BODY = slice(5, 17)
# The keypoint nearest to each joint that is lifted; its confidence is the joint's.
_NEAREST_KEYPOINTS: dict[str, tuple[int, ...]] = {
    'foot': (15,), 'lowerleg': (13,), 'upperleg': (11,), 'pelvis': (11,), 'wrist': (9,),
    'finger': (9,), 'metacarpal': (9,), 'lowerarm': (7,), 'upperarm': (5,), 'shoulder': (5,),
    'clavicle': (5,), 'root': (11, 12), 'spine': (5, 6, 11, 12), 'neck': (3, 4, 5, 6),
    'head': (0, 1, 2, 3, 4),
}  # fmt: skip


def lifter_path() -> Path:
    """Path of the lifter weights that ship with the package."""
    return Path(str(resources.files('anny_ros') / 'assets' / 'lifter.safetensors'))


class LiteEstimator(Estimator):
    """
    The embedded estimator; needs no GPU and no weights of the user's.

    Parameters
    ----------
    parameters : Parameters or None

    Raises
    ------
    ModelError
        If weights are missing from the installation.

    """

    name = EMBEDDED
    backend = 'onnxruntime'
    default_threshold = 0.2
    assumes_camera = True

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters()
        # Our tensors are small: several threads wait for each other longer than they work (on two
        # cores that others use too, anny-lite as a whole took 8 to 20 times as long).
        torch.set_num_threads(1)
        self.body = BodyModel.load()
        self._detector = KeypointDetector(threads=self.parameters.inference.threads)
        self._lifter = Lifter(lifter_path())
        self._refiner = Refiner(Skeleton(self.body.asset, LIFTED_JOINTS))
        self._colours = BodyColours(self.body)
        self._rows = [self.body.joint_index(name) for name in LIFTED_JOINTS]
        self._joint_keypoints = [_keypoints_of(name) for name in self.body.joint_names]

    def __call__(self, frame: Frame) -> Detections:
        """See ``Estimator``."""
        watch = Stopwatch()
        camera = fallback_camera(frame, self.parameters)
        if self.camera_filter is not None:
            camera = self.camera_filter(camera, frame.stamp)
        wanted = self.parameters.detection
        found = self._detector(frame.rgb, self.threshold, zoom=wanted.zoom, regions=frame.expected)
        trusted = np.where(found.confidences < LEAST_CONFIDENCE, 0.0, found.confidences).astype(
            np.float32
        )
        enough = (trusted[:, _BODY] > 0).sum(1) >= _LEAST_KEYPOINTS
        candidates = np.concatenate([found.candidates, found.bbox[~enough]])
        found, trusted = found[enough], trusted[enough]
        watch.lap('keypoints')
        if len(found.score) == 0:
            nobody = Detections.empty(
                frame.stamp, camera, len(self.body.joint_names), FEATURE_SIZE
            )
            return replace(nobody, candidates=candidates, timings_ms=watch.laps_ms)
        top = box_tops(found.bbox, camera.K)
        edges = picture_edges(camera.K, np.array([camera.width, camera.height]))
        report = Report(
            _rays(found.keypoints, camera),
            torch.as_tensor(trusted),
            top,
            edges.expand(len(top), -1),
            torch.as_tensor(found.hints),
        )
        view = make_view(report)
        lifted = self._lifter(view)
        watch.lap('lift')
        refined = self._refiner(lifted, view)
        watch.lap('refine')
        detections = self._assemble(frame, camera, found, lifted, refined, view)
        if wanted.nms_distance > 0:
            near = distance_nms(detections.position, detections.score, wanted.nms_distance)
            detections = detections[near]
        watch.lap('body')
        detections = replace(detections, appearance=self._colours(frame.rgb, detections))
        watch.lap('appearance')
        return replace(detections, candidates=candidates, timings_ms=watch.laps_ms)

    def _assemble(
        self,
        frame: Frame,
        camera: Camera,
        found: KeypointDetections,
        lifted: Lifted,
        refined: Refined,
        view: View,
    ) -> Detections:
        """Turn bodies from their view frames to the optical frame and fill in all rows."""
        R = view.R_view_camera.transpose(1, 2)  # (N, 3, 3), camera from view
        num_people = len(found.score)
        world = torch.eye(3).repeat(num_people, len(self.body.joint_names), 1, 1)
        world[:, self._rows] = refined.rotations
        world[:, 0] = R @ world[:, 0]
        local = self.body.local_from_world(refined.phenotype, world)
        phenotype = refined.phenotype.numpy()
        hips = refined.landmarks[:, 11:13].mean(1).numpy()
        confidences = found.confidences
        return assemble_detections(
            self.body,
            stamp=frame.stamp,
            camera=camera,
            score=found.score,
            phenotype=phenotype,
            rotations=local.numpy(),
            translation=(R @ refined.translation[..., None])[..., 0].numpy(),
            bbox=found.bbox,
            keypoint_confidences=confidences,
            joint_confidences=np.stack(
                [confidences[:, k].mean(1) for k in self._joint_keypoints], 1
            ),
            position_covariance=_position_covariance(camera, lifted, view, R.numpy(), hips),
            # What makes a body larger than it is makes it taller and farther away alike.
            stature_stddev=self.body.stature(phenotype) * lifted.log_size_stddev.numpy(),
            age_stddev=lifted.phenotype_stddev[:, 1].numpy(),
            measured_2d=_on_the_body(found.keypoints, refined, R, camera),
        )


def _keypoints_of(joint: str) -> NDArray[np.intp]:
    """Rows of the keypoints whose confidence stands for a joint."""
    stem = next(stem for stem in _NEAREST_KEYPOINTS if joint.startswith(stem))
    right = 1 if joint.endswith('.R') else 0
    keypoints = _NEAREST_KEYPOINTS[stem]
    return np.array([k + right for k in keypoints] if len(keypoints) == 1 else keypoints)


def _rays(keypoints: FloatArray, camera: Camera) -> torch.Tensor:
    """Tangents x / z, y / z of pixels (N, 17, 2)."""
    K = camera.K
    y = (keypoints[..., 1] - K[1, 2]) / K[1, 1]
    x = (keypoints[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0]
    return torch.as_tensor(np.stack([x, y], -1), dtype=torch.float32)


def _on_the_body(
    keypoints: FloatArray, refined: Refined, R: torch.Tensor, camera: Camera
) -> FloatArray:
    """Move keypoints (N, 17, 2) from where the 2D network puts them to the body's own points."""
    both = torch.stack([refined.landmarks[:, :NUM_KEYPOINTS], refined.reported])
    own, reported = project_points((both @ R.transpose(1, 2)).numpy(), camera.K)
    return np.asarray(keypoints + own - reported, np.float32)


def _position_covariance(
    camera: Camera, lifted: Lifted, view: View, R: FloatArray, hips: FloatArray
) -> FloatArray:
    """
    Covariance of pelvises from how sure the lifter was of size and place, and of the focal length.

    With f = (w / 2) / tan(hfov / 2), a change of hfov by d changes f by the share -d / sin(hfov),
    and with it every distance.
    """
    distance = np.linalg.norm(hips, axis=1)
    focal = camera.hfov_stddev / math.sin(min(camera.hfov, 0.5 * math.pi))
    share = np.hypot(lifted.log_size_stddev.numpy(), focal)
    lateral = (lifted.offset_stddev * view.extent).numpy() * distance
    position = (R @ hips[..., None])[..., 0]
    return ray_covariance(position, share * distance, lateral)
