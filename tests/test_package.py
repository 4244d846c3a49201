# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The package as built and installed: versions, messages, entry points, data."""

from importlib import metadata, resources
import os
from pathlib import Path
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import anny_ros
import pytest

ROOT = Path(__file__).parent.parent
INTERFACES = sorted([*(ROOT / 'msg').glob('*.msg'), *(ROOT / 'srv').glob('*.srv')])


def package_xml():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def test_one_version_everywhere():
    version = package_xml().findtext('version')
    assert anny_ros.__version__ == version
    assert installed_version() in (None, version)
    # The newest released version of the change log is this one, unless there is none yet.
    released = re.findall(r'^(\d+\.\d+\.\d+) \(', (ROOT / 'CHANGELOG.rst').read_text(), re.M)
    assert not released or released[0] == version


def installed_version():
    """Version that pip installed; None where colcon did."""
    try:
        return metadata.version('anny-ros')
    except metadata.PackageNotFoundError:
        return None


def test_cmake_lists_every_interface():
    text = (ROOT / 'CMakeLists.txt').read_text()
    listed = set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', text))
    assert listed == {path.relative_to(ROOT).as_posix() for path in INTERFACES}


@pytest.mark.parametrize('path', INTERFACES, ids=lambda p: p.stem)
def test_every_interface_is_installed(path):
    module = __import__(f'anny_ros.{path.parent.name}', fromlist=[path.stem])
    built = getattr(module, path.stem)
    if path.suffix == '.msg':
        # A stale build is the usual reason for a field that is missing at run time.
        assert set(built.get_fields_and_field_types()) == fields_of(path.read_text())
    else:
        request, response = path.read_text().split('\n---\n')
        assert set(built.Request.get_fields_and_field_types()) == fields_of(request)
        assert set(built.Response.get_fields_and_field_types()) == fields_of(response)


def fields_of(text):
    """Names of the fields that an interface file declares, without its constants."""
    lines = [line.split('#')[0].split() for line in text.splitlines()]
    return {words[1] for words in lines if len(words) >= 2 and '=' not in ''.join(words[1:])}


@pytest.mark.parametrize('path', INTERFACES, ids=lambda p: p.stem)
def test_every_field_is_documented(path):
    """A field has a comment: beside it, or above it or the fields that it stands with."""
    commented = False
    for line in path.read_text().splitlines():
        if line.startswith('#'):
            commented = True
        elif not line or line == '---':
            commented = False
        else:
            assert commented or '#' in line, f'{path.name}: {line!r} has no comment'


@pytest.mark.parametrize('name', anny_ros.__all__)
def test_names_of_the_package_import_from_the_install(name, tmp_path):
    code = f'import anny_ros, anny_ros.msg; anny_ros.{name}'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_data_and_type_marker_are_installed():
    files = resources.files('anny_ros')
    assert (files / 'py.typed').is_file()
    assert (files / 'assets' / 'anny_body.safetensors').is_file()
    assert any(item.name.endswith('.onnx') for item in (files / 'assets').iterdir())


def test_ros_finds_the_package(monkeypatch):
    if 'AMENT_PREFIX_PATH' not in os.environ:  # ROS from wheels: all is under one prefix
        monkeypatch.setenv('AMENT_PREFIX_PATH', sys.prefix)
    from ament_index_python.packages import get_package_prefix, get_package_share_directory

    share = Path(get_package_share_directory('anny_ros'))
    assert (share / 'package.xml').is_file()
    for folder in ('launch', 'config', 'rviz'):
        assert (share / folder).is_dir() == (ROOT / folder).is_dir(), folder
    programs = Path(get_package_prefix('anny_ros')) / 'lib' / 'anny_ros'
    for name in ('perception_node', 'hri_bridge', 'people_bridge', 'video_player', 'anny-ros'):
        program = programs / name
        assert program.is_file()
        assert program.stat().st_mode & 0o111, f'{program} cannot be executed'


def test_dependencies_are_declared_once_and_sorted():
    root = package_xml()
    kinds = ('buildtool_depend', 'depend', 'exec_depend', 'test_depend')
    for kind in kinds:
        names = [element.text for element in root.findall(kind)]
        assert names == sorted(set(names)), kind


def test_every_ros_package_that_is_imported_is_declared():
    declared = {e.text for e in package_xml() if e.tag.endswith('depend')}
    imported = set()
    for path in (ROOT / 'anny_ros' / 'ros').rglob('*.py'):
        words = re.findall(r'^\s*(?:from|import) (\w+)', path.read_text(), re.M)
        imported |= {w for w in words if re.search(r'_msgs$|^rcl|^tf2_ros$|^cv_bridge$', w)}
    assert imported <= declared
