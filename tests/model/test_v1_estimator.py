# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From a file of Multi-HMR v1 to people in space."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.cli.main import main
from anny_ros.errors import ModelError
from anny_ros.geometry.camera import project
from anny_ros.inference import Estimator
from anny_ros.inference.backends import RawPeople
from anny_ros.inference.body_colours import FEATURE_SIZE
from anny_ros.inference.single_shot import SingleShotEstimator
from anny_ros.model import load_network
from anny_ros.model.heads import initial_body_pose
from anny_ros.model.pose import FIXED_BONES, JOINT_BONES, person_convention
from anny_ros.model.v1 import Multihmr1Network
from anny_ros.parameters import Parameters
from anny_ros.types import CameraSource, Frame
import numpy as np
from PIL import Image
import pytest
import torch

DATA = Path(__file__).parents[1] / 'data'
HFOV = 1.1
FOCAL = 336 / math.tan(HFOV / 2)  # of the canvas
SAFE_GLOBALS = pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='needs PyTorch 2.5 or newer'
)


class KnownNetwork:
    """Backend that sees one person, who stands upright and faces the camera."""

    name = 'known'
    model = 'multihmr1_anny'
    image_size = multiple = 672

    def __init__(self, head):
        u, v, w = FOCAL * head[0], FOCAL * head[1], head[2]
        self.canvas = None
        self.pose = initial_body_pose(163).numpy().reshape(1, 163, 6)
        self.raw = RawPeople(
            hfov=HFOV,
            confidence=np.float32([0.9]),
            location=np.float32([[336 + u / w, 336 + v / w]]),
            log_pixels_per_metre=np.float32([math.log(FOCAL / head[2])]),
            shape=np.float32([[0.3, 0.6, 0.4, 0.6, 0.7, 0.2, 0.9, 0.1, 0.9, 0.1, 0.1]]),
            pose=self.pose.reshape(1, 978),
            appearance=np.zeros((1, 0), np.float32),
        )

    def __call__(self, canvases):
        (self.canvas,) = canvases
        return [self.raw]


def frame(width=640, height=480):
    return Frame(np.full((height, width, 3), 200, np.uint8), 1.5)


@pytest.mark.parametrize('size', [(640, 480), (480, 640), (1768, 994), (500, 500)])
def test_the_canvas_is_square_and_the_head_where_it_was_seen(size):
    head = np.array([0.4, -0.5, 4.0])
    network = KnownNetwork(head)
    detections = SingleShotEstimator(network)(frame(*size))
    assert network.canvas.shape == (672, 672, 3)
    covered = (network.canvas != 0).any(axis=2)
    assert covered.any(axis=0).sum() == round(672 * size[0] / max(size))
    assert covered.any(axis=1).sum() == round(672 * size[1] / max(size))
    assert np.array_equal(covered, covered[::-1, ::-1])  # centred
    joint = BodyModel.load().joint_index('head')
    np.testing.assert_allclose(detections.joint_positions[0, joint], head, atol=1e-5)
    # In the original picture the head is on the ray through the place on the canvas.
    scale = max(size) / 672
    wanted = (np.array(size) + scale * FOCAL * head[:2] / head[2] * 2) / 2 - 0.5
    np.testing.assert_allclose(project(head, detections.camera.K), wanted, atol=0.5)
    assert detections.camera.source == CameraSource.ESTIMATED
    assert detections.appearance.shape == (1, FEATURE_SIZE)  # colours: it has none of its own
    np.testing.assert_allclose(detections.phenotype, network.raw.shape[:, :6])


def test_the_initial_pose_stands_upright_and_faces_the_camera():
    """The root turns the whole rest body: a quarter turn about x takes z up to y down."""
    network = KnownNetwork(np.array([0.0, -0.5, 4.0]))
    detections = SingleShotEstimator(network)(frame())
    world = BodyModel.load().world_rotations(detections)[0]
    np.testing.assert_allclose(world[0], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(world[1:], np.tile(np.eye(3), (73, 1, 1)), atol=1e-6)
    nose, left_hip, right_hip = detections.keypoints_3d[0, [0, 11, 12]]
    assert left_hip[0] - right_hip[0] > 0.1
    assert left_hip[1] - nose[1] > 0.4
    assert left_hip[1] == pytest.approx(right_hip[1], abs=1e-3)
    assert nose[2] < detections.position[0, 2]


def test_every_joint_turns_by_the_numbers_of_its_bone():
    """Neck, head and feet too, unlike in Multi-HMR 2."""
    network = KnownNetwork(np.array([0.0, -0.5, 4.0]))
    angles = np.linspace(0.05, 0.6, 163)
    network.pose[0, 1:, 0] = np.cos(angles[1:])
    network.pose[0, 1:, 1] = -np.sin(angles[1:])
    network.pose[0, 1:, 2] = np.sin(angles[1:])
    network.pose[0, 1:, 3] = np.cos(angles[1:])
    rotations = SingleShotEstimator(network)(frame()).rotations[0]
    met = np.arctan2(rotations[1:, 1, 0], rotations[1:, 0, 0])
    np.testing.assert_allclose(met, angles[list(JOINT_BONES[1:])], atol=1e-6)
    assert set(FIXED_BONES) <= set(person_convention(network.model).turned_bones)


def test_other_networks_keep_the_convention_of_multihmr2():
    for name in ('multihmr2', 'tiny'):
        convention = person_convention(name)
        assert convention.anchor == 'face_centre'
        assert not convention.world_aligned_root
        assert len(convention.turned_bones) == 68


@pytest.fixture
def official_file(tmp_path, tiny_v1):
    path = tmp_path / 'multiHMR_672_L_anny.pt'
    arguments = argparse.Namespace(img_size=672, backbone='dinov2_vitl14', xat_dim=512)
    body = {'full_body_decoder.body_model.anchors.age': torch.zeros(5)}
    torch.save({'model_state_dict': tiny_v1.state_dict() | body, 'args': arguments}, path)
    return path


@SAFE_GLOBALS
def test_the_official_form_loads_strictly(official_file, tiny_v1, caplog):
    network = load_network(official_file)
    assert isinstance(network, Multihmr1Network)
    assert network.config == tiny_v1.config
    assert not network.training
    assert network.state_dict().keys() == tiny_v1.state_dict().keys()
    for name, tensor in tiny_v1.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name
    assert not caplog.records
    side = network.config.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    for met, wanted in zip(network(pixels), tiny_v1(pixels), strict=True):
        assert torch.equal(met, wanted)


@pytest.mark.parametrize('dtype', [torch.bool, torch.int64, torch.float16])
def test_the_marks_of_useful_rotations_may_be_of_any_type(tmp_path, tiny_v1, dtype):
    state = tiny_v1.state_dict()
    name = 'full_body_decoder.useful_rotmat'
    torch.save(state | {name: state[name].to(dtype)}, tmp_path / 'a.pt')
    met = load_network(tmp_path / 'a.pt').state_dict()[name]
    assert met.dtype == torch.float32
    assert torch.equal(met, state[name])


@pytest.mark.parametrize('name', ['useful_rotmat', 'dec_pos_emb', 'init_body_pose', 'eye'])
def test_other_constants_are_taken_with_a_warning(tmp_path, tiny_v1, caplog, name):
    state = tiny_v1.state_dict()
    state[f'full_body_decoder.{name}'] *= 1.5
    torch.save(state, tmp_path / 'a.pt')
    network = load_network(tmp_path / 'a.pt')
    assert torch.equal(getattr(network.full_body_decoder, name), getattr(
        tiny_v1.full_body_decoder, name))  # fmt: skip
    assert len(caplog.records) == 1
    assert name in caplog.text


def test_a_mismatch_is_held_against_v1(tmp_path, tiny_v1):
    state = dict(tiny_v1.state_dict())
    del state['encoder.mlp_det.2.bias']
    torch.save(state, tmp_path / 'a.pt')
    with pytest.raises(ModelError, match='does not fit multihmr1_anny') as error:
        load_network(tmp_path / 'a.pt')
    assert '1 missing (encoder.mlp_det.2.bias)' in str(error.value)
    assert 'v1 for Anny' in str(error.value)


@SAFE_GLOBALS
def test_a_real_picture(official_file):
    with Image.open(DATA / 'street_060.jpg') as picture:
        rgb = np.asarray(picture.convert('RGB'))
    parameters = Parameters().with_values({'detection.threshold': 0.05})
    estimator = Estimator.load(str(official_file), parameters)
    assert estimator.name == 'multihmr1_anny'
    detections = estimator(Frame(rgb, 0.0))
    assert len(detections.score) >= 1  # random weights: somebody, anywhere
    assert (detections.camera.height, detections.camera.width) == rgb.shape[:2]
    for name, value in vars(detections).items():
        if isinstance(value, np.ndarray):
            assert np.isfinite(value).all(), name


@SAFE_GLOBALS
def test_doctor_knows_it(official_file, capsys):
    assert main(['doctor', '--checkpoint', str(official_file)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert '510' not in first  # the small network has fewer layers
    assert 'and 1 of body models' in first
    assert second.startswith('  ✓ multihmr1_anny: all tensors fit; use it: anny-ros track')
