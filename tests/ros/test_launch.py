# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Launch files, where launch_ros is installed; the files that they and robots load, always."""

import os
from pathlib import Path
import signal
import subprocess
import sys
from xml.etree import ElementTree

from anny_ros.parameters import Parameters
import pytest
import yaml

ROOT = Path(__file__).parents[2]


ARGUMENTS = {
    'perception': {
        'namespace', 'use_sim_time', 'params_file', 'model', 'checkpoint', 'image', 'camera_info',
        'depth', 'respawn', 'hri', 'people', 'people_frame', 'log_level', 'rviz', 'autostart',
    },
    'two_cameras': {'bridge'},
    'demo': {'video', 'rviz'},
}  # fmt: skip


@pytest.mark.parametrize('name', ARGUMENTS)
def test_launch_files_describe_their_arguments(name):
    pytest.importorskip('launch_ros')
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / f'{name}.launch.py'))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {argument.name for argument in arguments} >= ARGUMENTS[name]
    assert all(argument.description.endswith('.') or argument.choices for argument in arguments)


def flat(tree, prefix=''):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value


def uncommented(text):
    """The example with its lines in force."""
    return '\n'.join(line.replace('    # ', '    ', 1) for line in text.splitlines())


@pytest.mark.parametrize('change', [str, uncommented], ids=['as-shipped', 'examples'])
def test_shipped_parameters_are_right(change):
    text = change((ROOT / 'config' / 'perception.yaml').read_text())
    parameters = yaml.safe_load(text)['/**']['ros__parameters']
    parameters.pop('qos_overrides', None)
    Parameters().with_values(dict(flat(parameters)))


def test_fast_dds_profile_has_room_for_large_pictures():
    root = ElementTree.parse(ROOT / 'config' / 'fastdds_profile.xml').getroot()
    names = {'dds': 'http://www.eprosima.com'}
    sizes = {
        name: int(root.findtext(f'.//dds:{name}', namespaces=names))
        for name in ('segment_size', 'maxMessageSize')
    }
    uhd = 3840 * 2160 * 3
    assert sizes['maxMessageSize'] > uhd
    assert sizes['segment_size'] > 3 * uhd


def test_rviz_shows_our_topics():
    config = yaml.safe_load((ROOT / 'rviz' / 'perception.rviz').read_text())
    topics = {
        display['Topic']['Value']
        for display in config['Visualization Manager']['Displays']
        if 'Topic' in display
    }
    assert topics == {'anny/markers', 'anny/overlay'}


def test_nav2_example_names_our_topic():
    config = yaml.safe_load((ROOT / 'config' / 'nav2_people.yaml').read_text())
    layer = config['local_costmap']['local_costmap']['ros__parameters']['people_layer']
    assert layer[layer['observation_sources']]['topic'] == '/anny/points'
    assert config['collision_monitor']['ros__parameters']['people']['topic'] == '/anny/points'
    page = (ROOT / 'docs' / 'nav2.md').read_text()
    text = (ROOT / 'config' / 'nav2_people.yaml').read_text()
    for block in text.split('\n\n')[-2:]:
        body = '\n'.join(line for line in block.splitlines() if not line.startswith('#'))
        assert body.strip() in page


@pytest.mark.parametrize(
    ('program', 'ready'),
    [
        ('perception_node', 'active: waiting'),
        ('hri_bridge', 'waiting for people'),
        ('people_bridge', 'waiting for people'),
    ],
)
def test_sigint_ends_a_program_cleanly(program, ready):
    environment = os.environ | {'PYTHONUNBUFFERED': '1'}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'scripts' / program)],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        lines = iter(process.stderr.readline, '')
        assert any(ready in line for line in lines)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stderr.close()
