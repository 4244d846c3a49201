# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a user sees who gives a file of weights to a command: never a traceback."""

from __future__ import annotations

from pathlib import Path

from anny_ros.cli.main import main
from anny_ros.model import PRESETS
from anny_ros.model.checkpoint import build_network
import pytest
import torch

PICTURE = Path(__file__).parents[1] / 'data' / 'street_060.jpg'


@pytest.fixture
def tiny_state():
    torch.manual_seed(0)
    return build_network(PRESETS['tiny']).state_dict()


def bad_file(kind, folder, state):
    """Make a file that is no checkpoint of ours; a name too long for a file is no file at all."""
    path = folder / 'weights.pt'
    torch.save({'model_state_dict': state}, path)
    whole = path.read_bytes()
    contents = {
        'empty': b'',
        'cut short': whole[: len(whole) // 2],
        'web page': b'<html></html>',
        'LFS pointer': b'version https://git-lfs.github.com/spec/v1\n',
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == 'code':
        torch.save({'model_state_dict': state, 'more': PRESETS}, path)
    elif kind == 'name too long':
        return folder / ('x' * 300)
    elif kind == 'folder':
        return folder
    elif kind == 'missing':
        path.unlink()
    return path


UNREADABLE = (
    'empty', 'cut short', 'web page', 'LFS pointer', 'code', 'name too long', 'folder', 'missing',
)  # fmt: skip


@pytest.mark.parametrize('kind', UNREADABLE)
@pytest.mark.parametrize('verb', ['doctor', 'track'])
def test_unreadable_files_end_in_one_line(tmp_path, tiny_state, capsys, kind, verb):
    path = str(bad_file(kind, tmp_path, tiny_state))
    output = str(tmp_path / 'tracks.jsonl')
    arguments = {
        'doctor': ['doctor', '--checkpoint', path],
        'track': ['track', str(PICTURE.parent), '--output', output, '--model', path],
    }
    assert main(arguments[verb]) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    assert err.startswith(f'anny-ros {verb}: ')
    assert ';' in err
    assert path in err
    assert not Path(output).exists()


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ('other', ('not usable', 'another model', '1 unexpected (layer.weight)')),
        ('missing', ('not usable', '1 missing (encoder.fov_max)')),
        ('nan', ('numbers in 1 tensors are not finite (first: encoder.fov_max)',)),
    ],
)
def test_doctor_says_what_a_file_is_that_cannot_be_used(
    tmp_path, tiny_state, capsys, change, words
):
    path = tmp_path / 'weights.pt'
    if change == 'other':
        tiny_state = {'layer.weight': torch.zeros(2, 3)}
    elif change == 'missing':
        del tiny_state['encoder.fov_max']
    else:
        tiny_state['encoder.fov_max'][0] = float('nan')
    torch.save(tiny_state, path)
    assert main(['doctor', '--checkpoint', str(path)]) == 1
    said = capsys.readouterr()
    assert not said.err
    first, second, third = said.out.splitlines()
    assert f'{len(tiny_state)} tensors' in first
    assert 'bare state dictionary' in first
    assert second.startswith('  ✗ ')
    assert all(word in second for word in words)
    assert third.strip().startswith('→')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_doctor_says_how_to_use_a_good_file(tmp_path, tiny_state, capsys, dtype):
    path = tmp_path / 'my weights.pt'
    body = {'full_body_decoder.body_model.anchors.age': torch.zeros(5)}
    halves = {name: tensor.to(dtype) for name, tensor in tiny_state.items()}
    torch.save({'model_state_dict': halves | body}, path)
    assert main(['doctor', '--checkpoint', str(path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    numbers = sum(tensor.numel() for tensor in tiny_state.values())
    assert f'{len(tiny_state)} tensors and 1 of body models, {numbers:,} numbers' in first
    assert str(dtype).removeprefix('torch.') in first
    assert 'sha256' in first
    assert second.startswith('  ✓ tiny: ')
    assert f"--model '{path}'" in second


def test_the_recorded_digest_is_a_hint(tmp_path, tiny_state, capsys, monkeypatch):
    import hashlib

    from anny_ros.model import checkpoint_kind

    path = tmp_path / 'weights.pt'
    torch.save(tiny_state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for recorded, words in ((digest, ', the sha256'), ('0' * 64, ', not the sha256')):
        monkeypatch.setitem(checkpoint_kind.RECORDED_SHA256, 'tiny', recorded)
        assert main(['doctor', '--checkpoint', str(path)]) == 0
        assert words in capsys.readouterr().out


def test_track_runs_a_good_file(tmp_path, tiny_state, capsys):
    path, output = tmp_path / 'weights.pt', tmp_path / 'tracks.jsonl'
    torch.save({'model_state_dict': tiny_state}, path)
    picture = tmp_path / 'pictures'
    picture.mkdir()
    (picture / 'a.jpg').write_bytes(PICTURE.read_bytes())
    assert main(['track', str(picture), '--output', str(output), '--model', str(path)]) == 0
    assert '"tiny"' in output.read_text().splitlines()[0]
