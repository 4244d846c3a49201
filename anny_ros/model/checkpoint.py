# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Loading weights: only tensors, every one of them, or a short report of what does not fit.

Accepts the official dictionary, a bare state dictionary, and safetensors; prefixes that wrappers
add are taken off. Nothing is ever executed from a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
import contextlib
from dataclasses import dataclass
import logging
from pathlib import Path
import pickle
import warnings
import zipfile

from anny_ros.errors import ModelError
from anny_ros.model.heads import FOV_MAX, initial_body_pose
from anny_ros.model.network import SingleShotNetwork
from anny_ros.model.position import rope_periods, sine_table
from anny_ros.model.presets import NetworkConfig, PRESETS
import torch
from torch import Tensor

LOGGER = logging.getLogger(__name__)

# The published file may hold tensors of body models, which the network does not own.
_FOREIGN_PREFIXES = ('full_body_decoder.body_model.', 'full_body_decoder.lowres_body_model.')
_WRAPPER_PREFIXES = ('module.', '_orig_mod.', 'model.')
_CONTAINERS = ('model_state_dict', 'state_dict', 'model')
_READ_ERRORS = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)


@dataclass(frozen=True)
class Comparison:
    """
    How a state dictionary differs from a network.

    Parameters
    ----------
    preset : str
        Name of the nearest network that we know.
    looks_like : str
        What the file seems to be, in words.
    missing, unexpected, wrong_shape : tuple of str
        Names of tensors; with both shapes in the last.

    """

    preset: str
    looks_like: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether every tensor is there and none besides."""
        return not (self.missing or self.unexpected or self.wrong_shape)

    def summary(self) -> str:
        """One line: counts, and the first names of each kind."""
        parts = []
        for label, names in (
            ('missing', self.missing),
            ('unexpected', self.unexpected),
            ('of a wrong shape', self.wrong_shape),
        ):
            if names:
                shown = ', '.join(names[:3]) + (', …' if len(names) > 3 else '')
                parts.append(f'{len(names)} {label} ({shown})')
        return '; '.join(parts) if parts else f'all tensors of {self.preset} fit'


def build_network(config: NetworkConfig, *, device: str = 'cpu') -> SingleShotNetwork:
    """Make a network with random weights; device 'meta' makes only its shapes."""
    with torch.device(device):
        return SingleShotNetwork(config)


def load_network(path: str | Path) -> SingleShotNetwork:
    """
    Load a network from a file of weights.

    Parameters
    ----------
    path : str or Path
        The official multihmr2.pt, a bare state dictionary or a safetensors file; the fitting
        preset is found by names and shapes.

    Returns
    -------
    SingleShotNetwork
        On the CPU, float32, in evaluation mode, without gradients.

    Raises
    ------
    ModelError
        If the file is missing, unreadable, of another model, or holds numbers that are not
        finite; the text has the cure.

    """
    state = read_state_dict(path)
    comparison = compare(state)
    if not comparison.fits:
        raise ModelError(
            f'{path} does not fit {comparison.preset}: it looks like {comparison.looks_like}; '
            f'tensors {comparison.summary()}; set model.checkpoint to the unchanged multihmr2.pt'
        )
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ModelError(
            f'{path} has numbers that are not finite in {len(broken)} tensors (first: '
            f'{broken[0]}); download it again'
        )
    network = build_network(PRESETS[comparison.preset], device='meta')
    network.load_state_dict(state, strict=True, assign=True)
    for deviation in constant_deviations(network):
        LOGGER.warning('%s: %s; the value in the file is used', path, deviation)
    return network.requires_grad_(False).eval()


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """
    Read the tensors of a file, with plain names and as float32.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to Tensor
        Without wrappers' prefixes and without tensors of body models.

    Raises
    ------
    ModelError
        If the file is missing, unreadable or holds anything but tensors.

    """
    path = Path(path)
    if not path.exists():
        raise ModelError(
            f'there is no checkpoint at {path}; set model.checkpoint to the multihmr2.pt that '
            'you downloaded'
        )
    if not path.is_file():
        raise ModelError(f'{path} is not a file; set model.checkpoint to the multihmr2.pt itself')
    content = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path)
    tensors = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    if not tensors:
        raise ModelError(
            f'{path} holds no tensors under model_state_dict or at its top; set '
            'model.checkpoint to the multihmr2.pt that you downloaded'
        )
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in _plain_names(tensors).items()
        if not name.startswith(_FOREIGN_PREFIXES)
    }


def compare(state: Mapping[str, Tensor]) -> Comparison:
    """Find the preset that fits best and say what differs."""
    candidates = [_compare_with(state, config) for config in PRESETS.values()]
    return min(candidates, key=lambda c: len(c.missing) + len(c.unexpected) + len(c.wrong_shape))


def constant_deviations(network: SingleShotNetwork) -> list[str]:
    """
    Name the constants of a network that are not what they are known to be.

    A deviation hints at a damaged or differently trained file; it is not an error, because the
    file is right about its own constants.
    """
    decoder, config = network.full_body_decoder, network.config
    table = sine_table(config.grid, config.grid, config.decoder_width)
    pose = initial_body_pose(config.num_bones)
    pairs = [
        ('fov_max', network.encoder.fov_max, torch.full((1,), FOV_MAX), 1e-4),
        ('dec_pos_emb', decoder.dec_pos_emb, table, 1e-5),
        ('init_body_pose', decoder.init_body_pose, pose, 1e-6),
    ]
    for name, value in network.encoder.backbone.named_buffers():
        if name.endswith('periods'):
            wanted = rope_periods(4 * len(value))
            pairs.append((name, value / wanted, torch.ones_like(wanted), 0.01))
        elif name.endswith('bias_mask'):
            ones = torch.ones(len(value) // 3)
            pairs.append((name, value, torch.cat([ones, 0 * ones, ones]), 0.0))
    return [
        f'{name} differs by {float((value - wanted).abs().max()):.2g} from what is known'
        for name, value, wanted, tolerance in pairs
        if float((value - wanted).abs().max()) > tolerance
    ]


def _compare_with(state: Mapping[str, Tensor], config: NetworkConfig) -> Comparison:
    wanted = build_network(config, device='meta').state_dict()
    wrong = (
        f'{name} {_shape(state[name])} instead of {_shape(tensor)}'
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    )
    return Comparison(
        preset=config.name,
        looks_like=_guess(state),
        missing=tuple(name for name in wanted if name not in state),
        unexpected=tuple(name for name in state if name not in wanted),
        wrong_shape=tuple(wrong),
    )


def _shape(tensor: Tensor) -> str:
    return 'x'.join(map(str, tensor.shape)) or 'scalar'


def _guess(names: Iterable[str]) -> str:
    """Say in words what a file with these tensors is."""
    names = set(names)

    def any_starts(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in names)

    if any_starts('full_body_decoder.') and any_starts('encoder.backbone.'):
        return 'a Multi-HMR 2 network of another size or version'
    if any_starts('encoder.mlp_det') or 'encoder.backbone.pos_embed' in names:
        return 'a first generation Multi-HMR network, which is not supported'
    if any_starts('encoder.backbone.'):
        return 'the encoder alone of a Multi-HMR network'
    if any_starts('blocks.') and 'cls_token' in names:
        family = 'DINOv2' if 'pos_embed' in names else 'DINOv3'
        return f'a {family} backbone alone'
    return 'another model'


def _plain_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off what wrappers (parallel training, compilation) put before or between names."""
    plain = {name.replace('._orig_mod.', '.'): tensor for name, tensor in tensors.items()}
    while True:
        for prefix in _WRAPPER_PREFIXES:
            if all(name.startswith(prefix) for name in plain):
                plain = {name[len(prefix) :]: tensor for name, tensor in plain.items()}
                break
        else:
            return plain


def _is_safetensors(path: Path) -> bool:
    """Whether a file starts as the format says: eight bytes of length, then a JSON object."""
    try:
        with path.open('rb') as file:
            head = file.read(9)
    except OSError as error:
        raise ModelError(
            f'cannot read {path} ({error.strerror}); check its permissions'
        ) from error
    return len(head) == 9 and head[8:] == b'{'


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, *_READ_ERRORS) as error:
        raise ModelError(f'{path} is damaged or cut short; download it again') from error


def _read_pickle(path: Path) -> Mapping[str, object]:
    try:
        with warnings.catch_warnings(), _plain_containers():
            warnings.simplefilter('ignore', UserWarning)  # about unusual pickles; they fail below
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if not zipfile.is_zipfile(path):
            raise _damaged(path) from error
        raise ModelError(
            f'{path} holds more than tensors and is not opened, because such a file can run '
            "code; if you trust it, save torch.load(...)['model_state_dict'] alone to a new file"
        ) from error
    except _READ_ERRORS as error:
        raise _damaged(path) from error
    if not isinstance(content, Mapping):
        raise _damaged(path)
    for name in _CONTAINERS:
        inner = content.get(name)
        if isinstance(inner, Mapping):
            return inner
    return content


def _plain_containers() -> contextlib.AbstractContextManager[object]:
    """Allow arguments of the command line beside the weights, where torch (2.5) can."""
    allow = getattr(torch.serialization, 'safe_globals', None)
    if allow is None:
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[object] = allow([argparse.Namespace])
    return context


def _damaged(path: Path) -> ModelError:
    return ModelError(
        f'{path} is no checkpoint, damaged or cut short; download multihmr2.pt again'
    )
