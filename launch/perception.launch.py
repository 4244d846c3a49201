# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Start the perception node, and RViz and bridges if they are wanted."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription


def typed(argument: str, kind: type) -> ParameterValue:
    """Pass an argument on as a parameter; else launch guesses the type from what it looks like."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


def perception_node(context: LaunchContext) -> list[Node]:
    """Make the node; an argument that is empty leaves its parameter to params_file."""
    optional = {
        'model.name': ('model', str),
        'model.checkpoint': ('checkpoint', str),
        'autostart': ('autostart', bool),
    }
    given = {
        name: typed(argument, kind)
        for name, (argument, kind) in optional.items()
        if LaunchConfiguration(argument).perform(context)
    }
    respawn = LaunchConfiguration('respawn').perform(context) == 'true'
    return [
        Node(
            package='anny_ros',
            executable='perception_node',
            name='anny',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                LaunchConfiguration('params_file'),
                {'use_sim_time': typed('use_sim_time', bool), **given},
            ],
            remappings=[
                ('image', LaunchConfiguration('image')),
                ('camera_info', LaunchConfiguration('camera_info')),
                ('depth', LaunchConfiguration('depth')),
            ],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            respawn=respawn,
            respawn_delay=2.0,
            output='screen',
        )
    ]


def bridge(executable: str, argument: str, **parameters: ParameterValue) -> Node:
    """Make a bridge that starts if its argument says so."""
    return Node(
        package='anny_ros',
        executable=executable,
        name=executable,
        namespace=LaunchConfiguration('namespace'),
        parameters=[{'use_sim_time': typed('use_sim_time', bool), **parameters}],
        condition=IfCondition(LaunchConfiguration(argument)),
        output='screen',
    )


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start."""
    share = FindPackageShare('anny_ros')
    arguments = [
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the node; empty: none.'
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='false',
            choices=['true', 'false'],
            description='Take the time from /clock (simulation, or a bag played with --clock).',
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([share, 'config', 'perception.yaml']),
            description='YAML file with parameters of the node; docs/parameters.md lists them.',
        ),
        DeclareLaunchArgument(
            'model',
            default_value='',
            choices=['', 'anny-lite', 'multihmr2'],
            description='Estimator: the embedded anny-lite, or multihmr2 with your own weights; '
            'empty: as params_file says.',
        ),
        DeclareLaunchArgument(
            'checkpoint',
            default_value='',
            description='Path of your multihmr2.pt (anny-lite needs none); empty: as params_file '
            'says.',
        ),
        DeclareLaunchArgument(
            'image',
            default_value='/camera/image_raw',
            description='Topic of the pictures; rectified ones are best.',
        ),
        DeclareLaunchArgument(
            'camera_info',
            default_value='/camera/camera_info',
            description='Topic of the intrinsics that belong to the pictures.',
        ),
        DeclareLaunchArgument(
            'depth',
            default_value='/camera/depth_registered/image_raw',
            description='Topic of depth pictures that are registered to the pictures; not needed.',
        ),
        DeclareLaunchArgument(
            'respawn',
            default_value='false',
            choices=['true', 'false'],
            description='Start the node again two seconds after it died.',
        ),
        DeclareLaunchArgument(
            'hri',
            default_value='false',
            choices=['true', 'false'],
            description='Also start hri_bridge (ROS4HRI); needs hri_msgs.',
        ),
        DeclareLaunchArgument(
            'people',
            default_value='false',
            choices=['true', 'false'],
            description='Also start people_bridge (social costmaps); needs people_msgs.',
        ),
        DeclareLaunchArgument(
            'people_frame',
            default_value='odom',
            description='Frame of the places that people_bridge sends.',
        ),
        DeclareLaunchArgument(
            'log_level',
            default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Least severity of what the node logs.',
        ),
        DeclareLaunchArgument(
            'rviz',
            default_value='false',
            choices=['true', 'false'],
            description='Also start RViz with meshes, frames and overlay.',
        ),
        DeclareLaunchArgument(
            'autostart',
            default_value='',
            choices=['', 'true', 'false'],
            description='Configure and activate at once; false leaves it to a lifecycle manager; '
            'empty: as params_file says.',
        ),
    ]

    rviz = Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', PathJoinSubstitution([share, 'rviz', 'perception.rviz'])],
        parameters=[{'use_sim_time': typed('use_sim_time', bool)}],
        condition=IfCondition(LaunchConfiguration('rviz')),
        output='screen',
    )
    return LaunchDescription(
        [
            *arguments,
            OpaqueFunction(function=perception_node),
            bridge('hri_bridge', 'hri'),
            bridge('people_bridge', 'people', frame=typed('people_frame', str)),
            rviz,
        ]
    )
