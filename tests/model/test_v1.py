# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Multi-HMR v1 for Anny bodies against its description; there are no weights to compare with."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from anny_ros.inference.export import export_onnx
from anny_ros.model.checkpoint import build_network
from anny_ros.model.network import normalise
from anny_ros.model.pose import FIXED_BONES, TURNED_BONES
from anny_ros.model.v1 import DETECTION_THRESHOLD, Multihmr1Network, useful_rotations
from anny_ros.model.v1_config import MULTIHMR1_ANNY, multihmr1_config
import numpy as np
import pytest
import torch

KEYS = Path(__file__).parents[1] / 'data' / 'multi-hmr2-keys.csv'
SIDE = 6


@pytest.fixture(scope='module')
def full_size():
    """Names and shapes."""
    return {
        name: tuple(tensor.shape)
        for name, tensor in build_network(MULTIHMR1_ANNY, device='meta').state_dict().items()
    }


def picture(seed, network, batch=1):
    side = network.config.image_size
    generator = torch.Generator().manual_seed(seed)
    dtype = network.full_body_decoder.dec_pos_emb.dtype
    return torch.randn(batch, 3, side, side, generator=generator).to(dtype)


@pytest.mark.parametrize(
    ('prefix', 'count'),
    [
        ('', 510),
        ('encoder.backbone.', 343),
        ('encoder.mlp_det.', 4),
        ('encoder.mlp_fov_unique.', 4),
        ('encoder.fov_max', 1),
        ('full_body_decoder.decoder.', 136),
        ('full_body_decoder.dec_to_token.', 2),
        ('full_body_decoder.dec_pos_emb', 1),
        ('full_body_decoder.mlp_', 16),
        ('full_body_decoder.eye', 1),
        ('full_body_decoder.init_body_pose', 1),
        ('full_body_decoder.useful_rotmat', 1),
    ],
)
def test_number_of_tensors(full_size, prefix, count):
    assert sum(name.startswith(prefix) for name in full_size) == count


def test_names_that_both_generations_share(full_size):
    with KEYS.open() as file:
        second = {row['key'] for row in csv.DictReader(file)}
    new = {name for name in full_size if name not in second}
    parts = {'.'.join(name.split('.')[: 3 if 'backbone' in name else 2]) for name in new}
    assert parts == {
        'encoder.backbone.pos_embed',
        'encoder.mlp_det',
        'full_body_decoder.mlp_offset',
        'full_body_decoder.useful_rotmat',
    }


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('encoder.backbone.cls_token', (1, 1, 1024)),
        ('encoder.backbone.pos_embed', (1, 1370, 1024)),
        ('encoder.backbone.mask_token', (1, 1024)),
        ('encoder.backbone.patch_embed.proj.weight', (1024, 3, 14, 14)),
        ('encoder.backbone.blocks.23.attn.qkv.weight', (3072, 1024)),
        ('encoder.mlp_det.0.weight', (1024, 1024)),
        ('encoder.mlp_det.2.weight', (1, 1024)),
        ('full_body_decoder.dec_pos_emb', (2304, 512)),
        ('full_body_decoder.dec_to_token.weight', (512, 1024)),
        ('full_body_decoder.decoder.transformer.layers.7.0.fn.to_qkv.weight', (1536, 512)),
        ('full_body_decoder.mlp_offset.2.weight', (2, 512)),
        ('full_body_decoder.mlp_pose.0.weight', (512, 512 + 978)),
        ('full_body_decoder.mlp_shape.2.weight', (11, 512)),
        ('full_body_decoder.useful_rotmat', (1, 163)),
    ],
)
def test_shapes(full_size, name, shape):
    assert full_size[name] == shape


def test_canvas_is_square():
    assert MULTIHMR1_ANNY.canvas_multiple == MULTIHMR1_ANNY.image_size == 672
    assert MULTIHMR1_ANNY.grid == 48


def test_seventy_five_bones_turn():
    useful = set(np.flatnonzero(useful_rotations(163)[0]).tolist())
    assert useful == {*TURNED_BONES, *FIXED_BONES, 104}
    assert len(useful) == 75


def slow_output(ref, network, pixels):
    """
    One picture with as many queries as detected patches, in float64 numpy.

    By falling score; keys as in ``NetworkOutput``.
    """
    weights = ref.doubles(network)
    encoder, body = ref.part(weights, 'encoder.'), ref.part(weights, 'full_body_decoder.')
    table = ref.part(encoder, 'backbone.')['pos_embed'][0, 1:]
    features, cls = ref.backbone(
        ref.part(encoder, 'backbone.'), pixels, num_heads=2, epsilon=1e-6, table=table
    )
    scores = ref.sigmoid(ref.head(encoder, 'mlp_det', features)[..., 0])
    found = []
    for row in range(SIDE):
        for column in range(SIDE):
            around = scores[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            if scores[row, column] >= 0.3 and scores[row, column] == around.max():
                found.append((row, column))
    found.sort(key=lambda place: -scores[place])
    width = body['dec_to_token.bias'].size
    tokens = ref.linear(body, 'dec_to_token', features) + ref.position_table(SIDE, SIDE, width)
    context = tokens.reshape(-1, width)
    state = np.array([tokens[place] for place in found]).reshape(-1, width)
    for layer in range(2):
        state = slow_layer(ref, body, f'decoder.transformer.layers.{layer}', state, context)
    start = np.tile([1.0, 0, 0, 1, 0, 0], (len(found), 163, 1))
    start[:, 0] = [1, 0, 0, 0, 0, 1]
    start = start.reshape(-1, 978)
    pose = start + ref.head(body, 'mlp_pose', np.concatenate([state, start], axis=1))
    six = pose.reshape(-1, 163, 6)
    for bone in range(163):
        if bone not in (*TURNED_BONES, *FIXED_BONES, 104):
            six[:, bone] = [1, 0, 0, 1, 0, 0]
    centres = np.array([(column + 0.5, row + 0.5) for row, column in found]).reshape(-1, 2)
    return {
        'hfov': ref.field_of_view(encoder, cls) / np.pi * encoder['fov_max'][0],  # a float32 pi
        'confidence': np.array([scores[place] for place in found]),
        'location': 14 * (centres + ref.head(body, 'mlp_offset', state)),
        'log_pixels_per_metre': ref.head(body, 'mlp_dist', state)[:, 0],
        'shape': ref.sigmoid(ref.head(body, 'mlp_shape', state)),
        'pose': pose,
    }


def slow_layer(ref, w, name, x, context):
    qkv = ref.norm(w, f'{name}.0.norm', x, 1e-5) @ w[f'{name}.0.fn.to_qkv.weight'].T
    attended = ref.attend(*np.split(qkv, 3, axis=1), 32)
    x = x + ref.linear(w, f'{name}.0.fn.to_out.0', attended)
    q = ref.norm(w, f'{name}.1.norm', x, 1e-5) @ w[f'{name}.1.fn.to_q.weight'].T
    k, v = np.split(context @ w[f'{name}.1.fn.to_kv.weight'].T, 2, axis=1)
    x = x + ref.linear(w, f'{name}.1.fn.to_out.0', ref.attend(q, k, v, 32))
    hidden = ref.linear(w, f'{name}.2.fn.net.0', ref.norm(w, f'{name}.2.norm', x, 1e-5))
    return x + ref.linear(w, f'{name}.2.fn.net.3', ref.gelu(hidden))


@pytest.mark.parametrize('fused', [False, True], ids=['plain', 'fused'])
@pytest.mark.parametrize(
    ('dtype', 'bound'), [(torch.float32, 1e-5), (torch.float64, 1e-9)], ids=['f32', 'f64']
)
def test_output_equals_the_reference(tiny_v1, reference, compare, dtype, bound, fused):
    tiny_v1 = tiny_v1.to(dtype)
    pixels = picture(1, tiny_v1, batch=3)
    output = (tiny_v1.fuse() if fused else tiny_v1)(pixels)
    people = []
    for row, pixel in enumerate(pixels.double().numpy()):
        wanted = slow_output(reference, tiny_v1, pixel)
        count = len(wanted['confidence'])
        people.append(count)
        assert (output.confidence[row] >= DETECTION_THRESHOLD).sum() == count
        for name, value in wanted.items():
            met = getattr(output, name)[row]
            met = met if name == 'hfov' else met[:count]
            # Pixels are counted in patches, so that one bound fits all.
            unit = 14 if name == 'location' else 1
            compare(f'{name} {row}', met.numpy() / unit, value / unit, bound)
    # Several people, who see each other, and best patches that are nobody.
    assert min(people) >= 2
    assert (output.confidence > 0).sum() > sum(people)


def test_shapes_are_static_and_finite(tiny_v1):
    pixels = picture(0, tiny_v1)
    tiny_v1.encoder.mlp_det[2].bias.data -= 50  # nobody at all
    output = tiny_v1(pixels)
    shapes = {name: tuple(t.shape) for name, t in output._asdict().items()}
    queries = SIDE**2
    assert shapes == {
        'hfov': (1,),
        'confidence': (1, queries),
        'location': (1, queries, 2),
        'log_pixels_per_metre': (1, queries),
        'shape': (1, queries, 11),
        'pose': (1, queries, 978),
        'appearance': (1, queries, 0),
    }
    assert float(output.confidence.max()) < DETECTION_THRESHOLD
    assert all(bool(tensor.isfinite().all()) for tensor in output)


@pytest.mark.filterwarnings('ignore')  # of the exporter's own parts
def test_it_is_one_graph_that_onnx_runtime_runs(tiny_v1, compare, tmp_path):
    pixels = picture(1, tiny_v1)
    torch.compiler.reset()
    compiled = torch.compile(tiny_v1, fullgraph=True, dynamic=False, backend='eager')
    with torch.no_grad():
        met = compiled(pixels)
    for value, wanted in zip(met, tiny_v1(pixels), strict=True):
        torch.testing.assert_close(value, wanted)
    pytest.importorskip('onnx', reason='needs the development package onnx')
    import onnxruntime

    path = tmp_path / 'network.onnx'
    export_onnx(tiny_v1, width=pixels.shape[3], height=pixels.shape[2], path=path)
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    canvas = (255 * torch.rand(1, *pixels.shape[2:], 3)).byte()
    outputs = session.run(None, {session.get_inputs()[0].name: canvas.numpy()})
    wanted = tiny_v1(normalise(canvas))._asdict()
    for output, value in zip(session.get_outputs(), outputs, strict=True):
        unit = tiny_v1.config.image_size if output.name == 'location' else 1
        compare(output.name, value / unit, wanted[output.name] / unit, 1e-5)


def test_at_most_so_many_people(tiny_v1):
    few = Multihmr1Network(replace(tiny_v1.config, num_queries=3)).requires_grad_(False).eval()
    few.load_state_dict(tiny_v1.state_dict())
    pixels = picture(1, tiny_v1)
    everybody, best = tiny_v1(pixels).confidence[0], few(pixels).confidence[0]
    assert best.shape == (3,)
    assert torch.equal(best, everybody.sort(descending=True).values[:3])


def test_only_the_best_patch_of_its_neighbourhood_counts(tiny_v1, monkeypatch):
    logits = torch.full((1, SIDE, SIDE, 1), -9.0)
    logits[0, 0, 0] = 2.0  # in the corner
    logits[0, 1, 1] = 1.0  # its neighbour
    logits[0, 3, 3] = 1.5  # two apart from the next
    logits[0, 3, 5] = 1.0
    monkeypatch.setattr(tiny_v1.encoder.mlp_det, 'forward', lambda features: logits)
    scores = tiny_v1.encoder.detect(torch.zeros(1, SIDE, SIDE, 128))[0]
    assert {tuple(p) for p in (scores > 0.3).nonzero().tolist()} == {(0, 0), (3, 3), (3, 5)}
    assert float(scores[3, 3]) == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert float(scores[1, 1]) == 0


def test_the_file_says_which_rotations_count(tiny_v1):
    pixels = picture(1, tiny_v1)
    before = tiny_v1(pixels).pose.unflatten(-1, (163, 6))
    tiny_v1.full_body_decoder.useful_rotmat[0, 50] = 0
    after = tiny_v1(pixels).pose.unflatten(-1, (163, 6))
    changed = (before != after).any(dim=3).flatten(0, 1).any(dim=0)
    assert changed.nonzero().flatten().tolist() == [50]
    assert torch.equal(after[..., 50, :].unique(dim=1)[0, 0], torch.tensor([1.0, 0, 0, 1, 0, 0]))


@pytest.mark.parametrize('size', [(84, 70), (70, 84), (70, 70), (98, 98)])
def test_pictures_of_another_size_are_refused(tiny_v1, size):
    with pytest.raises(ValueError, match='84 pixels square'):
        tiny_v1(torch.zeros(1, 3, *size))


@pytest.mark.parametrize(
    'config',
    [
        MULTIHMR1_ANNY,
        replace(
            MULTIHMR1_ANNY,
            backbone=replace(
                MULTIHMR1_ANNY.backbone, width=384, depth=12, num_heads=6, mlp_hidden=1536
            ),
            image_size=896,
            decoder_width=1024,
            decoder_hidden=2048,
            head_hidden=1024,
        ),
    ],
    ids=['full', 'small backbone, large picture, wide decoder'],
)
def test_sizes_are_read_from_the_weights(tiny_v1, config):
    assert multihmr1_config(build_network(config, device='meta').state_dict()) == config
    assert multihmr1_config(tiny_v1.state_dict()) == tiny_v1.config


@pytest.mark.parametrize(
    'change',
    [
        {'full_body_decoder.dec_to_token.weight': None},
        {'encoder.backbone.pos_embed': torch.zeros(3)},
        {'encoder.backbone.patch_embed.proj.weight': torch.zeros(7, 3, 14, 14)},
        {'encoder.backbone.patch_embed.proj.weight': torch.zeros(5)},
        {'full_body_decoder.dec_pos_emb': torch.zeros(())},
        {'encoder.backbone.pos_embed': torch.zeros(1, 0, 128)},
    ],
    ids=['missing', 'one axis', 'odd width', 'bias', 'no axis', 'empty'],
)
def test_weights_without_sense_are_held_against_the_published_sizes(tiny_v1, change):
    state = tiny_v1.state_dict() | change
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    assert multihmr1_config(state) == MULTIHMR1_ANNY
