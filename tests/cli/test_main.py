# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import subprocess
import sys

from anny_ros.cli.main import main, VERBS
import pytest


@pytest.mark.parametrize('verb', VERBS)
def test_every_verb_explains_itself(verb, capsys):
    assert main([verb, '--help']) == 0
    out = capsys.readouterr().out
    assert f'usage: anny-ros {verb}' in out
    assert len(out) > 200


@pytest.mark.parametrize('arguments', [[], ['fly'], ['--nope']], ids=['none', 'unknown', 'option'])
def test_wrong_verb_is_one_line_and_exit_2(arguments, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    assert '--help' in err


def test_version(capsys):
    from anny_ros import __version__

    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'anny-ros {__version__}\n'


def test_help_needs_neither_torch_nor_ros_nor_opencv():
    script = (
        'import sys; from anny_ros.cli.main import main; main(["--help"]); '
        'heavy = {"torch", "rclpy", "cv2", "onnxruntime", "numpy"} & set(sys.modules); '
        'sys.exit(f"imported {heavy}" if heavy else 0)'
    )
    done = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'track' in done.stdout
