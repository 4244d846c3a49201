# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A costmap in another process marks where people stand, and nothing else."""

import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.ros

# Pelvis of each, metres in the optical frame.
PLACES = np.array([[-1.3, 0.0, 3.0], [0.4, 0.0, 4.5], [2.0, 0.0, 6.0]])


def test_cells_are_marked_where_people_stand(graph, make, body):
    graph.estimator = make.estimator(body, num_people=len(PLACES))
    people = graph.estimator.people
    people = graph.estimator.people = people.moved(PLACES - people.position)
    camera_height = float(people.ground_position[:, 1].mean())
    graph.active_anny()
    pictures = graph.image_publisher()
    command = [sys.executable, str(Path(__file__).with_name('costmap.py'))]
    consumer = subprocess.Popen(
        [*command, graph.namespace, str(camera_height)], stdout=subprocess.PIPE, text=True
    )
    try:
        for index in range(600):
            pictures.publish(make.image(0.1 * index))
            if graph.spin_until(lambda: consumer.poll() is not None, 0.2):
                break
        cells = np.array(json.loads(consumer.communicate(timeout=30)[0]))
    finally:
        consumer.kill()
    places = np.stack([PLACES[:, 2], -PLACES[:, 0]], axis=1)  # ahead, left
    gaps = np.linalg.norm(cells[:, None] - places[None], axis=2)  # (C, 3)
    assert gaps.min(axis=0).max() < 0.2
    # As far as the bodies reach (arms hang down a little apart), and no farther.
    surfaces = body.vertices(people)
    reach = np.linalg.norm((surfaces - people.position[:, None])[..., [0, 2]], axis=2).max()
    assert 0.2 < reach < 0.8
    assert gaps.min(axis=1).max() < reach + 0.2
    # Every person has cells of their own, enough of them to be seen by an inflation layer.
    assert np.bincount(gaps.argmin(axis=1), minlength=3).min() >= 10
