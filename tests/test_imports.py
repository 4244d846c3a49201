# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who may import whom; imports go one way and only anny_ros/ros knows ROS."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'anny_ros'
BASE = {'errors', 'types', 'parameters'}

# Part of the package: the parts it may import beside itself.
MAY_IMPORT = {
    'errors': set(),
    'types': set(),
    'parameters': {'errors'},
    'geometry': BASE,
    'body': BASE | {'geometry'},
    'model': BASE | {'geometry', 'body'},
    'keypoints': BASE | {'geometry', 'body'},
    'inference': BASE | {'geometry', 'body', 'model', 'keypoints'},
    'tracking': BASE | {'geometry'},
    'perception': BASE | {'geometry', 'inference', 'tracking'},
    'render': BASE | {'geometry', 'body'},
    'ros': BASE
    | {'geometry', 'body', 'model', 'keypoints', 'inference', 'tracking', 'render', 'cli'}
    | {'perception'},
    'cli': BASE
    | {'geometry', 'body', 'model', 'keypoints', 'inference', 'tracking', 'render'}
    | {'perception'},
}
# The doors from the commands to the node: those that run it or weigh its messages.
DOORS = (
    'cli/benchmarks/messages.py',
    'cli/benchmarks/node.py',
    'cli/benchmarks/standin_node.py',
    'cli/demo.py',
    'cli/demonstration/',
    'cli/writers/ros_bag.py',
)
# Asks inside a function, and only on demand, whether ROS is there.
DOCTOR = 'cli/checks.py'
ROS_NAMES = {
    'ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_updater', 'launch',
    'launch_ros', 'message_filters', 'rcl_interfaces', 'rclpy', 'rosbag2_py', 'sensor_msgs_py',
    'tf_transformations', 'tf2_ros',
}  # fmt: skip


def source_files():
    """Every hand-written file; those in msg and srv are generated."""
    for path in sorted(PACKAGE.rglob('*.py')):
        if path.relative_to(PACKAGE).parts[0] not in ('msg', 'srv'):
            yield path


def imported_modules(path):
    """Names of all modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import; write the whole name'
            yield node.module
            # `from anny_ros import body` and `from anny_ros.ros import node` name modules too.
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def part_of(module):
    """Part of the package that a module is in; None for what is not ours or is no module."""
    words = module.split('.')
    if words[0] != 'anny_ros' or len(words) < 2:
        return None
    inside = PACKAGE / words[1]
    is_module = inside.is_dir() or inside.with_suffix('.py').exists()
    return words[1] if is_module else None


def is_ros(module):
    words = module.split('.')
    ours = words[0] == 'anny_ros' and len(words) > 1 and words[1] in ('msg', 'srv')
    return ours or words[0] in ROS_NAMES or words[0].endswith('_msgs')


FILES = [pytest.param(p, id=str(p.relative_to(PACKAGE))) for p in source_files()]


def test_every_part_has_a_rule():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix('.py') for path in source_files()}
    assert parts - {'__init__'} <= set(MAY_IMPORT)


@pytest.mark.parametrize('path', FILES)
def test_imports_go_one_way(path):
    here = path.relative_to(PACKAGE)
    part = here.parts[0].removesuffix('.py')
    if part == '__init__':
        return
    allowed = MAY_IMPORT[part] | {part, 'msg', 'srv'}
    if here.as_posix().startswith(DOORS):
        allowed |= {'ros'}
    wrong = {m for m in imported_modules(path) if part_of(m) is not None} - {
        m for m in imported_modules(path) if part_of(m) in allowed
    }
    assert not wrong, f'{here} imports {sorted(wrong)}; {part} may import {sorted(allowed)}'


@pytest.mark.parametrize('path', FILES)
def test_only_ros_imports_ros(path):
    here = path.relative_to(PACKAGE)
    if here.parts[0] == 'ros' or here.as_posix().startswith((*DOORS, DOCTOR)):
        return
    wrong = sorted({m for m in imported_modules(path) if is_ros(m)})
    assert not wrong, f'{here} imports {wrong}; only anny_ros/ros may'


def run_without(modules, code):
    """Run code in a new interpreter in which some modules cannot be imported."""
    block = f'import sys\nfor name in {sorted(modules)!r}: sys.modules[name] = None\n'
    return subprocess.run(
        [sys.executable, '-c', block + code], capture_output=True, text=True, check=False
    )


def test_the_package_needs_neither_torch_nor_ros():
    code = 'import anny_ros\nanny_ros.Camera, anny_ros.Frame, anny_ros.Parameters, anny_ros.Scene'
    done = run_without({'torch', 'onnxruntime', 'cv2', 'scipy', *ROS_NAMES}, code)
    assert done.returncode == 0, done.stderr


def test_everything_but_ros_imports_without_ros():
    outside = [
        str(path.relative_to(ROOT).with_suffix('')).replace('/', '.').removesuffix('.__init__')
        for path in source_files()
        if path.relative_to(PACKAGE).parts[0] != 'ros'
        and not path.relative_to(PACKAGE).as_posix().startswith(DOORS)
        and path.name != '__main__.py'
    ]
    code = f'import importlib\nfor name in {outside!r}: importlib.import_module(name)'
    done = run_without(ROS_NAMES, code)
    assert done.returncode == 0, done.stderr
