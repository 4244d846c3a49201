# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Whole pictures and sequences; they need the data pack."""

from __future__ import annotations

from dataclasses import fields, replace

from anny_ros.errors import InputError
from anny_ros.geometry.camera import project
import cv2
import numpy as np
import pytest

from training.pictures import contact_sheet, render, sequences
from training.pictures.labels import KeypointState
from training.pictures.render import iterate, read_shard, write_shard
from training.pictures.scenarios import SCENARIOS
from training.pictures.sequences import render_sequence


@pytest.fixture(scope='module')
def pictures(studio):
    return list(iterate(studio, 3, 0, 12))


def assert_equal_labels(a, b):
    for f in fields(a):
        np.testing.assert_array_equal(getattr(a, f.name), getattr(b, f.name))


def test_the_same_seed_gives_the_same_pictures_and_another_shard_others(studio, pictures):
    for one, again in zip(pictures, iterate(studio, 3, 0, 4), strict=False):
        np.testing.assert_array_equal(one.rgb, again.rgb)
        assert_equal_labels(one.labels, again.labels)
    other = next(iterate(studio, 3, 1, 1))
    assert other.rgb.shape != pictures[0].rgb.shape or (other.rgb != pictures[0].rgb).any()


def test_labels_are_consistent(studio, pictures):
    assert sum(len(p.labels) for p in pictures) > 10
    for picture in pictures:
        labels, K = picture.labels, picture.camera.K
        assert len(set(labels.identity)) == len(labels)
        ahead = labels.keypoints_3d[..., 2] > 0.05
        uv = project(labels.keypoints_3d, K)
        np.testing.assert_allclose(labels.keypoints_2d[ahead], uv[ahead], rtol=1e-4, atol=0.02)
        assert ((labels.visible_share >= 0) & (labels.visible_share <= 1)).all()
        found = labels.detections(studio.body, picture.camera)
        np.testing.assert_allclose(found.keypoints_3d, labels.keypoints_3d, atol=1e-4)
        hidden = labels.pixels == 0
        assert not (labels.keypoint_state[hidden] == KeypointState.SELF_HIDDEN).any()


def test_clothes_do_not_move_the_body(studio, pictures):
    # Boxes are those of dressed people: as large as the bare body's, but for hair, hats and soles.
    body = studio.body
    compared = 0
    for picture in pictures:
        labels = picture.labels
        if not len(labels):
            continue
        meshes = body.vertices(labels.detections(body, picture.camera), 'full')
        for mesh, box in zip(meshes, labels.bbox, strict=True):
            if mesh[:, 2].min() < 0.3:
                continue
            uv = project(mesh, picture.camera.K)
            bare = np.concatenate([uv.min(0), uv.max(0)])
            size = (bare[2:] - bare[:2]).max()
            # Hair, skirts and coarse meshes of far people.
            assert np.abs(box - bare).max() < 0.16 * size + 1.0
            compared += 1
    assert compared > 8


def test_shards_hold_what_was_rendered(pictures, tmp_path):
    path = tmp_path / 'a.tar'
    assert write_shard(path, iter(pictures[:4]), lossless=True) == 4
    read = list(read_shard(path))
    assert len(read) == 4
    for a, b in zip(pictures, read, strict=False):
        np.testing.assert_array_equal(a.rgb, b.rgb)
        np.testing.assert_array_equal(a.camera.K, b.camera.K)
        assert_equal_labels(a.labels, b.labels)
    (tmp_path / 'b.tar').write_bytes(b'nothing')
    with pytest.raises(InputError, match='render it anew'):
        list(read_shard(tmp_path / 'b.tar'))


def test_a_wrong_folder_ends_in_a_sentence(tmp_path, capsys):
    for command in (render, contact_sheet, sequences):
        assert command.main([str(tmp_path), '--output', str(tmp_path / 'out')]) == 2
        assert 'pass the folder' in capsys.readouterr().err


@pytest.mark.parametrize('scenario', sorted(SCENARIOS))
def test_sequences_keep_identities_and_are_exact(studio, scenario):
    frames = list(render_sequence(studio, scenario, 5, 2.0, 2.0, (320, 180)))
    assert [f.stamp for f in frames] == [0.0, 0.5, 1.0, 1.5]
    first = frames[0].labels
    for frame in frames:
        labels = frame.labels
        np.testing.assert_array_equal(labels.identity, first.identity)
        np.testing.assert_array_equal(labels.phenotype, first.phenotype)
        assert frame.depth.shape == frame.rgb.shape[:2] == (180, 320)
        found = labels.detections(studio.body, frame.camera, frame.stamp)
        world = np.linalg.inv(frame.camera_from_world)
        soles = found.ground_position @ world[:3, :3].T + world[:3, 3]
        assert np.abs(soles[:, 2]).max() < 0.2
        # What is seen at the middle of an unhidden trunk is that trunk.
        hips = labels.keypoint_state[:, 11:13] == KeypointState.VISIBLE
        at = np.rint(labels.keypoints_2d[:, 11:13][hips]).astype(int)
        under = labels.keypoints_3d[:, 11:13][hips][:, 2] - frame.depth[at[:, 1], at[:, 0]]
        assert (np.abs(under) < 0.3).all()


def test_people_walk_at_a_human_pace_and_without_jumps(studio):
    frames = list(render_sequence(studio, 'crossing', 2, 3.0, 10.0, (96, 54)))
    world = [np.linalg.inv(f.camera_from_world) for f in frames]
    hips = np.array(
        [
            f.labels.keypoints_3d[:, 11:13].mean(1) @ T[:3, :3].T + T[:3, 3]
            for f, T in zip(frames, world, strict=True)
        ]
    )
    speed = np.linalg.norm(np.diff(hips, axis=0), axis=2) * 10
    assert speed.max() < 2.6
    assert (speed.max(0) > 0.6).all()
    assert np.abs(np.diff(hips[..., 2], axis=0)).max() < 0.08


def test_people_leave_and_come_back_and_hide_behind_things(studio):
    away = [f.labels for f in render_sequence(studio, 'leave_and_return', 4, 8.0, 2.0, (160, 90))]
    inside = np.array([labels.inside_share > 0.5 for labels in away])
    left_and_returned = [
        not inside[k:, i].all() and inside[0, i] and inside[k:, i].any()
        for i in range(2)
        for k in range(1, 4)
    ]
    assert any(left_and_returned)
    hidden = [f.labels for f in render_sequence(studio, 'behind_objects', 4, 6.0, 2.0, (160, 90))]
    assert min(labels.visible_share.min() for labels in hidden) < 0.1


def test_look_alikes_wear_the_same(studio):
    frame = next(render_sequence(studio, 'look_alikes', 1, 1.0, 1.0, (640, 360)))
    labels = frame.labels
    colours = []
    for i in range(len(labels)):
        assert labels.visible_share[i] > 0.5
        x, y = labels.keypoints_2d[i, [5, 6, 11, 12]].mean(0).astype(int)
        colours.append(cv2.mean(frame.rgb[y - 4 : y + 4, x - 2 : x + 2])[:3])
    ratio = np.array(colours) / np.linalg.norm(colours, axis=1, keepdims=True)
    assert (ratio @ ratio.T > 0.97).all()


def test_the_camera_of_a_moving_robot_moves(studio):
    frames = list(render_sequence(studio, 'moving_camera', 1, 4.0, 1.0, (96, 54)))
    poses = np.array([f.camera_from_world for f in frames])
    assert np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).max() > 0.1
    for T in poses:
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
    still = replace(frames[0])
    assert still.camera.width == 96


def test_an_unknown_scenario_ends_in_a_sentence(studio):
    with pytest.raises(InputError, match='choose from'):
        next(render_sequence(studio, 'riot', 1))
