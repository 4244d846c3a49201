# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where people will be a moment after a picture."""

from __future__ import annotations

from dataclasses import replace

from anny_ros.tracking.motion import ACCELERATION_DENSITY
from anny_ros.types import Scene
import numpy as np


def predicted(scene: Scene, stamp: float) -> Scene:
    """
    Move everybody on at constant velocity.

    Parameters
    ----------
    scene : Scene
    stamp : float, seconds
        At or after the scene's.

    Returns
    -------
    Scene
        At the later stamp; bodies keep their pose and move whole. Positions stay in the optical
        frame **of the picture**: where the camera will be is not known here, so they are to be
        taken to a frame that stands still with the camera's pose at the picture's stamp.
        Velocities are added as they are, so without ``world_from_camera`` (velocities relative
        to the camera) the camera is taken to move on as it does. Covariances of position and
        velocity grow by what people may do meanwhile; how the two depend on each other is
        not in a Scene and left out.

    Raises
    ------
    ValueError
        If the stamp is earlier than the scene's.

    """
    dt = stamp - scene.stamp
    if not dt >= 0:
        raise ValueError(f'stamp must not be before that of the scene, got {dt:g} s')
    humans = scene.humans.moved(scene.velocity * dt)
    drift = ACCELERATION_DENSITY * np.eye(3)
    position_covariance = (
        humans.position_covariance + dt**2 * scene.velocity_covariance + dt**3 / 3 * drift
    )
    return replace(
        scene,
        stamp=stamp,
        humans=replace(humans, stamp=stamp, position_covariance=position_covariance),
        age=scene.age + dt,
        time_since_observed=scene.time_since_observed + dt,
        velocity_covariance=(scene.velocity_covariance + dt * drift).astype(np.float32),
    )
