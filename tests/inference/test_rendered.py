# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Rendered people whose places are known, and a network that sees perfectly what a canvas shows.

The picture's red and green say where in it a pixel comes from, its blue says whose body is there.
So the network reads from each canvas alone how the picture was cut, resized and padded and who is
visible how large; it answers what is true of that canvas. What is tested is everything around it.
"""

from __future__ import annotations

from dataclasses import replace
import math

from anny_ros import Perception
from anny_ros.body import BodyModel
from anny_ros.inference import assemble_detections
from anny_ros.inference.backends import RawPeople
from anny_ros.inference.single_shot import SingleShotEstimator
from anny_ros.parameters import Parameters
from anny_ros.render import rasterise
from anny_ros.types import Camera, CameraSource, Frame, TrackState
import numpy as np
import pytest
from scipy.ndimage import binary_erosion
import torch

JITTER = 0.076
RATE = 30.0
DARK, BRIGHT = 20.0, 230.0  # of red and green at the first and last edge
BACKGROUND, FIRST, STEP = 30, 60, 24  # blue
FACING = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


def about_vertical(angle):
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


class RenderedScene:
    """People at given places (N, 3), of the pelvis, metres, seen by a camera."""

    def __init__(self, camera, places, ages=None):
        self.camera = camera
        body = BodyModel.load()
        num = len(places)
        phenotype = np.full((num, 6), 0.5, np.float32)
        phenotype[:, 1] = 0.7 if ages is None else ages
        world = np.tile(np.eye(3), (num, len(body.joint_names), 1, 1))
        for row in range(num):
            world[row, 0] = about_vertical(0.7 * row) @ FACING
        rotations = body.local_from_world(torch.as_tensor(phenotype), torch.as_tensor(world))
        rotations = rotations.numpy().astype(np.float32)
        shape = (torch.as_tensor(phenotype), torch.as_tensor(rotations))
        landmarks = body.pose(*shape).landmarks.numpy()
        translation = np.asarray(places) - landmarks[:, 11:13].mean(1)
        landmarks += translation[:, None]
        self.face = landmarks[:, body.landmark_index('face_centre')]
        self.people = assemble_detections(
            body,
            stamp=0.0,
            camera=camera,
            score=np.linspace(0.95, 0.7, num),
            phenotype=phenotype,
            rotations=rotations,
            translation=translation.astype(np.float32),
        )
        self.rgb = self._render(body)

    def _render(self, body):
        width, height = self.camera.width, self.camera.height
        vertices = body.vertices(self.people, 'coarse')
        triangles = body.triangles('coarse')
        shift = np.arange(len(vertices))[:, None, None] * vertices.shape[1]
        _, index = rasterise(
            vertices.reshape(-1, 3), (triangles + shift).reshape(-1, 3), self.camera.K,
            width, height,
        )  # fmt: skip
        who = np.where(index < 0, -1, index // len(triangles))
        rgb = np.empty((height, width, 3))
        rgb[..., 0] = DARK + (BRIGHT - DARK) * (np.arange(width) + 0.5) / width
        rgb[..., 1] = DARK + (BRIGHT - DARK) * ((np.arange(height) + 0.5) / height)[:, None]
        rgb[..., :2] += np.random.default_rng(0).uniform(-0.5, 0.5, (height, width, 2))
        rgb[..., 2] = np.where(who < 0, BACKGROUND, FIRST + STEP * who)
        return np.round(rgb).astype(np.uint8)

    def frame(self, stamp=0.0, known=True):
        return Frame(self.rgb, stamp, self.camera if known else None)


class SeeingNetwork:
    """
    Answers what is true of each canvas, for everybody who shows on it and is large enough, except
    that it is sure and wrong about the distance of whoever the canvas's edge cuts off.

    ``focal_ratio`` is what it takes the focal length for, over the true one; ``least`` the height
    in canvas pixels of the smallest person that it sees.
    """

    name, model = 'seeing', 'seeing'
    image_size, multiple = 768, 16
    num_queries = 10

    def __init__(self, scene, least=0):
        self.scene = scene
        self.least = least
        self.focal_ratio = 1.0
        self.batches = []
        self._known = {}

    def __call__(self, canvases):
        self.batches.append(canvases.shape)
        return [self.answer(canvas) for canvas in canvases]

    def answer(self, canvas):
        key = hash(canvas.tobytes())
        if key not in self._known:  # looking takes time
            self._known[key] = self.look(canvas)
        raw = self._known[key]
        return replace(raw, hfov=2 * math.atan(math.tan(raw.hfov / 2) / self.focal_ratio))

    def look(self, canvas):
        shown = binary_erosion(canvas[..., 2] > 0.5 * BACKGROUND, iterations=3)
        scale, start = np.array([self.axis(canvas, shown, axis) for axis in (0, 1)]).T
        K = self.scene.camera.K
        focal = np.diag(K)[:2] * scale
        centre = (K[:2, 2] + 0.5 - start) * scale
        people, face = self.scene.people, self.scene.face
        height = (people.bbox[:, 3] - people.bbox[:, 1]) * scale[1]
        seen = [n for n in np.flatnonzero(height > self.least) if self.shows(canvas, n)]
        num = self.num_queries
        pose = np.tile(np.float32([1, 0, 0, 1, 0, 0]), (num, 163))
        pose[seen, :6] = people.rotations[seen, 0, :, :2].reshape(len(seen), 6)
        raw = RawPeople(
            hfov=2 * math.atan(0.5 * canvas.shape[1] / focal[0]),
            confidence=np.zeros(num, np.float32),
            location=np.zeros((num, 2), np.float32),
            log_pixels_per_metre=np.full(num, 5, np.float32),
            shape=np.full((num, 11), 0.5, np.float32),
            pose=pose,
            appearance=np.eye(num, dtype=np.float32),
        )
        size = (self.scene.camera.width, self.scene.camera.height)
        part = np.clip(people.bbox.reshape(-1, 2, 2) + 0.5, 0, size)
        box = (part - start) * scale
        cut = (box[:, 0] < -0.5) | (box[:, 1] > np.array(canvas.shape[1::-1]) + 0.5)
        wrong = np.where(cut.any(axis=1), 1.3, 1.0)
        raw.confidence[seen] = np.where(wrong > 1, 0.99, people.score)[seen]
        raw.location[seen] = focal * face[seen, :2] / face[seen, 2:] + centre
        raw.log_pixels_per_metre[seen] = np.log(focal[0] / face[seen, 2] / wrong[seen])
        raw.shape[seen, :6] = people.phenotype[seen]
        return raw

    def axis(self, canvas, shown, axis):
        """Canvas pixels for one of the picture, and which picture coordinate is at edge 0."""
        size = (self.scene.camera.width, self.scene.camera.height)[axis]
        levels = np.where(shown, canvas[..., axis], 0).sum(axis=axis, dtype=np.float64)
        count = shown.sum(axis=axis)
        where = np.flatnonzero(count)
        source = (levels[where] / count[where] - DARK) / (BRIGHT - DARK) * size
        a, b = np.polyfit(where + 0.5, source, 1, w=np.sqrt(count[where]))
        return 1 / a, b

    def shows(self, canvas, row):
        blue = canvas[..., 2].astype(int)
        return binary_erosion(np.abs(blue - (FIRST + STEP * row)) <= 3).any()


NEAR = np.array([[-1.0, 0.2, 4.0], [0.9, 0.1, 6.0], [0.2, 0.3, 9.0]])


def given_camera(width, height):
    """Neither square pixels nor a centred principal point."""
    f = 0.75 * width
    K = [[f, 0, 0.48 * width], [0, 1.01 * f, 0.53 * height], [0, 0, 1]]
    return Camera(np.array(K), width, height)


def zoomed(num):
    return Parameters().with_values({'detection.zoom_regions': num})


def by_person(scene, detections):
    """Rows of detections in the order of a scene's people, by their scores."""
    rows = np.abs(scene.people.score[:, None] - detections.score[None]).argmin(axis=1)
    assert sorted(rows) == list(range(len(detections)))
    return detections[rows]


@pytest.mark.parametrize('size', [(1280, 720), (848, 480), (480, 640), (1241, 376)], ids=str)
def test_with_a_given_camera_places_are_true_to_the_millimetre(size):
    scene = RenderedScene(given_camera(*size), NEAR * [0.6, 1, 1])
    network = SeeingNetwork(scene)
    estimator = SingleShotEstimator(network)
    for focal_ratio in (1.0, 0.5, 1.4):  # the network's own opinion does not count
        network.focal_ratio = focal_ratio
        d = estimator(scene.frame())
        assert len(d) == 3
        np.testing.assert_allclose(d.position, scene.people.position, atol=1e-3)
        np.testing.assert_allclose(d.keypoints_3d, scene.people.keypoints_3d, atol=1e-3)
        np.testing.assert_allclose(d.keypoints_2d, scene.people.keypoints_2d, atol=0.1)
        np.testing.assert_allclose(d.bbox, scene.people.bbox, atol=0.2)
        assert d.camera.source == CameraSource.CAMERA_INFO
        assert d.camera.hfov_stddev == 0


def test_the_parameter_does_as_well_as_the_picture_s_camera():
    scene = RenderedScene(given_camera(1280, 720), NEAR)
    K = scene.camera.K
    k = (K[0, 0], K[1, 1], K[0, 2], K[1, 2])
    parameters = Parameters().with_values({'camera.k': k})
    d = SingleShotEstimator(SeeingNetwork(scene), parameters=parameters)(scene.frame(known=False))
    np.testing.assert_allclose(d.position, scene.people.position, atol=1e-3)
    assert d.camera.source == CameraSource.PARAMETER


@pytest.fixture(scope='module')
def unknown():
    """A scene whose camera is not told; wide enough for a zoom by half."""
    return RenderedScene(Camera.from_hfov(1.1, 1280, 720), NEAR * [0.5, 1, 1])


def distances(see, network, scene, focal_ratios, start=0.0):
    """Distance of the farthest person in each picture of a sequence, and the last result."""
    found = []
    for index, ratio in enumerate(focal_ratios):
        network.focal_ratio = ratio
        people = see(scene.frame(start + index / RATE, known=False))
        found.append(float(people.position[:, 2].max()))
    return np.array(found), people


def jittery(num, seed=0):
    return np.exp(np.random.default_rng(seed).normal(0, JITTER, num))


def test_without_a_camera_distances_calm_down(unknown):
    """From 2 s on at 30 Hz they jitter by less than a quarter, on their rays and projections."""
    network = SeeingNetwork(unknown)
    ratios = jittery(90)
    raw, _ = distances(SingleShotEstimator(network), network, unknown, ratios[:3])
    truth = unknown.people.position[:, 2].max()
    np.testing.assert_allclose(raw / truth, ratios[:3], rtol=2e-3)  # distance follows focal length
    estimator = SingleShotEstimator(network)
    perception = Perception(estimator)
    asked, estimate = [], estimator.__call__

    def filtered(frame):
        asked.append(estimate(frame))
        return asked[-1]

    calm, people = distances(filtered, network, unknown, ratios)
    assert perception.estimator is estimator
    error = np.sqrt(np.mean((calm[60:] / truth - 1) ** 2))
    print(f'\nraw {np.std(ratios[60:]):.4f}, filtered {error:.4f}')
    assert np.std(calm[60:] / truth) < np.std(ratios[60:]) / 4
    assert error < JITTER / 4
    assert np.abs(calm[60:] / truth - 1).max() < JITTER / 2
    # x and y do not depend on the focal length, nor do pixels.
    people, wanted = by_person(unknown, people), unknown.people
    np.testing.assert_allclose(people.position[:, :2], wanted.position[:, :2], atol=0.01)
    faces = people.keypoints_2d[:, :5]
    np.testing.assert_allclose(faces, wanted.keypoints_2d[:, :5], atol=1.0)
    first, last = asked[0], asked[-1]
    assert last.camera.hfov_stddev < 0.8 * first.camera.hfov_stddev
    depth_stddev = np.sqrt(last.position_covariance[:, 2, 2]) / last.position[:, 2]
    before = np.sqrt(first.position_covariance[:, 2, 2]) / first.position[:, 2]
    assert (depth_stddev < before).all()
    assert (depth_stddev > 0.05).all()  # the systematic part stays


def test_single_outliers_move_nobody(unknown):
    network = SeeingNetwork(unknown)
    estimator = SingleShotEstimator(network)
    Perception(estimator)  # brings the filter
    distances(estimator, network, unknown, jittery(30))
    before, _ = distances(estimator, network, unknown, [1.0], 30 / RATE)
    for index, ratio in enumerate([1.5, 1.0, 0.5]):
        after, _ = distances(estimator, network, unknown, [ratio], (31 + index) / RATE)
        np.testing.assert_allclose(after, before, rtol=0.003 if ratio == 1.0 else 1e-6)
        before = after


def test_a_zoom_is_followed_within_a_second(unknown):
    closer = RenderedScene(
        replace(unknown.camera, K=unknown.camera.K * [[1.5], [1.5], [1]] - [
            [0, 0, 0.5 * 639.5], [0, 0, 0.5 * 359.5], [0, 0, 0]
        ]),
        unknown.people.position,
    )  # fmt: skip
    network = SeeingNetwork(unknown)
    estimator = SingleShotEstimator(network)
    Perception(estimator)
    before, _ = distances(estimator, network, unknown, jittery(30))
    network.scene = closer
    after, _ = distances(estimator, network, closer, jittery(40, seed=1), 1.0)
    truth = unknown.people.position[:, 2].max()
    np.testing.assert_allclose(before[-1], truth, rtol=0.04)
    print(f'\nafter the zoom: {np.round(after / truth, 2)}')
    np.testing.assert_allclose(after[30:], truth, rtol=0.05)


def test_the_tracks_profit_and_the_scene_says_how_sure_the_camera_is(unknown):
    network = SeeingNetwork(unknown)
    perception = Perception(SingleShotEstimator(network))
    cameras = []
    for index, ratio in enumerate(jittery(40)):
        network.focal_ratio = ratio
        scene = perception(unknown.frame(index / RATE, known=False))
        cameras.append(scene.camera)
    assert set(scene.ids) == set(perception(unknown.frame(1.5, known=False)).ids)
    assert (scene.states == TrackState.TRACKED).all()
    stddev = [c.hfov_stddev for c in cameras]
    assert stddev[0] == pytest.approx(JITTER * math.sin(cameras[0].hfov), rel=1e-3)
    assert stddev[-1] == min(stddev)
    perception.reset()
    network.focal_ratio = 1.2
    camera = perception(unknown.frame(1.6, known=False)).camera
    assert camera.K[0, 0] == pytest.approx(1.2 * unknown.camera.K[0, 0], rel=1e-3)


FAR = np.array(
    [[-2.0, 0.3, 8.0], [3.0, 0.2, 15.0], [-6.0, 0.2, 30.0], [7.0, 0.1, 33.0], [1.0, 0.2, 38.0],
     [15.0, 0.0, 40.0]]
)  # fmt: skip
LEAST = 44  # canvas pixels: 26 m for the whole picture, some 44 m in a tile


@pytest.fixture(scope='module')
def street():
    return RenderedScene(Camera.from_hfov(1.0, 1920, 1080), FAR)


def test_zoomed_regions_find_people_who_are_far(street):
    network = SeeingNetwork(street, LEAST)
    plain = SingleShotEstimator(network)(street.frame())
    assert len(plain) == 2
    d = SingleShotEstimator(network, parameters=zoomed(4))(street.frame())
    assert network.batches == [(1, 432, 768, 3), (5, 432, 768, 3)]
    assert len(d) == len(FAR)  # no doubles
    d = by_person(street, d)
    error = np.linalg.norm(d.position - street.people.position, axis=1)
    print(f'\nerrors of places: {np.round(1e3 * error, 2)} mm at {FAR[:, 2]} m')
    assert (error < 2e-4 * FAR[:, 2]).all()
    np.testing.assert_allclose(d.bbox, street.people.bbox, atol=0.5)


def test_zoomed_people_are_placed_with_the_guess_of_the_whole_picture(street):
    network = SeeingNetwork(street, LEAST)
    network.focal_ratio = 1.1
    estimator = SingleShotEstimator(network, parameters=zoomed(4))
    d = estimator(street.frame(known=False))
    assert d.camera.K[0, 0] == pytest.approx(1.1 * street.camera.K[0, 0], rel=1e-3)
    d = by_person(street, d)
    face = d.keypoints_3d[:, 0] / street.people.keypoints_3d[:, 0]
    np.testing.assert_allclose(face[:, 2], 1.1, rtol=2e-3)
    np.testing.assert_allclose(face[:, 0], 1.0, rtol=5e-3)


@pytest.mark.parametrize('regions', [0, 1, 2, 4])
def test_more_regions_see_far_people_more_often(street, regions):
    """Through the tracker, which says where to look; nobody is ever there twice."""
    network = SeeingNetwork(street, LEAST)
    perception = Perception(SingleShotEstimator(network, parameters=zoomed(regions)))
    seen, people = np.zeros(len(FAR)), set()
    for index in range(30):
        scene = perception(street.frame(index / 10))
        now = scene.humans[scene.time_since_observed == 0]
        offsets = np.linalg.norm(street.people.position[:, None] - now.position[None], axis=-1)
        assert (offsets.min(axis=0, initial=99) < 0.5).all()
        near = offsets < 0.5
        assert (near.sum(axis=1) <= 1).all()
        seen += near.any(axis=1)
        tracked = np.flatnonzero(scene.states == TrackState.TRACKED)
        people |= {scene.ids[row] for row in tracked}
    print(f'\n{regions} regions: seen in {seen.astype(int)} of 30 pictures')
    assert (seen[:2] == 30).all()
    far = seen[2:].mean() / 30
    assert {0: far == 0, 1: far > 0.2, 2: far > 0.4, 4: far > 0.95}[regions]
    assert len(people) <= len(FAR)


def test_who_is_cut_by_a_region_is_left_to_the_whole_picture(street):
    """Somebody who is large in the whole picture and cut by every tile's edge."""
    scene = RenderedScene(street.camera, np.array([[0.0, 0.0, 4.0]]))
    network = SeeingNetwork(scene)
    d = SingleShotEstimator(network, parameters=zoomed(4))(scene.frame())
    assert network.batches[0][0] == 5
    assert len(d) == 1
    np.testing.assert_allclose(d.position, scene.people.position, atol=1e-3)
    covariance = SingleShotEstimator(network)(scene.frame()).position_covariance
    np.testing.assert_allclose(d.position_covariance, covariance, rtol=1e-4)


def test_small_pictures_are_looked_at_once():
    scene = RenderedScene(given_camera(640, 480), NEAR * [0.6, 1, 1])
    network = SeeingNetwork(scene)
    SingleShotEstimator(network, parameters=zoomed(4))(scene.frame())
    assert network.batches == [(1, 576, 768, 3)]
