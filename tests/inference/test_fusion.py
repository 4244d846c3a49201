# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sizes and distances corrected by a floor and by a depth picture."""

from dataclasses import replace

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import project
from anny_ros.geometry.depth import scale_from_depth
from anny_ros.geometry.ground import Ground, scale_from_ground, ScaleMeasurement
from anny_ros.inference.assemble import assemble_detections, ray_covariance
from anny_ros.inference.fusion import distance_spread, fuse_scale, GATE
from anny_ros.render.rasterise import rasterise
from anny_ros.tracking.measurement import measure
from anny_ros.types import Camera
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

CAMERA = Camera.from_hfov(1.1, 640, 480)
HEIGHT = 1.2
PLACES = ((-1.0, 3.0), (0.3, 4.5), (1.6, 7.0))


def standing(body, heights=(0.5, 0.5, 0.5)):
    """People on a floor 1.2 m below a level camera, with a prior of 10 % of the distance."""
    num = len(PLACES)
    world = np.tile(np.eye(3), (num, len(body.joint_names), 1, 1))
    world[:, 0] = [[np.cos(0.3), np.sin(0.3), 0], [0, 0, -1], [-np.sin(0.3), np.cos(0.3), 0]]
    phenotype = np.tile([0.5, 0.67, 0.5, 0.5, 0.5, 0.5], (num, 1)).astype(np.float32)
    phenotype[:, 4] = heights
    rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))

    def at(places):
        return assemble_detections(
            body, stamp=0.0, camera=CAMERA, score=np.full(num, 0.9), phenotype=phenotype,
            rotations=rotations.numpy().astype(np.float32), translation=places,
        )  # fmt: skip

    start = np.array([[x, 0.0, z] for x, z in PLACES], np.float32)
    start[:, 1] = HEIGHT - at(start).ground_position[:, 1]
    return with_spread(at(start), 0.1)


def with_spread(people, share):
    distance = np.linalg.norm(people.position, axis=1)
    return replace(
        people,
        position_covariance=ray_covariance(people.position, share * distance, 0.01 * distance),
        stature_stddev=share * people.stature,
    )


def wrongly_scaled(body, people, factors):
    """The same people as an estimator would report them that errs by factors."""
    none = np.full(len(people), 1e-9)
    wrong = fuse_scale(people, body, [ScaleMeasurement(np.log(factors), none)])
    return with_spread(wrong, 0.1)


def measurement(log_scale, stddev, rows=3):
    return ScaleMeasurement(np.full(rows, float(log_scale)), np.full(rows, float(stddev)))


def distances(people):
    return np.linalg.norm(people.position.astype(float), axis=1)


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


@pytest.fixture(scope='module')
def people(body):
    return standing(body)


@settings(max_examples=30, deadline=None)
@given(
    log_scale=st.floats(-0.25, 0.25), stddev=st.floats(0.01, 0.5), prior=st.floats(0.09, 0.3)
)  # fmt: skip
def test_the_product_of_gaussians(body, people, log_scale, stddev, prior):
    people = with_spread(people, prior)
    fused = fuse_scale(people, body, [measurement(log_scale, stddev)])
    variance = 1 / (1 / prior**2 + 1 / stddev**2)
    mean = variance * log_scale / stddev**2
    np.testing.assert_allclose(distances(fused) / distances(people), np.exp(mean), rtol=1e-5)
    np.testing.assert_allclose(fused.stature / people.stature, np.exp(mean), rtol=1e-5)
    np.testing.assert_allclose(distance_spread(fused), np.sqrt(variance), rtol=1e-3)


def test_statures_stay_less_sure_than_measured_distances(body, people):
    share = fuse_scale(people, body, [measurement(0.1, 0.012)])
    stature_share = share.stature_stddev / share.stature
    measured = measure(
        share.position, share.position_covariance, share.stature, share.stature_stddev
    )
    assert (stature_share > 0.04).all()
    assert (measured.coupling == 0).all(), 'the tracker takes the distance for measured'
    vague = fuse_scale(people, body, [measurement(0.1, 0.08)])
    assert (vague.stature_stddev / vague.stature < 0.1).all()
    sure = replace(people, stature_stddev=0.01 * people.stature)
    kept = fuse_scale(sure, body, [measurement(0.1, 0.012)])
    assert (kept.stature_stddev / kept.stature < 0.0125).all()


def test_everything_metric_is_scaled_and_pixels_stay(body, people):
    fused = fuse_scale(people, body, [measurement(0.1, 1e-4)])
    for name in ('translation', 'joint_positions', 'keypoints_3d', 'position', 'head_position',
                 'ground_position'):  # fmt: skip
        np.testing.assert_allclose(
            getattr(fused, name), np.exp(0.1) * getattr(people, name), rtol=1e-4, atol=1e-5
        )
    for name in ('bbox', 'keypoints_2d', 'score', 'rotations', 'joint_orientations'):
        np.testing.assert_array_equal(getattr(fused, name), getattr(people, name))
    uv = project(fused.keypoints_3d.astype(float), CAMERA.K)
    np.testing.assert_allclose(uv, fused.keypoints_2d, atol=0.01)


def test_the_mesh_has_the_new_stature(body, people):
    before = body.vertices(people, 'coarse').astype(float)
    for log_scale in (-0.15, -0.03, 0.08, 0.15):
        fused = fuse_scale(people, body, [measurement(log_scale, 1e-4)])
        np.testing.assert_allclose(body.stature(fused.phenotype), fused.stature, atol=1e-3)
        # Taller bodies are not quite larger ones: legs grow more than heads do.
        off = body.vertices(fused, 'coarse') - np.exp(log_scale) * before
        assert np.sqrt((off**2).sum(-1).mean()) < 0.2 * abs(log_scale)
    giants = fuse_scale(people, body, [measurement(0.29, 1e-4)])
    assert (giants.phenotype[:, 4] == 1).all()
    np.testing.assert_allclose(giants.stature / people.stature, np.exp(0.29), rtol=1e-3)


def test_across_the_ray_the_share_of_the_distance_stays(body, people):
    fused = fuse_scale(people, body, [measurement(0.1, 0.02)])
    for before, after in ((people, fused),):
        ray = after.position / np.linalg.norm(after.position, axis=1, keepdims=True)
        across = np.cross(ray, [0.0, 1, 0])
        across /= np.linalg.norm(across, axis=1, keepdims=True)

        def share(who, across=across):
            variance = np.einsum('ni,nij,nj->n', across, who.position_covariance, across)
            return np.sqrt(variance) / distances(who)

        np.testing.assert_allclose(share(after), share(before), rtol=1e-3)
    assert (np.linalg.eigvalsh(fused.position_covariance.astype(float)) > 0).all()


def test_a_jump_is_refused_and_the_gate_is_three_standard_deviations(body, people):
    gate = GATE * np.hypot(0.1, 0.05)
    for sign in (-1, 1):
        refused = fuse_scale(people, body, [measurement(sign * 1.01 * gate, 0.05)])
        np.testing.assert_array_equal(refused.position, people.position)
        np.testing.assert_array_equal(refused.phenotype, people.phenotype)
        np.testing.assert_array_equal(refused.position_covariance, people.position_covariance)
        accepted = fuse_scale(people, body, [measurement(sign * 0.99 * gate, 0.05)])
        assert (np.abs(np.log(distances(accepted) / distances(people))) > 0.2).all()


def test_the_surest_measurement_counts_first_and_refuses_what_contradicts_it(body, people):
    floor, depth = measurement(-0.2, 0.03), measurement(0.1, 0.01)
    one = fuse_scale(people, body, [floor, depth])
    other = fuse_scale(people, body, [depth, floor])
    np.testing.assert_array_equal(one.position, other.position)
    np.testing.assert_allclose(distances(one) / distances(people), np.exp(0.099), rtol=1e-3)
    agreeing = fuse_scale(people, body, [measurement(0.08, 0.03), depth])
    assert (distance_spread(agreeing) < distance_spread(one)).all()


def test_people_of_whom_nothing_is_known_stay_as_they_are(body, people):
    one = ScaleMeasurement(np.array([0.0, 0.1, 0.0]), np.array([np.inf, 0.01, np.inf]))
    fused = fuse_scale(people, body, [one])
    np.testing.assert_array_equal(fused.position[[0, 2]], people.position[[0, 2]])
    np.testing.assert_array_equal(fused.stature_stddev[[0, 2]], people.stature_stddev[[0, 2]])
    assert distances(fused)[1] > 1.08 * distances(people)[1]
    assert fuse_scale(people, body, []) is people
    assert fuse_scale(people, body, [measurement(0.0, np.inf)]) is people
    nobody = people[[]]
    assert fuse_scale(nobody, body, [measurement(0.0, 0.1, rows=0)]) is nobody


@pytest.mark.parametrize('bad', [np.nan, 0.0, -1.0])
def test_an_unusable_covariance_is_left_alone(body, people, bad):
    covariance = people.position_covariance.copy()
    covariance[1] = bad * np.eye(3)
    spoilt = replace(people, position_covariance=covariance)
    fused = fuse_scale(spoilt, body, [measurement(0.1, 0.01)])
    np.testing.assert_array_equal(fused.position[1], people.position[1])
    assert distances(fused)[0] > 1.08 * distances(people)[0]


FACTORS = np.array([0.88, 1.12, 1.2])


def test_a_floor_corrects_sizes(body, people):
    wrong = wrongly_scaled(body, people, FACTORS)
    found = scale_from_ground(wrong, Ground(np.array([0.0, -1, 0]), HEIGHT))
    fused = fuse_scale(wrong, body, [found])
    error = np.abs(distances(fused) / distances(people) - 1)
    assert (error < 0.4 * np.abs(FACTORS - 1)).all()
    assert (distance_spread(fused) < 0.8 * distance_spread(wrong)).all()


def test_hidden_feet_change_nothing(body, people):
    wrong = wrongly_scaled(body, people, FACTORS)
    confidences = wrong.keypoint_confidences.copy()
    confidences[:, 15:] = 0.05
    hidden = replace(wrong, keypoint_confidences=confidences)
    found = scale_from_ground(hidden, Ground(np.array([0.0, -1, 0]), HEIGHT))
    assert fuse_scale(hidden, body, [found]) is hidden


def test_depth_corrects_sizes_to_one_or_two_percent(body, people):
    surfaces = body.vertices(people, 'coarse').astype(np.float64)
    triangles, num = body.triangles('coarse'), surfaces.shape[1]
    every = np.concatenate([triangles + i * num for i in range(len(surfaces))])
    depth, _ = rasterise(surfaces.reshape(-1, 3), every, CAMERA.K, CAMERA.width, CAMERA.height)
    depth[~np.isfinite(depth)] = 9.0
    wrong = wrongly_scaled(body, people, FACTORS)
    found = scale_from_depth(
        depth, CAMERA, body.vertices(wrong, 'coarse'), triangles, distance_spread(wrong)
    )
    fused = fuse_scale(wrong, body, [found])
    assert (np.abs(distances(fused) / distances(people) - 1) < 0.02).all()
    assert ((distance_spread(fused) > 0.005) & (distance_spread(fused) < 0.02)).all()
