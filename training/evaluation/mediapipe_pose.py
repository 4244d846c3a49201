# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
MediaPipe pose beside ours: its environment, its run, and what it says in our terms.

It comes from its own wheel into an environment of its own, works as a process of its own on
pictures in a folder, and nothing of it enters ours.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from anny_ros.cli.benchmarks.report import CannotMeasure
from anny_ros.types import Camera
import numpy as np
from numpy.typing import NDArray

from training.evaluation.people import Estimates

FloatArray = NDArray[np.floating[Any]]

VERSION = '0.10.21'
# What its pose needs of its requirements; the others (jax, sentencepiece, sounddevice) serve
# other parts and are 500 MB.
_REQUIREMENTS = (
    'absl-py', 'attrs>=19.1.0', 'flatbuffers>=2.0', 'matplotlib', 'numpy<2',
    'opencv-contrib-python<4.12', 'protobuf>=4.25.3,<5',
)  # fmt: skip
_RUNNER = Path(__file__).with_name('mediapipe_runner.py')
# MediaPipe's 33 landmarks in COCO's order.
COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_LEAST_WEIGHT = 0.05
_REFINEMENTS = 4


@dataclass(frozen=True)
class Poses:
    """
    Bodies that MediaPipe found, M rows.

    Parameters
    ----------
    job, frame : ndarray, (M,), int
    box : ndarray, (M,), int
        Which of the picture's boxes was looked at; -1: all of the picture.
    landmarks : ndarray, (M, 33, 2), pixels; visibility : ndarray, (M, 33)
    world : ndarray, (M, 33, 3), metres
        About the middle of the hips.

    """

    job: NDArray[np.int64]
    frame: NDArray[np.int64]
    box: NDArray[np.int64]
    landmarks: FloatArray
    visibility: FloatArray
    world: FloatArray

    def __getitem__(self, rows: Any) -> Poses:
        """Take rows by a mask or an index array."""
        return Poses(
            self.job[rows], self.frame[rows], self.box[rows],
            self.landmarks[rows], self.visibility[rows], self.world[rows],
        )  # fmt: skip

    def estimates(self, camera: Camera) -> Estimates:
        """
        Say the same in our terms.

        World landmarks are those of somebody straight ahead, since the network sees a window
        about the person: they are turned to where the window is. The distance is where they lie
        best on their own 2D landmarks (least squares).
        """
        joints, position = placed(self.world, self.landmarks, self.visibility, camera.K)
        box = np.concatenate([self.landmarks.min(axis=1), self.landmarks.max(axis=1)], axis=1)
        return Estimates(
            bbox=box,
            keypoints_2d=self.landmarks[:, COCO],
            joints=joints[:, COCO],
            position=position,
            stature=np.full(len(box), np.nan),
        )


def towards(rays: FloatArray) -> FloatArray:
    """Rotations (N, 3, 3) that take the optical axis to rays (N, 3), the shortest way."""
    unit = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    x, y, z = unit.T
    zero = np.zeros(len(unit))
    # Rodrigues for axis (0, 0, 1) x unit, with 1 + cosine in the denominator.
    cross = np.stack(
        [np.stack(row, 1) for row in ((zero, zero, x), (zero, zero, y), (-x, -y, zero))], 1
    )
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + z)[:, None, None])


def placed(
    world: FloatArray, landmarks: FloatArray, visibility: FloatArray, K: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """
    Place bodies where their points lie best on their pixels.

    Parameters
    ----------
    world : ndarray, (N, P, 3), metres
        About any origin, as seen straight ahead.
    landmarks : ndarray, (N, P, 2), pixels
    visibility : ndarray, (N, P)
        Weights, 0 to 1.
    K : ndarray, (3, 3), pixels

    Returns
    -------
    joints : ndarray, (N, P, 3), metres
        Optical frame; weighted least squares of the pixels over translations.
    position : ndarray, (N, 3), metres
        Middle of the hips (landmarks 23 and 24).

    """
    rays = np.concatenate([landmarks, np.ones((*landmarks.shape[:2], 1))], -1) @ np.linalg.inv(K).T
    weight = np.maximum(visibility, _LEAST_WEIGHT)[..., None]
    turned = world @ towards((rays * weight).sum(1) / weight.sum(1)).transpose(0, 2, 1)
    xy = rays[..., :2]  # (N, P, 2)
    # (X + tx) / (Z + tz) = x is linear in t, if multiplied by the depth, which then is divided
    # out by weights from the round before.
    A = np.zeros((*xy.shape, 3))
    A[..., 0, 0] = A[..., 1, 1] = 1.0
    A[..., 2] = -xy
    b = xy * turned[..., 2:] - turned[..., :2]
    depth = np.ones(xy.shape[:2])
    translation = np.zeros((len(world), 3))
    for _ in range(_REFINEMENTS):
        scale = np.sqrt(weight) / depth[..., None]
        Aw, bw = A * scale[..., None], b * scale
        normal = np.einsum('npki,npkj->nij', Aw, Aw)
        right = np.einsum('npki,npk->ni', Aw, bw)
        translation = np.linalg.solve(normal, right[..., None])[..., 0]
        depth = np.maximum(turned[..., 2] + translation[:, None, 2], 0.05)
    joints = turned + translation[:, None]
    return joints, joints[:, 23:25].mean(axis=1)


def environment(folder: Path) -> Path:
    """
    Make MediaPipe's environment if it is not there.

    Returns
    -------
    Path
        Its Python.

    Raises
    ------
    CannotMeasure
        If it cannot be installed here.

    """
    python, done = folder / 'bin' / 'python', folder / f'mediapipe-{VERSION}'
    if done.is_file():
        return python
    print(f'installing MediaPipe {VERSION} into {folder} …', file=sys.stderr, flush=True)
    pip = [str(python), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    base = Path(sys.base_prefix) / 'bin' / f'python{sys.version_info[0]}.{sys.version_info[1]}'
    for command in (
        [str(base), '-m', 'venv', '--clear', str(folder)],
        [*pip, '--no-deps', f'mediapipe=={VERSION}'],
        [*pip, *_REQUIREMENTS],
    ):
        call(command, f'MediaPipe {VERSION} cannot be installed')
    done.touch()
    return python


def run(python: Path, jobs: list[dict[str, Any]], folder: Path) -> Poses:
    """
    Let MediaPipe work; see ``mediapipe_runner`` for the jobs.

    Raises
    ------
    CannotMeasure
        If it does not get through.

    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'jobs.json').write_text(json.dumps(jobs), encoding='utf-8')
    results = folder / 'results.npz'
    call(
        [str(python), '-I', str(_RUNNER), str(folder / 'jobs.json'), str(results)],
        f'MediaPipe {VERSION} did not get through',
    )
    with np.load(results, allow_pickle=False) as arrays:
        if str(arrays['version']) != VERSION:
            raise CannotMeasure(f'{python} has MediaPipe {arrays["version"]}, not {VERSION}')
        names = ('job', 'frame', 'box', 'landmarks', 'visibility', 'world')
        return Poses(*(arrays[name] for name in names))


def call(command: list[str], failed: str) -> None:
    """Run a process without our environment; CannotMeasure with its last words if it fails."""
    left_out = ('PYTHONPATH', 'PYTHONHOME', 'LD_LIBRARY_PATH', 'VIRTUAL_ENV')
    variables = {k: v for k, v in os.environ.items() if k not in left_out}
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, errors='replace', check=False
        )
    except OSError as error:
        raise CannotMeasure(f'{failed}: {error}') from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        last = ' '.join(lines[-1:]) or f'exit status {done.returncode}'
        raise CannotMeasure(f'{failed}: {last}')
