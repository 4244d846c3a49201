# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which of the tracked people is followed."""

from __future__ import annotations

from enum import IntEnum

from anny_ros.types import FloatArray, Scene, TrackState
import numpy as np
from numpy.typing import NDArray


class SelectionMode(IntEnum):
    """How the followed person is chosen."""

    NOBODY = 0
    BY_ID = 1
    NEAREST = 2
    RAISED_HAND = 3


class Selection:
    """
    Choose a person and stay with them for as long as the tracker knows them.

    Occlusion does not end a choice; the end of the track does. Then BY_ID follows nobody more,
    NEAREST and RAISED_HAND choose anew by their rule. Only people of state TRACKED are chosen.
    """

    def __init__(self) -> None:
        self.mode = SelectionMode.NOBODY
        self.id = ''  # whom it is about; empty while nobody was chosen

    def select(self, mode: SelectionMode, person: str = '') -> None:
        """Choose by another rule; ``person`` is the id for BY_ID."""
        self.mode = mode
        self.id = person if mode == SelectionMode.BY_ID else ''

    def update(
        self, scene: Scene, distance: FloatArray, raised_hands: NDArray[np.uint8]
    ) -> int | None:
        """
        Find the followed person in a new scene.

        Parameters
        ----------
        scene : Scene
            N people.
        distance : ndarray, (N,), metres
        raised_hands : ndarray, (N,), uint8
            Not zero for somebody who holds a hand up.

        Returns
        -------
        int or None
            Row of the followed person; None when nobody is followed or they are gone.

        """
        if self.mode == SelectionMode.NOBODY:
            return None
        if self.id in scene.ids:
            return scene.ids.index(self.id)
        if self.mode == SelectionMode.BY_ID:
            return None
        self.id = ''
        may = scene.states == TrackState.TRACKED
        if self.mode == SelectionMode.RAISED_HAND:
            may &= raised_hands != 0
        if not may.any():
            return None
        row = int(np.argmin(np.where(may, distance, np.inf)))
        self.id = scene.ids[row]
        return row
