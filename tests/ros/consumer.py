# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A robot's own program: receives every topic, and tells as JSON what was said of one picture."""

import json
import sys
import time

from anny_ros.msg import BodyModel, HumanArray, HumanCuesArray, HumanMeshArray, PipelineStats
import cv2
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

# Of every picture: topic, type, where its stamp is.
PICTURE_TOPICS = {
    'anny/humans': (HumanArray, lambda m: m.header),
    'anny/meshes': (HumanMeshArray, lambda m: m.header),
    'anny/cues': (HumanCuesArray, lambda m: m.header),
    'anny/points': (PointCloud2, lambda m: m.header),
    'anny/followed_pose': (PoseStamped, lambda m: m.header),
    'anny/markers': (MarkerArray, lambda m: m.markers[0].header),
    'anny/overlay': (Image, lambda m: m.header),
    'anny/overlay/compressed': (CompressedImage, lambda m: m.header),
    'anny/anonymized': (Image, lambda m: m.header),
    'anny/anonymized/compressed': (CompressedImage, lambda m: m.header),
    '/tf': (TFMessage, lambda m: m.transforms[0].header),
}


def shape_of(image):
    """Height and width, also of a compressed picture."""
    if hasattr(image, 'format'):
        return list(cv2.imdecode(np.frombuffer(image.data, np.uint8), 1).shape[:2])
    return [image.height, image.width] if len(image.data) == 3 * image.height * image.width else []


def points_of(cloud):
    """Points (P, 3)."""
    rows = np.frombuffer(bytes(cloud.data), np.uint8).reshape(-1, cloud.point_step)
    return rows[:, :12].copy().view(np.float32)


def facts(one, body, stats, diagnostics):
    """What the messages of one picture say, by topic."""
    meshes = one['anny/meshes'].meshes
    vertices = np.stack([np.frombuffer(m.vertices, np.float32).reshape(-1, 3) for m in meshes])
    markers = one['anny/markers'].markers
    return {
        'humans': {h.id: h.pose.pose.position.z for h in one['anny/humans'].humans},
        'meshes': [m.id for m in meshes],
        'vertices': vertices.shape[1],
        'mean_z': float(vertices[..., 2].mean()),
        'body': [{m.body_model for m in meshes} == {body.hash}, max(body.triangles) + 1],
        'markers': sorted({m.ns for m in markers}),
        'marker_ids': sorted({m.id for m in markers}),
        'cues': {c.id: c.distance for c in one['anny/cues'].cues},
        'points_z': float(points_of(one['anny/points'])[:, 2].mean()),
        'followed_z': one['anny/followed_pose'].pose.position.z,
        'pictures': {t: shape_of(one[t]) for t in one if 'overlay' in t or 'anonymized' in t},
        'frames': {t.child_frame_id: t.transform.translation.z for t in one['/tf'].transforms},
        'processed': stats.processed,
        'statuses': sorted(s.name.rpartition(': ')[2] for s in diagnostics.status),
    }


def main(namespace):
    rclpy.init()
    node = rclpy.create_node('consumer', namespace=namespace)
    received = {topic: {} for topic in PICTURE_TOPICS}
    others = {}

    def subscribe(topic, kind, header):
        def keep(message):
            try:
                stamp = header(message).stamp
            except IndexError:  # nobody was there
                return
            received[topic][stamp.sec, stamp.nanosec] = message

        node.create_subscription(kind, topic, keep, 10)

    for topic, (kind, header) in PICTURE_TOPICS.items():
        subscribe(topic, kind, header)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for topic, kind, qos in (
        ('anny/body_model', BodyModel, latched),
        ('anny/stats', PipelineStats, 10),
        ('/diagnostics', DiagnosticArray, 10),
    ):
        node.create_subscription(
            kind, topic, lambda message, topic=topic: others.update({topic: message}), qos
        )

    def complete():
        stamps = [set(messages) for messages in received.values()]
        common = set.intersection(*stamps)
        return common if len(others) == 3 and others['anny/stats'].processed else set()

    end = time.monotonic() + 60
    while not complete() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    if not complete():
        missing = [topic for topic, messages in received.items() if not messages]
        sys.exit(f'nothing came on {missing}; of the others: {sorted(others)}')
    stamp = max(complete())
    one = {topic: messages[stamp] for topic, messages in received.items()}
    found = facts(one, others['anny/body_model'], others['anny/stats'], others['/diagnostics'])
    sys.stdout.write(json.dumps(found))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main(sys.argv[1])
