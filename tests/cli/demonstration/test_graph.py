# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

from anny_ros.cli.demonstration.graph import Child, DemoError, private_environment
import pytest


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Start a process that runs some code."""
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    started = []

    def start(code, **variables):
        (tmp_path / 'some_child.py').write_text(code)
        started.append(Child('thing', 'some_child', ['one'], tmp_path, variables))
        return started[-1]

    yield start
    for process in started:
        process.stop()


def wait(process):
    end = time.monotonic() + 20
    while process.running and time.monotonic() < end:
        time.sleep(0.01)
    assert not process.running


def test_output_arguments_and_variables(child):
    process = child('import os, sys; print(sys.argv[1], os.environ["HELLO"])', HELLO='world')
    wait(process)
    process.check()
    assert process.last_words() == 'one world'


def test_an_error_is_one_sentence_with_the_last_words(child):
    process = child('import sys; print("bad weights"); sys.exit(2)')
    wait(process)
    with pytest.raises(DemoError, match='thing ended with 2: bad weights') as caught:
        process.check()
    assert '\n' not in str(caught.value)
    assert 'thing.log' in str(caught.value)


def test_stopping_gives_the_process_time_to_say_goodbye(child):
    process = child(
        'import time\nprint("up", flush=True)\ntry:\n    time.sleep(60)\n'
        'except KeyboardInterrupt:\n    print("bye")'
    )
    end = time.monotonic() + 20
    while process.last_words() != 'up' and time.monotonic() < end:
        time.sleep(0.01)
    process.check()
    process.stop()
    assert not process.running
    assert process.last_words() == 'up | bye'
    process.stop()


def test_private_environment(tmp_path, monkeypatch):
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    found = private_environment(tmp_path / 'profile.xml', tmp_path)
    assert 1 <= int(found['ROS_DOMAIN_ID']) <= 101
    assert found['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert found['FASTDDS_DEFAULT_PROFILES_FILE'].endswith('profile.xml')
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in private_environment(None, tmp_path)
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    assert private_environment(None, tmp_path)['ROS_LOCALHOST_ONLY'] == '1'
