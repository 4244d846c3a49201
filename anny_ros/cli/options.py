# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share, and the parameters that they make."""

from __future__ import annotations

import argparse

from anny_ros.errors import ParameterError
from anny_ros.parameters import declaration, Parameters


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--device``, ``--camera-k`` and ``--set``."""
    parser.add_argument(
        '--model',
        default='',
        metavar='NAME|FILE',
        help='anny-lite (default), or the path of a checkpoint of your own (multihmr2.pt)',
    )
    parser.add_argument(
        '--device', choices=declaration('inference.device').choices, help='default: auto'
    )
    parser.add_argument(
        '--camera-k',
        metavar='FX,FY,CX,CY',
        help='intrinsics in pixels of the rectified picture; a camera_info in a bag goes first; '
        'without either they are estimated',
    )
    parser.add_argument(
        '--set',
        action='append',
        default=[],
        dest='settings',
        metavar='NAME=VALUE',
        help='any parameter of the node, for instance detection.threshold=0.5; may be repeated',
    )


def parameters_from(arguments: argparse.Namespace) -> Parameters:
    """
    Collect the parameters that the options ask for.

    Raises
    ------
    ParameterError
        An unknown name, or a value that does not fit its declaration.

    """
    values = {}
    for setting in arguments.settings:
        name, equals, text = setting.partition('=')
        if not equals:
            raise ParameterError(f'--set wants NAME=VALUE, got {setting!r}')
        values[name.strip()] = declaration(name.strip()).parse(text.strip())
    if arguments.device:
        values['inference.device'] = arguments.device
    if arguments.camera_k is not None:
        values['camera.k'] = _camera_k(arguments.camera_k)
    return Parameters().with_values(values)


def _camera_k(text: str) -> tuple[float, ...]:
    """Read fx,fy,cx,cy; all four, finite, with positive focal lengths."""
    numbers: tuple[float, ...] = declaration('camera.k').parse(text)
    if len(numbers) != 4 or min(numbers[:2]) <= 0:
        raise ParameterError(
            f'--camera-k wants fx,fy,cx,cy in pixels with fx, fy > 0, got {text!r}; '
            'for instance --camera-k 600,600,319.5,239.5'
        )
    return numbers
