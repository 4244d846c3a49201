# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the inference thread made of one picture, as the publishers get it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from anny_ros.body import BodyModel
from anny_ros.geometry.cues import CAMERA_UP, Cues, read_cues
from anny_ros.types import Frame, Scene, TrackState
import numpy as np
from numpy.typing import ArrayLike, NDArray
from std_msgs.msg import Header


class Result:
    """
    One picture and who is in it.

    Parameters
    ----------
    header : std_msgs/Header
        The picture's own; its stamp never went through a float.
    frame : Frame
    scene : Scene
        The people to publish.
    body : BodyModel
    resolution : str
        Surface to publish, ``full`` or ``coarse``.
    everybody : Scene or None
        Also those who are not published; None: there are no others.
    up : array, (3,)
        Against gravity in the optical frame.

    """

    def __init__(
        self,
        header: Header,
        frame: Frame,
        scene: Scene,
        body: BodyModel,
        resolution: str,
        everybody: Scene | None = None,
        up: ArrayLike = CAMERA_UP,
    ) -> None:
        self.everybody = scene if everybody is None else everybody
        self.header = header
        self.frame = frame
        self.scene = scene
        self.body = body
        self.resolution = resolution
        self.up = np.asarray(up, np.float64)

    @cached_property
    def visible_rows(self) -> NDArray[np.intp]:
        """Rows of the scene with a body to show: everybody who is not LOST, (M,)."""
        return np.flatnonzero(self.scene.states != TrackState.LOST)

    @cached_property
    def vertices(self) -> NDArray[np.float32]:
        """Surfaces of ``visible_rows``, (M, V, 3), metres; made when somebody first wants them."""
        return self.body.vertices(self.scene.humans[self.visible_rows], self.resolution)

    @cached_property
    def body_orientations(self) -> NDArray[np.float32]:
        """(N, 3, 3): columns out of the chest, to the left, up; optical frame."""
        return self.body.body_orientation(self.scene.humans)

    @cached_property
    def cues(self) -> Cues:
        """What everybody does, N rows."""
        forward = self.body_orientations[..., 0]
        return read_cues(self.scene.humans, forward, self.scene.velocity, self.up)


def shown_people(scene: Scene, *, tentative: bool) -> Scene:
    """
    Take the people to publish, in order of track number.

    Parameters
    ----------
    scene : Scene
    tentative : bool
        Whether people of state TENTATIVE are among them.

    Returns
    -------
    Scene

    """
    rows = np.argsort(scene.track_numbers, kind='stable')
    if not tentative:
        rows = rows[scene.states[rows] != TrackState.TENTATIVE]
    return replace(
        scene,
        humans=scene.humans[rows],
        ids=tuple(scene.ids[row] for row in rows),
        track_numbers=scene.track_numbers[rows],
        states=scene.states[rows],
        identity_confidence=scene.identity_confidence[rows],
        age=scene.age[rows],
        time_since_observed=scene.time_since_observed[rows],
        velocity=scene.velocity[rows],
        velocity_covariance=scene.velocity_covariance[rows],
    )
