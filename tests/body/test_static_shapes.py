# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is computed depends on how many people there are, and on nothing else about them."""

from anny_ros.body import BodyModel
import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

NUM_PEOPLE = 3


def joints_and_keypoints(body):
    def call(phenotype, rotations, translation):
        posed = body.pose(phenotype, rotations, translation)
        return posed.joint_positions, posed.joint_orientations, posed.landmarks

    return call


def mesh(resolution):
    def of(body):
        return lambda *pose: (body.mesh(*pose, resolution),)

    return of


PATHS = pytest.mark.parametrize(
    'path', [joints_and_keypoints, mesh('full'), mesh('coarse')], ids=['joints', 'full', 'coarse']
)


@pytest.fixture
def somebody(body, random_rotations):
    """Two lots of people as different as can be: at random, and all-zero with half turns."""
    rng = np.random.default_rng(0)
    num_joints = len(body.joint_names)
    half_turns = np.broadcast_to(np.diag([1, -1, -1]), (NUM_PEOPLE, num_joints, 3, 3))
    D = random_rotations(rng, (NUM_PEOPLE, num_joints))
    usual = rng.random((NUM_PEOPLE, 6)), D, rng.normal(size=(NUM_PEOPLE, 3))
    odd = np.zeros((NUM_PEOPLE, 6)), half_turns, np.zeros((NUM_PEOPLE, 3))
    return [tuple(torch.tensor(a.astype(np.float32)) for a in lot) for lot in (usual, odd)]


def record(call, arguments):
    """Record the steps of a call, none of which may take a shape or a value from the data."""
    with torch.inference_mode():
        call(*arguments)  # what is made at first use, and kept, is no part of it
        graph = make_fx(call, tracing_mode='fake', _allow_non_fake_inputs=True)(*arguments)
    forbidden = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}
    for node in graph.graph.nodes:
        if node.op == 'call_function':
            assert not forbidden & set(getattr(node.target, 'tags', ())), node.target
    return graph


@PATHS
def test_no_step_takes_a_shape_or_a_value_from_the_data(body, somebody, path):
    usual, odd = somebody
    graph = record(path(body), usual)
    assert len(graph.graph.nodes) > 30
    # recorded on some people, it is right for others
    with torch.inference_mode():
        for ours, recorded in zip(path(body)(*odd), graph(*odd), strict=True):
            torch.testing.assert_close(recorded, ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    'way',
    [lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: x if x.sum() > 0 else -x],
    ids=['mask', 'nonzero', 'branch'],
)
def test_recording_notices_shapes_and_branches_from_data(way):
    with pytest.raises((AssertionError, RuntimeError)):
        record(way, (torch.ones(4),))


@PATHS
def test_everything_is_on_the_device_of_the_body(body, somebody, path):
    """On 'meta', nothing can be mixed with tensors elsewhere, and nothing can be looked at."""
    elsewhere = BodyModel.load(device='meta')
    usual = [a.to('meta') for a in somebody[0]]
    for ours, shape in zip(path(elsewhere)(*usual), path(body)(*somebody[0]), strict=True):
        assert ours.device.type == 'meta'
        assert ours.shape == shape.shape
        assert ours.dtype == shape.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@PATHS
def test_a_gpu_computes_the_same(body, somebody, path):
    on_gpu = BodyModel.load(device='cuda')
    for lot in somebody:
        for gpu, cpu in zip(path(on_gpu)(*lot), path(body)(*lot), strict=True):
            assert gpu.device.type == 'cpu', 'results come back to where the people are'
            torch.testing.assert_close(gpu, cpu, rtol=0, atol=5e-6)
        there = path(on_gpu)(*(a.cuda() for a in lot))
        assert all(result.device.type == 'cuda' for result in there)
