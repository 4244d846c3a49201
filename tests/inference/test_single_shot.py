# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The estimator, with a network whose answers are known, and with a real small one."""

from __future__ import annotations

from dataclasses import replace
import math

from anny_ros.body import BodyModel
from anny_ros.errors import ModelError
from anny_ros.geometry.camera import project
from anny_ros.inference import Estimator
from anny_ros.inference.backends import RawPeople
from anny_ros.inference.single_shot import SingleShotEstimator
from anny_ros.model import PRESETS, SingleShotNetwork
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, CameraSource, Frame
import numpy as np
import pytest
import torch

HFOV = 1.2
QUERIES = 6
UPRIGHT = math.radians(255.8)  # root of somebody who faces the camera, average shape


class KnownNetwork:
    """Backend that answers with people at given places; they are told in canvas pixels."""

    name = 'known'
    model = 'known'
    image_size = 768
    multiple = 16

    def __init__(self):
        c, s = math.cos(UPRIGHT), math.sin(UPRIGHT)
        pose = np.tile(np.float32([1, 0, 0, 1, 0, 0]), (QUERIES, 163))
        pose[:, :6] = [1, 0, 0, c, 0, s]  # columns x and y of a turn about x
        self.canvases = []
        self.raw = RawPeople(
            hfov=HFOV,
            confidence=np.zeros(QUERIES, np.float32),
            location=np.full((QUERIES, 2), 384, np.float32),
            log_pixels_per_metre=np.full(QUERIES, 5, np.float32),
            shape=np.full((QUERIES, 11), 0.5, np.float32),
            pose=pose,
            appearance=np.random.default_rng(0).normal(size=(QUERIES, 8)).astype(np.float32),
        )

    def place(self, query, score, face, K, offset=(0.0, 0.0)):
        """Put a face at a point, seen by intrinsics K of the canvas (corner counted)."""
        u, v, w = np.asarray(K, float) @ face
        self.raw.confidence[query] = score
        self.raw.location[query] = [u / w + offset[0], v / w + offset[1]]
        self.raw.log_pixels_per_metre[query] = math.log(K[0][0] / face[2])

    def __call__(self, canvases):
        self.canvases += list(canvases)
        return [self.raw] * len(canvases)


def corner_k(f, width, height):
    return [[f, 0, width / 2], [0, f, height / 2], [0, 0, 1]]


# 640x480 becomes 768x576 without padding.
PREDICTED = corner_k(384 / math.tan(HFOV / 2), 768, 576)


@pytest.fixture
def network():
    return KnownNetwork()


@pytest.fixture
def estimator(network):
    return SingleShotEstimator(network)


def frame(width=640, height=480, camera=None):
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Frame(rgb, 12.5, camera)


def face_of(estimator, detections):
    posed = estimator.body.pose(
        *(
            torch.as_tensor(getattr(detections, name))
            for name in ('phenotype', 'rotations', 'translation')
        )
    )
    return posed.landmarks[:, estimator.body.landmark_index('face_centre')].numpy()


def test_faces_are_where_the_network_saw_them(estimator, network):
    faces = np.array([[0.5, -0.3, 3.0], [-1.0, 0.2, 6.0]])
    network.place(1, 0.9, faces[0], PREDICTED)
    network.place(4, 0.8, faces[1], PREDICTED)
    detections = estimator(frame())
    np.testing.assert_allclose(face_of(estimator, detections), faces, atol=1e-5)
    np.testing.assert_allclose(detections.score, [0.9, 0.8])
    assert detections.stamp == 12.5


def test_people_stand_upright_before_the_camera(estimator, network):
    network.place(0, 0.9, np.array([0.0, -0.5, 4.0]), PREDICTED)
    d = estimator(frame())
    nose, left_hip, right_hip = d.keypoints_3d[0, [0, 11, 12]]
    assert d.position[0, 1] > nose[1] + 0.4  # y is down
    assert left_hip[0] > right_hip[0]  # facing us
    assert nose[2] < d.position[0, 2] + 0.05
    assert d.bbox[0, 1] < project(nose, d.camera.K)[1] < d.bbox[0, 3]


def test_without_a_camera_the_network_is_believed(estimator, network):
    d = estimator(frame())
    assert d.camera.source == CameraSource.ESTIMATED
    assert d.camera.hfov == pytest.approx(HFOV)
    assert d.camera.hfov_stddev == pytest.approx(0.076 * math.sin(HFOV))
    assert (d.camera.width, d.camera.height) == (640, 480)


def test_a_known_camera_wins_and_scales_depth(estimator, network):
    """848x480: padded above and below, sides scaled by 768/848 and 435/480."""
    camera = Camera([[700.0, 0, 430.0], [0, 705.0, 250.0], [0, 0, 1]], 848, 480)
    sx, sy = 768 / 848, 435 / 480
    K = [[sx * 700, 0, sx * 430.5], [0, sy * 705, sy * 250.5 + 6], [0, 0, 1]]
    face = np.array([0.6, -0.2, 3.5])
    network.place(2, 0.9, face, K)
    d = estimator(frame(848, 480, camera))
    assert d.camera is camera
    np.testing.assert_allclose(face_of(estimator, d)[0], face, atol=1e-5)
    # In the original picture the face is where the network's pixel lies.
    u, v = network.raw.location[2]
    wanted = [u / sx - 0.5, (v - 6) / sy - 0.5]
    np.testing.assert_allclose(project(face, camera.K), wanted, atol=1e-3)


def test_a_camera_parameter_beats_the_network(network):
    parameters = Parameters().with_values({'camera.k': (500.0, 500.0, 319.5, 239.5)})
    estimator = SingleShotEstimator(network, parameters=parameters)
    face = np.array([0.2, 0.1, 2.0])
    network.place(0, 0.9, face, corner_k(600.0, 768, 576))
    d = estimator(frame())
    assert d.camera.source == CameraSource.PARAMETER
    np.testing.assert_allclose(face_of(estimator, d)[0], face, atol=1e-5)


def test_a_camera_that_is_guessed_is_filtered_before_anybody_is_placed(estimator, network):
    asked = []

    def doubled(camera, stamp):
        asked.append((camera, stamp))
        return replace(
            camera, K=camera.K * [[2], [2], [1]] - [[0, 0, 319.5], [0, 0, 239.5], [0] * 3]
        )

    face = np.array([0.5, -0.3, 3.0])
    network.place(0, 0.9, face, PREDICTED)
    estimator.camera_filter = doubled
    d = estimator(frame())
    assert asked[0][0].hfov == pytest.approx(HFOV)
    assert asked[0][1] == 12.5
    np.testing.assert_allclose(face_of(estimator, d)[0], face * [1, 1, 2], atol=1e-5)
    estimator(frame(camera=Camera.from_hfov(1.0, 640, 480)))
    assert len(asked) == 1


def test_a_camera_that_is_no_number_is_counted_and_assumed(estimator, network):
    network.raw = replace(network.raw, hfov=math.nan)
    face = np.array([0.1, -0.3, 3.0])
    network.place(0, 0.9, face, PREDICTED)
    d = estimator(frame())
    assert estimator.num_rejected == 1
    assert d.camera.source == CameraSource.ESTIMATED
    assert d.camera.hfov == pytest.approx(Parameters().camera.hfov)
    assert len(d) == 1


def test_nobody_has_the_same_shapes_as_somebody(estimator, network):
    nobody = estimator(frame())
    network.place(0, 0.9, np.array([0, 0, 3.0]), PREDICTED)
    somebody = estimator(frame())
    assert (len(nobody), len(somebody)) == (0, 1)
    for name, array in vars(somebody).items():
        if isinstance(array, np.ndarray):
            assert getattr(nobody, name).shape == (0, *array.shape[1:]), name
    assert nobody.appearance.shape == (0, 8)


def test_the_threshold_may_change_between_pictures(estimator, network):
    network.place(0, 0.5, np.array([0, 0, 3.0]), PREDICTED)
    assert len(estimator(frame())) == 1
    estimator.parameters = estimator.parameters.with_values({'detection.threshold': 0.5})
    assert len(estimator(frame())) == 0


def test_who_is_too_doubtful_for_a_row_is_a_candidate(estimator, network):
    faces = np.array([[-1.0, -0.3, 4.0], [1.0, -0.3, 4.0], [-1.0, -0.3, 4.1], [0, 0, 4.0]])
    for query, score in enumerate([0.9, 0.3, 0.2, 0.05]):
        network.place(query, score, faces[query], PREDICTED)
    d = estimator(frame())
    np.testing.assert_allclose(d.score, [0.9])
    assert d.candidates.shape == (1, 4)  # the third is the first again, the fourth nobody
    estimator.parameters = estimator.parameters.with_values({'detection.threshold': 0.25})
    assert len(estimator(frame()).candidates) == 0
    np.testing.assert_allclose(estimator(frame()).bbox[1], d.candidates[0], rtol=1e-5)


def test_the_threshold_is_the_model_s_own_unless_given(estimator, network):
    network.place(0, 0.41, np.array([0.5, 0, 3.0]), PREDICTED)
    network.place(1, 0.39, np.array([-0.5, 0, 3.0]), PREDICTED)
    assert Parameters().detection.threshold < 0
    assert estimator.threshold == 0.4
    assert len(estimator(frame())) == 1
    estimator.parameters = estimator.parameters.with_values({'detection.threshold': 0.0})
    assert len(estimator(frame())) == 2
    network.model = 'multihmr1_anny'
    assert SingleShotEstimator(network).threshold == 0.3


@pytest.mark.parametrize(
    ('age', 'offset', 'turn'),
    [(0.75, (0.0, 0.0, 0.22), math.pi), (0.75, (0.22, 0.0, 0.0), math.pi),
     (0.2, (0.1, -0.1, -0.18), 0.0), (0.05, (0.1, -0.1, -0.18), math.pi)],
    ids=['behind each other', 'side on', 'child', 'infant'],
)  # fmt: skip
def test_people_who_hug_or_carry_a_child_are_two(estimator, network, age, offset, turn):
    """Their roots are closer than the published distance, which takes them for one."""
    c, s = math.cos(turn), math.sin(turn)
    about = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    upright = network.raw.pose[0, :6].reshape(3, 2)
    network.raw.pose[1, :6] = (about @ upright).reshape(6)
    network.raw.shape[0, 1], network.raw.shape[1, 1] = 0.7, age
    roots = np.array([0.2, 0.1, 4.0]) + np.array([(0, 0, 0), offset])
    off = estimator.parameters.with_values({'detection.image_nms': False})
    somewhere = np.array([0, 0, 3.0])
    faces = []
    for query, root in enumerate(roots):
        network.raw.confidence[:] = 0
        network.place(query, 0.9, somewhere, PREDICTED)
        faces.append(somewhere + root - estimator(frame()).translation[0])
    for query, score in enumerate([0.9, 0.8]):
        network.place(query, score, faces[query], PREDICTED)
    estimator.parameters = off
    assert len(estimator(frame())) == 1
    estimator.parameters = off.with_values({'detection.image_nms': True})
    d = estimator(frame())
    assert len(d) == 2
    np.testing.assert_allclose(d.translation, roots, atol=1e-4)


def test_doubles_in_space_are_dropped(estimator, network):
    network.place(0, 0.6, np.array([0.0, 0, 3.0]), PREDICTED)
    network.place(1, 0.9, np.array([0.2, 0, 3.0]), PREDICTED)
    network.place(2, 0.7, np.array([1.5, 0, 3.0]), PREDICTED)
    np.testing.assert_allclose(estimator(frame()).score, [0.9, 0.7])
    off = {'detection.nms_distance': 0.0, 'detection.image_nms': False}
    estimator.parameters = estimator.parameters.with_values(off)
    assert len(estimator(frame())) == 3


def test_doubles_along_a_ray_are_dropped_in_the_picture(estimator, network):
    face = np.array([0.3, -0.4, 4.0])
    network.place(0, 0.9, face, PREDICTED)
    network.place(1, 0.8, 1.08 * face, PREDICTED)  # 0.33 m further
    assert len(estimator(frame())) == 1
    off = {'detection.image_nms': False}
    estimator.parameters = estimator.parameters.with_values(off)
    np.testing.assert_allclose(estimator(frame()).score, [0.9, 0.8])


def test_features_follow_their_people(estimator, network):
    network.place(3, 0.7, np.array([-1.0, 0, 3.0]), PREDICTED)
    network.place(5, 0.9, np.array([1.0, 0, 3.0]), PREDICTED)
    d = estimator(frame())
    wanted = network.raw.appearance[[5, 3]]
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(d.appearance, wanted, rtol=1e-6)


def test_points_outside_of_the_picture_are_not_trusted(estimator, network):
    network.place(0, 0.9, np.array([0.0, 0.2, 1.2]), PREDICTED)  # legs below the picture
    d = estimator(frame())
    u, v = np.moveaxis(d.keypoints_2d[0], -1, 0)
    inside = (u > -0.5) & (u < 639.5) & (v > -0.5) & (v < 479.5)
    assert 0 < inside.sum() < 17
    np.testing.assert_allclose(d.keypoint_confidences[0], np.where(inside, 0.9, 0.0))
    assert set(np.unique(d.joint_confidences)) == {np.float32(0), np.float32(0.9)}


def test_a_face_below_the_picture_is_placed_there_and_trusted_in_nothing(estimator, network):
    """The network's places reach 921.6 pixels, on a canvas of 576 rows."""
    face = np.array([0.0, 1.3, 2.0])
    network.place(0, 0.9, face, PREDICTED)
    assert 576 < network.raw.location[0, 1] < 921.6
    d = estimator(frame())
    np.testing.assert_allclose(face_of(estimator, d)[0], face, atol=1e-5)
    assert not d.keypoint_confidences.any()
    assert not d.joint_confidences.any()
    assert d.bbox[0, 3] > 480
    assert np.isfinite(d.keypoints_2d).all()


def test_numbers_after_the_backbone_keep_their_precision(estimator, network):
    """In half precision distances would come in steps of 1/256 of themselves."""
    depths = []
    for step in range(8):
        network.place(0, 0.9, np.array([0.0, 0.0, 5.0 + 0.001 * step]), PREDICTED)
        depths.append(face_of(estimator, estimator(frame()))[0, 2])
    np.testing.assert_allclose(np.diff(depths), 0.001, atol=2e-5)


def test_time_is_told_by_stage(estimator):
    timings = estimator(frame()).timings_ms
    assert list(timings) == ['preprocess', 'network', 'people', 'body']
    assert all(ms >= 0 for ms in timings.values())


def test_the_network_sees_the_whole_picture(estimator, network):
    estimator(frame(848, 480))
    assert network.canvases[0].shape == (448, 768, 3)
    assert not network.canvases[0][:6].any()
    assert network.canvases[0][6:441].any(axis=(1, 2)).all()


def save_tiny(path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SingleShotNetwork(PRESETS['tiny'])
    network.full_body_decoder.mlp_dist[2].bias.data.fill_(4.0)
    torch.save({'model_state_dict': network.state_dict()}, path)
    return str(path)


@pytest.mark.parametrize('size', [(320, 180), (180, 320), (97, 61)], ids=str)
def test_a_real_network_end_to_end(tmp_path, size):
    parameters = Parameters().with_values({'detection.threshold': 0.0, 'inference.device': 'cpu'})
    estimator = Estimator.load(save_tiny(tmp_path / 'tiny.pt'), parameters)
    assert (estimator.name, estimator.backend) == ('tiny', 'torch')
    first, second = estimator(frame(*size)), estimator(frame(*size))
    assert len(first) > 0
    assert (np.diff(first.score) <= 0).all()
    assert first.rotations.shape[1:] == (74, 3, 3)
    for name, array in vars(first).items():
        if isinstance(array, np.ndarray):
            assert np.isfinite(array).all(), name
            np.testing.assert_array_equal(array, getattr(second, name))  # keeps no state
    assert BodyModel.load().vertices(first[0]).shape == (1, 1229, 3)


def test_missing_weights():
    parameters = Parameters().with_values({'model.name': 'multihmr2'})
    with pytest.raises(ModelError, match=r'set model\.checkpoint'):
        Estimator.load(parameters=parameters)
    with pytest.raises(ModelError, match=r'set model\.checkpoint'):
        SingleShotEstimator.load('nowhere.pt')


def test_a_backend_that_needs_an_engine(tmp_path):
    parameters = Parameters().with_values(
        {'inference.backend': 'onnx', 'inference.engine_folder': str(tmp_path / 'engines')}
    )
    with pytest.raises(ModelError, match='anny-ros build-engine'):
        SingleShotEstimator.load(save_tiny(tmp_path / 'tiny.pt'), parameters)
