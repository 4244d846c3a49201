# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Lets pip install the package by running CMakeLists.txt.

colcon does not use this file: package.xml says ``ament_cmake``. What CMake installs goes into
the wheel: the Python package with its generated messages as it is, and the rest (libraries, the
ament index, launch files) as wheel data, which pip puts under the prefix of the environment,
where ROS looks for it. An editable install imports the source directory, so there the generated
parts are copied next to the sources.
"""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

NAME = 'anny_ros'
ROOT = Path(__file__).resolve().parent
GENERATED = ('msg', 'srv')
# What the wheel's own machinery makes: entry points in bin/, metadata beside the package.
NOT_DATA = ('bin',)


def version() -> str:
    """Read the version from the one place that declares it, package.xml."""
    return re.search(r'<version>(.*?)</version>', (ROOT / 'package.xml').read_text())[1]


def cmake(*arguments: object) -> None:
    """Run CMake against the environment's prefix, where the other packages' CMake files are."""
    prefixes = [sys.prefix, *filter(None, [os.environ.get('CMAKE_PREFIX_PATH')])]
    paths = os.pathsep.join(prefixes)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get('PATH', '')])
    environment = {
        **os.environ,
        'AMENT_PREFIX_PATH': paths,
        'CMAKE_PREFIX_PATH': paths,
        'PATH': programs,  # the environment's cmake, also when it is not activated
    }
    program = shutil.which('cmake', path=programs) or 'cmake'
    done = subprocess.run([program, *map(str, arguments)], check=False, env=environment)
    if done.returncode:
        # Not an Exception: an editable install turns those into warnings and goes on.
        raise SystemExit(f'building the messages of {NAME} failed; CMake says above why')


def build_and_stage() -> Path:
    """Configure, build and install into an empty staging prefix; return that prefix."""
    build = ROOT / 'build' / f'pip-{sys.implementation.cache_tag}'
    stage = build / 'stage'
    shutil.rmtree(stage, ignore_errors=True)
    cache = build / 'CMakeCache.txt'
    if cache.exists() and f'={sys.executable}\n' not in cache.read_text():
        cache.unlink()  # configured by another environment's Python
    cmake(
        '-S', ROOT, '-B', build, '-Wno-dev',
        f'-DCMAKE_INSTALL_PREFIX={stage}', '-DCMAKE_BUILD_TYPE=Release',
        '-DBUILD_TESTING=OFF', f'-DPython3_EXECUTABLE={sys.executable}',
    )  # fmt: skip
    cmake('--build', build, '--target', 'install', f'-j{os.cpu_count() or 1}')
    return stage


def wheel_data(stage: Path, package: Path) -> list[tuple[str, list[str]]]:
    """List (folder under the prefix, files) for everything outside the Python package."""
    folders: dict[str, list[str]] = {}
    for path in sorted(p for p in stage.rglob('*') if p.is_file()):
        relative = path.relative_to(stage)
        shell_hook = len(relative.parts) == 1
        if shell_hook or relative.parts[0] in NOT_DATA or path.is_relative_to(package.parent):
            continue
        folders.setdefault(str(relative.parent), []).append(os.path.relpath(path, ROOT))
    return sorted(folders.items())


def generate_in_place(package: Path) -> None:
    """Put the generated messages and their libraries next to the sources."""
    for stale in (ROOT / NAME).glob('*.so'):
        stale.unlink()
    for folder in GENERATED:
        shutil.rmtree(ROOT / NAME / folder, ignore_errors=True)
        shutil.copytree(package / folder, ROOT / NAME / folder)
    for library in package.glob('*.so'):
        shutil.copy2(library, ROOT / NAME)


class BuildWithCMake(build_py):
    """Replaces the copying of Python files: CMake installs them with everything else."""

    def run(self) -> None:
        stage = build_and_stage()
        (package,) = stage.glob(f'**/{NAME}/__init__.py')
        package = package.parent
        # Changed in place: the commands that copy the data hold this very list already.
        self.distribution.data_files[:] = wheel_data(stage, package)
        if self.editable_mode:
            generate_in_place(package)
        else:
            shutil.rmtree(Path(self.build_lib) / NAME, ignore_errors=True)
            shutil.copytree(package, Path(self.build_lib) / NAME)


class MessageDistribution(Distribution):
    """A distribution with compiled libraries and data, which setuptools cannot see by itself."""

    def has_ext_modules(self) -> bool:
        return True

    def has_data(self) -> bool:  # asked by editable installs, which else leave the data out
        return True


setup(
    version=version(),
    packages=[NAME],
    data_files=[('share', [])],  # filled by BuildWithCMake
    distclass=MessageDistribution,
    cmdclass={'build_py': BuildWithCMake},
    zip_safe=False,
)
