# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""``~/cues``, ``~/points``, ``~/followed_pose`` and ``~/select_human``, over real DDS."""

from anny_ros.msg import HumanArray, HumanCues, HumanCuesArray
from anny_ros.srv import SelectHuman
from geometry_msgs.msg import PoseStamped
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2

pytestmark = pytest.mark.ros


def points_of(cloud):
    names = [field.name for field in cloud.fields]
    assert names == ['x', 'y', 'z', 'track_number']
    kind = np.dtype([(n, '<u4' if n == 'track_number' else '<f4') for n in names])
    rows = np.frombuffer(cloud.data, kind)
    assert cloud.width * cloud.height == len(rows)
    assert cloud.row_step == rows.nbytes
    return np.stack([rows['x'], rows['y'], rows['z']], axis=1), rows['track_number']


def play(graph, make, pictures, until, start=0):
    """Publish pictures at 10 Hz until something holds."""
    for i in range(start, start + 60):
        pictures.publish(make.image(0.1 * i))
        if graph.spin_until(until, 0.2):
            return i + 1
    raise AssertionError('what was waited for did not come')


def test_cues_of_people_who_stand_and_face_the_camera(graph, make):
    graph.active_anny()
    cues = graph.collect(HumanCuesArray, 'anny/cues')
    pictures = graph.image_publisher()
    play(graph, make, pictures, lambda: cues and len(cues[-1].cues) == 2)
    for cue in cues[-1].cues:
        assert cue.facing_angle < 0.3
        assert 3.0 < cue.distance < 5.5
        assert cue.posture == HumanCues.POSTURE_STANDING
        assert cue.raised_hands == 0
        assert abs(cue.approach_speed) < 0.2
    assert [cue.track_number for cue in cues[-1].cues] == [1, 2]


def test_points_lie_on_the_people(graph, make):
    node = graph.active_anny(points__max_height=1.5)
    clouds = graph.collect(PointCloud2, 'anny/points')
    humans = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    end = play(graph, make, pictures, lambda: clouds and clouds[-1].width)
    points, numbers = points_of(clouds[-1])
    assert clouds[-1].header.frame_id == 'camera_optical_frame'
    stamp = clouds[-1].header.stamp
    assert graph.spin_until(lambda: any(m.header.stamp == stamp for m in humans))
    (people,) = [m.humans for m in humans if m.header.stamp == stamp]
    assert set(numbers) == {human.track_number for human in people}
    for human in people:
        own = points[numbers == human.track_number]
        soles = human.ground_position
        assert 200 < len(own) < 2000
        height = soles.y - own[:, 1]
        assert -0.1 < height.min() < 0.1
        assert 1.4 < height.max() <= 1.5
        across = own[:, [0, 2]] - [human.pose.pose.position.x, human.pose.pose.position.z]
        assert np.abs(across).max() < 0.8
        # No two are as near as half the spacing, so a costmap's marking stays cheap.
        gaps = np.linalg.norm(own[:, None] - own[None], axis=2) + np.eye(len(own))
        assert np.median(gaps.min(1)) > 0.02
    # A coarser spacing, changed while it runs.
    assert node.set_parameters([Parameter('points.spacing', value=0.2)])[0].successful
    fewer = clouds[-1].width / 3
    play(graph, make, pictures, lambda: clouds[-1].width < fewer, end)


def test_an_empty_cloud_says_that_nobody_is_there(graph, make):
    graph.estimator.people = graph.estimator.people[[]]
    graph.active_anny()
    clouds = graph.collect(PointCloud2, 'anny/points')
    play(graph, make, graph.image_publisher(), lambda: clouds)
    assert clouds[-1].width == 0
    assert len(clouds[-1].data) == 0


def select(graph, mode, person=''):
    return graph.call(SelectHuman, 'anny/select_human', SelectHuman.Request(mode=mode, id=person))


def test_a_selected_person_is_followed_and_a_wrong_choice_changes_nothing(graph, make):
    graph.active_anny()
    humans = graph.collect(HumanArray, 'anny/humans')
    poses = graph.collect(PoseStamped, 'anny/followed_pose')
    pictures = graph.image_publisher()
    end = play(graph, make, pictures, lambda: humans and len(humans[-1].humans) == 2)
    assert not poses
    assert not select(graph, SelectHuman.Request.BY_ID, 'nobod').success
    assert not select(graph, 9).success
    chosen = humans[-1].humans[1]
    answer = select(graph, SelectHuman.Request.BY_ID, chosen.id)
    assert answer.success
    assert answer.track_number == chosen.track_number
    end = play(graph, make, pictures, lambda: len(poses) >= 3, end)
    refused = select(graph, SelectHuman.Request.BY_ID, 'zzzzz')
    assert not refused.success
    assert chosen.id in refused.message
    end = play(graph, make, pictures, lambda: len(poses) >= 6, end)
    assert graph.spin_until(lambda: humans[-1].header.stamp == poses[-1].header.stamp)
    (human,) = [h for h in humans[-1].humans if h.id == chosen.id]
    assert poses[-1].pose == human.pose.pose
    assert poses[-1].header.frame_id == 'camera_optical_frame'
    assert select(graph, SelectHuman.Request.NOBODY).success
    graph.spin_for(0.3)
    poses.clear()
    count = len(humans)
    play(graph, make, pictures, lambda: len(humans) >= count + 3, end)
    assert not poses


def test_followed_from_the_start_by_a_parameter(graph, make):
    graph.active_anny(follow__select='nearest')
    poses = graph.collect(PoseStamped, 'anny/followed_pose')
    play(graph, make, graph.image_publisher(), lambda: poses)
    answer = select(graph, SelectHuman.Request.RAISED_HAND)
    assert answer.success
    assert answer.track_number == 0
