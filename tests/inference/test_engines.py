# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The cache of engines: names, what is refused, nothing half-written, one writer at a time."""

from __future__ import annotations

from dataclasses import replace
import errno
import json
import os
from pathlib import Path
import shlex
import shutil
import subprocess
import sys

from anny_ros.cli.main import make_parser
from anny_ros.errors import ModelError
from anny_ros.inference.engine_key import build_command, EngineKey
from anny_ros.inference.engines import default_folder, Engine, EngineCache
import pytest

KEY = EngineKey(
    model='multihmr2',
    weights='fd2d9ab7010a' + 52 * '0',
    width=768,
    height=432,
    precision='float16',
    runtime='tensorrt',
    version='10.3.0',
    gpu='NVIDIA Jetson AGX Orin',
)
CONTENT = b'a plan'


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / 'engines')


def install(cache, key=KEY, content=CONTENT):
    with cache.lock():
        part = cache.part(key)
        part.write_bytes(content)
        return cache.install(Engine(part, key, 768, 16, {'pose': 1e-6}))


def files(cache):
    return sorted(path.name for path in cache.folder.iterdir() if path.name != '.lock')


def test_a_name_tells_everything():
    assert KEY.file_name == (
        'multihmr2-fd2d9ab7010a-768x432-float16-tensorrt10.3.0-NVIDIA_Jetson_AGX_Orin-graph1.engine'
    )
    graph = replace(KEY, precision='float32', runtime='onnx', version='', gpu='')
    assert graph.file_name == 'multihmr2-fd2d9ab7010a-768x432-float32-onnx-graph1.onnx'


@pytest.mark.parametrize('field', EngineKey.__dataclass_fields__)
def test_whatever_an_engine_depends_on_is_in_its_name(field):
    other = {
        'width': 1, 'height': 1, 'graph_version': 9, 'runtime': 'onnx', 'weights': 64 * '1',
    }.get(field, 'other')  # fmt: skip
    assert replace(KEY, **{field: other}).file_name != KEY.file_name


def test_a_name_cannot_leave_the_folder():
    assert '/' not in replace(KEY, gpu='../../etc/passwd', model='/root').file_name


def test_what_is_installed_is_found(cache):
    assert cache.find(KEY) is None
    engine = install(cache)
    assert cache.find(KEY) == engine
    assert engine.path.read_bytes() == CONTENT
    assert files(cache) == [KEY.file_name, f'{KEY.file_name}.json']
    about = json.loads((cache.folder / f'{KEY.file_name}.json').read_text())
    assert about['key']['gpu'] == KEY.gpu
    assert about['image_size'] == 768
    assert about['checked'] == {'pose': 1e-6}


def test_engines_of_weights(cache):
    assert cache.is_empty
    other = replace(KEY, weights=64 * '1')
    engines = [install(cache), install(cache, replace(KEY, height=576))]
    install(cache, other)
    assert not cache.is_empty
    assert cache.of_weights(KEY.weights) == engines
    assert {engine.key for engine in cache.all()} == {KEY, replace(KEY, height=576), other}
    spoil(engines[0].path, 'no sidecar')
    assert cache.of_weights(KEY.weights) == engines[1:]
    # Hashes that only begin the same are others.
    assert cache.of_weights('fd2d9ab7010a' + 52 * '1') == []


def test_the_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert EngineCache().folder == default_folder() == tmp_path / 'anny_ros' / 'engines'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', '/home/robot')
    assert default_folder() == Path('/home/robot/.cache/anny_ros/engines')
    assert EngineCache('~/e').folder == Path('/home/robot/e')


def spoil(path, how):
    sidecar = path.with_name(f'{path.name}.json')
    if how == 'longer':
        path.write_bytes(CONTENT + b'x')
    elif how == 'altered':
        path.write_bytes(CONTENT[::-1])
    elif how == 'no sidecar':
        sidecar.unlink()
    elif how == 'broken sidecar':
        sidecar.write_text('{"key": 3}')
    elif how == 'sidecar of another':
        about = json.loads(sidecar.read_text())
        about['key']['version'] = '10.13.2'
        sidecar.write_text(json.dumps(about))


@pytest.mark.parametrize(
    ('how', 'says'),
    [
        ('longer', 'not the file that was built'),
        ('altered', 'not the file that was built'),
        ('no sidecar', 'has no readable .*json'),
        ('broken sidecar', 'has no readable .*json'),
        ('sidecar of another', r'not what its name says \(TensorRT 10.13.2 instead of 10.3.0\)'),
    ],
)
def test_a_file_that_is_not_what_was_built(how, says, cache):
    path = install(cache).path
    spoil(path, how)
    with pytest.raises(ModelError, match=says):
        cache.find(KEY)
    assert install(cache).path.read_bytes() == CONTENT  # and can be built anew
    assert cache.find(KEY) is not None


def test_an_engine_renamed_for_another_gpu(cache):
    path = install(cache).path
    other = replace(KEY, gpu='NVIDIA Thor')
    for suffix in ('', '.json'):
        shutil.copy(f'{path}{suffix}', f'{cache.path(other)}{suffix}')
    with pytest.raises(ModelError, match='gpu NVIDIA Jetson AGX Orin instead of NVIDIA Thor'):
        cache.find(other)


@pytest.mark.parametrize('moment', ['flush', 'rename', 'sidecar'])
def test_a_full_disk_leaves_nothing(moment, cache, monkeypatch):
    calls = []

    def full(*args):
        calls.append(args)
        if moment == 'sidecar' and len(calls) == 1:
            return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if moment == 'rename':
        monkeypatch.setattr(Path, 'replace', full)
    else:
        monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(ModelError, match='No space left on device; free some space or choose'):
        install(cache)
    assert calls
    monkeypatch.undo()
    assert files(cache) == []
    assert cache.find(KEY) is None


def test_a_failure_to_replace_leaves_no_engine_that_counts(cache, monkeypatch):
    install(cache)
    (cache.path(KEY)).write_bytes(b'stale')

    def fail(self, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, 'replace', fail)
    with pytest.raises(ModelError, match='Input/output error'):
        install(cache)
    monkeypatch.undo()
    with pytest.raises(ModelError, match='has no readable'):
        cache.find(KEY)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ModelError, match=r'Not a directory.*--output or inference\.engine_folder'):
        install(EngineCache(tmp_path / 'file' / 'engines'))


@pytest.mark.skipif(os.geteuid() == 0, reason='nothing is forbidden to root')
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ModelError, match='Permission denied'):
            install(EngineCache(tmp_path / 'engines'))
    finally:
        tmp_path.chmod(0o700)


HOLD = """
import sys, time
from pathlib import Path
from anny_ros.inference.engines import EngineCache
cache = EngineCache(sys.argv[1])
with cache.lock():
    (cache.folder / 'half.engine.part').write_bytes(b'half')
    print('holding', flush=True)
    sys.stdin.readline()
print('done', flush=True)
"""


@pytest.fixture
def holder(cache):
    """Another process that holds the lock and has begun to write."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(cache.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'holding\n'
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_waits(cache, holder):
    order = []

    def waiting():
        order.append('waiting')
        holder.stdin.write('\n')  # only now may the other one finish
        holder.stdin.flush()

    with cache.lock(waiting):
        order.append('mine')
        assert holder.stdout.readline() == 'done\n'
    assert order == ['waiting', 'mine']
    assert files(cache) == []


def test_a_killed_process_blocks_nobody_and_is_swept_up(cache, holder):
    holder.kill()
    holder.wait()
    assert files(cache) == ['half.engine.part']
    with cache.lock(lambda: pytest.fail('nobody else is alive')):
        assert files(cache) == []


def test_the_command_is_one_that_the_command_line_takes():
    path = Path('/data/my weights.pt')
    command = build_command(path, 'tensorrt', 'float32', '768x432', '/data/engines')
    words = shlex.split(command)
    assert words[0] == 'anny-ros'
    arguments = make_parser().parse_args(words[1:])
    assert (arguments.checkpoint, arguments.size) == (path, '768x432')
    assert (arguments.backend, arguments.precision) == ('tensorrt', 'fp32')
    assert arguments.output == '/data/engines'
