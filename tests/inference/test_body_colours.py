# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Bodies painted by height: a shirt above the hips, trousers below."""

from anny_ros.body import BodyModel
from anny_ros.inference.assemble import assemble_detections
from anny_ros.inference.body_colours import BodyColours, FEATURE_SIZE
from anny_ros.render.rasterise import rasterise
from anny_ros.types import Camera, Detections
import numpy as np
import pytest
import torch

CAMERA = Camera.from_hfov(1.2, 320, 240)
# Rest axes (x left, y back, z up) of somebody who faces the camera, and of one who looks away.
FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
AWAY = torch.tensor([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 40), (30, 40, 140), (180, 180, 170)


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


@pytest.fixture(scope='module')
def colours(body):
    return BodyColours(body)


def stand(body, places, turn=FACING):
    """Make Detections of people whose roots are at places (N, 3)."""
    count = len(places)
    world = torch.eye(3).repeat(count, len(body.joint_names), 1, 1)
    world[:, 0] = turn
    phenotype = torch.full((count, 6), 0.5)
    return assemble_detections(
        body,
        stamp=0.0,
        camera=CAMERA,
        score=np.full(count, 0.9, np.float32),
        phenotype=phenotype.numpy(),
        rotations=body.local_from_world(phenotype, world).float().numpy(),
        translation=np.array(places, np.float32),
    )


def paint(body, people, clothes):
    """Picture of people in clothes: for each the colours of shirt and trousers."""
    triangles = body.triangles('coarse')
    height = body.rest_surface('coarse')[triangles].mean(1)[:, 2]
    vertices = body.vertices(people, 'coarse')
    count = vertices.shape[1]
    every = np.concatenate([triangles + i * count for i in range(len(people))])
    paints = np.concatenate(
        [np.where((height > 0)[:, None], shirt, trousers) for shirt, trousers in clothes]
    )
    _, index = rasterise(vertices.reshape(-1, 3), every, CAMERA.K, CAMERA.width, CAMERA.height)
    picture = np.full((CAMERA.height, CAMERA.width, 3), 120, np.uint8)
    picture[index >= 0] = paints[index[index >= 0]]
    return picture


def feature(body, colours, place, clothes, turn=FACING):
    people = stand(body, [place], turn)
    return colours(paint(body, people, [clothes]), people)[0]


def test_same_clothes_are_closer_than_others(body, colours):
    red = feature(body, colours, (0, 0, 3), (RED, BLUE))
    assert red.shape == (FEATURE_SIZE,)
    np.testing.assert_allclose(np.linalg.norm(red), 1.0, atol=1e-5)
    farther = feature(body, colours, (0.5, 0, 4), ((196, 33, 33), (33, 43, 136)))
    behind = feature(body, colours, (0, 0, 3), (RED, BLUE), AWAY)
    assert float(red @ farther) > 0.8
    assert float(red @ behind) > 0.9
    assert float(red @ feature(body, colours, (0, 0, 3), (GREEN, GREY))) < 0.4
    half = float(red @ feature(body, colours, (0, 0, 3), (RED, GREY)))
    assert 0.3 < half < 0.8


def test_who_stands_in_front_lends_no_colours(body, colours):
    people = stand(body, [(0.0, 0.0, 4.0), (0.12, 0.0, 2.8)])
    hidden = colours(paint(body, people, [(RED, BLUE), (GREEN, GREY)]), people)
    alone = feature(body, colours, (0, 0, 4), (RED, BLUE))
    front = feature(body, colours, (0.12, 0, 2.8), (GREEN, GREY))
    assert float(hidden[1] @ front) > 0.99
    assert float(hidden[0] @ alone) > float(hidden[0] @ front) + 0.3


def test_parts_that_are_not_seen_say_nothing(body, colours):
    people = stand(body, [(0.0, 1.35, 2.0)])  # the legs are below the picture
    seen = colours(paint(body, people, [(RED, BLUE)]), people)[0]
    parts = np.linalg.norm(seen.reshape(8, -1), axis=1)
    assert (parts[[6, 7]] == 0).all()
    assert parts[0] > 0.2
    whole = feature(body, colours, (0, 0, 3), (RED, BLUE))
    other = feature(body, colours, (0, 0, 3), (GREEN, BLUE))
    assert float(seen @ whole) > float(seen @ other) + 0.2


def test_nobody_and_people_whom_the_picture_does_not_show(body, colours):
    blank = np.zeros((240, 320, 3), np.uint8)
    empty = Detections.empty(0.0, CAMERA, len(body.joint_names))
    assert colours(blank, empty).shape == (0, FEATURE_SIZE)
    outside = stand(body, [(50.0, 0.0, 3.0), (0.0, 0.0, -3.0)])
    assert not colours(blank, outside).any()


def test_people_who_do_not_overlap_do_not_influence_each_other(body, colours):
    people = stand(body, [(-1.0, 0.0, 4.0), (1.0, 0.0, 4.0)])
    both = colours(paint(body, people, [(RED, BLUE), (GREEN, GREY)]), people)
    alone = feature(body, colours, (1.0, 0.0, 4.0), (GREEN, GREY))
    np.testing.assert_allclose(both[1], alone, atol=1e-5)
