# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import project
from anny_ros.inference import assemble_detections
from anny_ros.render.anonymise import anonymise, fill_from_surroundings, hidden_pixels
from anny_ros.render.colours import track_colour
from anny_ros.render.overlay import draw_meshes
from anny_ros.tracking import Tracker
from anny_ros.types import Camera, TrackState
import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

NO_BOXES = np.zeros((0, 4))
CAMERA = Camera.from_hfov(1.0, 320, 240)


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


@pytest.fixture(scope='module')
def scene(body):
    """Two people, 4 m and 6 m away."""
    world = np.tile(np.eye(3), (2, len(body.joint_names), 1, 1))
    world[:, 0] = [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]
    phenotype = np.tile([0.5, 0.67, 0.5, 0.5, 0.5, 0.5], (2, 1)).astype(np.float32)
    rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))
    people = assemble_detections(
        body, stamp=0.0, camera=CAMERA, score=np.full(2, 0.9), phenotype=phenotype,
        rotations=rotations.numpy(), translation=np.array([[-0.8, 0, 4.0], [1.0, 0, 6.0]]),
    )  # fmt: skip
    tracker = Tracker()
    for i in range(8):
        scene = tracker.update(replace(people, stamp=0.1 * i))
    assert (scene.states == TrackState.TRACKED).all()
    return scene


def picture(seed=0, shape=(240, 320)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def test_nothing_of_a_person_is_left(body, scene):
    """The result is the same whatever the pixels that show people are."""
    hidden = hidden_pixels((240, 320), scene, body, NO_BOXES)
    one, other = picture(1), picture(1)
    other[hidden] = picture(2)[hidden]
    a, b = (anonymise(rgb, scene, body, NO_BOXES) for rgb in (one, other))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a[~hidden], one[~hidden])
    assert 0.03 < hidden.mean() < 0.5
    assert (one == picture(1)).all()


@pytest.mark.parametrize('state', list(TrackState))
def test_everybody_is_hidden_with_a_margin_whatever_their_state(body, scene, state):
    known = replace(scene, states=np.full(2, state, np.uint8))
    hidden = hidden_pixels((240, 320), known, body, NO_BOXES)
    uv = project(body.vertices(scene.humans, 'full'), CAMERA.K).reshape(-1, 2)
    u, v = np.round(uv).astype(int).T
    inside = (u >= 0) & (u < 320) & (v >= 0) & (v < 240)
    for du, dv in ((0, 0), (4, 0), (-4, 0), (0, 4), (0, -4)):
        rows = np.clip(v[inside] + dv, 0, 239), np.clip(u[inside] + du, 0, 319)
        assert hidden[rows].all()


def test_a_body_that_lies_wrong_hides_the_box_that_was_seen(body, scene):
    boxes = np.array([[20.0, 40, 60, 160], [250, 60, 280, 180]], np.float32)
    known = replace(scene, humans=replace(scene.humans, bbox=boxes))
    assert (scene.states == TrackState.TRACKED).all()
    hidden = hidden_pixels((240, 320), known, body, NO_BOXES)
    for x0, y0, x1, y1 in boxes.astype(int):
        assert hidden[y0 : y1 + 1, x0 : x1 + 1].all()


def test_meshes_are_drawn_for_who_is_surely_there(body, scene):
    flat = np.full((240, 320, 3), 100, np.uint8)
    shown = anonymise(flat, scene, body, NO_BOXES)
    tentative = replace(scene, states=np.full(2, TrackState.TENTATIVE, np.uint8))
    assert (shown != flat).any(axis=2).mean() > 0.02
    np.testing.assert_array_equal(anonymise(flat, tentative, body, NO_BOXES), flat)


def test_candidates_are_hidden_without_a_mesh(body, scene):
    nobody = Tracker().update(scene.humans[[]])
    boxes = np.array([[20.0, 30, 60, 90], [300, 200, 400, 300], [np.nan, 0, 1, 1]])
    rgb = picture()
    result = anonymise(rgb, nobody, body, boxes)
    assert (result[30:91, 20:61] != rgb[30:91, 20:61]).any(axis=2).mean() > 0.95
    assert (result[200:, 300:] != rgb[200:, 300:]).any(axis=2).mean() > 0.95
    np.testing.assert_array_equal(result[:, 100:250], rgb[:, 100:250])


def test_a_picture_of_another_size_than_the_camera(body, scene):
    half = hidden_pixels((120, 160), scene, body, NO_BOXES)
    full = hidden_pixels((240, 320), scene, body, NO_BOXES)
    agreement = (half == full[::2, ::2]).mean()
    assert agreement > 0.97


def test_a_mesh_has_no_face(body, scene):
    """Whatever the face's surface looks like, its shading is spread over a good part of it."""
    near = replace(CAMERA, K=CAMERA.K @ np.diag([4.0, 4.0, 1.0]))  # 4 px a centimetre
    scene = replace(scene, camera=near)
    head = scene.humans.head_position[0]
    flat = np.full((240, 320, 3), 100, np.uint8)
    centre = (near.K @ head)[:2] / head[2]
    moved = np.eye(3)
    moved[:2, 2] = np.array([160.0, 120.0]) - centre  # the head in the picture's middle
    scene = replace(scene, camera=replace(near, K=moved @ near.K))
    sharp, blurred = flat.copy(), anonymise(flat, scene, body, NO_BOXES)
    draw_meshes(
        sharp, body.vertices(scene.humans), body.triangles('coarse'), scene.camera.K,
        np.array([track_colour(int(n)) for n in scene.track_numbers]), np.ones(2),
    )  # fmt: skip
    face = np.s_[112:136, 148:172]
    assert (sharp[face] != 100).any()

    def edges(rgb):
        return np.abs(cv2.Laplacian(rgb[face].astype(np.float32), cv2.CV_32F)).mean()

    assert edges(blurred) < 0.35 * edges(sharp)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99),
    share=st.sampled_from([0.0, 0.1, 0.6, 0.95, 1.0]),
)  # fmt: skip
def test_filling_never_reads_a_hidden_pixel(height, width, seed, share):
    rng = np.random.default_rng(seed)
    hidden = rng.random((height, width)) < share
    one = picture(seed, (height, width))
    other = one.copy()
    other[hidden] = 255 - other[hidden]
    a, b = fill_from_surroundings(one, hidden), fill_from_surroundings(other, hidden)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a[~hidden], one[~hidden])
    flat = np.full_like(one, 90)
    if not hidden.all():
        assert np.abs(fill_from_surroundings(flat, hidden).astype(int) - 90).max() <= 1
