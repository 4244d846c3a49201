# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The one thread that works on pictures."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic

from anny_ros.ros.mailbox import Item, Mailbox


class Worker(Generic[Item]):
    """
    Work on the newest item of a mailbox, one at a time, in a thread of its own.

    Parameters
    ----------
    mailbox : Mailbox
        Open; closed by ``stop``.
    work : callable
        Called with each item that is taken; must not raise.
    get_ready : callable or None
        Called while an item waits and before it is taken, so that what takes time before work
        can begin does not make the item old.

    """

    def __init__(
        self,
        mailbox: Mailbox[Item],
        work: Callable[[Item], None],
        get_ready: Callable[[], None] | None = None,
    ) -> None:
        self._mailbox = mailbox
        self._work = work
        self._get_ready = get_ready
        # Not a daemon: a thread that is killed inside of a GPU library takes the process down.
        self._thread = threading.Thread(target=self._run, name='inference', daemon=False)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Close the mailbox and wait until the item at hand is done."""
        self._mailbox.close()
        self._thread.join()

    def _run(self) -> None:
        while self._mailbox.wait():
            if self._get_ready is not None:
                self._get_ready()
            item = self._mailbox.take()
            if item is None:
                break
            self._work(item)
