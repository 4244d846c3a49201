# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import pickle

from anny_ros.errors import ModelError
from anny_ros.model import load_network, PRESETS, SingleShotNetwork
from anny_ros.model.checkpoint import build_network, compare, constant_deviations
import pytest
import torch


@pytest.fixture
def tiny(make_tiny):
    return make_tiny(seed=11)


def save_official(path, state, **others):
    torch.save({'model_state_dict': state, **others}, path)
    return path


def assert_same(network: SingleShotNetwork, state):
    met = network.state_dict()
    assert set(met) == set(state)
    for name, tensor in state.items():
        assert torch.equal(met[name], tensor), name
        assert met[name].device.type == 'cpu'


def test_official_form(tmp_path, tiny):
    state = tiny.state_dict()
    network = load_network(save_official(tmp_path / 'multihmr2.pt', state, epoch=3))
    assert_same(network, state)
    assert network.config == PRESETS['tiny']
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_buffers_come_from_the_file(tmp_path, tiny):
    tiny.encoder.backbone.rope_embed.periods.mul_(1.003)
    state = tiny.state_dict()
    assert_same(load_network(save_official(tmp_path / 'a.pt', state)), state)


@pytest.mark.parametrize('prefix', ['', 'module.', '_orig_mod.', 'module._orig_mod.'])
def test_bare_and_wrapped_state_dicts(tmp_path, tiny, prefix):
    state = tiny.state_dict()
    torch.save({prefix + name: tensor for name, tensor in state.items()}, tmp_path / 'a.pth')
    assert_same(load_network(tmp_path / 'a.pth'), state)


def test_compiled_inner_module(tmp_path, tiny):
    state = tiny.state_dict()
    inner = {n.replace('backbone.', 'backbone._orig_mod.'): t for n, t in state.items()}
    assert_same(load_network(save_official(tmp_path / 'a.pt', inner)), state)


def test_safetensors(tmp_path, tiny):
    from safetensors.torch import save_file

    state = {n: t.clone() for n, t in tiny.state_dict().items()}
    save_file(state, tmp_path / 'weights.safetensors')
    assert_same(load_network(tmp_path / 'weights.safetensors'), state)


def test_half_precision_file_is_widened(tmp_path, tiny):
    halves = {n: t.half() for n, t in tiny.state_dict().items()}
    network = load_network(save_official(tmp_path / 'a.pt', halves))
    assert_same(network, {n: t.float() for n, t in halves.items()})


def test_tensors_of_body_models_are_dropped(tmp_path, tiny):
    state = dict(tiny.state_dict())
    extra = {
        'full_body_decoder.body_model.anchors.age': torch.zeros(5),
        'full_body_decoder.lowres_body_model.anchors.age': torch.zeros(5),
    }
    assert_same(load_network(save_official(tmp_path / 'a.pt', state | extra)), state)


def test_arguments_beside_the_weights_do_not_matter(tmp_path, tiny):
    state = tiny.state_dict()
    path = save_official(tmp_path / 'a.pt', state, args=argparse.Namespace(lr=1e-4))
    assert_same(load_network(path), state)


def test_outputs_survive_the_round_trip(tmp_path, tiny):
    pixels = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    loaded = load_network(save_official(tmp_path / 'a.pt', tiny.state_dict()))
    for met, wanted in zip(loaded(pixels), tiny(pixels), strict=True):
        assert torch.equal(met, wanted)


def one_sentence(error) -> str:
    text = str(error.value)
    assert '\n' not in text
    assert ';' in text  # the cure comes after it
    return text


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r'no checkpoint at .*set model\.checkpoint') as error:
        load_network(tmp_path / 'multihmr2.pt')
    one_sentence(error)


def test_folder(tmp_path):
    with pytest.raises(ModelError, match='is not a file') as error:
        load_network(tmp_path)
    one_sentence(error)


@pytest.mark.parametrize(
    'content',
    [b'', b'PK\x03\x04 not a zip', b'<!DOCTYPE html><html>404</html>', b'\x00' * 100],
    ids=['empty', 'zip', 'html', 'zeros'],
)
def test_no_checkpoint_at_all(tmp_path, content):
    (tmp_path / 'a.pt').write_bytes(content)
    with pytest.raises(ModelError, match='damaged or cut short') as error:
        load_network(tmp_path / 'a.pt')
    one_sentence(error)


@pytest.mark.parametrize('share', [0.01, 0.5, 0.99])
def test_cut_short(tmp_path, tiny, share):
    whole = save_official(tmp_path / 'a.pt', tiny.state_dict()).read_bytes()
    (tmp_path / 'a.pt').write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match='damaged or cut short') as error:
        load_network(tmp_path / 'a.pt')
    one_sentence(error)


def test_cut_safetensors(tmp_path, tiny):
    from safetensors.torch import save_file

    save_file({n: t.clone() for n, t in tiny.state_dict().items()}, tmp_path / 'a')
    whole = (tmp_path / 'a').read_bytes()
    (tmp_path / 'a').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match='damaged or cut short'):
        load_network(tmp_path / 'a')


class Bomb:
    """Would make a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_code_in_a_file_is_not_run(tmp_path, tiny):
    mark = tmp_path / 'ran'
    path = save_official(tmp_path / 'a.pt', tiny.state_dict(), extra=Bomb(mark))
    with pytest.raises(ModelError, match='holds more than tensors') as error:
        load_network(path)
    one_sentence(error)
    assert not mark.exists()


def test_plain_pickle_is_not_run(tmp_path):
    mark = tmp_path / 'ran'
    (tmp_path / 'a.pt').write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelError):
        load_network(tmp_path / 'a.pt')
    assert not mark.exists()


@pytest.mark.parametrize('content', [[1, 2], {'a': 1}, torch.zeros(3), {}], ids=str)
def test_no_state_dict_inside(tmp_path, content):
    torch.save(content, tmp_path / 'a.pt')
    with pytest.raises(ModelError, match=r'model\.checkpoint|download') as error:
        load_network(tmp_path / 'a.pt')
    one_sentence(error)


def test_mismatch_is_reported_in_short(tmp_path, tiny):
    state = dict(tiny.state_dict())
    del state['full_body_decoder.mlp_loc.0.bias']
    state['full_body_decoder.mlp_hat.0.bias'] = torch.zeros(3)
    state['encoder.fov_max'] = torch.zeros(2)
    with pytest.raises(ModelError) as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    text = one_sentence(error)
    assert '1 missing (full_body_decoder.mlp_loc.0.bias)' in text
    assert '1 unexpected (full_body_decoder.mlp_hat.0.bias)' in text
    assert '1 of a wrong shape (encoder.fov_max 2 instead of 1)' in text


def test_long_lists_are_cut(tmp_path, tiny):
    state = {n: t for n, t in tiny.state_dict().items() if 'blocks' not in n}
    with pytest.raises(ModelError, match=r'30 missing \(.*, …\)') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    assert len(one_sentence(error)) < 600


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (['encoder.mlp_det.0.weight', 'encoder.backbone.pos_embed'], 'first generation'),
        (['encoder.backbone.cls_token'], 'encoder alone'),
        (['cls_token', 'pos_embed', 'blocks.0.norm1.weight'], 'DINOv2 backbone alone'),
        (['cls_token', 'storage_tokens', 'blocks.0.norm1.weight'], 'DINOv3 backbone alone'),
        (['full_body_decoder.x', 'encoder.backbone.y'], 'another size or version'),
        (['conv1.weight'], 'another model'),
    ],
)
def test_other_models_are_named(tmp_path, names, words):
    path = save_official(tmp_path / 'a.pt', {name: torch.zeros(1) for name in names})
    with pytest.raises(ModelError, match=words):
        load_network(path)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_numbers_that_are_not_finite(tmp_path, tiny, value):
    state = tiny.state_dict()
    state['full_body_decoder.queries.weight'][3, 2] = value
    with pytest.raises(ModelError, match=r'not finite.*queries\.weight') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    one_sentence(error)


def test_full_size_is_recognised():
    with torch.device('meta'):
        state = build_network(PRESETS['multihmr2'], device='meta').state_dict()
    comparison = compare(state)
    assert comparison.fits
    assert comparison.preset == 'multihmr2'
    assert comparison.summary() == 'all tensors of multihmr2 fit'


def test_fresh_constants_are_the_known_ones(tiny):
    assert constant_deviations(tiny) == []


@pytest.mark.parametrize(
    ('name', 'factor'),
    [
        ('encoder.fov_max', 0.5),
        ('encoder.backbone.rope_embed.periods', 1.02),
        ('encoder.backbone.blocks.1.attn.qkv.bias_mask', 0.5),
        ('full_body_decoder.dec_pos_emb', 1.001),
        ('full_body_decoder.init_body_pose', 1.001),
    ],
)
def test_other_constants_are_taken_with_a_warning(tmp_path, tiny, caplog, name, factor):
    state = tiny.state_dict()
    state[name] *= factor
    network = load_network(save_official(tmp_path / 'a.pt', state))
    assert_same(network, state)
    assert len(caplog.records) == 1
    assert name.rsplit('.', 1)[-1] in caplog.text


def test_rounded_periods_are_not_worth_a_warning(tmp_path, tiny, caplog):
    periods = tiny.encoder.backbone.rope_embed.periods
    periods.copy_(periods.bfloat16().float())
    load_network(save_official(tmp_path / 'a.pt', tiny.state_dict()))
    assert not caplog.records
