# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Every page: links lead somewhere, commands exist, parameters and topics are spelled right."""

from __future__ import annotations

from pathlib import Path
import re
import shlex

from anny_ros.cli.main import make_parser
from anny_ros.errors import ParameterError
from anny_ros.parameters import declaration, declarations
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *(ROOT / 'docs').glob('*.md')])
GROUPS = {d.name.partition('.')[0] for d in declarations() if '.' in d.name}
# Commands of others, or of a robot: what they need.
ELSEWHERE = {
    'ros2': 'a ROS installation',
    'colcon': 'a ROS installation',
    'rosdep': 'a ROS installation',
    'sudo': 'a Jetson',
    'nvpmodel': 'a Jetson',
    'jetson_clocks': 'a Jetson',
    'tegrastats': 'a Jetson',
    'git': 'the address of the repository',
    'pip': 'a network',
    'export': 'nothing: it sets a variable',
    '.': 'nothing: it reads a file',
    'source': 'nothing: it reads a file',
    'rerun': 'a screen',
    'make': 'run by hand and by the continuous integration',
    'python': 'run by hand',
    'python3': 'run by hand',
}


def shell_lines(page):
    for block in re.findall(r'```sh\n(.*?)```', page.read_text(), re.DOTALL):
        joined = re.sub(r'\\\n\s*', ' ', block)
        for line in joined.splitlines():
            line = line.strip()
            if line and not line.startswith('#'):
                yield line


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#\s]+)[^)]*\)', page.read_text()):
        if not target.startswith(('http://', 'https://')):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_commands_are_understood(page):
    parser = make_parser()
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    for line in shell_lines(page):
        for part in line.split('&&'):
            words = shlex.split(part, comments=True)
            if not words:
                continue
            if words[0] == 'anny-ros':
                parser.parse_args(words[1:])
            elif words[0] == 'make':
                verbs = [w for w in words[1:] if '=' not in w]
                assert set(verbs) <= targets, line
            elif words[:2] == ['python', '-m'] and words[2].startswith('training'):
                assert (ROOT / Path(*words[2].split('.'))).with_suffix('.py').exists(), line
            else:
                assert words[0] in ELSEWHERE, line


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_parameters_exist(page):
    for name in re.findall(r'`([a-z_]+\.[a-z_]+)(?::[^`]*)?`', page.read_text()):
        if name.partition('.')[0] not in GROUPS or name.endswith(('.md', '.py', '.yaml')):
            continue
        try:
            declaration(name)
        except ParameterError as error:
            raise AssertionError(f'{page.name}: {error}') from None


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_topics_exist(page):
    sources = '\n'.join(p.read_text() for p in (ROOT / 'anny_ros' / 'ros').rglob('*.py'))
    known = set(re.findall(r"'~/([a-z_/]+)'", sources))
    for name in re.findall(r'`~/([a-z_/]+)`', page.read_text()):
        assert name in known or name == 'change_state', name


def test_launch_arguments_exist():
    declared = set()
    for path in (ROOT / 'launch').glob('*.launch.py'):
        declared |= set(re.findall(r"DeclareLaunchArgument\(\s*'([a-z_]+)'", path.read_text()))
    for page in PAGES:
        for line in shell_lines(page):
            if line.startswith('ros2 launch anny_ros'):
                words = shlex.split(line, comments=True)
                assert (ROOT / 'launch' / words[3]).exists(), line
                for name in re.findall(r'\b([a-z_]+):=', line):
                    assert name in declared, line


def test_every_page_is_linked_from_the_readme():
    readme = (ROOT / 'README.md').read_text()
    for page in (ROOT / 'docs').glob('*.md'):
        assert f'docs/{page.name}' in readme, page.name
