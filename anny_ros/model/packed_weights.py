# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Weights in few bytes: large matrices as 8-bit integers with a scale a row, the rest in float16.

A packed tensor ``NAME`` (int8, rows first) has a companion ``NAME.row_scale`` (float32); its value
is their product.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = '.row_scale'
_MOST = 127
# Matrices of fewer numbers stay in float16: they weigh little, and many are the heads' last.
_LEAST_NUMBERS = 1 << 15


def pack_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Make a state dictionary small.

    Parameters
    ----------
    state : mapping of str to Tensor
        Floating point.

    Returns
    -------
    dict of str to Tensor
        int8, float16 and scales in float32, contiguous, on the CPU. Tensors of three axes
        (position tables) stay in float16.

    """
    packed = {}
    for name, tensor in state.items():
        values = tensor.detach().float().cpu()
        if values.ndim not in (2, 4) or values.numel() < _LEAST_NUMBERS:
            packed[name] = values.half().contiguous()
            continue
        rows = values.flatten(1)
        scale = (rows.abs().amax(1) / _MOST).clamp_min(torch.finfo(torch.float32).tiny)
        steps = (rows / scale[:, None]).round()
        packed[name] = steps.to(torch.int8).view(values.shape).contiguous()
        packed[name + _SCALE] = scale
    return packed


def unpack_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Undo ``pack_weights`` as far as it goes.

    Parameters
    ----------
    state : mapping of str to Tensor
        Also one that was never packed.

    Returns
    -------
    dict of str to Tensor
        Without companions; what had one is float32, the rest is as it was. A companion that does
        not fit is left where it is.

    """
    unpacked = dict(state)
    for companion in [name for name in state if name.endswith(_SCALE)]:
        name = companion.removesuffix(_SCALE)
        steps, scale = state.get(name), state[companion]
        if steps is None or steps.dtype != torch.int8 or scale.shape != steps.shape[:1]:
            continue
        shape = (-1, *(1 for _ in steps.shape[1:]))
        unpacked[name] = steps.float() * unpacked.pop(companion).float().view(shape)
    return unpacked
