# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

from anny_ros.errors import ModelError
from anny_ros.model import load_network, PRESETS, SingleShotNetwork
from anny_ros.model.checkpoint import build_network, compare, constant_deviations, not_finite
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
        assert met[name].dtype == tensor.dtype
        assert met[name].device.type == 'cpu'


def one_sentence(error) -> str:
    text = str(error.value)
    assert '\n' not in text
    assert ';' in text  # the cure comes after it
    assert len(text) < 700
    return text


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


def test_outputs_survive_the_round_trip(tmp_path, tiny):
    pixels = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    loaded = load_network(save_official(tmp_path / 'a.pt', tiny.state_dict()))
    for met, wanted in zip(loaded(pixels), tiny(pixels), strict=True):
        assert torch.equal(met, wanted)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_files_of_another_precision_become_float32(tmp_path, tiny, dtype):
    cast = {name: tensor.to(dtype) for name, tensor in tiny.state_dict().items()}
    network = load_network(save_official(tmp_path / 'a.pt', cast))
    assert_same(network, {name: tensor.float() for name, tensor in cast.items()})


def test_weights_do_not_hang_on_the_file(tmp_path, tiny):
    """A file that is replaced while the network runs must not end the process."""
    from safetensors.torch import save_file

    state = tiny.state_dict()
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / 'a.safetensors')
    for path in (save_official(tmp_path / 'a.pt', state), tmp_path / 'a.safetensors'):
        network = load_network(path)
        path.write_bytes(b'')
        assert_same(network, state)


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
    one_sentence(error)


def test_quantised_weights_are_refused(tmp_path, tiny):
    name = 'full_body_decoder.mlp_loc.0.weight'
    state = dict(tiny.state_dict())
    state[name] = (100 * state[name]).to(torch.int8)
    with pytest.raises(ModelError, match=r'int8 instead of torch\.float32') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    one_sentence(error)


def test_another_model_is_named_and_held_against_multihmr2(tmp_path):
    state = {'cls_token': torch.zeros(1, 1, 8), 'blocks.0.norm1.weight': torch.zeros(8)}
    with pytest.raises(ModelError, match=r'does not fit multihmr2.*DINOv3 backbone') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    one_sentence(error)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_numbers_that_are_not_finite(tmp_path, tiny, value):
    state = tiny.state_dict()
    state['full_body_decoder.queries.weight'][3, 2] = value
    with pytest.raises(ModelError, match=r'not finite.*1 tensors.*queries\.weight') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    one_sentence(error)
    assert not_finite(state) == ['full_body_decoder.queries.weight']


def test_a_file_full_of_nan(tmp_path, tiny):
    state = {name: torch.full_like(t, float('nan')) for name, t in tiny.state_dict().items()}
    with pytest.raises(ModelError, match=f'not finite in {len(state)} tensors'):
        load_network(save_official(tmp_path / 'a.pt', state))


def test_numbers_too_large_for_float32_are_not_finite(tmp_path, tiny):
    state = {name: tensor.double() for name, tensor in tiny.state_dict().items()}
    state['full_body_decoder.queries.weight'][0, 0] = 1e300
    with pytest.raises(ModelError, match='not finite'):
        load_network(save_official(tmp_path / 'a.pt', state))


@pytest.mark.parametrize('change', ['none', 'one missing', 'one of a wrong shape'])
def test_full_size_is_recognised(change):
    state = build_network(PRESETS['multihmr2'], device='meta').state_dict()
    if change == 'one missing':
        del state['full_body_decoder.eye']
    elif change == 'one of a wrong shape':
        state['encoder.fov_max'] = torch.zeros(2)
    comparison = compare(state)
    assert comparison.config == PRESETS['multihmr2']
    assert comparison.fits == (change == 'none')
    assert len(comparison.missing) == (change == 'one missing')
    assert len(comparison.wrong_shape) == (change == 'one of a wrong shape')
    if comparison.fits:
        assert comparison.summary() == 'all tensors of multihmr2 fit'


def test_another_size_of_the_same_network(make_tiny, tmp_path):
    larger = replace(PRESETS['tiny'], decoder_width=64)
    state = make_tiny(decoder_width=larger.decoder_width).state_dict()
    with pytest.raises(ModelError, match='Multi-HMR 2, of another size or version') as error:
        load_network(save_official(tmp_path / 'a.pt', state))
    one_sentence(error)


def test_fresh_constants_are_the_known_ones(tiny):
    assert constant_deviations(tiny) == []


@pytest.mark.parametrize(
    ('name', 'factor'),
    [
        ('encoder.fov_max', 0.5),
        ('encoder.backbone.rope_embed.periods', 1.02),
        ('encoder.backbone.blocks.1.attn.qkv.bias_mask', 0.5),
        ('full_body_decoder.dec_pos_emb', 1.001),
        ('full_body_decoder.eye', 1.001),
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
