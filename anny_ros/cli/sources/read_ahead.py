# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Decode the next pictures in a thread while the network works on this one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
import queue
import threading
from typing import TypeVar

Item = TypeVar('Item')


def read_ahead(items: Iterator[Item], depth: int = 3) -> Generator[Item, None, None]:
    """
    Pass items on, at most ``depth`` of them fetched in advance by a thread.

    Parameters
    ----------
    items : iterator
        Used in the thread only; what it raises is raised here, in its place.
    depth : int
        Bounds the memory.

    Yields
    ------
    item

    """
    fetched: queue.Queue[tuple[str, Item | BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(kind: str, value: Item | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                fetched.put((kind, value), timeout=0.1)
                return
            except queue.Full:
                continue

    def fetch() -> None:
        try:
            for item in items:
                put('item', item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            put('error', error)
        else:
            put('end', None)
        finally:
            close = getattr(items, 'close', None)
            if close is not None:
                close()

    thread = threading.Thread(target=fetch, name='read-ahead', daemon=True)
    thread.start()
    try:
        while True:
            kind, value = fetched.get()
            if kind == 'end':
                return
            if kind == 'error':
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join(timeout=5.0)
