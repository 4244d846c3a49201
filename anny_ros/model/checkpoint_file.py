# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Reading a file of weights: only tensors, nothing executed, every refusal one sentence.

Accepts what torch.save writes (the official dictionary or a bare state dictionary) and
safetensors. Every tensor is copied out of the file; a mapped file would cost no less memory, and
replacing it while it is in use would end the process.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from pathlib import Path
import pickle
from typing import TypeGuard
import warnings
import zipfile

from anny_ros.errors import ModelError
from anny_ros.model.packed_weights import unpack_weights
import torch
from torch import Tensor

# The published file may hold tensors of body models, which the network does not own.
_FOREIGN_PREFIXES = ('full_body_decoder.body_model.', 'full_body_decoder.lowres_body_model.')
# Parallel training and compilation put these before or between names; some trainers the last.
_WRAPPERS = ('module.', '_orig_mod.')
_OUTERMOST = (*_WRAPPERS, 'model.')
_CONTAINERS = ('model_state_dict', 'state_dict', 'model')
_AGAIN = 'download it again'
# What readers raise at bytes that make no sense, besides their own errors.
_NONSENSE = (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class CheckpointFile:
    """
    What a file holds.

    Parameters
    ----------
    tensors : dict of str to Tensor
        With plain names, on the CPU, in memory of their own; packed ones unpacked.
    form : str
        What the file is, in words.
    dtypes : tuple of str
        Of the tensors in the file, sorted.
    num_foreign : int
        Tensors of body models, which were left out.

    """

    tensors: dict[str, Tensor]
    form: str
    dtypes: tuple[str, ...]
    num_foreign: int


def read_checkpoint(path: str | Path) -> CheckpointFile:
    """
    Read the tensors of a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    CheckpointFile

    Raises
    ------
    ModelError
        If the file is missing, unreadable, damaged, or holds anything but tensors; the text has
        the cure.

    """
    path = Path(path)
    try:
        if _is_safetensors(path):
            form, named = _read_safetensors(path)
        else:
            form, named = _read_pickle(path)
    except (MemoryError, OSError) as error:
        raise _unreadable(path, error) from error
    tensors = {str(name): value for name, value in named.items() if _is_plain(value)}
    if not tensors:
        raise ModelError(
            f'{path} holds no tensors under model_state_dict or at its top; set '
            'model.checkpoint to the multihmr2.pt that you downloaded'
        )
    plain = _plain_names(tensors)
    if len(plain) < len(tensors):
        raise ModelError(
            f'{path} holds {len(tensors) - len(plain)} tensors twice, with and without the '
            'prefix of a wrapper; save the state dictionary of the unwrapped network'
        )
    own = {name: plain[name] for name in plain if not name.startswith(_FOREIGN_PREFIXES)}
    dtypes = {str(tensor.dtype).removeprefix('torch.') for tensor in own.values()}
    num_foreign = len(plain) - len(own)
    return CheckpointFile(unpack_weights(own), form, tuple(sorted(dtypes)), num_foreign)


def _is_plain(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


def _plain_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off what wrappers put before or between names."""
    names = {name: name for name in tensors}
    for wrapper in _WRAPPERS:
        names = {name: plain.replace(f'.{wrapper}', '.') for name, plain in names.items()}
    while True:
        for prefix in _OUTERMOST:
            if all(plain.startswith(prefix) for plain in names.values()):
                names = {name: plain[len(prefix) :] for name, plain in names.items()}
                break
        else:
            return {plain: tensors[name] for name, plain in names.items()}


def _is_safetensors(path: Path) -> bool:
    """Whether it is safetensors (else a zip of torch.save); ModelError if it is neither."""
    if not path.exists():
        raise ModelError(
            f'there is no checkpoint at {path}; set model.checkpoint to the multihmr2.pt that '
            'you downloaded'
        )
    if not path.is_file():
        raise ModelError(f'{path} is not a file; set model.checkpoint to the multihmr2.pt itself')
    with path.open('rb') as file:
        head = file.read(64)
    if head[8:9] == b'{':  # eight bytes of length, then a JSON object
        return True
    if head.startswith(b'PK\x03\x04'):
        return False
    if not head:
        found, cure = 'is empty', _AGAIN
    elif head.startswith(b'version https://git-lfs'):
        found, cure = 'is a Git LFS pointer instead of weights', 'fetch them: git lfs pull'
    elif head.lstrip().startswith(b'<'):
        found, cure = 'is a web page instead of weights', f'{_AGAIN}, after logging in'
    elif head[0] == 0x80:
        found = 'is a plain pickle, which could run code, and is not opened'
        cure = 'save its tensors anew with torch.save, in a place where you trust it'
    else:
        found = 'is neither a file of torch.save nor safetensors, or it is damaged'
        cure = f'{_AGAIN}, or set model.checkpoint to another file'
    raise ModelError(f'{path} {found}; {cure}')


def _read_safetensors(path: Path) -> tuple[str, Mapping[object, object]]:
    """Words for the form of a safetensors file, and its tensors by name."""
    from safetensors import safe_open, SafetensorError

    try:
        with safe_open(path, 'pt') as file:
            names = list(file.keys())
        tensors: dict[object, object] = {}
        for name in names:
            # Opened anew for each, so that never more than one tensor is mapped and copied.
            with safe_open(path, 'pt') as file:
                tensors[name] = file.get_tensor(name).clone()
    except (SafetensorError, *_NONSENSE) as error:
        raise _damaged(path, error) from error
    return 'safetensors', tensors


def _read_pickle(path: Path) -> tuple[str, Mapping[object, object]]:
    """Words for the form of a file of torch.save, and its tensors by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.rpartition('/')[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, *_NONSENSE) as error:
        raise _damaged(path, error) from error
    if 'constants.pkl' in members:
        raise ModelError(
            f'{path} is a TorchScript program, not weights; set model.checkpoint to the '
            'multihmr2.pt that you downloaded'
        )
    if 'data.pkl' not in members:
        raise ModelError(
            f'{path} is a zip archive, but not of torch.save; unpack it and set '
            'model.checkpoint to the multihmr2.pt inside'
        )
    try:
        with warnings.catch_warnings(), _arguments_allowed():
            warnings.simplefilter('ignore', UserWarning)  # about unusual pickles; they fail below
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f'{path} holds more than tensors and is not opened, because such a file can run '
            "code; if you trust it, save torch.load(..., weights_only=False)['model_state_dict'] "
            'alone to a new file'
        ) from error
    except _NONSENSE as error:
        raise _damaged(path, error) from error
    if not isinstance(content, Mapping):
        raise ModelError(
            f'{path} holds no state dictionary; set model.checkpoint to the multihmr2.pt that '
            'you downloaded'
        )
    for name in _CONTAINERS:
        inner = content.get(name)
        if isinstance(inner, Mapping):
            return f'torch.save, under {name}', inner
    return 'torch.save, bare state dictionary', content


def _arguments_allowed() -> contextlib.AbstractContextManager[object]:
    """
    Allow ``argparse.Namespace``, which does nothing but hold values, beside the weights.

    Multi-HMR v1's files have one. PyTorch before 2.5 cannot allow it for a while only; there such
    files end in the sentence about more than tensors.
    """
    allow = getattr(torch.serialization, 'safe_globals', None)
    if allow is None:
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[object] = allow([argparse.Namespace])
    return context


def _damaged(path: Path, error: Exception) -> ModelError:
    if 'allocate memory' in str(error):  # PyTorch's out of memory is a RuntimeError
        return _unreadable(path, MemoryError())
    return ModelError(f'{path} is damaged or cut short; {_AGAIN}')


def _unreadable(path: Path, error: MemoryError | OSError) -> ModelError:
    if isinstance(error, PermissionError):
        return ModelError(f'{path} may not be read by you; give permission: chmod a+r {path}')
    if isinstance(error, FileNotFoundError):
        return ModelError(f'{path} went away while it was read; put it back and start again')
    if isinstance(error, OSError) and error.strerror:
        return ModelError(f'{path} cannot be read ({error.strerror}); check the disk and the path')
    return ModelError(
        f'{path} does not fit into the memory that is free; close other programs or use a '
        'machine with more'
    )
