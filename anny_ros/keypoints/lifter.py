# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The lifter: a small network from one person's 2D keypoints to pose, shape and distance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.keypoints.hints import mirror_hints, MIRRORED_KEYPOINTS, NUM_HINTS
from anny_ros.keypoints.view import mirror_edges, NUM_FEATURES, View
from safetensors import SafetensorError
from safetensors.torch import load_file
import torch
from torch import nn, Tensor

_SIDED = (
    'clavicle', 'upperarm01', 'upperarm02', 'lowerarm01', 'lowerarm02', 'wrist', 'upperleg01',
    'lowerleg01', 'foot',
)  # fmt: skip
# The joints that the pose data turns, in the order of the body's own joints.
LIFTED_JOINTS = (
    'root',
    *(f'{name}.L' for name in ('upperleg01', 'lowerleg01', 'foot')),
    *(f'{name}.R' for name in ('upperleg01', 'lowerleg01', 'foot')),
    *(f'spine0{k}' for k in (5, 4, 3, 2, 1)),
    *(f'{name}.L' for name in _SIDED[:6]),
    *(f'{name}.R' for name in _SIDED[:6]),
    'neck01', 'neck02', 'neck03', 'head',
)  # fmt: skip
NUM_JOINTS = len(LIFTED_JOINTS)
MIRRORED_JOINTS = tuple(
    LIFTED_JOINTS.index(name[:-1] + {'L': 'R', 'R': 'L'}[name[-1]] if name[-2] == '.' else name)
    for name in LIFTED_JOINTS
)

_NUM_OUTPUTS = NUM_JOINTS * 6 + 6 + 3 + NUM_JOINTS + 6 + 2


@dataclass(frozen=True)
class Lifted:
    """
    What the lifter says about N people.

    Parameters
    ----------
    rotations : Tensor, (N, 28, 3, 3)
        World-aligned rotations of ``LIFTED_JOINTS``; the root's in the view frame.
    phenotype : Tensor, (N, 6)
    offset : Tensor, (N, 2)
        Middle of the hips minus ``View.centre``, over ``View.extent``.
    log_size : Tensor, (N,)
        Logarithm of depth (of the middle of the hips, view frame, metres) times
        ``View.extent``: the metric size of the box.
    rotation_stddev : Tensor, (N, 28), radians
    phenotype_stddev : Tensor, (N, 6)
    log_size_stddev : Tensor, (N,)
    offset_stddev : Tensor, (N,)

    """

    rotations: Tensor
    phenotype: Tensor
    offset: Tensor
    log_size: Tensor
    rotation_stddev: Tensor
    phenotype_stddev: Tensor
    log_size_stddev: Tensor
    offset_stddev: Tensor


def rotations_from_6d(values: Tensor) -> Tensor:
    """
    Make rotations from two free columns.

    Parameters
    ----------
    values : Tensor, (..., 6)
        First column, then second column.

    Returns
    -------
    Tensor, (..., 3, 3)

    Notes
    -----
    Gram-Schmidt (Zhou et al., CVPR 2019, section B).

    """
    a, b = values[..., :3], values[..., 3:]
    x = nn.functional.normalize(a, dim=-1)
    y = nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


def mirror_rotations(rotations: Tensor) -> Tensor:
    """Mirror world-aligned rotations (..., 28, 3, 3) left to right: swap sides, M E M."""
    sign = rotations.new_tensor([1.0, -1.0, -1.0])
    return rotations[..., list(MIRRORED_JOINTS), :, :] * (sign[:, None] * sign)


class _Block(nn.Module):
    """Residual block: norm, widen, GELU, back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class LifterNetwork(nn.Module):
    """
    Residual MLP from a view to pose, shape, distance and how sure each of them is.

    Parameters
    ----------
    width, depth : int
        Of the residual blocks.

    """

    def __init__(self, width: int = 512, depth: int = 5) -> None:
        super().__init__()
        self.inlet = nn.Linear(NUM_FEATURES, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.outlet = nn.Linear(width, _NUM_OUTPUTS)
        with torch.no_grad():
            self.outlet.weight.mul_(0.1)
            self.outlet.bias.zero_()
            eye = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(NUM_JOINTS)
            self.outlet.bias[: NUM_JOINTS * 6] = eye

    def forward(self, features: Tensor) -> Lifted:
        """
        Lift people.

        Parameters
        ----------
        features : Tensor, (N, NUM_FEATURES)
            ``View.features``.

        Returns
        -------
        Lifted

        """
        return self.decode(self.trunk(features))

    def trunk(self, features: Tensor) -> Tensor:
        """Run the layers: features (N, NUM_FEATURES) to raw outputs (N, 207)."""
        x = self.inlet(features)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.outlet(self.norm(x))
        return out

    @staticmethod
    def decode(out: Tensor) -> Lifted:
        """Read raw outputs (N, 207); float32 only."""
        sizes = (NUM_JOINTS * 6, 6, 2, 1, NUM_JOINTS, 6, 1, 1)
        six, shape, offset, size, s_rot, s_shape, s_size, s_offset = out.split(sizes, 1)
        return Lifted(
            rotations=rotations_from_6d(six.unflatten(1, (NUM_JOINTS, 6))),
            phenotype=shape.sigmoid(),
            offset=offset,
            log_size=size[:, 0],
            rotation_stddev=(s_rot.clamp(-5, 3) - 1.5).exp(),
            phenotype_stddev=(s_shape.clamp(-5, 3) - 1.5).exp(),
            log_size_stddev=(s_size[:, 0].clamp(-5, 3) - 2.0).exp(),
            offset_stddev=(s_offset[:, 0].clamp(-5, 3) - 3.0).exp(),
        )


def mirror_features(features: Tensor) -> Tensor:
    """Mirror views left to right, as if the picture had been mirrored."""
    xy, rest = features[:, :34].unflatten(1, (17, 2)), features[:, 34:]
    confidences, tail, edges, hints, known = rest.split([17, 7, 4, NUM_HINTS, 1], 1)
    order = list(MIRRORED_KEYPOINTS)
    flip = features.new_tensor([-1.0, 1.0])
    tail = tail * features.new_tensor([-1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0])
    xy, edges = (xy[:, order] * flip).flatten(1), mirror_edges(edges)
    return torch.cat([xy, confidences[:, order], tail, edges, mirror_hints(hints), known], 1)


class Lifter:
    """
    The trained lifter.

    Parameters
    ----------
    path : Path
        Weights, safetensors.

    Raises
    ------
    ModelError
        If the weights are missing or do not fit.

    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f'the lifter weights {path} are missing; reinstall anny_ros')
        try:
            weights = {k: v.float() for k, v in load_file(path).items()}
            depth = 1 + max(int(k.split('.')[1]) for k in weights if k.startswith('blocks.'))
            self.network = LifterNetwork(len(weights['inlet.bias']), depth).eval()
            self.network.load_state_dict(weights)
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise ModelError(
                f'{path} does not hold lifter weights ({type(error).__name__}); reinstall anny_ros'
            ) from error

    @torch.inference_mode()
    def __call__(self, view: View) -> Lifted:
        """Lift people, as the mean of what the network says of them and of their mirror image."""
        num_people = len(view.features)
        both = self.network(torch.cat([view.features, mirror_features(view.features)]))
        one = {name: value[:num_people] for name, value in vars(both).items()}
        two = {name: value[num_people:] for name, value in vars(both).items()}
        two['rotations'] = mirror_rotations(two['rotations'])
        two['rotation_stddev'] = two['rotation_stddev'][:, list(MIRRORED_JOINTS)]
        two['offset'] = two['offset'] * two['offset'].new_tensor([-1.0, 1.0])
        mean = {name: (one[name] + two[name]) / 2 for name in one}
        columns = mean['rotations'][..., :2].transpose(-1, -2).flatten(-2)
        mean['rotations'] = rotations_from_6d(columns)
        return Lifted(**mean)
