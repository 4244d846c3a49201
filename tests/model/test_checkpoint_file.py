# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Reading good files in every form, and refusing bad ones in one sentence without running them."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import zipfile

from anny_ros.errors import ModelError
from anny_ros.model.checkpoint_file import read_checkpoint
import numpy as np
import pytest
from safetensors.torch import save_file
import torch


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    shapes = {'encoder.a.weight': (40, 30), 'encoder.backbone.b': (7,), 'decoder.c': ()}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'weights.pt'


def assert_same(met, wanted):
    assert list(met) == list(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(met[name], tensor), name
        assert met[name].dtype == tensor.dtype


def refusal(path) -> str:
    with pytest.raises(ModelError) as error:
        read_checkpoint(path)
    text = str(error.value)
    assert str(path) in text
    assert '\n' not in text
    assert text.count(';') >= 1  # the cure comes after it
    return text


@pytest.mark.parametrize('container', ['model_state_dict', 'state_dict', 'model', ''])
def test_containers(path, state, container):
    torch.save({container: state, 'epoch': 3} if container else state, path)
    file = read_checkpoint(path)
    assert_same(file.tensors, state)
    assert (container or 'bare') in file.form
    assert file.dtypes == ('float32',)
    assert file.num_foreign == 0


@pytest.mark.parametrize(
    'prefix', ['module.', '_orig_mod.', 'model.', 'module._orig_mod.', 'model.module.module.']
)
def test_wrappers_around_the_network(path, state, prefix):
    torch.save({prefix + name: tensor for name, tensor in state.items()}, path)
    assert_same(read_checkpoint(path).tensors, state)


@pytest.mark.parametrize('wrapper', ['module', '_orig_mod', 'module._orig_mod'])
def test_wrappers_around_a_part(path, state, wrapper):
    inner = {n.replace('encoder.', f'encoder.{wrapper}.'): t for n, t in state.items()}
    torch.save({'model_state_dict': inner}, path)
    assert_same(read_checkpoint(path).tensors, state)


def test_a_prefix_that_only_some_have_stays(path, state):
    state['module.extra'] = torch.zeros(1)
    torch.save(state, path)
    assert_same(read_checkpoint(path).tensors, state)


def test_a_tensor_with_and_without_the_prefix(path, state):
    state['encoder.module.a.weight'] = torch.zeros(40, 30)
    torch.save(state, path)
    assert '1 tensors twice' in refusal(path)


def test_safetensors(path, state):
    save_file(state, path, metadata={'format': 'pt'})
    file = read_checkpoint(path)
    assert_same(dict(sorted(file.tensors.items())), dict(sorted(state.items())))
    assert file.form == 'safetensors'


def test_other_precisions_are_told(path, state):
    state['encoder.a.weight'] = state['encoder.a.weight'].half()
    torch.save(state, path)
    file = read_checkpoint(path)
    assert_same(file.tensors, state)
    assert file.dtypes == ('float16', 'float32')


def test_tensors_of_body_models_are_dropped(path, state):
    prefixes = ('full_body_decoder.body_model.', 'full_body_decoder.lowres_body_model.')
    extra = {f'module.{prefix}anchors.age': torch.zeros(5) for prefix in prefixes}
    wrapped = {f'module.{name}': tensor for name, tensor in state.items()}
    torch.save({'model_state_dict': wrapped | extra}, path)
    file = read_checkpoint(path)
    assert_same(file.tensors, state)
    assert file.num_foreign == 2


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='needs PyTorch 2.5 or newer'
)
def test_arguments_beside_the_weights(path, state):
    """As Multi-HMR v1 has them; nested values included."""
    arguments = argparse.Namespace(lr=1e-4, img_size=672, names=['a'], more={'b': None})
    torch.save({'model_state_dict': state, 'args': arguments}, path)
    assert_same(read_checkpoint(path).tensors, state)
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_tensors_without_numbers_are_not_taken(path, state):
    sparse = {'sparse': torch.eye(3).to_sparse(), 'meta': torch.zeros(2, device='meta')}
    torch.save(state | sparse, path)
    assert_same(read_checkpoint(path).tensors, state)


def test_missing_file(path):
    assert 'there is no checkpoint at' in refusal(path)


def test_name_too_long(tmp_path):
    assert 'cannot be read' in refusal(tmp_path / ('a' * 300))


@pytest.mark.parametrize('special', ['folder', 'pipe', 'device', 'dangling link'])
def test_no_file(tmp_path, special):
    path = tmp_path / special
    if special == 'folder':
        path.mkdir()
    elif special == 'pipe':
        os.mkfifo(path)
    elif special == 'device':
        path.symlink_to('/dev/zero')
    else:
        path.symlink_to(tmp_path / 'nowhere')
    words = 'there is no checkpoint' if special == 'dangling link' else 'is not a file'
    assert words in refusal(path)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', 'is empty'),
        (b'<!DOCTYPE html><html>404</html>', 'web page instead of weights'),
        (b'\n  <html>', 'web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', 'Git LFS pointer'),
        (b'PK\x03\x04 not a zip', 'damaged or cut short'),
        (b'\x00' * 100, 'neither'),
        (b'{"error": "access denied"}', 'neither'),
        (b'\xff\xff\xff\xff\xff\xff\xff\x7f{}', 'damaged or cut short'),
        (b'\x02\x00\x00\x00\x00\x00\x00\x00{}', 'holds no tensors'),
    ],
    ids=['empty', 'html', 'html later', 'lfs', 'zip', 'zeros', 'json', 'header', 'no tensors'],
)
def test_no_weights_at_all(path, content, words):
    path.write_bytes(content)
    assert words in refusal(path)


@pytest.mark.parametrize('form', ['zip', 'safetensors'])
@pytest.mark.parametrize('left', [10, 0.1, 0.5, 0.9, -1], ids=str)
def test_cut_short(path, state, form, left):
    torch.save(state, path) if form == 'zip' else save_file(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: left if isinstance(left, int) else int(left * len(whole))])
    assert 'damaged or cut short' in refusal(path)


@pytest.mark.parametrize('form', ['zip', 'safetensors'])
def test_broken_bytes_are_refused_or_give_tensors(path, state, form):
    torch.save(state, path) if form == 'zip' else save_file(state, path)
    whole = path.read_bytes()
    generator = random.Random(0)
    refusals = []
    for _ in range(150):
        broken = bytearray(whole)
        start = generator.randrange(len(whole))
        length = generator.choice([1, 3, 200])
        broken[start : start + length] = generator.randbytes(length)
        path.write_bytes(broken)
        try:
            assert all(isinstance(t, torch.Tensor) for t in read_checkpoint(path).tensors.values())
        except ModelError as error:
            refusals.append(str(error))
    assert len(refusals) > 5
    assert all(';' in text and '\n' not in text for text in refusals)


class Payload:
    """Would make a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_the_payload_works_where_it_is_let(tmp_path):
    mark = tmp_path / 'ran'
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists()


@pytest.mark.parametrize(
    'hidden_in', ['beside', 'name', 'list', 'bare', 'plain pickle', 'old format', 'tar']
)
def test_code_in_a_file_is_not_run(tmp_path, path, state, hidden_in):
    mark = tmp_path / 'ran'
    payload = Payload(mark)
    if hidden_in == 'beside':
        torch.save({'model_state_dict': state, 'args': payload}, path)
    elif hidden_in == 'name':
        torch.save({'model_state_dict': state | {'encoder.x': payload}}, path)
    elif hidden_in == 'list':
        torch.save([payload], path)
    elif hidden_in == 'bare':
        torch.save(payload, path)
    elif hidden_in == 'old format':
        torch.save(payload, path, _use_new_zipfile_serialization=False)
    elif hidden_in == 'tar':  # PyTorch before 2.6 runs these even with weights_only
        import io
        import tarfile

        with tarfile.open(path, 'w') as archive:
            for name in ('storages', 'tensors', 'pickle'):
                data = pickle.dumps(payload)
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    else:
        path.write_bytes(pickle.dumps({'model_state_dict': payload}))
    text = refusal(path)
    if hidden_in not in ('plain pickle', 'old format', 'tar'):
        assert 'holds more than tensors' in text
    assert not mark.exists()


def test_another_class_is_refused(path, state):
    torch.save({'model_state_dict': state, 'args': np.random.default_rng(0)}, path)
    assert 'holds more than tensors' in refusal(path)


@pytest.mark.parametrize('content', [[1, 2], {'a': 1}, torch.zeros(3), {}, None], ids=str)
def test_no_state_dict_inside(path, content):
    torch.save(content, path)
    assert 'holds no' in refusal(path)


def test_other_zip_archives(tmp_path, path, state):
    torch.save(state, tmp_path / 'multihmr2.pt')
    with zipfile.ZipFile(path, 'w') as archive:
        archive.write(tmp_path / 'multihmr2.pt', 'multihmr2.pt')
    assert 'unpack it' in refusal(path)
    with zipfile.ZipFile(path, 'w') as archive:  # the records of a program that tell it apart
        for name in ('data.pkl', 'constants.pkl', 'code/__torch__.py'):
            archive.writestr(f'program/{name}', b'')
    assert 'TorchScript' in refusal(path)


def test_no_permission(path, state, monkeypatch):
    torch.save(state, path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the administrator may read everything

        def open_nothing(self, *args):
            raise PermissionError(13, 'Permission denied', str(self))

        monkeypatch.setattr(type(path), 'open', open_nothing)
    text = refusal(path)
    assert 'may not be read' in text
    assert f'chmod a+r {path}' in text


@pytest.mark.parametrize('form', ['zip', 'safetensors'])
@pytest.mark.parametrize('reads', [0, 1])
def test_a_file_that_goes_away(path, state, monkeypatch, form, reads):
    """After so many of the reader's own looks at it."""
    torch.save(state, path) if form == 'zip' else save_file(state, path)
    is_file = type(path).is_file

    def vanish_at_once(self):
        found = is_file(self)
        self.unlink()
        return found

    if reads == 0:
        monkeypatch.setattr(type(path), 'is_file', vanish_at_once)
    elif form == 'zip':
        load = torch.load
        monkeypatch.setattr(torch, 'load', lambda p, **k: (p.unlink(), load(p, **k)))
    else:
        import safetensors

        real = safetensors.safe_open
        monkeypatch.setattr(
            safetensors, 'safe_open', lambda p, framework: (p.unlink(), real(p, framework))[1]
        )
    assert 'went away' in refusal(path)


@pytest.mark.parametrize(
    'error',
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes")],
    ids=['Python', 'PyTorch'],
)
def test_too_little_memory(path, state, monkeypatch, error):
    torch.save(state, path)

    def load(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch, 'load', load)
    assert 'does not fit into the memory' in refusal(path)


def test_a_disk_that_fails(path, state, monkeypatch):
    torch.save(state, path)

    def load(*args, **kwargs):
        raise OSError(5, 'Input/output error')

    monkeypatch.setattr(torch, 'load', load)
    assert 'cannot be read (Input/output error)' in refusal(path)
