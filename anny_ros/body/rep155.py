# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Frames of REP-155's human description on an Anny body.

In that description's zero pose somebody stands with the arms hanging; there every link's frame has
x forward, y to the body's left, z up, and limbs reach along -z of their link. The frames here have
those axes on whatever pose the body has. Links that only split a ball joint into three hinges
(``l_y_shoulder``, ``l_p_shoulder``, ``r_head``, ``y_head``, ``l_y_hip``, …) have no frame of
their own here.
"""

from __future__ import annotations

from anny_ros.body.model import BodyModel
from anny_ros.types import COCO_KEYPOINT_NAMES, Detections, FloatArray
import numpy as np
import torch

# Link, joint with its origin, joint that turns it, and the two joints that a limb reaches between.
_LINKS: tuple[tuple[str, str, str, tuple[str, str] | None], ...] = (
    ('torso', 'neck01', 'spine01', None),
    ('p_head', 'head', 'head', None),
    *(
        (
            f'{side.lower()}_{link}',
            f'{origin}.{side}',
            f'{a}.{side}',
            (f'{a}.{side}', f'{b}.{side}'),
        )
        for side in 'LR'
        for link, origin, a, b in (
            ('shoulder', 'upperarm01', 'upperarm01', 'lowerarm01'),
            ('elbow', 'lowerarm01', 'lowerarm01', 'wrist'),
            ('wrist', 'wrist', 'lowerarm01', 'wrist'),
            ('hip', 'upperleg01', 'upperleg01', 'lowerleg01'),
            ('knee', 'lowerleg01', 'lowerleg01', 'foot'),
            ('ankle', 'foot', 'lowerleg01', 'foot'),
        )
    ),
)
LINK_NAMES = ('waist', 'head', *(link[0] for link in _LINKS))

# The body's rest axes are x left, y back, z up.
_REST_FROM_LINK = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
_EYES_AHEAD_OF_HEAD = 0.4 / 15  # of the stature: the eyes before the origin of the link `head`
_EYES = [COCO_KEYPOINT_NAMES.index(f'{side}_eye') for side in ('left', 'right')]


def link_frames(body: BodyModel, people: Detections) -> tuple[FloatArray, FloatArray]:
    """
    Place the links of everybody.

    Parameters
    ----------
    body : BodyModel
    people : Detections
        N rows of this body model.

    Returns
    -------
    origins : ndarray, (N, L, 3), float64, metres
        In the order of ``LINK_NAMES``, optical frame.
    rotations : ndarray, (N, L, 3, 3), float64
        From the link's axes to the optical frame.

    """
    rest = body.rest_frames(torch.as_tensor(people.phenotype)).numpy()  # (N, J, 3, 3)
    posed = people.joint_orientations.astype(np.float64)
    origins, rotations = [], []
    joints = people.joint_positions.astype(np.float64)
    for _, origin, turned_by, limb in _LINKS:
        j = body.joint_index(turned_by)
        skinning = posed[:, j] @ rest[:, j].transpose(0, 2, 1)  # rest axes to optical frame
        if limb is not None:
            begin, end = map(body.joint_index, limb)
            reach = joints[:, end] - joints[:, begin]
            reach /= np.linalg.norm(reach, axis=1, keepdims=True)
            skinning = skinning @ _from_hanging(np.einsum('nji,nj->ni', skinning, reach))
        origins.append(joints[:, body.joint_index(origin)])
        rotations.append(skinning @ _REST_FROM_LINK)
    torso, head = rotations[0], rotations[1]
    eyes = people.keypoints_3d[:, _EYES].mean(1)
    ahead = _EYES_AHEAD_OF_HEAD * people.stature[:, None] * head[:, :, 0]
    # The torso is fixed to the waist, whose origin is that of the body.
    return (
        np.stack([people.position, eyes - ahead, *origins], axis=1).astype(np.float64),
        np.stack([torso, head, *rotations], axis=1),
    )


def _from_hanging(bone: FloatArray) -> FloatArray:
    """Smallest rotations (N, 3, 3) that take straight down to unit vectors (N, 3), rest axes."""
    # For unit a, b: R = I + [a x b] + [a x b]^2 / (1 + a.b); no limb of the rest pose points up.
    down = np.array([0.0, 0, -1])
    x, y, z = np.cross(down, bone).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    scale = 1.0 / (1.0 + bone @ down)
    result: FloatArray = np.eye(3) + cross + scale[:, None, None] * (cross @ cross)
    return result
