# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from training.evaluation.sets import (
    _draw_camera,
    _place,
    AGES,
    fingerprint,
    rendered,
    restricted,
    SHARD,
    unseen_clips,
)
from training.pictures.motions import load_motions, Motions, recording
from training.poses import load_poses


@pytest.fixture(scope='module')
def data():
    """Folder of the data pack, which the repository does not hold."""
    folder = os.environ.get('ANNY_TRAINING_DATA')
    if not folder:
        pytest.skip('ANNY_TRAINING_DATA is not set to the folder of the data pack')
    return Path(folder)


def test_ages_follow_each_other():
    limits = list(AGES.values())
    assert all(before[1] == after[0] for before, after in itertools.pairwise(limits))


@pytest.mark.parametrize('size', [50, 120, 300])
def test_the_first_person_has_the_wanted_size(size):
    rng = np.random.default_rng(size)
    for _ in range(20):
        camera = _draw_camera(False, rng)
        statures = rng.uniform(0.8, 1.9, 4).astype(np.float32)
        places = _place(statures, size, camera, rng)
        assert places.shape == (4, 2)
        assert camera.K[1, 1] * statures[0] / places[0, 1] == pytest.approx(size, rel=1e-6)
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(4, 1)]
        assert apart.min() > 0.4


def test_cameras_are_robots_cameras():
    rng = np.random.default_rng(0)
    for _ in range(50):
        camera = _draw_camera(bool(rng.random() < 0.5), rng)
        across = 2 * np.arctan(max(camera.width, camera.height) / 2 / camera.K[0, 0])
        assert np.deg2rad(49.9) < across < np.deg2rad(95.1)
        assert camera.K[0, 0] == camera.K[1, 1]


def test_only_the_given_clips_are_drawn():
    start = np.array([0, 4, 5, 14])
    zero = np.zeros(0)
    motions = Motions(
        zero, zero, zero, zero, start, np.arange(3), zero, zero, zero, np.arange(14), np.ones(14)
    )
    kept = restricted(motions, np.array([0, 2]))
    assert kept.frames.tolist() == [0, 1, 2, 3, *range(5, 14)]
    assert kept.weight.sum() == pytest.approx(1)
    # By the square root of their lengths: 2 to 3.
    assert kept.weight[:4].sum() == pytest.approx(0.4)


def test_the_cache_knows_when_the_data_changed(tmp_path):
    (tmp_path / 'poses.npz').write_bytes(b'1')
    (tmp_path / 'clips').mkdir()
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / 'clips' / 'park.mp4').write_bytes(b'real clips are not rendered from')
    assert fingerprint(tmp_path) == before
    (tmp_path / 'poses.npz').write_bytes(b'12')
    assert fingerprint(tmp_path) != before


def test_what_the_cache_holds_is_not_rendered(tmp_path):
    folder = tmp_path / 'cache' / fingerprint(tmp_path / 'data')
    folder.mkdir(parents=True)
    for k in range(2):
        (folder / f'heldout_{k:03d}.tar').touch()
    paths = rendered(tmp_path / 'data', SHARD + 1, tmp_path / 'cache')
    assert [p.name for p in paths] == ['heldout_000.tar', 'heldout_001.tar']


def test_no_recording_of_the_training_is_shown(data):
    clips = unseen_clips(data)
    trained, _ = load_poses(data)
    with np.load(data / 'poses.npz', allow_pickle=False) as arrays:
        pairs = zip(arrays['clip_name'], arrays['clip_text'], strict=True)
        origins = np.array([recording(str(n), str(t)) for n, t in pairs])
    assert not np.isin(origins[clips], origins[np.unique(trained.clip)]).any()
    # Enough of them, also of those that the training pictures leave out.
    assert len(clips) >= 20
    assert len(np.intersect1d(clips, load_motions(data, 'heldout').clips)) >= 5
    assert len(np.intersect1d(clips, load_motions(data, 'train').clips)) >= 5
