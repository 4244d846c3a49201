# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/followed_pose`` stays on the selected person while somebody crosses in front of them."""

from dataclasses import replace

from anny_ros.msg import Human, HumanArray
from anny_ros.srv import SelectHuman
from geometry_msgs.msg import PoseStamped
import numpy as np
import pytest

pytestmark = pytest.mark.ros

RATE, SECONDS = 10, 6
HIDDEN = (2.5, 3.5)  # seconds in which only the one in front is seen
NOISE = 0.02  # metres, of every reported place
# At the start, and metres a second; they meet in the picture after three seconds.
IN_FRONT, BEHIND = np.array([-1.05, 0.0, 4.0]), np.array([0.6, 0.0, 5.5])
WALKS, COMES = np.array([0.35, 0.0, 0.0]), np.array([-0.2, 0.0, 0.0])


def places(seconds):
    """Pelvis of both, (2, 3): in front, behind."""
    return np.array([IN_FRONT + seconds * WALKS, BEHIND + seconds * COMES])


def stamp_of(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


@pytest.mark.parametrize('alike', [False, True], ids=['told apart by looks', 'alike'])
@pytest.mark.parametrize('occlusion_time', [0.5, 1.5])
def test_through_a_crossing(graph, make, alike, occlusion_time):
    rng = np.random.default_rng(0)
    both = graph.estimator.people
    if alike:
        both = replace(both, appearance=np.tile(both.appearance[:1], (2, 1)))
    graph.active_anny(tracking__occlusion_time=occlusion_time)
    humans = graph.collect(HumanArray, 'anny/humans')
    poses = graph.collect(PoseStamped, 'anny/followed_pose')
    pictures = graph.image_publisher()
    truth = {}
    chosen = None
    for k in range(SECONDS * RATE):
        seconds = k / RATE
        here = places(seconds)
        seen = [0] if HIDDEN[0] <= seconds < HIDDEN[1] else [0, 1]
        reported = both.moved(here + rng.normal(0, NOISE, (2, 3)) - both.position)
        graph.estimator.people = reported[seen]
        image = make.image(seconds)
        truth[stamp_of(image)] = here
        known = len(humans)
        pictures.publish(image)
        assert graph.spin_until(lambda known=known: len(humans) > known, 30)
        if k == RATE:  # a second has passed: both are known
            (chosen,) = [h for h in humans[-1].humans if h.pose.pose.position.z > 4.7]
            request = SelectHuman.Request(mode=SelectHuman.Request.BY_ID, id=chosen.id)
            assert graph.call(SelectHuman, 'anny/select_human', request).success
    last = stamp_of(humans[-1])
    assert graph.spin_until(lambda: poses and stamp_of(poses[-1]) == last, 30)
    # Without a pose are only the pictures before the choice, and those in which the hidden person
    # is LOST.
    hidden = HIDDEN[1] - HIDDEN[0]
    missing = SECONDS * RATE - len(poses) - RATE
    assert missing <= max(0.0, hidden - occlusion_time) * RATE + 2
    for pose in poses:
        in_front, behind = truth[stamp_of(pose)]
        at = pose.pose.position
        away = np.linalg.norm([at.x - behind[0], at.z - behind[2]])
        assert away < 0.4
        assert away < np.linalg.norm([at.x - in_front[0], at.z - in_front[2]])
    states = {h.state for message in humans for h in message.humans if h.id == chosen.id}
    assert Human.OCCLUDED in states
    # The identity is the same on both sides.
    (still,) = [h for h in humans[-1].humans if h.id == chosen.id]
    assert still.state == Human.TRACKED
    assert still.pose.pose.position.x < -0.4
