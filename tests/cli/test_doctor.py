# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys

from anny_ros.cli import checks
from anny_ros.cli.checks import Check
from anny_ros.cli.main import main
from anny_ros.inference.engine_key import EngineKey
from anny_ros.inference.engines import Engine, EngineCache
import pytest


@pytest.fixture
def report(monkeypatch):
    """Replace every check but the ones that a test gives."""

    def use(*found):
        for name in dir(checks):
            if name.startswith('check_'):
                monkeypatch.setattr(checks, name, lambda: iter(()))
        monkeypatch.setattr(checks, 'check_python', lambda: iter(found))

    return use


@pytest.mark.parametrize(
    ('found', 'code'),
    [
        ([Check('a', True, 'fine')], 0),
        ([Check('a', True, 'fine', needed=True)], 0),
        ([Check('a', False, 'broken', 'mend it')], 0),
        ([Check('a', True, 'fine'), Check('b', False, 'broken', 'mend it', needed=True)], 1),
    ],
    ids=['fine', 'fine and needed', 'optional missing', 'needed missing'],
)
def test_exit_code_follows_what_is_needed(report, capsys, found, code):
    report(*found)
    assert main(['doctor']) == code
    out = capsys.readouterr().out
    for check in found:
        assert f'{"✓" if check.ok else "✗"} {check.name}: {check.says}' in out
        assert ('→ mend it' in out) == any(not c.ok for c in found)


def test_this_machine(capsys, monkeypatch):
    monkeypatch.setattr(checks, 'check_anny_lite', lambda: iter(()))
    main(['doctor'])
    out = capsys.readouterr().out
    for word in ('Python', 'torch', 'onnxruntime', 'sha256', 'GPU', 'tensorrt', 'ROS'):
        assert word in out
    lines = out.splitlines()
    crosses = [i for i, line in enumerate(lines) if line.strip().startswith('✗')]
    assert all('→' in lines[i + 1] for i in crosses)


def test_a_library_that_is_missing_or_broken(monkeypatch):
    def broken(name):
        raise OSError('libfoo.so: cannot open\nlong story')

    assert not checks._library('no_such_module_at_all', 'nothing', 'install it', True).ok
    monkeypatch.setattr(checks.importlib, 'import_module', broken)
    found = checks._library('json', 'json', 'install it', True)
    assert not found.ok
    assert found.says == 'libfoo.so: cannot open'
    ros = list(checks.check_ros())
    assert len(ros) == 1
    assert not ros[0].ok
    assert ros[0].cure


def test_anny_lite_that_fails_is_reported(monkeypatch, estimator):
    monkeypatch.setattr(estimator, 'fails_at', (0, RuntimeError))
    (found,) = checks.check_anny_lite()
    assert not found.ok
    assert found.needed
    assert found.cure


def test_anny_lite_that_works_is_reported(estimator):
    (found,) = checks.check_anny_lite()
    assert found.ok
    assert 'runs on none' in found.says


def test_git_lfs_pointer_is_no_weights(monkeypatch, tmp_path):
    (tmp_path / 'assets').mkdir()
    (tmp_path / 'assets' / 'anny_body.safetensors').write_text('version https://git-lfs.x\n')
    monkeypatch.setattr(checks.resources, 'files', lambda package: tmp_path)
    pointer, *missing = checks.check_weights()
    assert not pointer.ok
    assert 'LFS' in pointer.says
    assert all(not c.ok and c.needed and c.says == 'not there' for c in missing)


def test_built_engines_are_listed_and_checked(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    (none,) = checks.check_engines()
    assert none.ok
    assert none.says.startswith('none in')
    cache = EngineCache()
    key = EngineKey('multihmr2', 64 * 'a', 768, 432, 'float16', 'onnx')
    with cache.lock():
        part = cache.part(key)
        part.write_bytes(b'a graph')
        engine = cache.install(Engine(part, key, 768, 16, {'pose': 1e-6}))
    (found,) = checks.check_engines()
    assert found.ok
    assert found.name == key.file_name
    assert found.says == 'multihmr2 768x432 float16 on onnx'
    engine.path.write_bytes(b'A graph')
    (found,) = checks.check_engines()
    assert not found.ok
    assert 'build-engine' in found.cure


def test_profile_of_fast_dds(monkeypatch, tmp_path):
    pytest.importorskip('rclpy')

    def look():
        return {c.name: c for c in checks._check_middleware()}['FASTDDS_DEFAULT_PROFILES_FILE']

    monkeypatch.setattr(
        'rclpy.utilities.get_rmw_implementation_identifier', lambda: 'rmw_fastrtps_cpp'
    )
    monkeypatch.delenv('FASTDDS_DEFAULT_PROFILES_FILE', raising=False)
    assert not look().ok
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', str(tmp_path / 'nowhere.xml'))
    assert 'does not exist' in look().says
    (tmp_path / 'profile.xml').write_text('<profiles/>')
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', str(tmp_path / 'profile.xml'))
    assert look().ok


def test_checkpoint_without_pytorch(capsys, monkeypatch):
    """What else it says about files of weights is tested with the model."""
    monkeypatch.setitem(sys.modules, 'anny_ros.model.checkpoint', None)
    assert main(['doctor', '--checkpoint', 'nowhere.pt']) == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    assert 'pip install' in err
