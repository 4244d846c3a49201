# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""TF, a floor and depth pictures beside the camera, over real DDS."""

import array
from dataclasses import replace

from anny_ros.geometry.ground import ScaleMeasurement
from anny_ros.geometry.rotations import quat_xyzw_to_rotmat, rotmat_to_quat_xyzw
from anny_ros.inference import assemble_detections
from anny_ros.inference.assemble import ray_covariance
from anny_ros.inference.fusion import fuse_scale
from anny_ros.msg import HumanArray, HumanCuesArray
from anny_ros.render.rasterise import rasterise
from anny_ros.types import Camera
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
import numpy as np
import pytest
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from tf2_ros import Buffer, TransformBroadcaster, TransformListener

pytestmark = pytest.mark.ros

# Optical axes (right, down, forward) of a camera that looks along x, in a frame whose z is up.
LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
FOCAL = 500.0


def pose_of(yaw=0.0, height=1.2):
    c, s = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ LEVEL
    pose[:3, 3] = 0.3, -0.2, height
    return pose


class Robot:
    """Sends transforms, depth and pictures, and waits for the people of each picture."""

    def __init__(self, graph, make):
        self.graph, self.make = graph, make
        self.humans = graph.collect(HumanArray, 'anny/humans')
        self.diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
        self.broadcaster = TransformBroadcaster(graph.tester)
        self.pictures = graph.image_publisher()
        self.infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 5)
        graph.spin_for(0.3)
        self.infos.publish(make.camera_info(f=FOCAL))
        graph.spin_for(0.1)

    def send_pose(self, offset, pose, frame='odom'):
        x, y, z, w = rotmat_to_quat_xyzw(pose[:3, :3]).tolist()
        t = pose[:3, 3].tolist()
        header = self.make.header(offset)
        message = TransformStamped(
            header=header,
            child_frame_id=header.frame_id,
            transform=Transform(
                translation=Vector3(x=t[0], y=t[1], z=t[2]),
                rotation=Quaternion(x=x, y=y, z=z, w=w),
            ),
        )
        message.header.frame_id = frame
        self.broadcaster.sendTransform(message)

    def take_picture(self, offset):
        count = len(self.humans)
        self.pictures.publish(self.make.image(offset))
        assert self.graph.spin_until(lambda: len(self.humans) > count)
        return self.humans[-1]

    def status(self):
        name = f'{self.graph.namespace}/anny: Surroundings'.lstrip('/')
        found = [s for message in self.diagnostics for s in message.status if s.name == name]
        return found[-1] if found else DiagnosticStatus()

    def told(self, text):
        """Wait for a warning."""
        assert self.graph.spin_until(lambda: text in self.status().message, 3.0), self.status()
        assert self.status().level == WARN


def speeds(message):
    velocities = [h.twist.twist.linear for h in message.humans]
    return [np.linalg.norm([v.x, v.y, v.z]) for v in velocities]


def places(message):
    points = [h.pose.pose.position for h in message.humans]
    return np.array([[p.x, p.y, p.z] for p in points])


def pose_at(t):
    return pose_of(0.4 * np.sin(t))


def turning(graph, make, walking=(0.0, 0.0, 0.0)):
    """Let the camera turn before people who stand or walk in the world; gives where they begin."""
    begin = make.header().stamp.sec + 1e-9 * make.header().stamp.nanosec
    seen = graph.estimator.people
    world = seen.position @ pose_at(0.0)[:3, :3].T + pose_at(0.0)[:3, 3]

    class Turning(make.estimator):
        def __call__(self, picture):
            t = picture.stamp - begin
            pose = pose_at(t)
            here = (world + t * np.array(walking) - pose[:3, 3]) @ pose[:3, :3]
            self.people = seen.moved((here - seen.position).astype(np.float32))
            return super().__call__(picture)

    graph.estimator = Turning(graph.body)
    return world


@pytest.mark.parametrize('frame', ['odom', ''])
def test_a_turning_camera_does_not_move_people(graph, make, frame):
    turning(graph, make)
    graph.active_anny(tracking__frame=frame, diagnostics__period=0.1)
    robot = Robot(graph, make)
    fastest = 0.0
    for i in range(30):
        robot.send_pose(i / 15, pose_at(i / 15))
        message = robot.take_picture(i / 15)
        if i >= 8:
            fastest = max(fastest, *speeds(message))
    if frame:
        assert fastest < 0.05
        assert graph.spin_until(lambda: robot.status().level == OK, 3.0), robot.status()
    else:
        assert fastest > 0.5, 'relative to the camera they move'


def test_predicted_frames_are_right_whatever_the_camera_does_meanwhile(graph, make):
    walking = np.array([0.0, 1.0, 0.0])
    world = turning(graph, make, walking)
    graph.active_anny(tracking__frame='odom', tf__prediction_horizon=0.5)
    robot = Robot(graph, make)
    buffer = Buffer()
    listener = TransformListener(buffer, graph.tester)
    for i in range(30):
        robot.send_pose(i / 15, pose_at(i / 15))
        message = robot.take_picture(i / 15)
    later = Time.from_msg(make.header(29 / 15 + 0.5).stamp)
    for human, start in zip(message.humans, world, strict=True):
        frame = f'body_{human.id}'
        assert graph.spin_until(lambda f=frame: buffer.can_transform('odom', f, later))
        found = buffer.lookup_transform('odom', frame, later).transform
        expected = start + (29 / 15 + 0.5) * walking
        place = found.translation
        np.testing.assert_allclose([place.x, place.y, place.z], expected, atol=0.1)
        # Somebody who faced the camera that looked along x faces -x.
        q = found.rotation
        forward = quat_xyzw_to_rotmat(np.array([q.x, q.y, q.z, q.w]))[:, 0]
        facing_camera = pose_at(29 / 15)[:3, :3] @ [0, 0, -1]
        np.testing.assert_allclose(forward, facing_camera, atol=0.05)
    # A picture without a pose has no prediction: frames keep their parent.
    robot.take_picture(9.0)
    graph.spin_for(0.2)
    frame = f'body_{message.humans[0].id}'
    latest = buffer.lookup_transform('odom', frame, Time()).header.stamp
    assert Time.from_msg(latest).nanoseconds == later.nanoseconds
    listener.unregister()


def test_a_transform_that_comes_after_its_picture_is_waited_for(graph, make):
    node = graph.active_anny(tracking__frame='odom', tracking__frame_timeout=1.0)
    robot = Robot(graph, make)
    robot.send_pose(0.0, pose_of())
    robot.take_picture(0.0)
    for i in range(1, 4):
        robot.pictures.publish(make.image(0.1 * i))
        graph.spin_for(0.1)
        assert len(robot.humans) == i, 'it waits'
        robot.send_pose(0.1 * i, pose_of())
        assert graph.spin_until(lambda i=i: len(robot.humans) == i + 1)
    (report,) = node._work.surroundings.report()
    assert report.used >= 3


def test_missing_late_and_foreign_transforms_are_told(graph, make):
    graph.active_anny(tracking__frame='odom', diagnostics__period=0.1)
    robot = Robot(graph, make)
    robot.take_picture(0.0)
    robot.told('there is no transform from camera_optical_frame to odom')
    assert 'correct tracking.frame' in robot.status().message
    robot.send_pose(0.0, pose_of())
    graph.spin_for(0.2)
    robot.take_picture(0.5)
    robot.told('comes too late: let odometry publish it sooner, or raise tracking.frame_timeout')
    robot.send_pose(100.0, pose_of())
    graph.spin_for(0.2)
    robot.send_pose(200.0, pose_of())
    graph.spin_for(0.2)
    robot.take_picture(0.6)
    robot.told('s newer than the picture: let both take the time from one clock')
    values = {pair.key: pair.value for pair in robot.status().values}
    assert values['frame odom, pictures without it'] == '3'


def of_wrong_distance(body, people, factor):
    """People as an estimator would report them that errs by a factor and claims 8 %."""
    everybody = np.ones(len(people))
    wrong = fuse_scale(
        people, body, [ScaleMeasurement(np.log(factor) * everybody, 1e-6 * everybody)]
    )
    distance = np.linalg.norm(wrong.position, axis=1)
    covariance = ray_covariance(wrong.position, 0.08 * distance, 0.01 * distance)
    return replace(wrong, position_covariance=covariance, stature_stddev=0.07 * wrong.stature)


def people_on_the_floor(graph):
    """People 4 m away whose soles are 1.2 m below the camera."""
    people = graph.estimator.people
    people = assemble_detections(
        graph.body,
        stamp=0.0,
        camera=Camera(np.array([[FOCAL, 0, 319.5], [0, FOCAL, 239.5], [0, 0, 1]]), 640, 480),
        score=people.score,
        phenotype=people.phenotype,
        rotations=people.rotations,
        translation=people.translation
        + (np.array([0, 1.2, 0]) - people.ground_position * [0, 1, 0]).astype(np.float32),
        appearance=people.appearance,
    )
    surfaces = graph.body.vertices(people, 'coarse').astype(np.float64)
    triangles, num = graph.body.triangles('coarse'), surfaces.shape[1]
    every = np.concatenate([triangles + i * num for i in range(len(surfaces))])
    depth, _ = rasterise(surfaces.reshape(-1, 3), every, people.camera.K, 640, 480)
    depth[~np.isfinite(depth)] = 0
    return people, depth


def depth_message(make, offset, depth, encoding='16UC1', **changes):
    values = (1000 * depth).round().astype('<u2') if encoding == '16UC1' else depth.astype('<f4')
    message = Image(header=make.header(offset), encoding=encoding)
    message.height, message.width = depth.shape
    message.step = depth.shape[1] * values.itemsize
    message.data = array.array('B', values.tobytes())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_corrects_distances(graph, make, encoding):
    people, depth = people_on_the_floor(graph)
    graph.estimator.people = of_wrong_distance(graph.body, people, 1.2)
    graph.active_anny()
    robot = Robot(graph, make)
    depths = graph.image_publisher(Image, 'depth')
    truth = np.linalg.norm(people.position, axis=1)
    far = np.linalg.norm(places(robot.take_picture(0.0)), axis=1)
    np.testing.assert_allclose(far / truth, 1.2, atol=0.01)
    for i in range(1, 12):
        robot.pictures.publish(make.image(0.1 * i))
        # A driver sends depth after the picture.
        depths.publish(depth_message(make, 0.1 * i + 0.004, depth, encoding))
        assert graph.spin_until(lambda i=i: len(robot.humans) == i + 1)
    found = np.linalg.norm(places(robot.humans[-1]), axis=1)
    assert (np.abs(found / truth - 1) < 0.03).all(), found / truth
    for human in robot.humans[-1].humans:
        covariance = np.reshape(human.pose.covariance, (6, 6))[:3, :3]
        assert 0.003 * truth[0] < np.sqrt(covariance[2, 2]) < 0.03 * truth[0]


def test_a_floor_corrects_distances_and_says_where_up_is(graph, make):
    people, _ = people_on_the_floor(graph)
    graph.estimator.people = of_wrong_distance(graph.body, people, 1.15)
    graph.active_anny(fusion__ground_frame='base_footprint', diagnostics__period=0.1)
    robot = Robot(graph, make)
    cues = graph.collect(HumanCuesArray, 'anny/cues')
    robot.send_pose(0.0, pose_of(), 'base_footprint')
    graph.spin_for(0.2)
    for i in range(3):
        robot.send_pose(0.1 * i, pose_of(), 'base_footprint')
        robot.take_picture(0.1 * i)
    truth = np.linalg.norm(people.position, axis=1)
    found = np.linalg.norm(places(robot.humans[-1]), axis=1)
    assert (found / truth < 1.075).all()
    assert graph.spin_until(lambda: cues)
    np.testing.assert_allclose(graph.nodes[1]._work.pipeline.newest.up, [0, -1, 0], atol=1e-6)
    robot.send_pose(0.9, pose_of(height=-0.5), 'base_footprint')
    graph.spin_for(0.2)
    robot.take_picture(0.9)
    robot.told('fusion.ground_frame base_footprint: the camera must be above the floor')


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'encoding': 'mono8'}, "depth of encoding 'mono8' cannot be used"),
        ({'data': bytes(10)}, 'is not whole: check the depth camera'),
        ({'height': 0}, 'is not whole'),
        ({'height': 240}, 'has another shape than the picture of 640x480'),
    ],
)
def test_bad_depth_is_told_and_skipped(graph, make, changes, text):
    graph.active_anny(diagnostics__period=0.1)
    robot = Robot(graph, make)
    depths = graph.image_publisher(Image, 'depth')
    bad = depth_message(make, 0.0, np.full((480, 640), 3.0), **changes)
    depths.publish(bad)
    graph.spin_for(0.1)
    robot.take_picture(0.0)
    robot.told(text)
    depths.publish(depth_message(make, 0.1, np.full((480, 640), 3.0)))
    graph.spin_for(0.1)
    robot.take_picture(0.1)
    assert graph.spin_until(lambda: robot.status().level == OK, 3.0), robot.status()


def test_depth_of_another_frame_or_time_is_told(graph, make):
    graph.active_anny(diagnostics__period=0.1)
    robot = Robot(graph, make)
    depths = graph.image_publisher(Image, 'depth')
    foreign = depth_message(make, 0.0, np.full((480, 640), 3.0))
    foreign.header.frame_id = 'depth_optical_frame'
    depths.publish(foreign)
    graph.spin_for(0.1)
    robot.take_picture(0.0)
    robot.told("depth is in the frame 'depth_optical_frame'")
    depths.publish(depth_message(make, 0.05, np.full((480, 640), 3.0)))
    graph.spin_for(0.1)
    robot.take_picture(0.1)
    robot.told('raise fusion.depth_tolerance')


def test_who_wants_depth_is_told_that_there_is_none(graph, make):
    graph.active_anny(fusion__depth='on', diagnostics__period=0.1)
    robot = Robot(graph, make)
    robot.take_picture(0.0)
    robot.told(f'fusion.depth is on but nothing comes on {graph.namespace}/depth')


def test_without_other_sensors_nothing_is_asked(graph, make):
    node = graph.active_anny(fusion__depth='off', diagnostics__period=0.1)
    robot = Robot(graph, make)
    robot.take_picture(0.0)
    assert graph.spin_until(lambda: robot.status().message == 'the camera alone', 3.0)
    assert graph.tester.count_subscribers(f'{graph.namespace}/depth') == 0
    assert 'fusion' not in node._work.pipeline.newest.scene.humans.timings_ms
