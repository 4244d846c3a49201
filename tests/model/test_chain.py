# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
From a picture to meshes in it, the whole way, against the slow reference.

A small network with random weights in float64; picture, camera, selection, pose, body, placement
and the way back to the picture are those of every user. The reference uses Pillow and the
official body model in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

from anny_ros.body import BodyModel
from anny_ros.inference.backends import split_pictures
from anny_ros.inference.backends.torch import TorchBackend
from anny_ros.inference.single_shot import SingleShotEstimator
from anny_ros.model import PRESETS
from anny_ros.model.network import normalise
from anny_ros.model.pose import JOINT_BONES
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, Frame
import numpy as np
import pytest
import torch

TINY = PRESETS['tiny']
THRESHOLD, DISTANCE = 0.4, 0.25
PUBLISHED = Parameters().with_values(
    {
        'detection.threshold': THRESHOLD,
        'detection.nms_distance': DISTANCE,
        'detection.image_nms': False,
    }
)
# Landscape with padding below and above, portrait with padding at both sides, half a pixel each.
SIZES = [(230, 170), (98, 150)]


class Float64Backend:
    """The network without rounding, so that a difference is a mistake."""

    name = 'float64'
    model = 'tiny'
    image_size = TINY.image_size
    multiple = 16

    def __init__(self, network):
        self.network = network

    def __call__(self, canvases):
        pixels = normalise(torch.from_numpy(canvases)).double()
        return split_pictures([tensor.numpy() for tensor in self.network(pixels)])


@pytest.fixture(scope='module')
def official():
    anny = pytest.importorskip('anny', reason='needs the development package anny==0.6.2')
    return anny.Anny(
        rig='makehuman-blender',
        topology='anny',
        pose_parameterization='local-bone',
        skinning_method='lbs',
    )


@pytest.fixture
def network(make_tiny):
    """Random, but people are a few metres away and some at the same place."""
    network = make_tiny(seed=33)
    decoder = network.full_body_decoder
    decoder.mlp_dist[2].weight *= 0.01
    decoder.mlp_dist[2].bias.fill_(3.4)
    decoder.mlp_loc[2].weight *= 0.5
    decoder.mlp_conf[2].weight *= 5
    decoder.mlp_conf[2].bias.fill_(0.0)
    decoder.mlp_shape[2].bias.fill_(0.0)
    decoder.mlp_pose[2].weight *= 0.5
    return network.double()


@pytest.fixture
def estimator(network):
    return SingleShotEstimator(Float64Backend(network), parameters=PUBLISHED)


def picture(width, height):
    """Noise with coarse and fine grain."""
    rng = np.random.default_rng(width)
    coarse = rng.integers(0, 200, (height // 10 + 1, width // 10 + 1, 3))
    fine = rng.integers(0, 56, (height, width, 3))
    return (np.kron(coarse, np.ones((10, 10, 1)))[:height, :width] + fine).astype(np.uint8)


@dataclass
class Wanted:
    """What the reference says about a picture."""

    people: dict
    K: np.ndarray
    placement: object


def ask_reference(reference, reference_people, official, network, rgb, mistake='', camera=None):
    """Picture to people; a mistake is made in whichever part knows it."""
    pixels, placement = reference_people.prepare(
        rgb,
        longest=160,
        multiple=16,
        mistake=mistake if mistake in reference_people.PICTURE_MISTAKES else '',
    )
    found = reference.output(
        reference.doubles(network),
        pixels,
        num_heads=TINY.backbone.num_heads,
        head_size=TINY.decoder_head_size,
        image_size=160,
    )
    if camera is not None:
        (sx, sy), (left, top) = np.array(placement.resized) / placement.size, placement.offset
        fx, fy, cx, cy = camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]
        K = [[sx * fx, 0, sx * (cx + 0.5) + left], [0, sy * fy, sy * (cy + 0.5) + top], [0, 0, 1]]
    elif mistake == 'camera of the picture without padding':
        K = reference.intrinsics(found['hfov'], *placement.resized)
        K[:2, 2] += placement.offset
    else:
        K = reference.intrinsics(found['hfov'], *placement.canvas, mistake)
    K = np.array(K)
    if mistake == 'pixels count from centres':
        K[:2, 2] -= 0.5
    people = reference_people.people(
        official, found, K, threshold=THRESHOLD, distance=DISTANCE, mistake=mistake
    )
    return Wanted(people, K, placement)


@pytest.fixture
def ask(reference, reference_people, official, network):
    def ask(rgb, mistake='', camera=None):
        return ask_reference(reference, reference_people, official, network, rgb, mistake, camera)

    return ask


def check_people(compare, estimator, detections, wanted):
    heads = wanted.people['heads'][:, JOINT_BONES]
    orientations = wanted.people['orientations'][:, JOINT_BONES]
    vertices = estimator.body.vertices(detections, 'full')
    compare('scores', detections.score, wanted.people['score'], 1e-5)
    compare('vertices, m', vertices, wanted.people['vertices'], 1e-5)
    compare('joints, m', detections.joint_positions, heads, 1e-5)
    compare('orientations of joints', detections.joint_orientations, orientations, 1e-5)


@pytest.mark.parametrize('size', SIZES, ids=str)
def test_people_are_those_of_the_reference(
    compare, estimator, official, reference_people, ask, size
):
    anny = pytest.importorskip('anny')
    rgb = picture(*size)
    detections = estimator(Frame(rgb, 0.0))
    wanted = ask(rgb)
    assert len(detections.score) > 3
    assert wanted.people['num_doubles'] > 1  # so that the removal of doubles is tested
    check_people(compare, estimator, detections, wanted)
    # Back to the picture: the camera, and keypoints in pixels.
    (sx, sy), (left, top) = np.array(wanted.placement.resized) / size, wanted.placement.offset
    K = wanted.K
    met = detections.camera.K
    compare('focal lengths', np.diag(met)[:2], [K[0, 0] / sx, K[1, 1] / sy], 1e-4)
    centre = [(K[0, 2] - left) / sx - 0.5, (K[1, 2] - top) / sy - 0.5]
    compare('principal point', met[:2, 2], centre, 1e-9)
    regressor = anny.KeypointsRegressor.coco(official)
    keypoints = regressor({'vertices': torch.as_tensor(wanted.people['vertices'])})[:, :17]
    pixels = wanted.placement.to_picture(reference_people.project(keypoints.numpy(), K))
    in_front = detections.keypoints_3d[..., 2] > 0.05
    compare('keypoints, px', detections.keypoints_2d[in_front], pixels[in_front], 1e-2)
    faces = wanted.people['vertices'][:, reference_people.FACE_VERTEX]
    posed = estimator.body.pose(
        *(torch.as_tensor(getattr(detections, n)) for n in ('phenotype', 'rotations')),
        torch.as_tensor(detections.translation),
    )
    index = estimator.body.landmark_index('face_centre')
    compare('face centres, m', posed.landmarks[:, index], faces, 1e-5)


@pytest.mark.parametrize('size', SIZES, ids=str)
def test_people_before_a_known_camera(compare, estimator, ask, size):
    K = [[210.0, 0, size[0] / 2 + 7], [0, 200.0, size[1] / 2 - 5], [0, 0, 1]]
    camera = Camera(K, *size)
    rgb = picture(*size)
    detections = estimator(Frame(rgb, 0.0, camera))
    check_people(compare, estimator, detections, ask(rgb, camera=camera))
    assert detections.camera is camera


@pytest.mark.parametrize('fused', [False, True], ids=['plain', 'fused'])
def test_people_in_float32_as_users_run_it(compare, network, ask, fused):
    rgb = picture(*SIZES[0])
    wanted = ask(rgb)
    network = network.float()
    backend = TorchBackend(network.fuse() if fused else network)
    estimator = SingleShotEstimator(backend, parameters=PUBLISHED)
    check_people(compare, estimator, estimator(Frame(rgb, 0.0)), wanted)


@pytest.mark.slow
def test_every_mistake_on_the_way_is_noticed(compare, estimator, reference_people, ask):
    """Another number of people counts as noticed too."""
    rgb = picture(*SIZES[1])
    detections = estimator(Frame(rgb, 0.0))
    vertices = estimator.body.vertices(detections, 'full')
    mistakes = (
        *reference_people.PICTURE_MISTAKES,
        *reference_people.CAMERA_MISTAKES,
        *reference_people.PERSON_MISTAKES,
    )
    for mistake in ('', *mistakes):
        wanted = ask(rgb, mistake).people['vertices']
        if len(wanted) != len(vertices):
            print(f'{mistake}: {len(wanted)} people instead of {len(vertices)}')
            assert mistake
            continue
        apart = compare(f'vertices, {mistake or "no mistake"}', vertices, wanted)
        assert (apart < 1e-5) if not mistake else (apart > 1e-3), mistake


def test_the_centre_is_the_vertex_of_the_description(official, reference_people):
    indices = np.asarray(official.base_mesh_vertex_indices)
    assert indices[reference_people.FACE_VERTEX] == 5054


def test_bones_at_rest_are_told_by_name(official, reference_people):
    words = reference_people.REST_WORDS
    turned = [
        bone
        for bone, name in enumerate(official.bone_labels)
        if not any(word in name for word in words)
    ]
    assert len(official.bone_labels) == 163
    assert turned == [*range(6), *range(21, 26), *range(41, 45), *range(47, 100)]
    joints = BodyModel.load().joint_names
    assert [official.bone_labels[bone] for bone in JOINT_BONES] == list(joints)
