# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Two cameras, a node each, one hri_bridge for both: an example to copy and change.

The argument is not called hri: included files would take that as theirs.
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

CAMERAS = ('front', 'rear')


def perception(camera: str) -> IncludeLaunchDescription:
    """Start the node of one camera in the camera's namespace."""
    path = PathJoinSubstitution([FindPackageShare('anny_ros'), 'launch', 'perception.launch.py'])
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path),
        launch_arguments={
            'namespace': camera,
            'image': f'/{camera}/camera/image_raw',
            'camera_info': f'/{camera}/camera/camera_info',
            'depth': f'/{camera}/camera/depth_registered/image_raw',
        }.items(),
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the argument and start."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'bridge',
                default_value='false',
                choices=['true', 'false'],
                description='Also start hri_bridge for both cameras; needs hri_msgs.',
            ),
            *(perception(camera) for camera in CAMERAS),
            Node(
                package='anny_ros',
                executable='hri_bridge',
                parameters=[{'sources': [f'{camera}/anny' for camera in CAMERAS]}],
                condition=IfCondition(LaunchConfiguration('bridge')),
                output='screen',
            ),
        ]
    )
