# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from anny_ros.cli.anonymization.hiding import LeakReport, with_neighbours
from anny_ros.cli.anonymization.scan import Found, ScanStore
from anny_ros.errors import InputError
from anny_ros.types import Camera, CameraSource, TrackState
import numpy as np
import pytest

CAMERA = Camera.from_hfov(1.0, 640, 480, CameraSource.ESTIMATED, 0.1)


def found(stamp, numbers=(), candidates=(), state=TrackState.TRACKED):
    n = len(numbers)
    boxes = np.array([[100 * k, 50, 100 * k + 40, 150] for k in numbers], np.float32)
    return Found(
        stamp=stamp,
        camera=CAMERA,
        track_numbers=np.array(numbers, np.uint32),
        states=np.full(n, state, np.uint8),
        phenotype=np.full((n, 6), 0.5, np.float32),
        rotations=np.tile(np.eye(3, dtype=np.float16), (n, 74, 1, 1)),
        translation=np.zeros((n, 3), np.float32),
        boxes=boxes.reshape(-1, 4),
        candidates=np.array(candidates, np.float32).reshape(-1, 4),
    )


def holds(boxes, box):
    return any((b[:2] <= box[:2]).all() and (b[2:] >= box[2:]).all() for b in boxes)


def test_a_gap_is_filled_from_both_sides():
    sequence = [found(0.1 * i, [1] if i not in (4, 5) else []) for i in range(10)]
    report = LeakReport()
    out = list(with_neighbours(sequence, report))
    assert [o.found.stamp for o in out] == [f.stamp for f in sequence]
    for i, o in enumerate(out):
        assert holds(o.boxes, np.array([100, 50, 140, 150])) == (i in (4, 5))
    assert report == LeakReport(pictures=10, with_people=8, filled_in=2)


def test_places_are_carried_half_a_second_and_grow():
    sequence = [found(0.1 * i, [1] if i == 10 else []) for i in range(20)]
    out = list(with_neighbours(sequence, LeakReport()))
    carried = [i for i, o in enumerate(out) if len(o.boxes)]
    assert carried in ([*range(5, 10), *range(11, 16)], [*range(6, 10), *range(11, 15)])
    wide = [np.ptp(out[i].boxes[0, [0, 2]]) for i in (9, 8, 7)]
    assert 40 < wide[0] < wide[1] < wide[2]


def test_candidates_are_hidden_in_their_neighbours_too():
    box = [10, 20, 30, 60]
    sequence = [found(0.1 * i, [], [box] if i == 3 else []) for i in range(6)]
    report = LeakReport()
    out = list(with_neighbours(sequence, report))
    assert all(holds(o.boxes, np.array(box)) for o in out)
    assert report.with_candidates == 1


def test_the_lost_are_not_carried_and_time_that_jumps_back_separates():
    lost = [found(0.1 * i, [1] if i == 2 else [], state=TrackState.LOST) for i in range(4)]
    assert all(len(o.boxes) == 0 for o in with_neighbours(lost, LeakReport()))
    looped = [found(0.0, [1]), found(0.1, [1]), found(0.0), found(0.1)]
    out = list(with_neighbours(looped, LeakReport()))
    assert [o.found.stamp for o in out] == [0.0, 0.1, 0.0, 0.1]
    assert all(len(o.boxes) == 0 for o in out)
    assert list(with_neighbours([], LeakReport())) == []


def test_what_is_stored_is_what_is_read(tmp_path):
    store = ScanStore(tmp_path / 'scan', {'input': 'a'})
    sequence = [found(0.1 * i, range(1, i % 4 + 1), [[0, 0, i, i]] * (i % 3)) for i in range(120)]
    for item in sequence:
        store.add('/camera/image-raw', item)
    store.add('/other', found(5.0, [7]))
    store.flush()
    again = ScanStore(tmp_path / 'scan', {'input': 'a'})
    assert again.count('/camera/image-raw') == 120
    assert again.count('/other') == 1
    assert again.highest_number('/camera/image-raw') == 3
    for a, b in zip(sequence, again.read('/camera/image-raw'), strict=True):
        assert a.stamp == pytest.approx(b.stamp)
        assert b.camera.source == CAMERA.source
        assert b.camera.hfov_stddev == pytest.approx(0.1)
        np.testing.assert_array_equal(a.camera.K, b.camera.K)
        for name in ('track_numbers', 'states', 'phenotype', 'rotations', 'boxes', 'candidates'):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    with pytest.raises(InputError, match='another input'):
        ScanStore(tmp_path / 'scan', {'input': 'b'})
    again.delete()
    assert not (tmp_path / 'scan').exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot write'):
        ScanStore(tmp_path / 'file' / 'scan', {})
