# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
``hri_bridge``: bodies as ROS4HRI (REP-155) wants them, for every camera of a robot.

``/humans/bodies/tracked`` holds the ids of everybody who is there now, all cameras together, and
is sent whenever that changes. Each body has ``roi``, ``skeleton2d`` and ``posture`` under
``/humans/bodies/<id>/``, and ``cropped`` where that is allowed. The frames ``body_<id>`` and those
of the joints (with ``tf.joints: rep155``) come from the perception node itself.
"""

from __future__ import annotations

from collections import deque
from functools import partial
import sys
import time
from typing import Any

from anny_ros.errors import InputError
from anny_ros.msg import Human, HumanArray, HumanCues, HumanCuesArray
from anny_ros.ros import qos
from anny_ros.ros.bridges.base import declare, messages_of, run, sources_of
from anny_ros.ros.pictures import decode_image
import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image

_SHOWN = (Human.TRACKED, Human.OCCLUDED)
# A camera that says nothing for so long has nobody in view any more.
_SILENCE = 2.0  # seconds
_PICTURES_KEPT = 30
# OpenPose's points of ROS4HRI from COCO's; the neck is between the shoulders.
_COCO_ROWS = (0, (5, 6), 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 1, 2, 3, 4)


class HriBridge(Node):
    """
    Translate HumanArrays and HumanCuesArrays.

    Parameters
    ----------
    kwargs
        Go to rclpy's Node.

    Raises
    ------
    AnnyError
        If hri_msgs is not installed.
    ParameterError
        If a parameter is wrong.

    """

    def __init__(self, **kwargs: Any) -> None:
        hri = messages_of('hri_msgs', 'hri_bridge')
        super().__init__('hri_bridge', **kwargs)
        self._hri = hri
        sources = sources_of(self)
        cropped = declare(
            self, 'cropped', False, 'Also send the picture of each body, cut from `image`.'
        )
        self._tracked = self.create_publisher(hri.IdsList, '/humans/bodies/tracked', qos.latched())
        self._bodies: dict[str, _Body] = {}
        self._present: dict[str, tuple[float, frozenset[str]]] = {}
        self._sent: frozenset[str] | None = None
        self._pictures: deque[Image] = deque(maxlen=_PICTURES_KEPT)
        self._cropped = bool(cropped)
        for source in sources:
            self.create_subscription(
                HumanArray, f'{source}/humans', partial(self._on_humans, source), qos.results()
            )
            self.create_subscription(
                HumanCuesArray, f'{source}/cues', self._on_cues, qos.results()
            )
        if self._cropped:
            self.create_subscription(Image, 'image', self._on_picture, qos.pictures())
        self.create_timer(0.5, self._forget_silent)

    def destroy_node(self) -> None:
        """Say that nobody is there any more, then go."""
        if self.context.ok() and self._sent:
            self._present.clear()
            self._announce()
        super().destroy_node()

    def _on_humans(self, source: str, message: HumanArray) -> None:
        shown = [human for human in message.humans if human.state in _SHOWN]
        self._present[source] = (time.monotonic(), frozenset(human.id for human in shown))
        for human in shown:
            body = self._bodies.get(human.id)
            if body is None:
                body = self._bodies[human.id] = _Body(self, self._hri, human.id, self._cropped)
            body.publish(human, message, self._picture_of(message))
        # The list last: who reads it finds the topics of everybody in it.
        self._announce(message.header.stamp)

    def _on_cues(self, message: HumanCuesArray) -> None:
        for cues in message.cues:
            body = self._bodies.get(cues.id)
            if body is not None:
                body.publish_posture(cues, message)

    def _on_picture(self, picture: Image) -> None:
        self._pictures.append(picture)

    def _forget_silent(self) -> None:
        now = time.monotonic()
        silent = [s for s, (heard, _) in self._present.items() if now - heard > _SILENCE]
        for source in silent:
            del self._present[source]
        if silent:
            self._announce()

    def _announce(self, stamp: Any = None) -> None:
        """Send the ids if they have changed, and drop the topics of who is gone."""
        ids: frozenset[str] = frozenset().union(*(found for _, found in self._present.values()))
        if ids == self._sent:
            return
        self._sent = ids
        message = self._hri.IdsList(ids=sorted(ids))
        message.header.stamp = stamp or self.get_clock().now().to_msg()
        self._tracked.publish(message)
        for gone in set(self._bodies) - ids:
            self._bodies.pop(gone).close()

    def _picture_of(self, message: HumanArray) -> Image | None:
        for picture in self._pictures:
            if picture.header == message.header:
                return picture
        return None


class _Body:
    """The topics of one body."""

    def __init__(self, node: Node, hri: Any, name: str, cropped: bool) -> None:
        self._node = node
        self._hri = hri
        topic = f'/humans/bodies/{name}'

        def publisher(kind: type[Any], last: str) -> Publisher[Any]:
            return node.create_publisher(kind, f'{topic}/{last}', qos.results())

        self._roi = publisher(hri.NormalizedRegionOfInterest2D, 'roi')
        self._skeleton = publisher(hri.Skeleton2D, 'skeleton2d')
        self._posture = publisher(hri.BodyPosture, 'posture')
        self._cropped = publisher(Image, 'cropped') if cropped else None

    def publish(self, human: Human, message: HumanArray, picture: Image | None) -> None:
        """Send box and skeleton, and the picture where there is one."""
        size = np.array([message.camera.width, message.camera.height], float)
        # ROS4HRI counts from the picture's corner, our pixels from the centre of the first one.
        low = (np.array(human.bbox[:2]) + 0.5) / size
        high = low + np.array(human.bbox[2:]) / size
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        roi = self._hri.NormalizedRegionOfInterest2D(
            header=message.header,
            xmin=float(low[0]),
            ymin=float(low[1]),
            xmax=float(high[0]),
            ymax=float(high[1]),
            c=float(np.clip(human.score, 0, 1)),
        )
        self._roi.publish(roi)
        self._skeleton.publish(
            self._hri.Skeleton2D(header=message.header, skeleton=self._points(human, size))
        )
        if self._cropped is not None and picture is not None:
            self._publish_crop(picture, low * size, high * size)

    def publish_posture(self, cues: HumanCues, message: HumanCuesArray) -> None:
        """Send how the body is held."""
        posture = {
            HumanCues.POSTURE_STANDING: self._hri.BodyPosture.STANDING,
            HumanCues.POSTURE_SITTING: self._hri.BodyPosture.SITTING,
            HumanCues.POSTURE_CROUCHING: self._hri.BodyPosture.CROUCHING,
            HumanCues.POSTURE_LYING: self._hri.BodyPosture.LAYING,
        }.get(cues.posture, self._hri.BodyPosture.OTHER)
        self._posture.publish(self._hri.BodyPosture(header=message.header, posture=posture))

    def close(self) -> None:
        """Take the topics away."""
        for publisher in (self._roi, self._skeleton, self._posture, self._cropped):
            if publisher is not None:
                self._node.destroy_publisher(publisher)

    def _points(self, human: Human, size: np.ndarray) -> list[Any]:
        places = (np.array(human.body.coco_keypoints_2d).reshape(-1, 2) + 0.5) / size
        confidences = np.array(human.body.coco_confidences, float)
        points = []
        for rows in _COCO_ROWS:
            place = np.atleast_2d(places[list(rows) if isinstance(rows, tuple) else rows]).mean(0)
            sure = np.min(confidences[list(rows) if isinstance(rows, tuple) else [rows]])
            # A point outside of the picture has no place in 0..1.
            inside = bool(np.isfinite(place).all() and (place >= 0).all() and (place <= 1).all())
            x, y = np.clip(np.nan_to_num(place), 0, 1)
            points.append(
                self._hri.NormalizedPointOfInterest2D(
                    x=float(x), y=float(y), c=float(sure) if inside else 0.0
                )
            )
        return points

    def _publish_crop(self, picture: Image, low: np.ndarray, high: np.ndarray) -> None:
        if self._cropped is None or self._cropped.get_subscription_count() == 0:
            return
        left, top = np.floor(low).astype(int)
        right, bottom = np.ceil(high).astype(int)
        try:
            crop = np.ascontiguousarray(decode_image(picture)[top:bottom, left:right])
        except InputError:
            return  # the perception node has told about this picture
        if crop.size:
            self._cropped.publish(
                Image(
                    header=picture.header,
                    height=crop.shape[0],
                    width=crop.shape[1],
                    encoding='rgb8',
                    step=3 * crop.shape[1],
                    data=crop.tobytes(),
                )
            )


def main(args: list[str] | None = None) -> int:
    """Run the bridge; the exit status is 2 for a user's mistake."""
    return run(HriBridge, 'hri_bridge', args)


if __name__ == '__main__':
    sys.exit(main())
