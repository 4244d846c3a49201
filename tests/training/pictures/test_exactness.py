# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Labels against what is drawn, with undressed bodies: no data pack is needed."""

from __future__ import annotations

from anny_ros.geometry.camera import project
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.render.rasterise import rasterise
from anny_ros.types import Camera
import numpy as np
import pytest

from training.pictures.gait import yaw_matrix
from training.pictures.labels import KeypointState, pose_bodies
from training.pictures.light import look_at
from training.pictures.stage import Cast, lowest_point, render, View

PLACES = np.array([[-0.9, 4.0], [0.1, 3.4], [1.2, 4.6]])


def make_cast(body, figures, places):
    """Stand people on the floor, everything turned a little at random."""
    rng = np.random.default_rng(3)
    num = len(places)
    E = rotvec_to_rotmat(rng.normal(0, 0.15, (num, len(body.joint_names), 3)))
    E[:, 0] = np.array([yaw_matrix(a) for a in rng.uniform(-1, 1, num)]).reshape(-1, 3, 3)
    phenotype = np.array([f.phenotype for f in figures], np.float32).reshape(-1, 6)
    posed = pose_bodies(body, phenotype, E, np.zeros((num, 3)))
    skin = zip(figures, posed.skin_rotations, posed.skin_offsets, strict=True)
    low = np.array([lowest_point(*one) for one in skin])
    translation = np.concatenate([places, -low[:, None]], 1)
    poses = pose_bodies(body, phenotype, E, translation)
    return Cast(np.arange(num), tuple(figures), poses)


def make_view(x=0.1, height=1.5):
    position = np.array([0.3, 0.0, height])
    camera = Camera.from_hfov(1.2, 320, 240)
    return View(camera, look_at(position, np.array([x, 4.0, 0.7])), position)


@pytest.fixture(scope='module')
def cast(body, figures):
    return make_cast(body, figures, PLACES)


def test_meshes_of_the_labels_are_what_is_drawn(body, cast, plain_scenery):
    view = make_view()
    shot = render(body, cast, plain_scenery, view)
    found = shot.labels.detections(body, view.camera)
    meshes = body.vertices(found, 'full')
    first = np.arange(len(meshes))[:, None, None] * meshes.shape[1]
    triangles = (body.triangles('full') + first).reshape(-1, 3)
    # The depth map holds the first sample of each pixel, a quarter of a pixel aside.
    K = view.camera.K.copy()
    K[:2, 2] += 0.25
    depth, triangle = rasterise(
        meshes.reshape(-1, 3), triangles, K, view.camera.width, view.camera.height
    )
    people = triangle >= 0
    assert people.sum() > 3000
    # Rounding may tip a pixel on an outline, and the floor is as near as a sole.
    wrong = np.abs(depth[people] - shot.depth[people]) > 0.002
    assert wrong.sum() <= 0.003 * people.sum()
    empty = render(body, make_cast(body, (), PLACES[:0]), plain_scenery, view)
    floor = np.isfinite(shot.depth) & ~people
    nobody = np.abs(shot.depth[floor] - empty.depth[floor]) > 0.002
    assert nobody.sum() <= 0.003 * people.sum()


def test_vertices_agree_to_a_fraction_of_a_pixel(body, cast, plain_scenery):
    view = make_view()
    labels = render(body, cast, plain_scenery, view).labels
    meshes = body.vertices(labels.detections(body, view.camera), 'full')
    for i, figure in enumerate(cast.figures):
        poses = cast.poses
        drawn, _ = figure.levels[0].pose(poses.skin_rotations[i], poses.skin_offsets[i])
        drawn = (drawn + poses.translation[i] - view.position) @ view.R.T
        uv, expected = project(drawn, view.camera.K), project(meshes[i], view.camera.K)
        assert np.linalg.norm(uv - expected, axis=1).max() < 0.01
        np.testing.assert_allclose(labels.bbox[i], [*uv.min(0), *uv.max(0)], atol=0.02)


def test_keypoints_and_rotations_are_the_body_models(body, cast, plain_scenery):
    view = make_view()
    labels = render(body, cast, plain_scenery, view).labels
    found = labels.detections(body, view.camera)
    np.testing.assert_allclose(found.keypoints_3d, labels.keypoints_3d, atol=2e-5)
    np.testing.assert_allclose(found.keypoints_2d, labels.keypoints_2d, atol=0.01)
    np.testing.assert_allclose(found.stature, labels.stature)
    np.testing.assert_allclose(body.world_rotations(found), labels.rotations, atol=2e-5)
    upright = view.R.T @ labels.rotations[:, 0].astype(np.float64)
    np.testing.assert_allclose(upright, cast.poses.rotations[:, 0], atol=1e-6)


def test_visible_keypoints_lie_just_under_the_surface(body, cast, plain_scenery):
    view = make_view()
    shot = render(body, cast, plain_scenery, view)
    labels = shot.labels
    visible = labels.keypoint_state == KeypointState.VISIBLE
    assert visible.sum() > 20
    column, row = np.rint(labels.keypoints_2d[visible]).astype(int).T
    under = labels.keypoints_3d[visible][:, 2] - shot.depth[row, column]
    # Noses and ears stick out: a ray may pass beside them.
    assert (under > -0.03).mean() > 0.9
    assert (under < 0.2).all()


def test_who_stands_behind_a_box_is_partly_visible(body, cast, plain_scenery, with_box):
    view = make_view()
    free, hidden = (render(body, cast, s, view).labels for s in (plain_scenery, with_box))
    np.testing.assert_array_equal(free.visible_share, 1.0)
    assert (hidden.visible_share < 0.97).all()
    assert (hidden.visible_share > 0.1).all()
    assert (hidden.pixels < free.pixels).all()
    assert (hidden.keypoint_state[:, 15:17] == KeypointState.HIDDEN).all()
    assert (hidden.keypoint_state[:, 0] != KeypointState.HIDDEN).all()


def test_who_stands_behind_somebody_is_hidden_by_them(body, figures, plain_scenery):
    places = np.array([[0.3, 2.0], [0.3, 5.0]])
    view = make_view(0.3, 1.0)
    labels = render(body, make_cast(body, figures[:2], places), plain_scenery, view).labels
    assert labels.visible_share[0] == 1.0
    assert labels.visible_share[1] < 0.5
    assert (labels.keypoint_state[1] == KeypointState.HIDDEN).sum() > 5
    alone = make_cast(body, figures[1:2], places[1:])
    assert render(body, alone, plain_scenery, view).labels.visible_share[0] == 1.0


def test_the_far_hand_is_hidden_by_the_own_body(body, figures, plain_scenery):
    cast = make_cast(body, figures[:1], np.array([[0.3, 3.0]]))
    E = np.tile(np.eye(3), (1, len(body.joint_names), 1, 1))
    E[0, 0] = yaw_matrix(np.pi / 2)  # the left side towards the camera is -90 degrees
    poses = pose_bodies(body, cast.poses.phenotype, E, cast.poses.translation)
    view = make_view(0.3, 1.0)
    state = render(body, Cast(cast.identity, cast.figures, poses), plain_scenery, view).labels
    state = state.keypoint_state[0]
    shoulders = {KeypointState(state[k]) for k in (5, 6)}
    assert shoulders == {KeypointState.VISIBLE, KeypointState.SELF_HIDDEN}


def test_who_is_cut_by_the_edge_is_partly_inside(body, figures, plain_scenery):
    view = make_view(0.3)
    edge = np.tan(0.6) * 3.0 + 0.3
    cast = make_cast(body, figures[:1], np.array([[edge - 0.1, 3.0]]))
    labels = render(body, cast, plain_scenery, view).labels
    assert 0.2 < labels.inside_share[0] < 0.9
    assert (labels.keypoint_state[0] == KeypointState.OUTSIDE).any()
    assert labels.visible_share[0] == 1.0
    gone = make_cast(body, figures[:1], np.array([[edge + 3, 3.0]]))
    labels = render(body, gone, plain_scenery, view).labels
    assert labels.inside_share[0] == 0.0
    assert labels.pixels[0] == 0.0
    assert (labels.keypoint_state[0] == KeypointState.OUTSIDE).all()


def test_depth_of_the_floor_is_that_of_the_plane(body, plain_scenery):
    view = make_view()
    shot = render(body, make_cast(body, (), PLACES[:0]), plain_scenery, view)
    assert len(shot.labels) == 0
    for row, column in ((200, 100), (239, 0), (150, 300)):
        pixel = [column - 0.25, row - 0.25, 1.0]
        ray = view.R.T @ np.linalg.inv(view.camera.K) @ pixel
        assert shot.depth[row, column] == pytest.approx(-view.position[2] / ray[2], rel=2e-3)


def test_people_cast_shadows_on_the_floor(body, cast, plain_scenery):
    view = make_view()
    shaded = render(body, cast, plain_scenery, view)
    bare = render(body, make_cast(body, (), PLACES[:0]), plain_scenery, view)
    floor = np.isfinite(bare.depth)
    floor[floor] = np.abs(shaded.depth[floor] - bare.depth[floor]) < 1e-5
    darker = shaded.light.mean(2)[floor] < 0.8 * bare.light.mean(2)[floor]
    assert 150 < darker.sum() < 0.2 * floor.sum()
