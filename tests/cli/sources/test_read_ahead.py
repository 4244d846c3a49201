# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading
import time

from anny_ros.cli.sources.read_ahead import read_ahead
import pytest


def test_order_is_kept():
    assert list(read_ahead(iter(range(50)))) == list(range(50))


def test_nothing():
    assert list(read_ahead(iter(()))) == []


def test_errors_come_in_their_place():
    def items():
        yield 1
        raise ValueError('broken')

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match='broken'):
        next(ahead)


def test_at_most_depth_items_are_fetched_in_advance():
    fetched = []

    def items():
        for i in range(100):
            fetched.append(i)
            yield i

    ahead = read_ahead(items(), depth=3)
    assert next(ahead) == 0
    time.sleep(0.05)
    assert len(fetched) <= 5  # the one taken, three waiting, one in hand
    ahead.close()


def test_leaving_early_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def items():
        try:
            yield from range(1000)
        finally:
            closed.set()

    ahead = read_ahead(items())
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert not any(t.name == 'read-ahead' for t in threading.enumerate())
