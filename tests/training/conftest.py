# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People before simulated cameras, and drawn ones in pictures."""

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.refine import rotations_from_rotvec
from anny_ros.types import Camera, CameraSource
import cv2
import numpy as np
import pytest
import torch

from training.pictures.labels import camera_truth, KeypointState, Labels, pose_bodies
from training.pictures.scene import Picture
from training.poses import PoseData, sample_phenotypes, sample_rotations
from training.simulate import place

BONES = (
    (0, 5), (0, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12), (11, 13),
    (13, 15), (12, 14), (14, 16),
)  # fmt: skip
# From a world with z up, seen by a level camera that looks along +y, to its optical frame.
OPTICAL = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


@pytest.fixture(scope='session')
def lifted_skeleton():
    """The joints that the lifter turns."""
    return Skeleton(BodyModel.load().asset, LIFTED_JOINTS)


@pytest.fixture(scope='session')
def simulated_people(lifted_skeleton):
    """Some 500 people of all ages in poses near rest, as a robot's cameras see them."""
    rng = np.random.default_rng(0)
    body = BodyModel.load()
    turns = torch.as_tensor(rng.normal(scale=0.2, size=(200, 28, 3)), dtype=torch.float32)
    turns[:, 0] = 0.0
    poses = PoseData(rotations_from_rotvec(turns), np.arange(200), np.full(200, 1 / 200))
    E = sample_rotations(poses, 600, rng, augment=True)
    return place(lifted_skeleton, E, sample_phenotypes(body, 600, rng), rng)


def draw_picture(seed, width=112, height=84, people=1, identities=None):
    """Picture of people drawn with lines; labels as of rendered ones, and no data pack."""
    rng = np.random.default_rng(seed)
    body = BodyModel.load()
    camera = Camera.from_hfov(rng.uniform(0.9, 1.4), width, height, CameraSource.CAMERA_INFO)
    names = [body.joint_names.index(name) for name in LIFTED_JOINTS]
    E = np.tile(np.eye(3), (people, len(body.joint_names), 1, 1))
    E[:, names] = rotvec_to_rotmat(rng.normal(0, 0.25, (people, len(names), 3)))
    yaw = rng.uniform(-np.pi, np.pi, people)
    E[:, 0] = rotvec_to_rotmat(yaw[:, None] * [0.0, 0, 1.0])
    place = np.stack([rng.uniform(-0.9, 0.9, people), rng.uniform(2.5, 5, people)], -1)
    place[:, 0] += 1.2 * (np.arange(people) - (people - 1) / 2)
    translation = np.column_stack([place, rng.uniform(0.8, 1.1, people)])
    phenotype = rng.uniform(0.35, 0.65, (people, 6)).astype(np.float32)
    poses = pose_bodies(body, phenotype, E, translation)
    truth = camera_truth(body, poses, OPTICAL, np.array([0.0, 0.0, 1.1]))
    uv = project(truth['keypoints_3d'], camera.K)
    identity = np.arange(people) if identities is None else np.array(identities)
    rgb = np.full((height, width, 3), rng.integers(60, 120, 3), np.uint8)
    for n in range(people):
        # Colours by identity; the left side is brighter, so that fronts can be told from backs.
        shade = np.random.default_rng([int(identity[n]), 77]).integers(120, 255, 3)
        for a, b in BONES:
            colour = shade * (1.0 if a % 2 else 0.5)
            ends = [tuple(int(v) for v in np.clip(uv[n, k], -999, 999)) for k in (a, b)]
            cv2.line(rgb, *ends, tuple(float(v) for v in colour), 2, cv2.LINE_AA)
    labels = Labels(
        identity=identity,
        keypoints_2d=uv.astype(np.float32),
        keypoint_state=np.full((people, 17), KeypointState.VISIBLE, np.uint8),
        bbox=np.concatenate([uv.min(1), uv.max(1)], 1).astype(np.float32),
        visible_share=np.ones(people, np.float32),
        inside_share=np.ones(people, np.float32),
        pixels=np.full(people, 500, np.float32),
        **truth,
    )
    return Picture(rgb, camera, labels)


@pytest.fixture(scope='session', name='draw_picture')
def draw_picture_fixture():
    return draw_picture
