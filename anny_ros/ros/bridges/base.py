# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What bridges share: their sources, and how they are run."""

from __future__ import annotations

from collections.abc import Callable
import importlib
from typing import Any

from anny_ros.errors import AnnyError, ParameterError
from anny_ros.ros.signals import stop_on_signal
from anny_ros.ros.spinning import spin
from rcl_interfaces.msg import ParameterDescriptor
import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_USER_MISTAKE = 2  # exit status


def messages_of(package: str, node: str) -> Any:
    """
    Import the messages of a package that not every robot has.

    Raises
    ------
    AnnyError
        If it is not installed.

    """
    try:
        return importlib.import_module(f'{package}.msg')
    except ImportError:
        raise AnnyError(
            f'{node} needs the package {package}, which is not installed; install it '
            f'(apt install ros-$ROS_DISTRO-{package.replace("_", "-")}, or build it in your '
            'workspace) and start again'
        ) from None


def declare(node: Node, name: str, default: Any, description: str) -> Any:
    """
    Declare a parameter that is read at the start, and return its value.

    Raises
    ------
    ParameterError
        If a value of another type was given.

    """
    descriptor = ParameterDescriptor(description=description, read_only=True)
    try:
        return node.declare_parameter(name, default, descriptor).value
    except InvalidParameterTypeException as error:
        raise ParameterError(f'{name}: {error}') from None


def sources_of(node: Node) -> list[str]:
    """Declare and read ``sources``: the names of the perception nodes, one a camera."""
    sources = list(
        declare(node, 'sources', ['anny'], 'Names of the perception nodes, one a camera.')
    )
    if not sources or not all(sources):
        raise ParameterError('sources is empty; name the perception nodes, for instance [anny]')
    return sources


def run(make: Callable[[], Node], name: str, args: list[str] | None) -> int:
    """Run a node until it is told to stop; the exit status is 2 for a user's mistake."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        with stop_on_signal() as stop:
            node = make()
            node.get_logger().info('waiting for people')
            spin(node, stop)
    except AnnyError as error:
        get_logger(name).fatal(str(error))
        return _USER_MISTAKE
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
