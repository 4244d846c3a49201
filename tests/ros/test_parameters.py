# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The declarations as a node's parameters."""

from anny_ros.errors import ParameterError
from anny_ros.parameters import declarations, Parameters
from anny_ros.ros.parameters import declare_parameters, LiveParameters, read_parameters
import pytest
import rclpy
from rclpy.parameter import Parameter

pytestmark = pytest.mark.ros


def node_with(graph, **values):
    overrides = [Parameter(name.replace('__', '.'), value=v) for name, v in values.items()]
    return graph.add(
        rclpy.create_node(
            'plain',
            context=graph.context,
            namespace=graph.namespace,
            parameter_overrides=overrides,
        )
    )


def test_defaults_are_the_declared_ones(graph):
    node = node_with(graph)
    declare_parameters(node)
    assert read_parameters(node) == Parameters()


def test_every_declaration_is_described(graph):
    node = node_with(graph)
    declare_parameters(node)
    for declared in declarations():
        described = node.describe_parameter(declared.name)
        assert described.description.startswith(declared.description)
        assert described.read_only != declared.dynamic
        if declared.unit:
            assert described.description.endswith(f'[{declared.unit}]')
        for choice in declared.choices:
            assert choice in described.additional_constraints
        ranges = [*described.floating_point_range, *described.integer_range]
        if declared.minimum is not None:
            assert [(r.from_value, r.to_value) for r in ranges] == [
                (declared.minimum, declared.maximum)
            ]


def test_given_values_are_read(graph):
    node = node_with(
        graph, camera__k=[1.0, 2.0, 3.0, 4.0], publish__mesh='coarse', tracking__memory=5.0
    )
    declare_parameters(node)
    parameters = read_parameters(node)
    assert parameters.camera.k == (1.0, 2.0, 3.0, 4.0)
    assert parameters.publish.mesh == 'coarse'
    assert parameters.tracking.memory == 5.0


@pytest.mark.parametrize(
    ('name', 'value', 'text'),
    [
        ('detection__threshold', 'high', 'detection.threshold must be a float'),
        ('detection__threshold', 1, '1.0'),
        ('detection__threshold', 2.0, 'out of range'),
        ('camera__k', [1, 2, 3, 4], 'camera.k must be a list of numbers'),
        ('inference__threads', -1, 'out of range'),
    ],
)
def test_wrong_type_or_range_at_the_start(graph, name, value, text):
    with pytest.raises(ParameterError, match=text):
        declare_parameters(node_with(graph, **{name: value}))


def test_changes_arrive_together_or_not_at_all(graph):
    node = node_with(graph)
    declare_parameters(node)
    changes = []
    LiveParameters(node, changes.append)
    good = [Parameter('tracking.memory', value=9.0), Parameter('tf.enable', value=False)]
    assert node.set_parameters_atomically(good).successful
    assert changes[-1].tracking.memory == 9.0
    assert not changes[-1].tf.enable
    count = len(changes)
    bad = [Parameter('tracking.memory', value=8.0), Parameter('tf.enable', value=1)]
    answer = node.set_parameters_atomically(bad)
    assert not answer.successful
    assert answer.reason
    assert len(changes) == count
    assert read_parameters(node).tracking.memory == 9.0


def test_without_post_set_callback_as_on_humble(graph, monkeypatch):
    node = node_with(graph)
    declare_parameters(node)
    monkeypatch.delattr(rclpy.node.Node, 'add_post_set_parameters_callback')
    changes = []
    LiveParameters(node, changes.append)
    node.set_parameters([Parameter('tracking.memory', value=9.0)])
    assert changes[-1].tracking.memory == 9.0


def test_parameters_of_others_are_let_through(graph):
    node = node_with(graph)
    declare_parameters(node)
    changes = []
    LiveParameters(node, changes.append)
    assert node.set_parameters_atomically([Parameter('use_sim_time', value=True)]).successful
    assert changes == []
