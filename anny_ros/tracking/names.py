# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Ids of people: five random lower-case letters, never given twice."""

from __future__ import annotations

import random
import string
import threading

LENGTH = 5

# Shared by all generators without a seed, so that two trackers of one process never collide.
_issued: set[str] = set()
_lock = threading.Lock()


class NameGenerator:
    """
    Draws ids that it never repeats.

    Parameters
    ----------
    seed : int, optional
        The same seed draws the same ids, which repeat in another generator of that seed. Without
        one the ids are random and differ from those of every other generator without a seed in
        this process.
    letters : str, optional
        What to draw from.

    """

    def __init__(self, seed: int | None = None, letters: str = string.ascii_lowercase) -> None:
        self._random: random.Random = (
            random.SystemRandom() if seed is None else random.Random(seed)
        )
        self._issued = _issued if seed is None else set()
        self._letters = letters

    def draw(self) -> str:
        """
        Return an id that was never drawn before.

        Raises
        ------
        RuntimeError
            If all are used up (26**5, almost 12 million).

        """
        with _lock:
            if len(self._issued) >= len(self._letters) ** LENGTH:
                raise RuntimeError('all ids of people are used up; restart the process')
            while True:
                name = ''.join(self._random.choices(self._letters, k=LENGTH))
                if name not in self._issued:
                    self._issued.add(name)
                    return name
