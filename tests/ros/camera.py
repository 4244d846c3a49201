# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A camera driver: raw pictures at a steady rate, best effort, from a process of its own."""

import argparse
import array
import sys
import time

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--topic', default='/camera/image_raw')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--rate', type=float, default=30.0)
    parser.add_argument('--seconds', type=float, default=3.0)
    arguments = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node('camera')
    qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = node.create_publisher(Image, arguments.topic, qos)
    width, height = arguments.width, arguments.height
    image = Image(width=width, height=height, encoding='bgr8', step=3 * width)
    image.header.frame_id = 'camera_optical_frame'
    image.data = array.array('B', bytes(3 * width * height))
    patience = time.monotonic() + 30
    while publisher.get_subscription_count() == 0 and time.monotonic() < patience:
        time.sleep(0.05)
    time.sleep(0.5)  # until the other side has found this one, too
    begin, count = time.monotonic(), round(arguments.rate * arguments.seconds)
    for index in range(count):
        time.sleep(max(0.0, begin + index / arguments.rate - time.monotonic()))
        image.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(image)
    took = time.monotonic() - begin
    time.sleep(0.5)
    node.destroy_node()
    rclpy.shutdown()
    sys.stdout.write(f'{count} {took:.2f}\n')


if __name__ == '__main__':
    main()
