# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import threading
import time

from anny_ros.ros.mailbox import Mailbox
from anny_ros.ros.worker import Worker
from hypothesis import given
from hypothesis import strategies as st


def test_the_newest_wins_and_the_rest_is_counted():
    mailbox = Mailbox()
    for item in range(5):
        mailbox.put(item)
    assert mailbox.take() == 4
    assert mailbox.counts == (5, 4)
    assert mailbox.take(timeout=0.01) is None


def test_waiting_leaves_the_item():
    mailbox = Mailbox()
    assert not mailbox.wait(timeout=0.01)
    mailbox.put('a')
    assert mailbox.wait()
    mailbox.put('b')
    assert mailbox.take() == 'b'


def test_close_wakes_and_drops():
    mailbox = Mailbox()
    got = []
    waiting = threading.Thread(target=lambda: got.append(mailbox.take()))
    waiting.start()
    time.sleep(0.05)
    mailbox.close()
    waiting.join(timeout=5)
    assert got == [None]
    mailbox.put(1)
    assert mailbox.counts == (0, 0), 'a closed mailbox counts nothing'
    mailbox.open()
    mailbox.put(2)
    mailbox.close()
    assert mailbox.counts == (1, 1)
    assert not mailbox.wait()


@given(st.lists(st.sampled_from(['put', 'take', 'close', 'open'])))
def test_every_item_is_taken_dropped_or_waiting(actions):
    mailbox = Mailbox()
    taken, number = [], 0
    for action in actions:
        if action == 'put':
            number += 1
            mailbox.put(number)
        elif action == 'take':
            item = mailbox.take(timeout=0)
            taken += [] if item is None else [item]
        else:
            getattr(mailbox, action)()
    received, dropped = mailbox.counts
    assert received == len(taken) + dropped + mailbox.wait(timeout=0)
    assert taken == sorted(set(taken))


def test_worker_always_takes_the_newest():
    mailbox = Mailbox()
    done, begun, go_on = [], threading.Event(), threading.Event()

    def work(item):
        begun.set()
        go_on.wait(5)
        done.append(item)

    worker = Worker(mailbox, work)
    worker.start()
    mailbox.put(0)
    assert begun.wait(5)
    for item in range(1, 100):
        mailbox.put(item)
    go_on.set()
    end = time.monotonic() + 5
    while len(done) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    worker.stop()
    assert done == [0, 99]
    assert mailbox.counts == (100, 98)


def test_worker_takes_what_came_while_it_got_ready():
    mailbox = Mailbox()
    done = []
    worker = Worker(mailbox, done.append, get_ready=lambda: mailbox.put('newer'))
    mailbox.put('old')
    worker.start()
    end = time.monotonic() + 5
    while not done and time.monotonic() < end:
        time.sleep(0.01)
    worker.stop()
    assert done == ['newer']
