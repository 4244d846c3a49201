# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much the tracker's filter of poses takes of the jitter, and how far it lags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.geometry.rotations import rotvec_to_rotmat
from anny_ros.inference.assemble import assemble_detections
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.tracking import Tracker
from anny_ros.types import Camera, Detections
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
import torch

from training.poses import load_poses, PoseData

Float64Array = NDArray[np.float64]

# Of each joint's rotation, new in every picture, radians: what anny-lite shows on rendered videos.
NOISE = 0.07
NUM_CLIPS, NUM_FRAMES, RATE = 12, 60, 15.0
LAGS = np.arange(-0.05, 0.155, 0.005)
# Somebody at 5 m who stands upright in the optical frame (world: z up).
PLACE = np.array([0.0, 0.0, 5.0])
CAMERA_FROM_WORLD = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])


def measure_smoothing(data: Path, seed: int = 0) -> dict[str, float]:
    """
    Track noisy bodies of held-out motion and compare them with the exact ones.

    Returns
    -------
    dict
        ``jitter_ratio``: rms of the second differences of the errors of joints (relative to the
        pelvis), as measured over filtered; ``root_jitter_ratio``: the same of the root's
        orientation; ``error_measured_mm``, ``error_shown_mm``: mean distance of joints;
        ``lag_ms``: by how much the exact motion has to be delayed to fit the shown one best.

    """
    body = BodyModel.load()
    rng = np.random.default_rng(seed)
    _, held_out = load_poses(data)
    jitter = np.zeros((2, 2))  # joints and root; measured and shown
    errors, count = np.zeros(2), 0
    misfit = np.zeros(len(LAGS))
    for rotations in _clips(held_out, rng):
        exact, noisy = _bodies(body, rotations, rng)
        tracker = Tracker(seed=0)
        shown = Detections.concatenate(
            [tracker.update(replace(noisy[f], stamp=f / RATE)).humans for f in range(len(noisy))]
        )
        truth, measured, filtered = (_joints(people) for people in (exact, noisy, shown))
        for i, (joints, people) in enumerate(((measured, noisy), (filtered, shown))):
            jitter[0, i] += _roughness(joints - truth)
            jitter[1, i] += _roughness(people.rotations[:, 0] - exact.rotations[:, 0])
            errors[i] += np.linalg.norm(joints - truth, axis=-1).mean()
        misfit += _misfits(truth, filtered)
        count += 1
    ratio = np.sqrt(jitter[:, 0] / jitter[:, 1])
    return {
        'jitter_ratio': float(ratio[0]),
        'root_jitter_ratio': float(ratio[1]),
        'error_measured_mm': float(1e3 * errors[0] / count),
        'error_shown_mm': float(1e3 * errors[1] / count),
        'lag_ms': float(1e3 * LAGS[int(np.argmin(misfit))]),
    }


def _clips(poses: PoseData, rng: np.random.Generator) -> list[torch.Tensor]:
    """Draw stretches of motion, (F, 28, 3, 3) each."""
    names, counts = np.unique(poses.clip, return_counts=True)
    chosen = rng.permutation(names[counts >= NUM_FRAMES])[:NUM_CLIPS]
    return [
        poses.rotations[torch.as_tensor(np.flatnonzero(poses.clip == c)[:NUM_FRAMES])]
        for c in chosen
    ]


def _bodies(
    body: BodyModel, rotations: torch.Tensor, rng: np.random.Generator
) -> tuple[Detections, Detections]:
    """Make Detections with a row a frame: exact ones, and with noise."""
    num = len(rotations)
    rows = [body.joint_index(name) for name in LIFTED_JOINTS]
    world = torch.eye(3).repeat(num, len(body.joint_names), 1, 1)
    world[:, rows] = rotations
    world[:, 0] = torch.as_tensor(CAMERA_FROM_WORLD, dtype=torch.float32) @ world[:, 0]
    phenotype = torch.full((num, 6), 0.5)
    phenotype[:, 1] = 0.8
    local = body.local_from_world(phenotype, world).numpy()
    turn = rotvec_to_rotmat(NOISE * rng.normal(size=(num, len(rows), 3)))
    noisy = local.copy()
    noisy[:, rows] = turn @ noisy[:, rows]
    exact, shaken = (
        assemble_detections(
            body,
            stamp=0.0,
            camera=Camera.from_hfov(1.2, 1280, 720),
            score=np.full(num, 0.9, np.float32),
            phenotype=phenotype.numpy(),
            rotations=pose,
            translation=np.tile(PLACE, (num, 1)).astype(np.float32),
        )
        for pose in (local, noisy.astype(np.float32))
    )
    return exact, shaken


def _joints(people: Detections) -> Float64Array:
    return np.asarray(people.joint_positions - people.position[:, None], np.float64)


def _roughness(errors: NDArray[np.floating]) -> float:
    return float(np.mean(np.diff(errors[10:].astype(np.float64), n=2, axis=0) ** 2))


def _misfits(truth: Float64Array, shown: Float64Array) -> Float64Array:
    """Squared distance (L,) of what is shown from the truth delayed by each lag."""
    stamps = np.arange(len(truth)) / RATE
    inside = (stamps > 1.0) & (stamps < stamps[-1] + LAGS[0])
    exact = CubicSpline(stamps, truth, axis=0)
    distances = []
    for lag in LAGS:
        offset = shown[inside] - exact(stamps[inside] - lag)
        distances.append(float(np.sum((offset - offset.mean(axis=0)) ** 2)))
    return np.array(distances)
