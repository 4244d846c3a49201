# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
The four types that flow through the package: Frame, Camera, Detections, Scene.

All are small frozen dataclasses of numpy arrays, validated on construction. Pixels count from
the *centre* of the top-left pixel (the convention of ROS and OpenCV). Metric quantities are in
the camera optical frame (REP-103: x right, y down, z forward) unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

COCO_KEYPOINT_NAMES = (
    'nose',
    'left_eye',
    'right_eye',
    'left_ear',
    'right_ear',
    'left_shoulder',
    'right_shoulder',
    'left_elbow',
    'right_elbow',
    'left_wrist',
    'right_wrist',
    'left_hip',
    'right_hip',
    'left_knee',
    'right_knee',
    'left_ankle',
    'right_ankle',
)
PHENOTYPE_NAMES = ('gender', 'age', 'muscle', 'weight', 'height', 'proportions')

FloatArray = NDArray[np.floating[Any]]


class CameraSource(IntEnum):
    """Where the intrinsics of a picture come from; the better source wins."""

    CAMERA_INFO = 0
    PARAMETER = 1
    ESTIMATED = 2


class TrackState(IntEnum):
    """Life cycle of a track."""

    TENTATIVE = 0
    TRACKED = 1
    OCCLUDED = 2
    LOST = 3


@dataclass(frozen=True)
class Camera:
    """
    A rectified pinhole camera.

    Parameters
    ----------
    K : ndarray, (3, 3), float64, pixels
        Intrinsics, counted from the centre of the top-left pixel.
    width, height : int, pixels
        Size of the picture that ``K`` describes.
    source : CameraSource
        Who said so.
    hfov_stddev : float, radians
        Standard deviation of the horizontal field of view; 0 when the camera was given.

    Raises
    ------
    ValueError
        If K is not (3, 3), not finite, has a focal length that is not positive, or the size is
        not positive.

    """

    K: FloatArray
    width: int
    height: int
    source: CameraSource = CameraSource.CAMERA_INFO
    hfov_stddev: float = 0.0

    def __post_init__(self) -> None:
        K = np.array(self.K, dtype=np.float64)
        if K.shape != (3, 3):
            raise ValueError(f'K must be (3, 3), got {K.shape}; pass the 3x3 intrinsics')
        if not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ValueError(
                f'intrinsics need finite numbers and fx, fy > 0, got fx={K[0, 0]:g}, '
                f'fy={K[1, 1]:g}; calibrate the camera or leave the intrinsics out'
            )
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f'picture size must be positive, got {self.width}x{self.height}')
        K.flags.writeable = False
        object.__setattr__(self, 'K', K)
        object.__setattr__(self, 'source', CameraSource(self.source))

    @classmethod
    def from_hfov(
        cls,
        hfov: float,
        width: int,
        height: int,
        source: CameraSource = CameraSource.ESTIMATED,
        hfov_stddev: float = 0.0,
    ) -> Camera:
        """Make a camera with square pixels and a centred principal point; ``hfov`` in radians."""
        if not 0.0 < hfov < math.pi:
            raise ValueError(f'horizontal field of view must be in (0, pi) rad, got {hfov:g}')
        f = 0.5 * width / math.tan(0.5 * hfov)
        K = np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1]], np.float64)
        return cls(K, width, height, source, hfov_stddev)

    @property
    def hfov(self) -> float:
        """Horizontal field of view in radians (outer edges of the first and last column)."""
        left = (self.K[0, 2] + 0.5) / self.K[0, 0]
        right = (self.width - 0.5 - self.K[0, 2]) / self.K[0, 0]
        return math.atan(left) + math.atan(right)


@dataclass(frozen=True)
class Frame:
    """
    One picture.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
        Colours in the order red, green, blue.
    stamp : float, seconds
        When the picture was taken.
    camera : Camera or None
        Known intrinsics of exactly this picture size; None lets the estimator guess.
    expected : ndarray, (K, 4), pixels, or None
        Boxes x0, y0, x1, y1 where somebody was a moment ago (``Tracker.expected_boxes``); a hint
        where to look twice, never a reason to report somebody.

    Raises
    ------
    ValueError
        If the picture is empty, not uint8, not (H, W, 3), the stamp is not finite, or the camera
        is for another size.

    """

    rgb: NDArray[np.uint8]
    stamp: float
    camera: Camera | None = None
    expected: FloatArray | None = None

    def __post_init__(self) -> None:
        rgb = np.asarray(self.rgb)
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
            raise ValueError(
                f'a picture must be uint8 (H, W, 3) and not empty, got {rgb.dtype} {rgb.shape}; '
                'convert it to 8-bit RGB'
            )
        if not math.isfinite(self.stamp):
            raise ValueError(f'stamp must be finite, got {self.stamp}')
        if self.camera is not None and (self.camera.height, self.camera.width) != rgb.shape[:2]:
            raise ValueError(
                f'camera is for {self.camera.width}x{self.camera.height} but the picture is '
                f'{rgb.shape[1]}x{rgb.shape[0]}; publish a camera_info that matches the picture'
            )
        if self.expected is not None and (self.expected.ndim != 2 or self.expected.shape[1] != 4):
            raise ValueError(f'expected boxes must be (K, 4), got {self.expected.shape}')
        object.__setattr__(self, 'rgb', rgb)


# Shape of a row of each array of Detections; a string is a size that all fields share.
_ROW_SHAPES: dict[str, tuple[int | str, ...]] = {
    'score': (),
    'bbox': (4,),
    'phenotype': (6,),
    'rotations': ('J', 3, 3),
    'translation': (3,),
    'joint_positions': ('J', 3),
    'joint_orientations': ('J', 3, 3),
    'joint_confidences': ('J',),
    'keypoints_3d': (17, 3),
    'keypoints_2d': (17, 2),
    'keypoint_confidences': (17,),
    'position': (3,),
    'position_covariance': (3, 3),
    'head_position': (3,),
    'ground_position': (3,),
    'stature': (),
    'stature_stddev': (),
    'age_years': (),
    'minor_probability': (),
    'appearance': ('A',),
    'measured_2d': (17, 2),
}


@dataclass(frozen=True)
class Detections:
    """
    Everybody found in one picture: N rows of everything, as arrays.

    Every array is float32 and has N rows; J is the number of joints of the body model and A the
    length of the appearance feature (0 when the estimator has none).

    Parameters
    ----------
    stamp : float, seconds
        Stamp of the picture.
    camera : Camera
        The camera that was used to place people.
    score : (N,)
        Confidence in 0..1.
    bbox : (N, 4), pixels
        x0, y0, x1, y1 of the whole body in the original picture; may reach outside of it.
    phenotype : (N, 6)
        ``PHENOTYPE_NAMES``, each 0..1 (gender 0 male, 1 female).
    rotations : (N, J, 3, 3)
        Pose: rotation of each joint in its own rest frame (Anny's "local-bone"); row 0, the
        root, is its orientation in the optical frame.
    translation : (N, 3), metres
        Where the root bone's head is, optical frame.
    joint_positions : (N, J, 3), metres
    joint_orientations : (N, J, 3, 3)
        Rotation from the joint's bone frame to the optical frame.
    joint_confidences : (N, J)
        0..1.
    keypoints_3d : (N, 17, 3), metres; keypoints_2d : (N, 17, 2), pixels
        COCO order; the body's own points, in 3D and projected into the original picture.
    keypoint_confidences : (N, 17)
        0..1.
    position : (N, 3), metres
        Pelvis: the middle of the hip keypoints.
    position_covariance : (N, 3, 3), square metres
    head_position : (N, 3), metres
        Middle of the ears.
    ground_position : (N, 3), metres
        Middle of the soles of both feet.
    stature, stature_stddev : (N,), metres
        Height of the body standing upright, and its standard deviation.
    age_years : (N,), years
        From 18 on it means an adult and no more.
    minor_probability : (N,)
        Probability of being under 18 years, 0..1.
    appearance : (N, A)
        Feature whose cosine tells people apart.
    timings_ms : mapping of str to float, milliseconds
        Where the time went, by stage, in order.
    candidates : (K, 4), pixels
        Boxes of whatever else might be a person: scores too low for a row. For those who must
        not miss anybody, not for those who want people.
    measured_2d : (N, 17, 2), pixels, or None
        Where a 2D network saw the body's own points, with ``keypoint_confidences``;
        ``keypoints_2d`` lie near them. None, of a model without one, makes both equal.

    Raises
    ------
    ValueError
        If an array has not N rows of the documented shape; the text names it.

    """

    stamp: float
    camera: Camera
    score: FloatArray
    bbox: FloatArray
    phenotype: FloatArray
    rotations: FloatArray
    translation: FloatArray
    joint_positions: FloatArray
    joint_orientations: FloatArray
    joint_confidences: FloatArray
    keypoints_3d: FloatArray
    keypoints_2d: FloatArray
    keypoint_confidences: FloatArray
    position: FloatArray
    position_covariance: FloatArray
    head_position: FloatArray
    ground_position: FloatArray
    stature: FloatArray
    stature_stddev: FloatArray
    age_years: FloatArray
    minor_probability: FloatArray
    appearance: FloatArray
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    candidates: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    measured_2d: FloatArray = None  # type: ignore[assignment]  # an array once constructed

    def __post_init__(self) -> None:
        num_people = len(self.score)
        measured: Any = self.measured_2d
        if measured is None:
            object.__setattr__(self, 'measured_2d', self.keypoints_2d)
        candidates = np.asarray(self.candidates, np.float32)
        if candidates.ndim != 2 or candidates.shape[1] != 4:
            raise ValueError(f'candidates must be (K, 4), got {candidates.shape}')
        object.__setattr__(self, 'candidates', candidates)
        sizes: dict[str, int] = {}
        for name, row in _ROW_SHAPES.items():
            given = getattr(self, name)
            array = np.asarray(given, dtype=np.float32)
            if array.ndim != len(row) + 1 or array.shape[0] != num_people:
                raise ValueError(
                    f'{name} must be (N, {row}) with N={num_people}, got {array.shape}'
                )
            # Most rows are of plain numbers, and equal as they are.
            lengths = () if array.shape[1:] == row else zip(row, array.shape[1:], strict=True)
            for wanted, met in lengths:
                expected = sizes.setdefault(wanted, met) if isinstance(wanted, str) else wanted
                if met != expected:
                    raise ValueError(
                        f'{name} must have rows of shape {row}, got {array.shape[1:]}'
                        + (f' where {wanted}={expected}' if isinstance(wanted, str) else '')
                    )
            if array is not given:
                object.__setattr__(self, name, array)

    @classmethod
    def empty(
        cls, stamp: float, camera: Camera, num_joints: int, appearance_size: int = 0
    ) -> Detections:
        """Nobody: zero rows of everything."""
        sizes = {'J': num_joints, 'A': appearance_size}
        arrays: dict[str, Any] = {
            name: np.zeros((0, *(sizes[s] if isinstance(s, str) else s for s in row)), np.float32)
            for name, row in _ROW_SHAPES.items()
        }
        return cls(stamp=stamp, camera=camera, **arrays)

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: Any) -> Detections:
        """Take rows by a slice, an index array or a mask; a plain int gives one row."""
        if isinstance(rows, (int, np.integer)):
            rows = [rows]
        kept: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ROW_SHAPES}
        return replace(self, **kept)

    def with_timings(self, timings_ms: Mapping[str, float]) -> Detections:
        """Return the same rows with other timings."""
        return replace(self, timings_ms=dict(timings_ms))

    @staticmethod
    def concatenate(parts: list[Detections]) -> Detections:
        """Stack rows of several (at least one); all that has no rows is the first one's."""
        rows: dict[str, Any] = {
            name: np.concatenate([getattr(p, name) for p in parts]) for name in _ROW_SHAPES
        }
        return replace(parts[0], **rows)

    def moved(self, offset: FloatArray) -> Detections:
        """
        Translate each body in space.

        Parameters
        ----------
        offset : ndarray, (N, 3), metres
            Added to every position of each row; ``keypoints_2d`` and ``bbox`` are projected anew
            (the box is scaled and shifted as the pelvis is), rows behind the camera keep theirs.

        Returns
        -------
        Detections
            A copy; nothing is changed in place.

        """
        offset = np.asarray(offset, np.float32)
        changed: dict[str, Any] = {}
        for name in ('translation', 'position', 'head_position', 'ground_position'):
            changed[name] = getattr(self, name) + offset
        for name in ('joint_positions', 'keypoints_3d'):
            changed[name] = getattr(self, name) + offset[:, None]
        before, after = self.position.astype(np.float64), changed['position'].astype(np.float64)
        front = (before[:, 2] > 0.1) & (after[:, 2] > 0.1)
        in_front = front & (changed['keypoints_3d'][..., 2] > 0.05).all(axis=1)
        K = self.camera.K
        points = changed['keypoints_3d'].astype(np.float64) @ K.T  # (N, 17, 3)
        points[~in_front] = 1.0
        uv = (points[..., :2] / points[..., 2:]).astype(np.float32)
        changed['keypoints_2d'] = np.where(in_front[:, None, None], uv, self.keypoints_2d)
        before[~front] = after[~front] = (0.0, 0.0, 1.0)
        centre_before = (before @ K.T)[:, :2] / before[:, 2:]
        centre_after = (after @ K.T)[:, :2] / after[:, 2:]
        scale = (before[:, 2:] / after[:, 2:])[:, None]  # (N, 1, 1)
        corners = self.bbox.reshape(-1, 2, 2) - centre_before[:, None]
        corners = corners * scale + centre_after[:, None]
        changed['bbox'] = corners.reshape(-1, 4).astype(np.float32)
        return replace(self, **changed)


@dataclass(frozen=True)
class Scene:
    """
    Everybody who is being tracked at the time of one picture; one row a track.

    Parameters
    ----------
    stamp : float, seconds
    camera : Camera
    humans : Detections
        N rows: the body of each track at this stamp (for people who are occluded: the last body
        seen, moved to where they are predicted to be).
    ids : tuple of N str
        Five lower-case letters each, never reused.
    track_numbers : (N,), uint32
        1, 2, 3, … in order of first sight, never reused.
    states : (N,), uint8
        ``TrackState``.
    identity_confidence : (N,), float32
        How sure it is that this is the same person as before, 0..1.
    age, time_since_observed : (N,), float64, seconds
    velocity : (N, 3), float32, metres per second
        Of the pelvis, along the axes of the optical frame at this stamp. Relative to the world if
        the camera's pose in it was known (``world_from_camera``), so that people who stand have
        none while the robot drives; else relative to the camera.
    velocity_covariance : (N, 3, 3), float32
    world_from_camera : (4, 4), float64, or None
        Pose of the optical frame at this stamp in the world that does not move; None: not known.
    reset : bool
        Time jumped back (or the layout of rows changed), so every earlier track was dropped
        before this picture.

    Raises
    ------
    ValueError
        If the numbers of rows disagree.

    """

    stamp: float
    camera: Camera
    humans: Detections
    ids: tuple[str, ...]
    track_numbers: NDArray[np.uint32]
    states: NDArray[np.uint8]
    identity_confidence: FloatArray
    age: FloatArray
    time_since_observed: FloatArray
    velocity: FloatArray
    velocity_covariance: FloatArray
    reset: bool = False
    world_from_camera: FloatArray | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            rows = isinstance(value, (np.ndarray, tuple)) and f.name != 'world_from_camera'
            if rows and len(value) != len(self.humans):
                raise ValueError(
                    f'{f.name} must have {len(self.humans)} rows like humans, got {len(value)}'
                )

    def __len__(self) -> int:
        return len(self.humans)
