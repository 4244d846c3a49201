# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The launch file, where launch_ros is installed; the files that it and robots load, always."""

from pathlib import Path
from xml.etree import ElementTree

from anny_ros.parameters import Parameters
import pytest
import yaml

ROOT = Path(__file__).parents[2]


def test_launch_file_describes_its_arguments():
    pytest.importorskip('launch_ros')
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'perception.launch.py'))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {argument.name for argument in arguments} == {
        'namespace', 'use_sim_time', 'params_file', 'model', 'checkpoint', 'image', 'camera_info',
        'log_level', 'rviz', 'autostart',
    }  # fmt: skip
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
