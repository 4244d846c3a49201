# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Loading weights: every tensor of a network that we know, or a short report of what does not fit.

Which network it is follows from the names and shapes in the file: Multi-HMR 2, Multi-HMR v1 for
Anny bodies, or our own anny-vit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import logging
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.model.anny_vit import AnnyVitNetwork
from anny_ros.model.checkpoint_file import read_checkpoint
from anny_ros.model.checkpoint_kind import describe_kind
from anny_ros.model.heads import FOV_MAX, initial_body_pose
from anny_ros.model.network import SingleShotNetwork
from anny_ros.model.position import rope_periods, sine_table
from anny_ros.model.presets import AnnyVitConfig, NetworkConfig, PRESETS
from anny_ros.model.v1 import Multihmr1Network, useful_rotations
from anny_ros.model.v1_config import multihmr1_config, Multihmr1Config
import torch
from torch import Tensor

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """
    How a state dictionary differs from a network.

    Parameters
    ----------
    config : NetworkConfig
        The nearest network that we know.
    looks_like : str
        What the file seems to be if it does not fit, in words.
    missing, unexpected, wrong_shape : tuple of str
        Names of tensors; with both shapes in the last.
    num_fitting : int
        Tensors of the right name and shape.

    """

    config: NetworkConfig
    looks_like: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    wrong_shape: tuple[str, ...]
    num_fitting: int

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
        return '; '.join(parts) if parts else f'all tensors of {self.config.name} fit'


def build_network(config: NetworkConfig, *, device: str = 'cpu') -> SingleShotNetwork:
    """Make a network with random weights; device 'meta' makes only its shapes."""
    with torch.device(device):
        if isinstance(config, Multihmr1Config):
            return Multihmr1Network(config)
        if isinstance(config, AnnyVitConfig):
            return AnnyVitNetwork(config)
        return SingleShotNetwork(config)


def load_network(path: str | Path) -> SingleShotNetwork:
    """
    Load a network from a file of weights.

    Parameters
    ----------
    path : str or Path
        The official file, a bare state dictionary or a safetensors file, of any precision; which
        network it is follows from names and shapes.

    Returns
    -------
    SingleShotNetwork
        On the CPU, float32, in evaluation mode, without gradients; peak memory is that of the
        weights and one tensor.

    Raises
    ------
    ModelError
        If the file is missing, unreadable, of another model, or holds numbers that are not
        finite; the text has the cure.

    """
    state = read_checkpoint(path).tensors
    comparison = compare(state)
    if not comparison.fits:
        raise ModelError(
            f'{path} does not fit {comparison.config.name}: it looks like '
            f'{comparison.looks_like}; tensors {comparison.summary()}; set model.checkpoint to '
            'the unchanged multihmr2.pt'
        )
    network = build_network(comparison.config, device='meta')
    for name, wanted in network.state_dict().items():
        state[name] = state.pop(name).to(wanted.dtype)
    broken = not_finite(state)
    if broken:
        raise ModelError(
            f'{path} has numbers that are not finite in {len(broken)} tensors (first: '
            f'{broken[0]}); download it again'
        )
    network.load_state_dict(state, strict=True, assign=True)
    for deviation in constant_deviations(network):
        LOGGER.warning('%s: %s; the value in the file is used', path, deviation)
    return network.requires_grad_(False).eval()


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are not finite everywhere as float32."""
    # The extremes take no memory, and a NaN is its tensor's extreme.
    return [
        name
        for name, tensor in state.items()
        if tensor.numel() and not torch.stack(tensor.float().aminmax()).isfinite().all()
    ]


def compare(state: Mapping[str, Tensor]) -> Comparison:
    """Find the network that fits best and say what differs."""
    configs = [*PRESETS.values(), multihmr1_config(state)]
    candidates = [_compare_with(state, config) for config in configs]
    return max(candidates, key=lambda comparison: comparison.num_fitting)


def constant_deviations(network: SingleShotNetwork) -> list[str]:
    """
    Name the constants of a network that are not what they are known to be.

    A deviation hints at a damaged or differently trained file; it is not an error, because the
    file is right about its own constants.
    """
    if isinstance(network, AnnyVitNetwork):
        return []  # it has none but the largest field of view
    decoder, config = network.full_body_decoder, network.config
    table = sine_table(config.grid, config.grid, config.decoder_width)
    pose = initial_body_pose(config.num_bones)
    pairs = [
        ('fov_max', network.encoder.fov_max, torch.full((1,), FOV_MAX), 1e-4),
        ('eye', decoder.eye, torch.eye(3)[None], 0.0),
        ('dec_pos_emb', decoder.dec_pos_emb, table.reshape(decoder.dec_pos_emb.shape), 1e-5),
        ('init_body_pose', decoder.init_body_pose, pose, 1e-6),
    ]
    if isinstance(network, Multihmr1Network):
        useful = network.full_body_decoder.useful_rotmat
        pairs.append(('useful_rotmat', useful, useful_rotations(config.num_bones), 0.0))
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
    network = build_network(config, device='meta')
    wanted, trained = network.state_dict(), {name for name, _ in network.named_parameters()}
    wrong = []
    for name in wanted.keys() & state.keys():
        ours, theirs = wanted[name], state[name]
        if theirs.shape != ours.shape:
            wrong.append(f'{name} {_shape(theirs)} instead of {_shape(ours)}')
        elif name in trained and not theirs.is_floating_point():  # quantised weights
            wrong.append(f'{name} {theirs.dtype} instead of {ours.dtype}')
    return Comparison(
        config=config,
        looks_like=describe_kind(state),
        missing=tuple(name for name in wanted if name not in state),
        unexpected=tuple(name for name in state if name not in wanted),
        wrong_shape=tuple(sorted(wrong)),
        num_fitting=len(wanted.keys() & state.keys()) - len(wrong),
    )


def _shape(tensor: Tensor) -> str:
    return 'x'.join(map(str, tensor.shape)) or 'scalar'
