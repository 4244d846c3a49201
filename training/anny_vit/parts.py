# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
A state in a few small files, for machines that little can be brought to.

Of an optimiser's second moments only the mean of each row and column travels (Adafactor, Shazeer
and Stern, arXiv 1804.04235, section 3); first moments begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anny_ros.errors import InputError
from safetensors import safe_open, SafetensorError
from safetensors.torch import load_file, save_file
import torch
from torch import Tensor

MOST_PARTS = 7
PART_BYTES = 15 << 20
_HEADER_BYTES = 1 << 18


def shortened(name: str, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Describe the state of AdamW for one parameter in short.

    Returns
    -------
    dict of str to Tensor
        ``step.NAME``; roots of the mean squares in ``rows.NAME`` and, unless it is a vector,
        ``columns.NAME``; float32, since they are small numbers.

    """
    square = moments['exp_avg_sq'].cpu().double()
    step = {f'step.{name}': moments['step'].cpu().float().reshape(1)}
    if square.ndim == 1:
        return {**step, f'rows.{name}': square.sqrt().float()}
    square = square.flatten(1)
    return {
        **step,
        f'rows.{name}': square.mean(1).sqrt().float(),
        f'columns.{name}': square.mean(0).sqrt().float(),
    }


def lengthened(tensors: Mapping[str, Tensor], name: str, parameter: Tensor) -> dict[str, Tensor]:
    """Make the state of AdamW for one parameter, as far as ``shortened`` kept it."""
    square = tensors[f'rows.{name}'].double().square()
    if f'columns.{name}' in tensors:
        columns = tensors[f'columns.{name}'].double().square()
        square = square[:, None] * columns / square.mean().clamp_min(1e-60)
    return {
        'step': tensors[f'step.{name}'].reshape(()),
        'exp_avg': torch.zeros_like(parameter),
        'exp_avg_sq': square.float().view(parameter.shape).to(parameter.device),
    }


def write_parts(folder: Path, tensors: Mapping[str, Tensor], numbers: str) -> int:
    """
    Write tensors, and a text, as at most 7 files of at most 15 MiB.

    Parameters
    ----------
    folder : Path
        Older parts in it are deleted.
    tensors : mapping of str to Tensor
    numbers : str

    Returns
    -------
    int
        Bytes of the tensors.

    Raises
    ------
    InputError
        If that is too much.

    """
    pieces: list[dict[str, Tensor]] = [{}]
    room = most = PART_BYTES - _HEADER_BYTES - len(numbers)
    for name, tensor in tensors.items():
        if _bytes(tensor) > room:
            pieces.append({})
            room = most
        pieces[-1][name] = tensor
        room -= _bytes(tensor)
    if len(pieces) > MOST_PARTS:
        raise InputError(
            f'the state takes {len(pieces)} parts, but at most {MOST_PARTS} can travel; train a '
            'smaller network'
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob('state_*.safetensors'):
        path.unlink()
    for n, piece in enumerate(pieces):
        note = {'of': str(len(pieces)), 'numbers': numbers if n == 0 else ''}
        save_file(piece, folder / f'state_{n}.safetensors', note)
    return sum(_bytes(tensor) for tensor in tensors.values())


def read_parts(folder: Path) -> tuple[dict[str, Tensor], str]:
    """
    Read what ``write_parts`` wrote.

    Raises
    ------
    InputError
        If a part is missing or damaged.

    """
    tensors: dict[str, Tensor] = {}
    paths = sorted(folder.glob('state_*.safetensors'))
    count, numbers = 1, ''
    try:
        for path in paths:
            with safe_open(path, 'pt') as file:
                note = file.metadata()
            count, numbers = int(note['of']), numbers or note['numbers']
            tensors.update(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f'a part in {folder} is damaged; copy it again') from error
    if len(paths) != count:
        raise InputError(
            f'{folder} holds {len(paths)} of {count} parts of a state; copy all of them'
        )
    return tensors, numbers


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
