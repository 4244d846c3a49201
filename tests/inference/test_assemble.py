# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.inference.assemble import assemble_detections, minor_probability, ray_covariance
from anny_ros.types import Camera
import numpy as np
import torch

# Rest axes (x left, y back, z up) of somebody who faces the camera.
_FACING = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


def stand(distances, age=0.8):
    """Adults in the rest pose who face the camera, their root joints on its axis."""
    body = BodyModel.load()
    num_people = len(distances)
    phenotype = np.full((num_people, 6), 0.5, np.float32)
    phenotype[:, 1] = age
    world = torch.eye(3).repeat(num_people, len(body.joint_names), 1, 1)
    world[:, 0] = torch.as_tensor(_FACING, dtype=torch.float32)
    rotations = body.local_from_world(torch.as_tensor(phenotype), world).numpy()
    translation = np.zeros((num_people, 3), np.float32)
    translation[:, 2] = distances
    return assemble_detections(
        body,
        stamp=2.0,
        camera=Camera.from_hfov(1.2, 1280, 720),
        score=np.linspace(0.9, 0.6, num_people),
        phenotype=phenotype,
        rotations=rotations,
        translation=translation,
    )


def test_derived_rows_are_where_they_belong():
    people = stand([4.0, 8.0])
    np.testing.assert_allclose(people.position[:, 2], [4.0, 8.0], atol=0.2)
    assert (people.head_position[:, 1] < people.position[:, 1]).all()
    assert (people.ground_position[:, 1] > people.position[:, 1]).all()
    height = people.ground_position[:, 1] - people.head_position[:, 1]
    np.testing.assert_allclose(height, 0.9 * people.stature, rtol=0.06)
    K = people.camera.K
    points = people.keypoints_3d @ K.T
    np.testing.assert_allclose(people.keypoints_2d, points[..., :2] / points[..., 2:], rtol=1e-4)
    inside = (people.keypoints_2d >= people.bbox[:, None, :2]).all() and (
        people.keypoints_2d <= people.bbox[:, None, 2:]
    ).all()
    assert inside
    # the box of a body twice as far is half as high
    heights = people.bbox[:, 3] - people.bbox[:, 1]
    np.testing.assert_allclose(heights[0] / heights[1], 2.0, rtol=0.05)
    np.testing.assert_allclose(heights[0], people.stature[0] * K[1, 1] / 4.0, rtol=0.06)


def test_position_is_between_the_hips_and_not_the_root():
    people = stand([4.0])
    np.testing.assert_allclose(people.position, people.keypoints_3d[:, 11:13].mean(1), atol=1e-6)
    root = people.joint_positions[:, 0]
    np.testing.assert_allclose(root, people.translation, atol=1e-6)
    assert people.position[0, 2] < root[0, 2] - 0.05  # the root lies at the back


def test_nobody_has_the_same_shapes():
    people = stand([])
    assert len(people) == 0
    assert people.joint_positions.shape == (0, 74, 3)


def test_covariance_is_long_along_the_ray():
    position = np.array([[3.0, 0.0, 4.0]])
    C = ray_covariance(position, np.array([0.5]), np.array([0.1]))[0]
    ray = position[0] / 5.0
    np.testing.assert_allclose(ray @ C @ ray, 0.25, rtol=1e-5)
    across = np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(across @ C @ across, 0.01, rtol=1e-5)
    np.testing.assert_allclose(C, C.T)


def test_minor_probability_follows_age():
    p = minor_probability(np.array([0.2, 0.77, 0.95]), np.full(3, 0.1))
    assert p[0] > 0.99
    np.testing.assert_allclose(p[1], 0.5)
    assert p[2] < 0.05
    assert stand([3.0], age=0.3).minor_probability[0] > 0.9
