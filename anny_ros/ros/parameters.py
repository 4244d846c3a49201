# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The declarations of ``anny_ros.parameters`` as parameters of a ROS node."""

from __future__ import annotations

from collections.abc import Callable

from anny_ros.errors import AnnyError, ParameterError
from anny_ros.parameters import Declaration, declaration, declarations, Parameters
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter


def declare_parameters(node: Node) -> None:
    """
    Declare every parameter on a node.

    Raises
    ------
    ParameterError
        If a value from the command line or a file has the wrong type or is out of range.

    """
    for wanted in declarations():
        # ROS cannot tell the type of an empty list, so an empty one is declared as not set.
        default = wanted.default if wanted.default != () else Parameter.Type.DOUBLE_ARRAY
        try:
            node.declare_parameter(wanted.name, default, descriptor(wanted))
        except InvalidParameterTypeException as error:
            kind = 'list of numbers' if wanted.default == () else type(wanted.default).__name__
            raise ParameterError(
                f'{wanted.name} must be a {kind}; in ROS a whole number given for a float needs '
                f'its point, as in 1.0 ({error})'
            ) from None
        except InvalidParameterValueException as error:
            raise ParameterError(f'{wanted.name}: {error}') from None


def descriptor(wanted: Declaration) -> ParameterDescriptor:
    """Describe one parameter the way ``ros2 param describe`` shows it."""
    unit = f' [{wanted.unit}]' if wanted.unit else ''
    result = ParameterDescriptor(
        description=wanted.description + unit, read_only=not wanted.dynamic
    )
    if wanted.choices:
        result.additional_constraints = 'One of: ' + ', '.join(wanted.choices)
    elif wanted.lengths:
        counts = ' or '.join(map(str, wanted.lengths))
        result.additional_constraints = f'{counts} numbers'
    if wanted.minimum is None or wanted.maximum is None:
        return result
    if isinstance(wanted.default, float):
        limits = FloatingPointRange(
            from_value=float(wanted.minimum), to_value=float(wanted.maximum)
        )
        result.floating_point_range = [limits]
    elif isinstance(wanted.default, int):
        whole = IntegerRange(from_value=int(wanted.minimum), to_value=int(wanted.maximum), step=1)
        result.integer_range = [whole]
    return result


def read_parameters(node: Node) -> Parameters:
    """
    Read all parameters of a node into the type that the rest of the package uses.

    Raises
    ------
    ParameterError
        If a value is none of the choices or a list has the wrong length.

    """
    values = {}
    for wanted in declarations():
        value = node.get_parameter_or(wanted.name).value
        values[wanted.name] = wanted.default if value is None else value
    return Parameters().with_values(values)


class LiveParameters:
    """
    Keep a ``Parameters`` up to date with what users set on a running node.

    A wrong value is refused with the reason and nothing changes.

    Parameters
    ----------
    node : Node
        With its parameters declared.
    on_change : callable
        Gets the new ``Parameters`` after a change was accepted.

    """

    def __init__(self, node: Node, on_change: Callable[[Parameters], None]) -> None:
        self._node = node
        self._on_change = on_change
        # Humble has no post-set callback; there a change is applied when it was found right.
        self._has_post_set = hasattr(node, 'add_post_set_parameters_callback')
        node.add_on_set_parameters_callback(self._check)
        if self._has_post_set:
            node.add_post_set_parameters_callback(self._apply)

    def _check(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            for change in self._known(changes):
                declaration(change.name).check(change.value)
        except AnnyError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if not self._has_post_set:
            self._apply(changes)
        return SetParametersResult(successful=True)

    def _apply(self, changes: list[Parameter]) -> None:
        values = {change.name: change.value for change in self._known(changes)}
        if values:
            self._on_change(read_parameters(self._node).with_values(values))

    @staticmethod
    def _known(changes: list[Parameter]) -> list[Parameter]:
        """Leave out what others declare on the node (use_sim_time, qos_overrides)."""
        names = {wanted.name for wanted in declarations()}
        return [change for change in changes if change.name in names]
