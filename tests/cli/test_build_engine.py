# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The verb build-engine, on a small network and ONNX Runtime."""

from __future__ import annotations

import sys

from anny_ros.cli.main import main
from anny_ros.inference import engine_build
from anny_ros.inference.backends.onnx import OnnxRuntime
from anny_ros.model import PRESETS, SingleShotNetwork
import pytest
import torch

pytest.importorskip('onnx', reason='needs the development package onnx')


@pytest.fixture
def checkpoint(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SingleShotNetwork(PRESETS['tiny'])
    torch.save({'model_state_dict': network.state_dict()}, tmp_path / 'tiny.pt')
    return tmp_path / 'tiny.pt'


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'engines'


@pytest.fixture
def build(checkpoint, folder, capsys):
    """Run the verb; exit code, standard output and error."""

    def run(*options, size='1280x720', backend='onnx', weights=checkpoint, output=folder):
        words = ['build-engine', '--checkpoint', str(weights), '--size', size]
        words += ['--backend', backend, '--output', str(output), *options]
        code = main(words)
        return code, *capsys.readouterr()

    return run


def one_line(done):
    code, out, err = done
    assert (code, out) == (2, '')
    lines = [line for line in err.splitlines() if not line.startswith('[')]  # but progress
    assert len(lines) == 1
    return lines[0]


def test_an_engine_is_built_once(build, folder):
    code, out, err = build()
    assert code == 0
    assert [path.suffix for path in sorted(folder.glob('tiny-*-160x96-*'))] == ['.onnx', '.json']
    assert 'largest difference from PyTorch' in out
    assert f'set inference.engine_folder to {folder}' in out
    for word in ('loading', 'exporting', 'comparing', 'installing'):
        assert word in err
    code, again, err = build()
    assert (code, again) == (0, out)
    assert 'it is there' in err
    assert 'exporting' not in err


def test_a_dry_run_says_what_and_where_and_touches_nothing(build, checkpoint, folder):
    code, out, err = build('--dry-run')
    assert (code, err) == (0, '')
    assert not folder.exists()
    lines = dict(line.split(': ', 1) for line in out.splitlines())
    assert lines['checkpoint'].startswith(f'{checkpoint} (tiny, sha256 ')
    assert lines['picture'] == '1280x720, as a canvas of 160x96'
    assert lines['engine'].startswith(f'{folder}/tiny-')
    assert lines['engine'].endswith('-160x96-float32-onnx-graph1.onnx')
    assert lines['state'] == 'not there; would be built'
    build()
    assert 'state: there; nothing would be built' in build('--dry-run')[1]
    next(folder.glob('*.onnx')).write_bytes(b'other')
    assert 'state: there, but not usable' in build('--dry-run')[1]


def test_a_dry_run_for_tensorrt_needs_none(build, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    code, out, _ = build('--dry-run', backend='tensorrt', size='1920x1080')
    assert code == 0
    assert '-160x96-float16-tensorrtVERSION-GPU-graph1.engine' in out
    assert 'cannot be built here: TensorRT cannot be loaded' in out
    code, out, _ = build('--dry-run', '--precision', 'fp32', backend='tensorrt')
    assert '-float32-tensorrtVERSION-' in out


def test_without_tensorrt(build, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    assert 'comes with JetPack' in one_line(build(backend='tensorrt'))
    assert not folder.exists()


def test_without_the_exporter(build, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    assert 'pip install onnx' in one_line(build())
    assert not folder.exists()


@pytest.mark.parametrize('size', ['1280', '1280*720', '0x720', '-1x4', '99999x99999', ''])
def test_wrong_sizes(size, build):
    assert 'for instance --size 1920x1080' in one_line(build(f'--size={size}'))


def test_wrong_precision(build):
    assert 'leave out --precision' in one_line(build('--precision', 'fp16'))


def test_wrong_checkpoints(build, tmp_path):
    assert 'cannot be read' in one_line(build(weights=tmp_path / 'nowhere.pt'))
    (tmp_path / 'text.pt').write_text('weights')
    assert 'text.pt' in one_line(build(weights=tmp_path / 'text.pt'))


def test_a_folder_that_cannot_be_written(build, checkpoint):
    assert 'cannot write an engine' in one_line(build(output=checkpoint / 'engines'))


def test_an_engine_that_is_wrong(build, folder, monkeypatch):
    monkeypatch.setattr(OnnxRuntime, 'tolerance', 1e-12)
    assert 'was not installed' in one_line(build())
    assert [path.name for path in folder.iterdir()] == ['.lock']


def test_ctrl_c_leaves_nothing(build, folder, monkeypatch):
    def interrupt(*args, path, **kwargs):
        path.write_bytes(b'half a graph')
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_build, 'export_onnx', interrupt)
    code, _, err = build()
    assert code == 130
    assert err.endswith('anny-ros build-engine: interrupted\n')
    assert [path.name for path in folder.iterdir()] == ['.lock']
