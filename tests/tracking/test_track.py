# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.parameters import TrackingParameters
from anny_ros.tracking import readout, Tracker
from anny_ros.tracking.track import Tracks
from anny_ros.types import TrackState
import numpy as np

PARAMETERS = TrackingParameters(memory=3.0, confirm_time=0.2, occlusion_time=0.5)


def tracks_last_seen(people_at, unseen, confirmed):
    """Tracks at time 10 that were last seen so long ago."""
    tracker = Tracker(PARAMETERS, seed=0)
    positions = [[2.0 * i, 0.0, 10.0] for i in range(len(unseen))]
    tracker.update(people_at(positions))
    tracks = tracker._tracks
    tracks.last_seen = 10.0 - np.array(unseen)
    tracks.confirmed = np.array(confirmed)
    return tracks


def test_states_follow_from_the_time_unseen(people_at):
    tracks = tracks_last_seen(
        people_at, [0.0, 0.1, 0.5, 0.6, 0.0, 0.1], [True, True, True, True, False, False]
    )
    assert [TrackState(s).name for s in tracks.states(10.0, PARAMETERS)] == [
        'TRACKED',
        'OCCLUDED',
        'OCCLUDED',
        'LOST',
        'TENTATIVE',
        'TENTATIVE',
    ]


def test_who_goes_on(people_at):
    tracks = tracks_last_seen(
        people_at, [0.0, 2.9, 3.0, 3.1, 0.2, 0.3], [True, True, True, True, False, False]
    )
    assert tracks.alive(10.0, PARAMETERS).tolist() == [True, True, True, False, True, False]


def test_take_and_join_keep_rows_together(people_at):
    tracks = tracks_last_seen(people_at, [0.0, 1.0, 2.0], [True, False, True])
    picked = tracks.take(np.array([False, True, True]))
    joined = picked.joined(tracks.take(np.array([True, False, False])))
    assert joined.numbers.tolist() == [2, 3, 1]
    assert joined.ids.tolist() == [tracks.ids[1], tracks.ids[2], tracks.ids[0]]
    np.testing.assert_allclose(readout.positions(joined.state)[:, 0], [2.0, 4.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(joined.bodies.position[:, 0], [2.0, 4.0, 0.0], atol=1e-5)
    assert len(Tracks.none(tracks.bodies)) == 0
    assert len(Tracks.none(tracks.bodies).joined(tracks)) == 3
