# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Remembers transforms for a while and combines them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
import threading
import time as system_time
from typing import Any

from geometry_msgs.msg import TransformStamped
import numpy as np
from rclpy.duration import Duration
from rclpy.time import Time

from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

_LATEST = 0
_POLL_PERIOD = 0.02  # seconds


@dataclass(frozen=True)
class _Motion:
    """Rotation (quaternion x, y, z, w) and translation of a frame in its parent."""

    quat_xyzw: np.ndarray
    translation: np.ndarray

    def __matmul__(self, inner: _Motion) -> _Motion:
        quat = _multiply(self.quat_xyzw, inner.quat_xyzw)
        return _Motion(quat, self.translation + _rotate(self.quat_xyzw, inner.translation))

    def inverse(self) -> _Motion:
        back = self.quat_xyzw * (-1, -1, -1, 1)
        return _Motion(back, -_rotate(back, self.translation))


_IDENTITY = _Motion(np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3))


@dataclass
class _Link:
    """A frame's motions in its parent, sorted by stamp (nanoseconds)."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    motions: list[_Motion] = field(default_factory=list)

    def at(self, stamp: int) -> _Motion:
        """Motion at a stamp; ExtrapolationException outside of what is known."""
        if self.static:
            return self.motions[0]
        after = bisect_left(self.stamps, stamp)
        if after < len(self.stamps) and self.stamps[after] == stamp:
            return self.motions[after]
        if after in (0, len(self.stamps)):
            when = 'past' if after == 0 else 'future'
            raise ExtrapolationException(
                f'Lookup would require extrapolation into the {when}.  Requested time '
                f'{stamp / 1e9:.6f} but the data of the frame in {self.parent} are from '
                f'{self.stamps[0] / 1e9:.6f} to {self.stamps[-1] / 1e9:.6f}'
            )
        first, last = self.stamps[after - 1], self.stamps[after]
        share = (stamp - first) / (last - first)
        return _between(self.motions[after - 1], self.motions[after], share)


class Buffer:
    """
    Remembers transforms and answers where one frame was in another.

    Parameters
    ----------
    cache_time : rclpy.duration.Duration or None
        How long transforms are kept, counted from the newest of each frame; None is 10 s.

    """

    def __init__(self, cache_time: Duration | None = None, node: Any = None) -> None:
        self._cache_ns = 10_000_000_000 if cache_time is None else cache_time.nanoseconds
        self._links: dict[str, _Link] = {}
        self._frames: set[str] = set()
        self._lock = threading.RLock()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Remember a transform; what is malformed, too old or there already is left out."""
        self._set(transform, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Remember a transform that holds at all times."""
        self._set(transform, static=True)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> TransformStamped:
        """
        Give the transform that takes coordinates in the source to the target frame.

        Parameters
        ----------
        target_frame, source_frame : str
        time : rclpy.time.Time or builtin_interfaces/Time
            When; zero is the latest time for which the whole chain is known.
        timeout : rclpy.duration.Duration or None
            How long to wait for it, while another thread spins the listener's node.

        Returns
        -------
        geometry_msgs/TransformStamped

        Raises
        ------
        LookupException
            If a frame does not exist.
        ConnectivityException
            If the frames are not connected.
        ExtrapolationException
            If the time is outside of what is known.
        InvalidArgumentException
            If the name of a frame is empty or starts with a slash.

        """
        self._wait(target_frame, source_frame, time, timeout)
        with self._lock:
            motion, stamp = self._lookup(target_frame, source_frame, _nanoseconds(time))
        answer = TransformStamped(child_frame_id=source_frame)
        answer.header.frame_id = target_frame
        answer.header.stamp = Time(nanoseconds=stamp).to_msg()
        for name, value in zip('xyz', motion.translation.tolist(), strict=True):
            setattr(answer.transform.translation, name, value)
        for name, value in zip('xyzw', motion.quat_xyzw.tolist(), strict=True):
            setattr(answer.transform.rotation, name, value)
        return answer

    def can_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration | None = None
    ) -> bool:
        """Tell whether ``lookup_transform`` would answer, waiting for it if asked to."""
        return self._wait(target_frame, source_frame, time, timeout)

    def _wait(self, target: str, source: str, time: Time, timeout: Duration | None) -> bool:
        end = system_time.monotonic() + (0.0 if timeout is None else timeout.nanoseconds / 1e9)
        while True:
            try:
                with self._lock:
                    self._lookup(target, source, _nanoseconds(time))
            except TransformException:
                if system_time.monotonic() >= end:
                    return False
                system_time.sleep(_POLL_PERIOD)
            else:
                return True

    def _set(self, transform: TransformStamped, static: bool) -> None:
        parent = transform.header.frame_id.lstrip('/')
        child = transform.child_frame_id.lstrip('/')
        t, r = transform.transform.translation, transform.transform.rotation
        motion = _Motion(np.array([r.x, r.y, r.z, r.w]), np.array([t.x, t.y, t.z]))
        length = float(motion.quat_xyzw @ motion.quat_xyzw)
        finite = np.isfinite(motion.translation).all() and abs(length - 1.0) < 1e-2
        if not parent or not child or parent == child or not finite:
            return
        stamp = _nanoseconds(transform.header.stamp)
        with self._lock:
            self._frames.update((parent, child))
            link = self._links.get(child)
            if static or link is None or link.static or link.parent != parent:
                self._links[child] = _Link(parent, static, [stamp], [motion])
                return
            place = bisect_right(link.stamps, stamp)
            if stamp < link.stamps[-1] - self._cache_ns:
                return
            if place and link.stamps[place - 1] == stamp:
                return
            link.stamps.insert(place, stamp)
            link.motions.insert(place, motion)
            old = bisect_left(link.stamps, link.stamps[-1] - self._cache_ns)
            del link.stamps[:old], link.motions[:old]

    def _lookup(self, target: str, source: str, stamp: int) -> tuple[_Motion, int]:
        for argument, frame in (('target_frame', target), ('source_frame', source)):
            if not frame or frame.startswith('/'):
                raise InvalidArgumentException(
                    f'Invalid argument "{frame}" passed to lookupTransform argument {argument}: '
                    'frame ids are not empty and do not start with a slash'
                )
            if frame not in self._frames:
                raise LookupException(
                    f'"{frame}" passed to lookupTransform argument {argument} does not exist.'
                )
        up, down = self._chain(source), self._chain(target)
        if up[-1] != down[-1]:
            raise ConnectivityException(
                f"Could not find a connection between '{target}' and '{source}' because they are "
                'not part of the same tree.'
            )
        while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
            up.pop()  # above the nearest common ancestor
            down.pop()
        links = [self._links[frame] for frame in (*up[:-1], *down[:-1])]
        if stamp == _LATEST:
            moving = [link.stamps[-1] for link in links if not link.static]
            stamp = min(moving, default=_LATEST)
        root_from_source = self._compose(up[:-1], stamp)
        root_from_target = self._compose(down[:-1], stamp)
        return root_from_target.inverse() @ root_from_source, stamp

    def _chain(self, frame: str) -> list[str]:
        """List a frame and its ancestors up to the root; ends at a loop."""
        chain = [frame]
        while chain[-1] in self._links and len(chain) <= len(self._links):
            chain.append(self._links[chain[-1]].parent)
        return chain

    def _compose(self, frames: list[str], stamp: int) -> _Motion:
        motion = _IDENTITY
        for frame in frames:
            motion = self._links[frame].at(stamp) @ motion
        return motion


def _nanoseconds(time: Any) -> int:
    """Read a time of rclpy or of a message."""
    if hasattr(time, 'nanoseconds'):
        return int(time.nanoseconds)
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of quaternions x, y, z, w."""
    vector = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.append(vector, a[3] * b[3] - a[:3] @ b[:3])


def _rotate(quat_xyzw: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Rotate a point by a unit quaternion."""
    twice = 2.0 * np.cross(quat_xyzw[:3], point)
    return point + quat_xyzw[3] * twice + np.cross(quat_xyzw[:3], twice)


def _between(first: _Motion, last: _Motion, share: float) -> _Motion:
    """Interpolate: translations along a line, rotations along the shorter arc."""
    a, b = first.quat_xyzw, last.quat_xyzw
    cosine = float(a @ b)
    if cosine < 0.0:
        b, cosine = -b, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:
        quat = a + share * (b - a)
    else:
        quat = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    translation = first.translation + share * (last.translation - first.translation)
    return _Motion(quat / np.linalg.norm(quat), translation)
