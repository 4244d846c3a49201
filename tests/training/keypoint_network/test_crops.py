# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""People are cut out where they are, and what is said of them is true."""

from __future__ import annotations

from dataclasses import fields, replace

from anny_ros.errors import InputError
from anny_ros.geometry.camera import project
import cv2
import numpy as np
import pytest

from training.keypoint_network.crops import MOST_PEOPLE, read_shards, Truth, write_shard
from training.pictures.labels import KeypointState

WIDTH, HEIGHT = 256, 192
SHOULDERS_AND_HIPS = [5, 6, 11, 12]


@pytest.fixture(scope='module')
def picture(draw_picture):
    return draw_picture(0, WIDTH, HEIGHT, people=2)


def ramp():
    """Red is the column, green the row: colours tell where a window was taken."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = np.arange(WIDTH)
    rgb[..., 1] = np.arange(HEIGHT)[:, None]
    return rgb


def place_of(truth, width=WIDTH):
    """Scale of a window, and the place of its first pixel in the picture."""
    x0, y0, x1, _ = truth['picture']
    scale = (x1 - x0) / width
    return scale, -0.5 - np.array([x0, y0]) / scale


def moved(picture, x, y):
    """Part of a picture that begins at a pixel: who was left or above of it is cut off."""
    K = picture.camera.K.copy()
    K[:2, 2] -= [x, y]
    rgb = np.ascontiguousarray(picture.rgb[y:, x:])
    height, width = rgb.shape[:2]
    camera = replace(picture.camera, K=K, width=width, height=height)
    shift = np.array([x, y], np.float32)
    labels = replace(
        picture.labels,
        keypoints_2d=picture.labels.keypoints_2d - shift,
        bbox=picture.labels.bbox - np.tile(shift, 2),
    )
    return replace(picture, rgb=rgb, camera=camera, labels=labels)


def dot_in(window):
    """Where the middle of the only bright dot is."""
    light = window.astype(float).sum(2)
    y, x = np.mgrid[: len(light), : light.shape[1]]
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def test_a_window_shows_its_person_with_a_margin(cutter, picture):
    windows, truths = cutter(picture)
    assert len(windows) == len(truths) == 2
    for window, truth in zip(windows, truths, strict=True):
        side = len(window)
        assert window.shape == (side, side, 3)
        box = truth['box'][0]
        longer = (box[2:] - box[:2]).max()
        assert side == pytest.approx(1.7 * longer, abs=1.01)
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, side / 2, atol=1.0)
        assert (box[:2] > 0.34 * longer - 1).all()
        assert (box[2:] < side - 0.34 * longer + 1).all()


def test_windows_are_where_the_truth_says(cutter, picture):
    """Colours of a ramp lead back to the picture; what is beyond it is black."""
    windows, truths = cutter(replace(picture, rgb=ramp()))
    for window, truth in zip(windows, truths, strict=True):
        scale, corner = place_of(truth)
        y, x = np.mgrid[3 : len(window) : 7, 3 : len(window) : 7]
        place = np.stack([x, y], -1) / scale + corner
        inside = ((place > 1) & (place < [WIDTH - 2, HEIGHT - 2])).all(-1)
        assert inside.sum() > 50
        apart = window[y, x, :2].astype(float)[inside] - place[inside]
        assert np.abs(apart).max() <= 1.0
        outside = ((place < -2) | (place > [WIDTH + 1, HEIGHT + 1])).any(-1)
        assert (window[y, x][outside] == 0).all()


def test_boxes_and_others_are_where_they_are_in_the_picture(cutter, picture):
    labels = picture.labels
    for who, truth in enumerate(cutter(picture)[1]):
        scale, corner = place_of(truth)
        order = [who, 1 - who]  # whom the window is for comes first
        back = truth['box'][:2].reshape(2, 2, 2) / scale + corner
        np.testing.assert_allclose(back.reshape(2, 4), labels.bbox[order], atol=1e-3)
        assert np.isnan(truth['box'][2:]).all()
        assert np.isnan(truth['points'][2:]).all()
        assert truth['points'].shape == (MOST_PEOPLE, 17, 2)
        assert (truth['state'][:2] == KeypointState.VISIBLE).all()
        assert (truth['state'][2:] == KeypointState.OUTSIDE).all()
        np.testing.assert_array_equal(truth['inside_share'][:2], 1.0)


@pytest.mark.parametrize('keypoint', [0, 9, 12, 16])
@pytest.mark.parametrize('person', [0, 1])
def test_points_land_on_what_is_at_the_reported_place(cutter, picture, person, keypoint):
    reported = cutter.points(picture.labels)[person, keypoint]
    at = project(reported[None], picture.camera.K)[0]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    light = np.exp(-((columns - at[0]) ** 2 + (rows - at[1]) ** 2) / (2 * 2.0**2))
    rgb = np.repeat((255 * light).astype(np.uint8)[..., None], 3, 2)
    seen = 0
    for who, (window, truth) in enumerate(zip(*cutter(replace(picture, rgb=rgb)), strict=True)):
        point = truth['points'][0 if who == person else 1, keypoint]
        inside = (point > 8).all() and (point < len(window) - 8).all()
        assert inside or who != person
        if inside:
            seen += 1
            assert np.abs(dot_in(window) - point).max() < 0.5
    assert seen > 0


def test_reported_points_are_near_the_keypoints_and_above_the_hips(cutter, picture):
    labels = picture.labels
    shift = cutter.points(labels) - labels.keypoints_3d
    assert np.linalg.norm(shift, axis=-1).max() < 0.07
    up = labels.rotations[:, 0, :, 2]  # of the root, in the optical frame
    assert (np.einsum('nkc,nc->nk', shift, up)[:, SHOULDERS_AND_HIPS] > 0.01).all()
    assert (up[:, 1] < -0.8).all()


def test_turns_are_rotations_that_look_along_the_ray_of_the_box(cutter, picture):
    labels, K = picture.labels, picture.camera.K
    for who, truth in enumerate(cutter(picture)[1]):
        T = truth['turn']
        np.testing.assert_allclose(T @ T.T, np.eye(3), atol=1e-5)
        assert np.linalg.det(T) == pytest.approx(1.0, abs=1e-5)
        R = T @ labels.rotations[who, 0].T  # from the optical frame
        middle = (labels.bbox[who, :2] + labels.bbox[who, 2:]) / 2
        ray = np.linalg.solve(K, [*middle, 1.0])
        np.testing.assert_allclose(R @ ray / np.linalg.norm(ray), [0, 0, 1], atol=1e-5)


def test_whoever_stands_before_the_camera_turns_as_in_its_frame(cutter, picture):
    labels = picture.labels
    K = picture.camera.K.copy()
    box = labels.bbox[0]
    K[:2, 2] = (box[:2] + box[2:]) / 2
    truth = cutter(replace(picture, camera=replace(picture.camera, K=K)))[1][0]
    np.testing.assert_allclose(truth['turn'], labels.rotations[0, 0], atol=1e-5)
    # Then depths are along the optical axis.
    z = cutter.points(labels)[0, :, 2]
    metric = (box[2:] - box[:2]).max() / K[0, 0] * z.mean()
    np.testing.assert_allclose(truth['depths'] * metric, z - z.mean(), atol=1e-4)


def test_depths_are_from_their_mean(cutter, picture):
    for truth in cutter(picture)[1]:
        assert truth['depths'].mean() == pytest.approx(0.0, abs=1e-6)
        assert 0.02 < np.ptp(truth['depths']) < 1.0


def test_shape_and_stature_are_those_of_the_person(cutter, picture):
    for who, truth in enumerate(cutter(picture)[1]):
        np.testing.assert_array_equal(truth['phenotype'], picture.labels.phenotype[who])
        assert truth['stature'] == picture.labels.stature[who]


def test_of_who_is_cut_off_the_window_shows_what_is_inside(cutter, draw_picture):
    whole = draw_picture(0, WIDTH, HEIGHT)
    x0, y0, x1, y1 = whole.labels.bbox[0]
    left = int((x0 + x1) / 2)
    (window,), (truth,) = cutter(moved(whole, left, 0))
    assert truth['box'][0, 0] < truth['picture'][0]  # of the whole body
    scale, _ = place_of(truth, WIDTH - left)
    longer = max(x1 - left, y1 - y0) * scale
    assert len(window) == pytest.approx(1.7 * longer, abs=2.0)
    middle = (truth['picture'][0] + truth['box'][0, 2]) / 2
    assert middle == pytest.approx(len(window) / 2, abs=1.0)


def test_large_people_are_shrunk_to_what_a_crop_needs(cutter, draw_picture):
    width, height = 8 * WIDTH, 8 * HEIGHT
    large = draw_picture(0, width, height)
    wrist = large.labels.keypoints_2d[0, 9]
    rgb = np.zeros((height, width, 3), np.uint8)
    cv2.circle(rgb, [int(v) for v in wrist.round()], 12, (255, 255, 255), -1)
    (window,), (truth,) = cutter(replace(large, rgb=rgb))
    box = truth['box'][0]
    assert (box[2:] - box[:2]).max() == pytest.approx(230, abs=0.1)
    assert len(window) == pytest.approx(1.7 * 230, abs=1.0)
    scale, corner = place_of(truth, width)
    assert scale < 0.7
    assert np.abs(dot_in(window) - (wrist - corner) * scale).max() < 0.5


@pytest.mark.parametrize(
    'change',
    [{'visible_share': 0.1}, {'inside_share': 0.1}, {'bbox': None}, {'keypoints_3d': None}],
    ids=['hidden', 'outside', 'small', 'partly behind the camera'],
)
def test_who_can_hardly_be_seen_gets_no_window(cutter, picture, change):
    (name, value), labels = next(iter(change.items())), picture.labels
    array = getattr(labels, name).copy()
    if name == 'bbox':
        array[1, 2:] = array[1, :2] + 20
    elif name == 'keypoints_3d':
        array[1, 3, 2] = -0.5
    else:
        array[1] = value
    _, truths = cutter(replace(picture, labels=replace(labels, **{name: array})))
    assert len(truths) == 1
    np.testing.assert_array_equal(truths[0]['phenotype'], labels.phenotype[0])
    if name == 'keypoints_3d':  # but beside others they are, as far as they are in front
        assert np.isnan(truths[0]['points'][1, 3]).all()
        assert np.isfinite(truths[0]['points'][1, 4]).all()


def test_nobody_gives_no_windows(cutter, draw_picture):
    assert cutter(draw_picture(0, WIDTH, HEIGHT, people=0)) == ([], [])


def test_a_written_shard_comes_back(cutter, picture, draw_picture, tmp_path):
    pictures = [picture, draw_picture(0, WIDTH, HEIGHT, people=0), draw_picture(3, WIDTH, HEIGHT)]
    assert write_shard(tmp_path / 'crops_0_00000.npz', cutter, iter(pictures)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ['crops_0_00000.npz']
    jpegs, truth = read_shards(tmp_path)
    cut = [cutter(one) for one in pictures]
    windows = [window for some, _ in cut for window in some]
    truths = [one for _, some in cut for one in some]
    assert len(jpegs) == len(windows) == 3
    for jpeg, window in zip(jpegs, windows, strict=True):
        decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
        assert decoded.shape == window.shape
        assert np.abs(decoded.astype(float) - window).mean() < 2.0
    for field in fields(Truth):
        array = getattr(truth, field.name)
        assert array.dtype == (np.uint8 if field.name == 'state' else np.float32)
        wanted = np.stack([one[field.name] for one in truths])
        np.testing.assert_allclose(array, wanted, rtol=1e-6, err_msg=field.name)


def test_shards_are_joined_in_order(crops_folder):
    jpegs, truth = read_shards(crops_folder)
    first, some = read_shards(crops_folder, most=1)
    assert 0 < len(first) < len(jpegs)
    for field in fields(Truth):
        whole, part = getattr(truth, field.name), getattr(some, field.name)
        assert len(whole) == len(jpegs)
        np.testing.assert_array_equal(whole[: len(part)], part)
    for one, other in zip(first, jpegs, strict=False):
        np.testing.assert_array_equal(one, other)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match='holds no crops'):
        read_shards(tmp_path)
