# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People back from messages: a HumanArray becomes a Scene again."""

from __future__ import annotations

from typing import Any

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import quat_xyzw_to_rotmat
from anny_ros.types import Camera, CameraSource, Detections, Scene
import numpy as np
from numpy.typing import NDArray
import torch

FloatArray = NDArray[np.floating[Any]]


def scene_from_message(message: Any, body: BodyModel) -> Scene:
    """
    Rebuild the scene that a HumanArray describes.

    Parameters
    ----------
    message : anny_ros/HumanArray
        From any library that names the fields as ROS does.
    body : BodyModel
        The model whose joints the message holds.

    Returns
    -------
    Scene
        The pose comes from the joints' orientations, keypoints from the body model. Without a
        full phenotype (the node sends it only with publish.attributes) keypoints are NaN.

    """
    stamp = _seconds(message.header.stamp)
    camera = Camera(
        np.array(message.camera.k, np.float64).reshape(3, 3),
        int(message.camera.width),
        int(message.camera.height),
        CameraSource(message.camera.source),
        float(message.camera.hfov_stddev),
    )
    humans = list(message.humans)
    twist = _rows([h.twist.covariance for h in humans], 36).reshape(-1, 6, 6)
    linear = [h.twist.twist.linear for h in humans]
    return Scene(
        stamp=stamp,
        camera=camera,
        humans=_detections(stamp, camera, humans, body),
        ids=tuple(str(h.id) for h in humans),
        track_numbers=np.array([h.track_number for h in humans], np.uint32),
        states=np.array([h.state for h in humans], np.uint8),
        identity_confidence=_column([h.identity_confidence for h in humans]),
        age=np.array([_seconds(h.age) for h in humans], np.float64),
        time_since_observed=np.array([_seconds(h.time_since_observed) for h in humans], float),
        velocity=_points(linear),
        velocity_covariance=twist[:, :3, :3].astype(np.float32),
    )


def _detections(stamp: float, camera: Camera, humans: list[Any], body: BodyModel) -> Detections:
    num_joints = len(body.joint_names)
    quats = _rows([h.body.joint_orientations for h in humans], 4 * num_joints)
    orientations = quat_xyzw_to_rotmat(quats.reshape(-1, num_joints, 4))  # (N, J, 3, 3)
    positions = _rows([h.body.joint_positions for h in humans], 3 * num_joints)
    positions = positions.reshape(-1, num_joints, 3)
    phenotype = _rows([h.body.phenotype for h in humans], 6)
    rotations, keypoints = _pose(body, phenotype, orientations, positions[:, 0])
    box = _rows([h.bbox for h in humans], 4)
    covariance = _rows([h.pose.covariance for h in humans], 36).reshape(-1, 6, 6)
    with np.errstate(invalid='ignore', divide='ignore'):
        keypoints_2d = project(keypoints, camera.K)
    return Detections(
        stamp=stamp,
        camera=camera,
        score=_column([h.score for h in humans]),
        bbox=np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1),
        phenotype=phenotype,
        rotations=rotations,
        translation=positions[:, 0],
        joint_positions=positions,
        joint_orientations=orientations,
        joint_confidences=_rows([h.body.joint_confidences for h in humans], num_joints),
        keypoints_3d=keypoints,
        keypoints_2d=keypoints_2d,
        keypoint_confidences=np.full((len(humans), 17), np.nan),
        position=_points([h.pose.pose.position for h in humans]),
        position_covariance=covariance[:, :3, :3],
        head_position=_points([h.head_position for h in humans]),
        ground_position=_points([h.ground_position for h in humans]),
        stature=_column([h.stature for h in humans]),
        stature_stddev=_column([h.stature_stddev for h in humans]),
        age_years=_column([h.age_years for h in humans]),
        minor_probability=_column([h.minor_probability for h in humans]),
        appearance=np.zeros((len(humans), 0)),
    )


def _pose(
    body: BodyModel, phenotype: FloatArray, orientations: FloatArray, root: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find local rotations (N, J, 3, 3) and COCO keypoints (N, 17, 3) of posed joints."""
    rotations = np.full(orientations.shape, np.nan)
    keypoints = np.full((len(phenotype), 17, 3), np.nan)
    known = np.flatnonzero(np.isfinite(phenotype).all(axis=1))
    if not len(known):
        return rotations, keypoints
    shape = torch.as_tensor(phenotype[known], dtype=torch.float64)
    rest = body.rest_frames(shape).numpy()  # (N, J, 3, 3)
    turned = orientations[known] @ rest.transpose(0, 1, 3, 2)  # rest pose to picture, per joint
    world = turned.copy()
    parents = np.asarray(body.joint_parents)[1:]
    world[:, 1:] = turned[:, parents].transpose(0, 1, 3, 2) @ turned[:, 1:]
    local = body.local_from_world(shape, torch.as_tensor(world))
    posed = body.pose(shape, local, torch.as_tensor(root[known], dtype=torch.float64))
    rotations[known] = local.numpy()
    keypoints[known] = posed.landmarks[:, :17].numpy()
    return rotations, keypoints


def _seconds(time: Any) -> float:
    return float(time.sec + time.nanosec * 1e-9)


def _column(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1)


def _rows(values: list[Any], width: int) -> FloatArray:
    return np.array([np.asarray(v, np.float64) for v in values]).reshape(-1, width)


def _points(values: list[Any]) -> NDArray[np.float32]:
    return np.array([(v.x, v.y, v.z) for v in values], np.float32).reshape(-1, 3)
