# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Play the bundled clip, or another one, into the node and RViz."""

from pathlib import Path

import anny_ros
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

CLIP = Path(anny_ros.__file__).parent / 'assets' / 'demo' / 'street.mp4'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start."""
    path = PathJoinSubstitution([FindPackageShare('anny_ros'), 'launch', 'perception.launch.py'])
    return LaunchDescription(
        [
            DeclareLaunchArgument('video', default_value=str(CLIP), description='Clip to play.'),
            DeclareLaunchArgument(
                'rviz',
                default_value='true',
                choices=['true', 'false'],
                description='Also start RViz with meshes, frames and overlay.',
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(path),
                launch_arguments={
                    'image': '/image',
                    'camera_info': '/camera_info',
                    'rviz': LaunchConfiguration('rviz'),
                }.items(),
            ),
            Node(
                package='anny_ros',
                executable='video_player',
                parameters=[
                    {
                        'video': ParameterValue(LaunchConfiguration('video'), value_type=str),
                        'loop': True,
                    }
                ],
                output='screen',
            ),
        ]
    )
