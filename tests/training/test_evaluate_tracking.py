# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
import json
import sys

from anny_ros.geometry.camera import project
from anny_ros.tracking import Tracker
import numpy as np
import pytest

pytest.importorskip('trackeval', reason='make setup installs trackeval')

from benchmarks.reference_tracker import ReferenceTracker
from training import evaluate_tracking
from training.sequence_detections import detect, Noise
from training.sequences import camera_pose, observe, Person, World, worlds
from training.tracking_metrics import Boxes, combined, evaluate, figures, Ignorer

QUIET = Noise(*[0.0] * 5, missed=0.0, doubled=0.0, false=0.0)


def world(people, obstacles=(), camera=((0.0, 0.0, 0.0, 0.0),), duration=4.0):
    return World(
        name='test',
        people=tuple(people),
        stamps=np.arange(0.0, duration, 1 / 15),
        obstacles=np.asarray(obstacles, np.float64).reshape(-1, 5),
        camera_path=np.asarray(camera, np.float64),
    )


def standing(x, y, stature=1.7):
    return Person([(0.0, x, y)], stature, 0)


def test_who_is_seen_in_a_world():
    sequence = observe(
        world(
            [standing(5.0, 1.0), standing(8.0, -1.0), standing(6.0, 9.0), standing(-5.0, 0.0)],
            obstacles=[(4.0, -1.2, 4.2, 0.2, 2.5)],
        )
    )
    assert sequence.visible[0, 0] == 1.0
    assert sequence.visible[0, 1] < 0.2  # behind the obstacle
    assert sequence.visible[0, 2] == 0.0  # outside of the picture
    assert sequence.visible[0, 3] == 0.0  # behind the camera
    np.testing.assert_allclose(sequence.velocity, 0.0, atol=1e-9)
    left, pelvis = sequence.position[0, 0, 0], sequence.position[0, 0]
    assert left < 0  # y of the world is left, x of the picture is right
    box = sequence.box[0, 0]
    centre = project(pelvis, sequence.camera.K)
    assert box[0] < centre[0] < box[2]
    assert box[1] < centre[1] < box[3]


def test_velocities_are_relative_to_the_world():
    walker = Person([(0.0, 4.0, -2.0), (4.0, 8.0, -2.0)], 1.7, 0)
    turning = [(0.0, 0.0, 0.0, -0.3), (4.0, 2.0, 0.0, 0.3)]
    sequence = observe(world([walker], camera=turning))
    R = sequence.world_from_camera[30, :3, :3]
    np.testing.assert_allclose(R @ sequence.velocity[30, 0], [1.0, 0.0, 0.0], atol=0.02)
    pose = camera_pose([1.0, 2.0, 0.4])
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(
        pose[:2, 2] / np.linalg.norm(pose[:2, 2]), np.cos([0.4, np.pi / 2 - 0.4])
    )


def test_the_same_seed_makes_the_same_worlds_and_detections():
    first, second = (observe(worlds(3)[0]) for _ in range(2))
    np.testing.assert_array_equal(first.position, second.position)
    pairs = zip(detect(first, 5)[:20], detect(second, 5)[:20], strict=True)
    assert all(np.array_equal(a.position, b.position) for a, b in pairs)
    assert not np.array_equal(observe(worlds(4)[0]).position, first.position)
    assert len({w.name for w in worlds(0)}) == len(worlds(0)) >= 10
    assert max(len(w.people) for w in worlds(0)) == 40


def test_without_noise_detections_are_the_truth():
    sequence = observe(world([standing(5.0, 1.0), standing(7.0, -1.0, 1.2)]))
    people = detect(sequence, 0, QUIET)[10]
    order = np.argsort(people.position[:, 2])
    np.testing.assert_allclose(people.position[order], sequence.position[10], atol=1e-4)
    np.testing.assert_allclose(people.stature[order], [1.7, 1.2], rtol=1e-6)


def test_errors_are_as_large_as_they_claim_and_tied_to_the_stature():
    noise = replace(QUIET, stature_bias=0.06, stature_wander=0.03, fit=0.02, wobble=0.012)
    sequence = observe(world([standing(6.0, 0.3 * i - 2.4) for i in range(17)][::3]))
    along, ratio, inside = [], [], []
    for seed in range(40):
        people = detect(sequence, seed, noise, features=False)[7]
        for row in range(len(people)):
            truth = sequence.position[7]
            near = truth[
                np.argmin(np.linalg.norm(truth[:, :1] - people.position[row, :1], axis=1))
            ]
            size = np.log(np.linalg.norm(people.position[row]) / np.linalg.norm(near))
            along.append(size)
            ratio.append(size - np.log(people.stature[row] / 1.7))
            error = (people.position[row] - near).astype(np.float64)
            covariance = people.position_covariance[row].astype(np.float64)
            inside.append(error @ np.linalg.solve(covariance, error) <= 7.815)
    assert np.std(along) == pytest.approx(np.sqrt(0.06**2 + 0.03**2 + 0.02**2), rel=0.25)
    assert np.std(ratio) == pytest.approx(0.02, rel=0.25)
    assert 0.9 < np.mean(inside) < 0.99
    assert people.appearance.shape[1] == 0


def boxes(ids, places):
    places = np.asarray(places, np.float64).reshape(-1, 2)
    return Boxes(
        np.asarray(ids, np.int64), np.concatenate([places, places + np.array([10, 20])], axis=1)
    )


def test_metrics_by_hand():
    truth = [boxes([7, 9], [[0, 0], [100, 0]])] * 10
    good = evaluate(truth, [boxes([3, 4], [[0, 0], [100, 0]])] * 10)
    assert figures(good) == {
        'idf1': 1.0, 'hota': pytest.approx(1.0), 'mota': 1.0, 'switches': 0.0, 'misses': 0.0,
        'false': 0.0,
    }  # fmt: skip
    swapped = [boxes([3, 4], [[0, 0], [100, 0]])] * 5 + [boxes([4, 3], [[0, 0], [100, 0]])] * 5
    result = figures(evaluate(truth, swapped))
    assert result['switches'] == 2.0
    assert result['idf1'] == pytest.approx(0.5)
    assert result['mota'] == pytest.approx(1 - 2 / 20)
    both = figures(combined({'a': good, 'b': evaluate(truth, swapped)}))
    assert both['idf1'] == pytest.approx(0.75)
    half = figures(evaluate(truth, [boxes([3], [[0, 0]])] * 10))
    assert (half['misses'], half['mota']) == (10.0, 0.5)


def test_who_lies_on_somebody_that_does_not_count_is_not_judged():
    ignorer = Ignorer()
    truth = boxes([0, 1], [[0, 0], [3, 0]])  # the second is hidden by the first
    counted = np.array([True, False])
    first = ignorer(boxes([5], [[0, 0]]), truth, counted)
    assert first.ids.tolist() == [5]
    kept = ignorer(boxes([6, 5], [[1, 0], [2, 0]]), truth, counted)
    assert kept.ids.tolist() == [5]  # as before, though the other lies nearer
    alone = ignorer(boxes([8], [[200, 0]]), truth, counted)
    assert alone.ids.tolist() == [8]  # false, and judged


def test_the_reference_follows_and_forgets_as_described():
    sequence = observe(world([standing(5.0, 1.0), standing(7.0, -1.0)], duration=8.0))
    pictures = detect(sequence, 0, QUIET)
    tracker = ReferenceTracker()
    first = tracker.update(pictures[0], 0)
    assert sorted(first.tolist()) == [0, 1]
    order = np.argsort(pictures[0].position[:, 2])
    for frame in range(1, 30):
        ids = tracker.update(pictures[frame], frame)
        assert ids[np.argsort(pictures[frame].position[:, 2])].tolist() == first[order].tolist()
    near = int(first[order][0])
    for frame in range(30, 79):
        people = pictures[frame]
        tracker.update(people[[int(np.argmax(people.position[:, 2]))]], frame)
    # Rows of frames up to t + 1 - 50 are dropped after matching: 29 goes at 78.
    back = tracker.update(pictures[79], 79)
    assert back[np.argmin(pictures[79].position[:, 2])] not in (near, int(first[order][1]))
    assert len(tracker.update(pictures[79][:0], 80)) == 0


def test_the_reference_predicts_with_a_shrunk_slope():
    from benchmarks.reference_tracker import _History

    history = _History()
    for t in range(8):
        history.append(t, np.array([0.5 + 0.01 * t]))
    assert history.predict(8)[0] == pytest.approx(0.535 + 42 / 62 * 0.01 * 4.5)


@pytest.mark.slow
def test_identities_positions_and_velocities_can_be_trusted():
    runs = [run for run in evaluate_tracking.simulated(0, True) if run[0].name != 'crowd']
    document = evaluate_tracking.compare('f', runs)
    # Of people who look alike, two are mistaken for each other here.
    assert document['f.all.ours.idf1'] >= 0.97
    for sequence, _ in runs:
        ours, theirs = (document[f'f.{sequence.name}.{w}.switches'] for w in ('ours', 'reference'))
        assert ours < theirs or ours == theirs == 0
    assert 0.90 <= document['f.all.ours.position_inside_95'] <= 0.98
    assert 0.90 <= document['f.all.ours.velocity_inside_95'] <= 0.98
    assert document['f.all.ours.distance_jitter_ratio'] >= 2.0


def test_the_camera_that_turns_does_not_move_people_whose_pose_is_known():
    turning = next(w for w in worlds(0) if w.name == 'turning')
    sequence = observe(turning)
    pictures = detect(sequence, 0, QUIET)
    speeds = []
    for with_pose in (True, False):
        scenes = evaluate_tracking.track(sequence, pictures, with_pose)
        truth = sequence.velocity[60:]
        errors = [
            np.linalg.norm(scene.velocity[:, None] - v[None], axis=-1).min(axis=1).max()
            for scene, v in zip(scenes[60:], truth, strict=True)
        ]
        speeds.append(np.mean(errors))
    assert speeds[0] < 0.35 * speeds[1]


def test_command_writes_a_figure_a_key(tmp_path, monkeypatch, capsys):
    short = [w for w in worlds(0) if w.name in ('gaps', 'hidden')]
    monkeypatch.setattr(evaluate_tracking, 'worlds', lambda seed: short)
    monkeypatch.setattr(evaluate_tracking, 'UPDATES', 8)
    monkeypatch.setattr(sys, 'argv', ['evaluate_tracking', '--output', str(tmp_path)])
    evaluate_tracking.main()
    document = json.loads((tmp_path / 'tracking.json').read_text(encoding='utf-8'))
    for key in ('features.gaps.ours.idf1', 'no_features.all.reference.switches',
                'features.all.ours.velocity_inside_95'):  # fmt: skip
        assert isinstance(document[key], float)
    assert document['rendered.all.ours.idf1'] is None
    assert 'data' in document['reason']
    assert document['update_ms.people_40'] > 0
    printed = capsys.readouterr().out
    assert 'hidden' in printed
    assert 'IDF1, noisy truth, with features' in printed


def test_a_wrong_folder_ends_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate_tracking, 'worlds', lambda seed: worlds(0)[-1:])
    monkeypatch.setattr(evaluate_tracking, 'UPDATES', 8)
    monkeypatch.setattr(
        sys, 'argv', ['evaluate_tracking', '--data', str(tmp_path), '--output', str(tmp_path)]
    )
    with pytest.raises(SystemExit) as error:
        evaluate_tracking.main()
    assert error.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_updates_are_deterministic():
    sequence = observe(worlds(0)[4])
    pictures = detect(sequence, 0)[:40]
    runs = []
    for _ in range(2):
        tracker = Tracker(seed=0)
        runs.append([tracker.update(people) for people in pictures][-1])
    assert runs[0].ids == runs[1].ids
    np.testing.assert_array_equal(runs[0].humans.position, runs[1].humans.position)
