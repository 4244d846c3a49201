# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A mailbox with one slot: whoever looks finds the newest item."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """
    Hand the newest item from one thread to another; older ones are dropped and counted.

    At any time, what was received was taken or dropped, or is the one that waits.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._closed = False
        self._received = 0
        self._dropped = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many items were put in and how many of them were dropped, read together."""
        with self._condition:
            return self._received, self._dropped

    @property
    def closed(self) -> bool:
        """Whether it was closed and not opened again."""
        with self._condition:
            return self._closed

    def put(self, item: Item) -> None:
        """Replace what waits; never blocks. While it is closed nothing is kept or counted."""
        with self._condition:
            if self._closed:
                return
            self._received += 1
            self._dropped += self._item is not None
            self._item = item
            self._condition.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until an item is there, and leave it; False after ``close`` or the timeout."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._item is not None, timeout)
            return self._item is not None

    def take(self, timeout: float | None = None) -> Item | None:
        """Wait for an item and take it; None after ``close`` or the timeout."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._item is not None, timeout)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Wake whoever waits; an item that is still inside is dropped and counted."""
        with self._condition:
            self._closed = True
            self._dropped += self._item is not None
            self._item = None
            self._condition.notify_all()

    def open(self) -> None:
        """Take items again after ``close``; counts go on."""
        with self._condition:
            self._closed = False
