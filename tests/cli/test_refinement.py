# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Two people who walk past, one of them hidden for a while, as they were tracked."""

from dataclasses import replace
import json

from anny_ros.body import BodyModel
from anny_ros.cli.main import main
from anny_ros.cli.refinement import TracksRefinement
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.inference.assemble import assemble_detections
from anny_ros.types import Camera, Detections, Scene, TrackState
import cv2
import numpy as np
import pytest
import torch

CAMERA = Camera.from_hfov(1.1, 640, 480)
FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
COUNT, RATE = 10, 15.0


@pytest.fixture(scope='module')
def body():
    return BodyModel.load()


def people_at(body, stamp, noise, rng):
    """Two people who walk to the side; what is measured is exact, bodies are off."""
    world = torch.eye(3).repeat(2, len(body.joint_names), 1, 1)
    world[:, 0] = FACING
    phenotype = torch.full((2, 6), 0.5)
    phenotype[:, 1] = 0.7
    place = np.array([[-0.8 + 0.8 * stamp, 0, 4], [0.6, 0, 5 - 0.5 * stamp]], np.float32)
    row = {
        'stamp': stamp, 'camera': CAMERA, 'score': np.full(2, 0.9, np.float32),
        'phenotype': phenotype.numpy(),
        'keypoint_confidences': np.full((2, 17), 0.8, np.float32),
    }  # fmt: skip
    local = body.local_from_world(phenotype, world).float().numpy()
    exact = assemble_detections(body, rotations=local, translation=place, **row)
    turned = local @ rotvec_to_rotmat(noise * rng.normal(size=(*local.shape[:2], 3)))
    shaken = assemble_detections(
        body,
        rotations=turned.astype(np.float32),
        translation=place,
        measured_2d=exact.keypoints_2d,
        **row,
    )
    return exact, shaken


def scene_of(people, hidden=()):
    seen = np.array([i not in hidden for i in range(len(people))])
    return Scene(
        stamp=people.stamp,
        camera=CAMERA,
        humans=people,
        ids=('aaaaa', 'bbbbb'),
        track_numbers=np.array([1, 2], np.uint32),
        states=np.where(seen, TrackState.TRACKED, TrackState.OCCLUDED).astype(np.uint8),
        identity_confidence=np.ones(2),
        age=np.ones(2),
        time_since_observed=np.where(seen, 0.0, 0.1),
        velocity=np.zeros((2, 3)),
        velocity_covariance=np.zeros((2, 3, 3)),
    )


def test_people_come_nearer_to_the_truth_and_those_who_were_hidden_stay(body):
    rng = np.random.default_rng(0)
    refinement, truth, given, done = TracksRefinement(body), [], [], []
    for k in range(COUNT):
        exact, shaken = people_at(body, k / RATE, 0.05, rng)
        hidden = (1,) if k in (4, 5) else ()
        reported = shaken[[0]] if hidden else shaken[[1, 0]]
        given.append(scene_of(shaken, hidden))
        truth.append(exact)
        refinement.add(given[-1], reported)
    assert refinement.num_sightings == 2 * COUNT - 2
    refined = list(refinement.refined(done.append))
    assert sum(done) == refinement.num_sightings
    assert [s.stamp for s in refined] == [s.stamp for s in given]

    def error(scenes):
        pairs = zip(scenes, truth, strict=True)
        off = [s.humans.keypoints_2d[0] - t.keypoints_2d[0] for s, t in pairs]
        return float(np.linalg.norm(off, axis=-1).mean())

    assert error(refined) < 0.4 * error(given)
    np.testing.assert_array_equal(
        refined[4].humans.keypoints_3d[1], given[4].humans.keypoints_3d[1]
    )
    statures = [s.humans.stature for s in refined]
    np.testing.assert_allclose(statures, np.tile(statures[0], (COUNT, 1)), atol=1e-5)
    for scene in refined:  # rows agree with each other
        uv = scene.humans.keypoints_3d @ CAMERA.K.T
        np.testing.assert_allclose(uv[..., :2] / uv[..., 2:], scene.humans.keypoints_2d, atol=0.1)


def test_pictures_without_anybody_are_given_back(body):
    refinement = TracksRefinement(body)
    nobody = Detections.empty(0.0, CAMERA, len(body.joint_names))
    empty = Scene(
        0.0, CAMERA, nobody, (), np.zeros(0, np.uint32), np.zeros(0, np.uint8),
        np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3, 3)),
    )  # fmt: skip
    for stamp in (0.0, 0.1):
        refinement.add(replace(empty, stamp=stamp), nobody)
    assert [scene.stamp for scene in refinement.refined()] == [0.0, 0.1]


def test_the_command_writes_the_same_lines_with_and_without(tmp_path):
    for k in range(2):
        picture = cv2.imread('tests/data/street_060.jpg')
        cv2.imwrite(str(tmp_path / f'{k}.png'), cv2.resize(picture, None, fx=0.5, fy=0.5))
    outputs = []
    for extra in ([], ['--refine']):
        output = tmp_path / f'tracks{len(extra)}.jsonl'
        code = main(['track', str(tmp_path), '-o', str(output), '--quiet', *extra])
        assert code == 0
        outputs.append([json.loads(line) for line in output.read_text().splitlines()])
    plain, refined = outputs
    assert len(plain) == len(refined) == 3
    for a, b in zip(plain[1:], refined[1:], strict=True):
        assert [h['track_number'] for h in a['humans']] == [h['track_number'] for h in b['humans']]
        assert [h['bbox'] for h in a['humans']] == [h['bbox'] for h in b['humans']]
        assert set(a) == set(b)
        assert len(a['humans']) >= 1
