# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Print docs/parameters.md, made from the declarations of the parameters."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from anny_ros.parameters import Declaration, declarations, Parameters

_HEAD = """\
# Parameters

Made by `make docs` from `anny_ros/parameters.py`; edits here are lost.

They are parameters of the node `anny` (`config/perception.yaml`, `ros2 param set`) and, by the
same names, of the commands (`anny-ros track --set detection.threshold=0.5`). A wrong value is
refused with the reason, and nothing changes. "At start" parameters are read when the node is
configured.
"""
_TABLE = """
| parameter | type | default | range | changes | |
|---|---|---|---|---|---|
"""


def _type(d: Declaration) -> str:
    return {tuple: 'double[]', float: 'double', int: 'int', bool: 'bool', str: 'string'}[
        type(d.default)
    ]


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return repr(value) if isinstance(value, str) else f'{value:g}'


def _range(d: Declaration) -> str:
    if d.choices:
        return ', '.join(f'`{choice}`' for choice in d.choices)
    if d.lengths:
        return ' or '.join(map(str, d.lengths)) + ' numbers'
    if d.minimum is None or d.maximum is None:
        return ''
    return f'{d.minimum:g} to {d.maximum:g}'


def _row(d: Declaration) -> str:
    unit = f' [{d.unit}]' if d.unit else ''
    live = 'live' if d.dynamic else 'at start'
    return (
        f'| `{d.name}` | {_type(d)}{unit} | {_default(d.default)} | {_range(d)} | {live} | '
        f'{d.description} |\n'
    )


def parameters_page() -> str:
    """Make the page."""
    groups = {f.name: f for f in fields(Parameters)}
    text, group = _HEAD, ''
    for d in declarations():
        name = d.name.split('.')[0]
        if name != group:
            group = name
            title = 'The node'
            if '.' in d.name:
                factory: Any = groups[name].default_factory
                title = f'{name}: {factory.__doc__[0].lower()}{factory.__doc__[1:-1]}'
            text += f'\n## {title}\n{_TABLE}'
        text += _row(d)
    return text


def main() -> None:
    """Run the command."""
    print(parameters_page(), end='')


if __name__ == '__main__':
    main()
