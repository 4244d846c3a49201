# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network in PyTorch says what the ONNX file says, before and after training."""

from __future__ import annotations

from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.keypoints.hints import NUM_HINTS
from anny_ros.keypoints.network import MoveNet
import cv2
import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx', reason='needs the development package onnx')

from training.keypoint_network.network import KeypointNetwork, Original, STEM  # noqa: E402

HEADS = ('centre_heat', 'box_size', 'centre_offset', 'regressed', 'keypoint_heat',
         'keypoint_offset')  # fmt: skip


def random_pixels(batch=2, rows=96, columns=64, seed=0):
    """Smooth enough for something to be seen in them."""
    rng = np.random.default_rng(seed)
    coarse = torch.as_tensor(rng.uniform(0, 255, (batch, 3, rows // 8, columns // 8)))
    fine = torch.nn.functional.interpolate(coarse, scale_factor=8, mode='bilinear')
    return fine.round().byte().permute(0, 2, 3, 1).contiguous().numpy()


@pytest.fixture(scope='module')
def woman():
    """A crop with somebody in it, (1, 192, 128, 3)."""
    path = Path(__file__).parents[2] / 'data' / 'park_100.jpg'
    return np.ascontiguousarray(cv2.imread(str(path))[None, 192:384, 340:468, ::-1])


def normalised(pixels):
    """As ``MoveNet`` does it."""
    factor = np.float32(0.007843017578125)
    return torch.as_tensor(pixels.transpose(0, 3, 1, 2) * factor - np.float32(1.0))


@pytest.fixture(scope='module')
def original(model_path):
    return Original(model_path, 1)


@pytest.fixture
def network(model_path):
    torch.manual_seed(0)
    return KeypointNetwork(model_path)


def trained(network):
    """Move all weights a little, as training does, to numbers that 16 bits hold."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight *= 1 + 0.02 * torch.randn(weight.shape, generator=rng)
            weight.copy_(weight.half())
    return network


def written(network, folder, notice='changed', share=1.0):
    path = folder / 'written.onnx'
    network.write(path, notice, share)
    return path


@pytest.mark.parametrize('shape', [(96, 64), (64, 64), (32, 160)], ids=str)
def test_heads_are_those_of_the_file(original, network, shape):
    said = original(normalised(random_pixels(2, *shape)))
    with torch.no_grad():
        found = network(said[STEM])
    for name in HEADS:
        assert found[name].shape == said[name].shape
        assert said[name].std() > 0
        np.testing.assert_allclose(found[name], said[name], atol=1e-3, err_msg=name)
    assert found['hints'].shape == (2, NUM_HINTS, shape[0] // 32, shape[1] // 32)


def test_the_original_says_what_the_package_is_told(model_path, original, network, tmp_path):
    """Pictures are the same for both, and a file written before any training is the original."""
    pixels = random_pixels()
    heads = MoveNet(written(network, tmp_path), threads=1)(pixels)
    said = original(normalised(pixels))
    for name in HEADS:
        np.testing.assert_allclose(getattr(heads, name), said[name], atol=1e-4, err_msg=name)


def test_the_package_wants_hints(model_path):
    with pytest.raises(ModelError, match=r'without_hints\.onnx'):
        MoveNet(model_path, threads=1)


def test_weights_of_all_layers_after_the_stem_learn(original, network):
    found = network(original(normalised(random_pixels()))[STEM])
    sum(found[name].square().mean() for name in (*HEADS, 'hints')).backward()
    assert len(network.weights) > 50
    idle = [name for name, w in network.named_parameters() if w.grad is None]
    assert idle == []
    assert all(w.grad.isfinite().all() for w in network.parameters())


def test_a_written_file_says_what_the_trained_network_says(original, network, woman, tmp_path):
    said = original(normalised(woman))
    with torch.no_grad():
        before = network(said[STEM])
        found = trained(network)(said[STEM])
    heads = MoveNet(written(network, tmp_path), threads=1)(woman)
    assert heads.centre_heat.max() > 0.1
    for name in (*HEADS, 'hints'):
        mine = found[name].numpy()
        np.testing.assert_allclose(getattr(heads, name), mine, atol=2e-3, err_msg=name)
        # And training changed it.
        assert np.abs(mine - before[name].numpy()).max() > 0.02, name


def test_weights_are_rounded_to_the_nearest_of_16_bits(original, network, woman, tmp_path):
    with torch.no_grad():
        for weight in network.parameters():
            weight *= 1 + 2**-13  # less than half of the last bit
    path = written(network, tmp_path)
    with torch.no_grad():
        found = network(original(normalised(woman))[STEM])
    heads = MoveNet(path, threads=1)(woman)
    for name in (*HEADS, 'hints'):
        mine = found[name].numpy()
        off = np.abs(getattr(heads, name) - mine).max()
        assert off < 0.02 * np.abs(mine).max(), name


def test_a_written_file_differs_from_the_original_in_weights_alone(model_path, network, tmp_path):
    before = onnx.load(str(model_path))
    after = onnx.load(str(written(trained(network), tmp_path, 'why it differs')))
    notices = {p.key: p.value for p in after.metadata_props}
    changed = notices.pop('modifications')
    assert changed.endswith('; why it differs')
    assert 'unchanged' not in changed
    others = {p.key: p.value for p in before.metadata_props if p.key != 'modifications'}
    assert notices == others
    assert [o.name for o in after.graph.output] == [o.name for o in before.graph.output] + [
        'hints'
    ]
    assert list(after.graph.node)[: len(before.graph.node)] == list(before.graph.node)
    kept = {t.name: t for t in after.graph.initializer}
    changed = 0
    for tensor in before.graph.initializer:
        other = kept.pop(tensor.name)
        assert other.data_type == tensor.data_type
        assert other.dims == tensor.dims
        changed += other != tensor
    assert changed == len(network.weights)
    assert kept.keys() == {
        f'hints_{n}_{p}_h' for n in ('first', 'last') for p in ('weight', 'bias')
    }


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_a_share_of_the_change_is_written(network, tmp_path, share):
    before = {name: weight.detach().clone() for name, weight in network.weights.items()}
    path = written(trained(network), tmp_path, share=share)
    graph = onnx.load(str(path)).graph
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    source = {n.output[0]: n.input[0] for n in graph.node if n.op_type == 'Cast'}
    for name, weight in network.weights.items():
        mean = (1 - share) * before[name] + share * weight.detach()
        found = stored[source.get(name, name)].astype(np.float32)
        np.testing.assert_allclose(found, mean, rtol=2**-10, atol=1e-6, err_msg=name)
        assert np.array_equal(found, before[name]) == (share == 0), name


def test_the_network_itself_is_left_as_it_is_by_writing(network, tmp_path):
    first, second = (written(network, tmp_path).read_bytes() for _ in range(2))
    assert first == second
