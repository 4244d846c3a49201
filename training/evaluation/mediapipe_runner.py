# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Run MediaPipe pose over pictures; a script for MediaPipe's own environment, not for ours.

    python -I mediapipe_runner.py JOBS.json RESULTS.npz

JOBS is a list of {"kind": "picture", "path", "member", "boxes"} (a member of a tar file) and
{"kind": "video", "path", "frames", "boxes"}; ``boxes`` is a list of boxes x0, y0, x1, y1 (for a
video: a list of them a frame). Every picture is looked at as a whole (a video as MediaPipe's own
tracking and smoothing see it, frame by frame from the first), and once in each box, enlarged, as
a picture of its own.

RESULTS holds a row a body: ``job``, ``frame``, ``box`` (-1: the whole picture), ``landmarks``
(33, 2) in pixels of the picture, ``visibility`` (33,), ``world`` (33, 3) in metres; and
``version``.
"""

import json
from pathlib import Path
import sys
import tarfile

import cv2
import mediapipe
import numpy as np

MARGIN = 0.2  # of the longer side of a box, on all sides


def window(box, width, height):
    """Columns and rows of a box with its margin, within the picture; None if nothing is left."""
    x0, y0, x1, y1 = box
    margin = MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(int(x0 - margin), 0), max(int(y0 - margin), 0)
    right, bottom = min(int(x1 + margin) + 1, width), min(int(y1 + margin) + 1, height)
    return (left, top, right, bottom) if right - left > 8 and bottom - top > 8 else None


class Collector:
    """Looks at pictures and keeps what is found."""

    def __init__(self):
        # Complexity 1 ("full") is the only one of the three models that the wheel holds.
        self.single = self.make(static=True)
        self.rows = {k: [] for k in ('job', 'frame', 'box', 'landmarks', 'visibility', 'world')}

    @staticmethod
    def make(static):
        """Make a MediaPipe pose with its published defaults."""
        return mediapipe.solutions.pose.Pose(static_image_mode=static, model_complexity=1)

    def look(self, pose, rgb, place, offset=(0, 0)):
        """Look at one picture."""
        found = pose.process(rgb)
        if found.pose_landmarks is None:
            return
        height, width = rgb.shape[:2]
        points = found.pose_landmarks.landmark
        # Landmarks are shares of the picture's width and height, from its outer edges.
        xy = np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in points]) + offset
        world = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark])
        values = (*place, xy, np.array([p.visibility for p in points]), world)
        for kept, value in zip(self.rows.values(), values, strict=True):
            kept.append(value)

    def boxes(self, rgb, boxes, job, frame):
        """Look at each of some boxes."""
        for k, box in enumerate(boxes):
            part = window(box, rgb.shape[1], rgb.shape[0])
            if part is not None:
                left, top, right, bottom = part
                crop = np.ascontiguousarray(rgb[top:bottom, left:right])
                self.look(self.single, crop, (job, frame, k), (left, top))


def main():
    """Run all jobs."""
    collector = Collector()
    for number, job in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        if job['kind'] == 'picture':
            with tarfile.open(job['path']) as archive:
                data = archive.extractfile(job['member']).read()
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            rgb = np.ascontiguousarray(bgr[..., ::-1])
            collector.look(collector.single, rgb, (number, 0, -1))
            collector.boxes(rgb, job['boxes'], number, 0)
            continue
        capture = cv2.VideoCapture(job['path'])
        with Collector.make(static=False) as tracking:
            for frame in range(job['frames']):
                read, bgr = capture.read()
                if not read:
                    break
                rgb = np.ascontiguousarray(bgr[..., ::-1])
                collector.look(tracking, rgb, (number, frame, -1))
                collector.boxes(rgb, job['boxes'][frame], number, frame)
    shapes = {'landmarks': (33, 2), 'visibility': (33,), 'world': (33, 3)}
    arrays = {
        name: np.array(rows).reshape(len(rows), *shapes.get(name, ()))
        for name, rows in collector.rows.items()
    }
    np.savez(sys.argv[2], version=mediapipe.__version__, **arrays)


if __name__ == '__main__':
    main()
