# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
What the node publishes for a picture: one publisher a file, and the list that names them all.

To add one: a file with a subclass of ``ScenePublisher``, a line here, its test.
"""

from anny_ros.ros.publishers.anonymized import AnonymizedPublisher
from anny_ros.ros.publishers.base import ScenePublisher
from anny_ros.ros.publishers.body_model import BodyModelPublisher
from anny_ros.ros.publishers.cues import CuesPublisher
from anny_ros.ros.publishers.followed_pose import FollowedPosePublisher
from anny_ros.ros.publishers.humans import HumansPublisher
from anny_ros.ros.publishers.markers import MarkersPublisher
from anny_ros.ros.publishers.meshes import MeshesPublisher
from anny_ros.ros.publishers.overlay import OverlayPublisher
from anny_ros.ros.publishers.points import PointsPublisher
from anny_ros.ros.publishers.tf import TfPublisher

# In the order of sending: what is small and awaited first. Whom to follow is settled before
# anybody can have received the people of the picture, so that they can be selected at once.
PUBLISHERS: tuple[type[ScenePublisher], ...] = (
    FollowedPosePublisher,
    HumansPublisher,
    TfPublisher,
    CuesPublisher,
    PointsPublisher,
    BodyModelPublisher,
    MeshesPublisher,
    MarkersPublisher,
    OverlayPublisher,
    AnonymizedPublisher,
)

__all__ = ['PUBLISHERS', 'ScenePublisher']
