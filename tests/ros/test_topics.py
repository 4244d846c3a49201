# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Every output of the node, over real DDS."""

import json
import math
import subprocess
import sys

from anny_ros.msg import CameraModel, Human, HumanArray, HumanMeshArray, PipelineStats
from anny_ros.srv import GetMesh
import cv2
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
import numpy as np
import pytest
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, TransformListener
from visualization_msgs.msg import Marker, MarkerArray

pytestmark = pytest.mark.ros


def stamp_of(header):
    return header.stamp.sec, header.stamp.nanosec


def test_every_output_carries_the_stamp_and_frame_of_its_picture(graph, make):
    graph.active_anny(publish__mesh='coarse')
    kinds = {
        'anny/humans': HumanArray,
        'anny/meshes': HumanMeshArray,
        'anny/markers': MarkerArray,
        'anny/overlay': Image,
        'anny/overlay/compressed': CompressedImage,
        '/tf': TFMessage,
    }
    got = {topic: graph.collect(kind, topic) for topic, kind in kinds.items()}
    pictures = graph.image_publisher()
    own = {stamp_of(make.header(0.1 * i)) for i in range(3)}
    for i in range(3):
        assert graph.spin_until(lambda: graph.tester.count_publishers('/tf') > 0)
        pictures.publish(make.image(0.1 * i))
        assert graph.spin_until(lambda i=i: all(len(messages) > i for messages in got.values()))
    assert {stamp_of(m.header) for m in got['anny/humans']} == own
    for topic in ('anny/meshes', 'anny/overlay', 'anny/overlay/compressed'):
        assert {stamp_of(m.header) for m in got[topic]} == own, topic
    markers = [marker for message in got['anny/markers'] for marker in message.markers]
    assert {stamp_of(marker.header) for marker in markers} == own
    transforms = [transform for message in got['/tf'] for transform in message.transforms]
    assert {stamp_of(t.header) for t in transforms if t.child_frame_id[5:] in ids(got)} == own
    frames = {m.header.frame_id for t in kinds if t not in ('/tf', 'anny/markers') for m in got[t]}
    assert frames == {'camera_optical_frame'}


def ids(got):
    return {human.id for message in got['anny/humans'] for human in message.humans}


def test_empty_picture_gives_an_empty_list(graph, make, body):
    graph.estimator = make.estimator(body, num_people=0)
    graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    graph.image_publisher().publish(make.image())
    assert graph.spin_until(lambda: got)
    assert list(got[0].humans) == []
    assert (got[0].camera.width, got[0].camera.height) == (640, 480)


@pytest.mark.parametrize('attributes', [False, True])
def test_contents_of_a_human(graph, make, body, attributes):
    graph.estimator = make.estimator(body, num_people=1)
    graph.active_anny(publish__attributes=attributes)
    got = graph.collect(HumanArray, 'anny/humans')
    infos = graph.tester.create_publisher(CameraInfo, 'camera_info', 1)
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: infos.get_subscription_count() > 0)
    infos.publish(make.camera_info())
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    assert got[0].camera.source == CameraModel.CAMERA_INFO
    assert got[0].camera.k[0] == 500.0
    (human,) = got[0].humans
    people = graph.estimator.people
    joints = np.frombuffer(human.body.joint_positions, np.float32).reshape(-1, 3)
    np.testing.assert_allclose(joints, people.joint_positions[0], atol=1e-3)
    quats = np.frombuffer(human.body.joint_orientations, np.float32).reshape(-1, 4)
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(quats[0], np.asarray(human.body.root_orientation, np.float32))
    pixels = np.frombuffer(human.body.keypoints_2d, np.float32).reshape(-1, 2)
    K = np.asarray(got[0].camera.k).reshape(3, 3)
    expected = joints @ K.T
    np.testing.assert_allclose(pixels, expected[:, :2] / expected[:, 2:], atol=0.02)
    position = human.pose.pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], people.position[0], atol=1e-3)
    covariance = np.asarray(human.pose.covariance).reshape(6, 6)
    assert np.isfinite(covariance[:3, :3]).all()
    assert np.isnan(covariance[3:]).all()
    assert human.state == Human.TENTATIVE
    assert human.stature == pytest.approx(people.stature[0], abs=0.05)
    x0, y0, x1, y1 = people.bbox[0]
    np.testing.assert_allclose(human.bbox, [x0, y0, x1 - x0, y1 - y0], atol=1.0)
    assert math.isfinite(human.age_years) == attributes
    assert math.isfinite(human.minor_probability) == attributes
    assert np.isfinite(human.body.phenotype[:2]).all() == attributes
    assert np.isfinite(human.body.phenotype[2:]).all()


def test_tentative_people_can_be_left_out(graph, make):
    graph.active_anny(publish__tentative=False)
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher()
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    assert list(got[0].humans) == []
    for i in range(1, 6):
        pictures.publish(make.image(0.1 * i))
        assert graph.spin_until(lambda i=i: len(got) > i)
    assert {human.state for human in got[-1].humans} == {Human.TRACKED}
    assert [human.track_number for human in got[-1].humans] == [1, 2]


def test_body_frames_are_looked_up_at_the_stamp_of_the_picture(graph, make):
    graph.active_anny()
    got = graph.collect(HumanArray, 'anny/humans')
    buffer = Buffer()
    TransformListener(buffer, graph.tester)
    header = make.header()
    # Where the camera is: 1.2 m up, looking along x.
    mount = TransformStamped(header=make.header(frame_id='map'))
    mount.child_frame_id = header.frame_id
    mount.transform.translation.z = 1.2
    rotation = mount.transform.rotation
    rotation.x, rotation.y, rotation.z, rotation.w = -0.5, 0.5, -0.5, 0.5
    buffer.set_transform_static(mount, 'test')
    pictures = graph.image_publisher()
    assert graph.spin_until(lambda: graph.tester.count_subscribers('/tf') > 0)
    graph.spin_for(0.3)
    pictures.publish(make.image())
    assert graph.spin_until(lambda: got)
    stamp = Time.from_msg(header.stamp)
    for row, human in enumerate(got[0].humans):
        frame = f'body_{human.id}'
        assert graph.spin_until(lambda frame=frame: buffer.can_transform('map', frame, stamp))
        found = buffer.lookup_transform('map', frame, stamp).transform
        x, y, z = graph.estimator.people.position[row]
        where = found.translation
        np.testing.assert_allclose([where.x, where.y, where.z], [z, -x, 1.2 - y], atol=1e-3)
        # They face the camera: out of the chest is -x of the map, up is z.
        q = found.rotation
        np.testing.assert_allclose(np.abs([q.x, q.y, q.z, q.w]), [0, 0, 1, 0], atol=0.02)


def test_another_process_receives_every_topic(graph, make, body):
    graph.active_anny(follow__select='nearest', diagnostics__period=0.2)
    command = [sys.executable, str(make.root / 'tests' / 'ros' / 'consumer.py')]
    consumer = subprocess.Popen([*command, graph.namespace], stdout=subprocess.PIPE, text=True)
    try:
        pictures = graph.image_publisher()
        for i in range(600):
            pictures.publish(make.image(0.1 * i))
            if graph.spin_until(lambda: consumer.poll() is not None, 0.2):
                break
        output, _ = consumer.communicate(timeout=30)
    finally:
        consumer.kill()
        consumer.wait()
    assert consumer.returncode == 0
    found = json.loads(output)
    people = graph.estimator.people
    far = float(people.position[0, 2])
    humans = found['humans']
    assert len(humans) == 2
    assert list(humans.values()) == pytest.approx([far, far], abs=0.05)
    assert found['meshes'] == list(humans)
    vertices = body.vertices(people, 'full')
    assert found['vertices'] == vertices.shape[1] == 13718
    assert found['mean_z'] == pytest.approx(vertices[..., 2].mean(), abs=0.05)
    assert found['body'] == [True, 13718]
    assert found['markers'] == ['label', 'mesh', 'skeleton', 'trail']
    assert found['marker_ids'] == [1, 2]
    expected = np.linalg.norm(people.position, axis=1)
    assert list(found['cues']) == list(humans)
    assert list(found['cues'].values()) == pytest.approx(expected, abs=0.3)
    assert found['points_z'] == pytest.approx(far, abs=0.3)
    assert found['followed_z'] == pytest.approx(far, abs=0.05)
    assert found['pictures'] == {
        f'anny/{name}{form}': [480, 640]
        for name in ('overlay', 'anonymized') for form in ('', '/compressed')
    }  # fmt: skip
    assert set(found['frames']) == {f'body_{person}' for person in humans}
    assert list(found['frames'].values()) == pytest.approx([far, far], abs=0.05)
    assert found['processed'] >= 1
    assert found['statuses'] == ['Inference', 'Input', 'Surroundings', 'Tracking']


def test_markers_while_subscribed(graph, make, body):
    node = graph.active_anny()
    pictures = graph.image_publisher()
    pictures.publish(make.image())
    assert graph.spin_until(lambda: graph.estimator.frames)
    got = graph.collect(MarkerArray, 'anny/markers', 1)
    assert graph.spin_until(lambda: graph.tester.count_publishers(got_topic(graph)))
    for i in range(1, 4):
        pictures.publish(make.image(0.1 * i))
        assert graph.spin_until(lambda i=i: len(got) >= i)
    markers = {(marker.ns, marker.id): marker for marker in got[-1].markers}
    assert {ns for ns, _ in markers} == {'mesh', 'skeleton', 'label', 'trail'}
    mesh = markers['mesh', 1]
    assert len(mesh.points) == 3 * len(body.triangles('full'))
    assert graph.estimator.people.stature[0] == pytest.approx(
        float(markers['label', 1].text.split()[1]), abs=0.05
    )
    assert len(markers['trail', 1].points) == 3
    graph.estimator.people = graph.estimator.people[:0]
    # Beyond tracking.memory at once.
    pictures.publish(make.image(10.0))
    # One of the pictures before may still be on its way here.
    assert graph.spin_until(lambda: {m.action for m in got[-1].markers} == {Marker.DELETE})
    assert {marker.id for marker in got[-1].markers} == {1, 2}
    count = len(got)
    node.trigger_deactivate()
    assert graph.spin_until(lambda: len(got) > count)
    assert [marker.action for marker in got[-1].markers] == [Marker.DELETEALL]


def got_topic(graph):
    return f'{graph.namespace}/anny/markers'


def test_overlay_never_exists_without_raw_images(graph, make):
    graph.active_anny(publish__raw_images=False)
    topics = dict(graph.tester.get_publisher_names_and_types_by_node('anny', graph.namespace))
    pictures = [t for t, kinds in topics.items() if any('Image' in kind for kind in kinds)]
    assert pictures == []
    assert f'{graph.namespace}/anny/humans' in topics


def test_compressed_pictures(graph, make):
    graph.active_anny(input__transport='compressed')
    got = graph.collect(HumanArray, 'anny/humans')
    pictures = graph.image_publisher(CompressedImage, 'image/compressed')
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[:, :320] = (200, 30, 60)
    coded = cv2.imencode('.jpg', rgb[..., ::-1])[1].tobytes()
    pictures.publish(CompressedImage(header=make.header(), format='jpeg', data=coded))
    assert graph.spin_until(lambda: got)
    np.testing.assert_allclose(graph.estimator.frames[0].rgb[240, 100], (200, 30, 60), atol=4)


def test_stats_and_diagnostics(graph, make):
    graph.active_anny(diagnostics__period=0.2)
    stats = graph.collect(PipelineStats, 'anny/stats')
    diagnostics = graph.collect(DiagnosticArray, '/diagnostics')
    name = f'{graph.namespace}/anny'.lstrip('/')

    def status(kind):
        for message in reversed(diagnostics):
            for status in message.status:
                if status.name == f'{name}: {kind}':
                    return status
        return None

    assert graph.spin_until(lambda: status('Input'))
    assert f'nobody publishes {graph.namespace}/image' in status('Input').message
    pictures = graph.image_publisher()
    for i in range(10):
        pictures.publish(make.image(0.1 * i))
        graph.spin_for(0.05)
    assert graph.spin_until(lambda: stats and stats[-1].processed == stats[-1].received == 10)
    assert 'camera.k' in status('Input').message
    busy = [message for message in stats if message.stages]
    assert list(busy[-1].stages) == ['decode', 'network', 'track', 'publish', 'total']
    assert busy[-1].people == 2
    assert max(message.rate for message in busy) > 0
    assert busy[-1].result_age_ms_mean > 0
    assert graph.spin_until(lambda: 'people' in status('Tracking').message)
    assert status('Inference').hardware_id == 'auto'


def test_get_mesh(graph, make, body):
    graph.active_anny(publish__mesh='full')
    got = graph.collect(HumanArray, 'anny/humans')
    unknown = graph.call(GetMesh, 'anny/get_mesh', GetMesh.Request(id='nobod'))
    assert not unknown.success
    assert 'nobod' in unknown.message
    graph.image_publisher().publish(make.image())
    assert graph.spin_until(lambda: got)
    request = GetMesh.Request(id=got[0].humans[1].id, resolution=GetMesh.Request.COARSE)
    answer = graph.call(GetMesh, 'anny/get_mesh', request)
    assert answer.success
    assert stamp_of(answer.header) == stamp_of(make.header())
    assert answer.body_model.hash == answer.mesh.body_model == body.hash('coarse')
    vertices = np.frombuffer(answer.mesh.vertices, np.float32).reshape(-1, 3)
    expected = body.vertices(graph.estimator.people[1], 'coarse')[0]
    np.testing.assert_allclose(vertices, expected, atol=1e-3)
    request.resolution = 9
    assert 'resolution' in graph.call(GetMesh, 'anny/get_mesh', request).message
