# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Scenes and bodies as messages.

Arrays go into flat message fields as ``array.array``, the only form that rclpy's setters take
without looking at every number.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
import math
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.geometry.rotations import rotmat_to_quat_xyzw
from anny_ros.msg import (
    BodyModel as BodyModelMessage,
)
from anny_ros.msg import (
    BodyPose,
    CameraModel,
    Human,
    HumanArray,
    HumanMesh,
    HumanMeshArray,
)
from anny_ros.ros.result import Result
from anny_ros.types import Camera, Detections
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, PoseWithCovariance, Quaternion, TwistWithCovariance, Vector3
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

_NEAR = 1e-3  # metres; nearer than this a point has no place in the picture

# Links of REP-155's human description whose origin is at one of our joints.
_REP155_NAMES = {
    'neck01': 'torso',
    'head': 'p_head',
    'upperarm01': 'shoulder',
    'lowerarm01': 'elbow',
    'wrist': 'wrist',
    'upperleg01': 'hip',
    'lowerleg01': 'knee',
    'foot': 'ankle',
}


def floats(values: NDArray[np.floating[Any]]) -> array.array[float]:
    """Make a float32[] field of an array of any shape."""
    return array.array('f', np.ascontiguousarray(values, np.float32).tobytes())


def seconds_to_duration(seconds: float) -> Duration:
    """Make a Duration; what is not finite becomes zero."""
    if not math.isfinite(seconds):
        return Duration()
    whole, part = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(sec=int(whole), nanosec=int(part))


def xyz(values: Sequence[float]) -> dict[str, float]:
    """Keyword arguments of Point and Vector3."""
    return {'x': float(values[0]), 'y': float(values[1]), 'z': float(values[2])}


def quaternion(values: Sequence[float]) -> Quaternion:
    """Make a Quaternion of x, y, z, w."""
    return Quaternion(**xyz(values), w=float(values[3]))


def camera_model(camera: Camera) -> CameraModel:
    """Say which camera people were placed with."""
    return CameraModel(
        source=int(camera.source),
        width=camera.width,
        height=camera.height,
        k=np.asarray(camera.K, np.float64).ravel(),
        hfov=float(np.float32(camera.hfov)),
        hfov_stddev=float(np.float32(camera.hfov_stddev)),
    )


def human_array(result: Result, *, attributes: bool) -> HumanArray:
    """
    Make the message of everybody in one picture.

    Parameters
    ----------
    result : Result
    attributes : bool
        Whether age, probability of being a minor and the phenotype's gender and age are told;
        else they are NaN.

    """
    scene, people = result.scene, result.scene.humans
    bodies = body_poses(people, attributes=attributes)
    body_quats = rotmat_to_quat_xyzw(result.body_orientations)  # (N, 4)
    pose_covariances = _six_by_six(people.position_covariance)
    twist_covariances = _six_by_six(scene.velocity_covariance)
    sizes = people.bbox[:, 2:] - people.bbox[:, :2]
    boxes = np.concatenate([people.bbox[:, :2], sizes], axis=1).astype(np.float32)
    humans = []
    for row, name in enumerate(scene.ids):
        human = Human(
            id=name,
            track_number=int(scene.track_numbers[row]),
            state=int(scene.states[row]),
            score=float(people.score[row]),
            identity_confidence=float(scene.identity_confidence[row]),
            age=seconds_to_duration(scene.age[row]),
            time_since_observed=seconds_to_duration(scene.time_since_observed[row]),
            pose=PoseWithCovariance(covariance=pose_covariances[row]),
            twist=TwistWithCovariance(covariance=twist_covariances[row]),
            head_position=Point(**xyz(people.head_position[row])),
            ground_position=Point(**xyz(people.ground_position[row])),
            stature=float(people.stature[row]),
            stature_stddev=float(people.stature_stddev[row]),
            age_years=float(people.age_years[row]) if attributes else math.nan,
            minor_probability=float(people.minor_probability[row]) if attributes else math.nan,
            bbox=boxes[row],
            body=bodies[row],
        )
        human.pose.pose.position = Point(**xyz(people.position[row]))
        human.pose.pose.orientation = quaternion(body_quats[row])
        human.twist.twist.linear = Vector3(**xyz(scene.velocity[row]))
        human.twist.twist.angular = Vector3(x=math.nan, y=math.nan, z=math.nan)
        humans.append(human)
    return HumanArray(header=result.header, camera=camera_model(scene.camera), humans=humans)


def body_poses(people: Detections, *, attributes: bool) -> list[BodyPose]:
    """Make the joints and shape of each person."""
    quats = rotmat_to_quat_xyzw(people.joint_orientations).astype(np.float32)  # (N, J, 4)
    pixels = _project(people.joint_positions, people.camera.K)
    coco_pixels = _project(people.keypoints_3d, people.camera.K)
    phenotype = people.phenotype.astype(np.float32)
    if not attributes:
        phenotype[:, [BodyPose.GENDER, BodyPose.AGE]] = np.nan
    return [
        BodyPose(
            joint_positions=floats(people.joint_positions[row]),
            joint_orientations=floats(quats[row]),
            joint_confidences=floats(people.joint_confidences[row]),
            keypoints_2d=floats(pixels[row]),
            phenotype=phenotype[row],
            root_orientation=quats[row, 0],
            coco_keypoints_3d=people.keypoints_3d[row].ravel(),
            coco_keypoints_2d=coco_pixels[row].ravel(),
            coco_confidences=people.keypoint_confidences[row],
        )
        for row in range(len(people))
    ]


def human_mesh_array(result: Result) -> HumanMeshArray:
    """Make the message of the surfaces of one picture, without people who are LOST."""
    scene = result.scene
    body_hash = result.body.hash(result.resolution)
    meshes = [
        HumanMesh(
            id=scene.ids[row],
            track_number=int(scene.track_numbers[row]),
            body_model=body_hash,
            vertices=floats(vertices),
        )
        for row, vertices in zip(result.visible_rows, result.vertices, strict=True)
    ]
    return HumanMeshArray(header=result.header, meshes=meshes)


def body_model(body: BodyModel, resolution: str) -> BodyModelMessage:
    """Describe the joints and triangles of a surface."""
    triangles = np.ascontiguousarray(body.triangles(resolution), np.uint32)
    parents = np.ascontiguousarray(body.joint_parents, np.int32)
    return BodyModelMessage(
        hash=body.hash(resolution),
        name=body.name,
        joint_names=list(body.joint_names),
        joint_parents=array.array('i', parents.tobytes()),
        triangles=array.array('I', triangles.tobytes()),
        rep155_names=[rep155_name(name) for name in body.joint_names],
    )


def rep155_name(joint: str) -> str:
    """Name of the REP-155 link at a joint, without its suffix; empty if there is none."""
    bone, _, side = joint.partition('.')
    link = _REP155_NAMES.get(bone, '')
    return f'{side.lower()}_{link}' if link and side else link


def stamp_seconds(header: Header) -> float:
    """Read the stamp of a header in seconds."""
    return float(header.stamp.sec + header.stamp.nanosec * 1e-9)


def _six_by_six(top_left: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(N, 3, 3) covariances of x, y, z as rows (N, 36) of six-dimensional ones, the rest NaN."""
    result = np.full((len(top_left), 6, 6), np.nan)
    result[:, :3, :3] = top_left
    return result.reshape(-1, 36)


def _project(points: NDArray[np.floating[Any]], K: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels (N, J, 2) of points (N, J, 3); NaN for what is behind the camera."""
    image = points.astype(np.float64) @ np.asarray(K, np.float64).T  # (N, J, 3)
    depth = np.where(image[..., 2:] > _NEAR, image[..., 2:], np.nan)
    return (image[..., :2] / depth).astype(np.float32)
