# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Our body model against the official one, on the same people in the same process."""

from __future__ import annotations

from functools import partial
from typing import Any

from anny_ros.cli.benchmarks.report import CannotMeasure, Report
from anny_ros.cli.benchmarks.timing import side_by_side
import numpy as np
from numpy.typing import NDArray

KEYS = ('skinning_over_official_n1', 'skinning_over_official_n8', 'skinning_max_error_m')

FloatArray = NDArray[np.floating[Any]]


def measure(report: Report, seconds: float = 4.0) -> None:
    """
    Fill in ``KEYS``.

    The official model is cast to float32, as its users do, and both run in one thread, as
    anny-lite does. The error is against the official model as it is built, in float64.
    """
    try:
        import anny
    except ImportError:
        raise CannotMeasure(
            'needs the official body model, a development package: pip install anny==0.6.2'
        ) from None
    from anny_ros.body import BodyModel
    import torch

    torch.set_num_threads(1)
    body = BodyModel.load()
    options = {
        'rig': 'makehuman-blender',
        'topology': 'anny',
        'pose_parameterization': 'local-bone',
        'skinning_method': 'lbs',
    }
    exact = anny.Anny(**options)
    quick = anny.Anny(**options).to(torch.float32)
    worst = 0.0
    for count in (1, 8):
        phenotype, rotations, translation = _people(count, len(body.joint_names))
        people = _detections(body, phenotype, rotations, translation)
        pose = _official_pose(exact, body, rotations, translation)
        shape = torch.as_tensor(phenotype)
        in_float32 = _official_call(quick, pose.float(), shape.float())
        as_built = _official_call(exact, pose, shape.double())
        truth = as_built()['vertices'].numpy()
        worst = max(worst, float(np.abs(body.vertices(people, 'full') - truth).max()))
        official, float64, ours = side_by_side(
            in_float32, as_built, partial(body.vertices, people, 'full'), seconds=seconds
        )
        report.results[f'skinning_over_official_n{count}'] = round(official / ours, 2)
        report.results[f'skinning_ms_n{count}'] = {
            'official': round(official, 2),
            'official_as_built_float64': round(float64, 2),
            'ours': round(ours, 2),
        }
    report.results['skinning_max_error_m'] = worst


def _official_call(model: Any, pose: Any, shape: Any) -> Any:
    import torch

    def call() -> Any:
        with torch.inference_mode():
            return model(pose_parameters=pose, phenotype_kwargs=shape)

    return call


def _official_pose(model: Any, body: Any, rotations: FloatArray, translation: FloatArray) -> Any:
    """(N, bones, 4, 4) float64; bones that we merged stay unturned."""
    import torch

    labels = list(model.bone_labels)
    index = [labels.index(name) for name in body.joint_names]
    pose = torch.eye(4, dtype=torch.float64).repeat(len(rotations), len(labels), 1, 1)
    pose[:, index, :3, :3] = torch.as_tensor(rotations, dtype=torch.float64)
    pose[:, 0, :3, 3] = torch.as_tensor(translation, dtype=torch.float64)
    return pose


def _people(count: int, num_joints: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Random people as float32, which both models then get exactly."""
    from anny_ros.geometry.rotations import rotvec_to_rotmat

    rng = np.random.default_rng(count)
    rotvec = rng.normal(scale=0.4, size=(count, num_joints, 3))
    rotations = np.asarray(rotvec_to_rotmat(rotvec), np.float32)
    phenotype = rng.random((count, 6)).astype(np.float32)
    return phenotype, rotations, rng.normal(size=(count, 3)).astype(np.float32)


def _detections(
    body: Any, phenotype: FloatArray, rotations: FloatArray, translation: FloatArray
) -> Any:
    from anny_ros.inference.assemble import assemble_detections
    from anny_ros.types import Camera

    return assemble_detections(
        body,
        stamp=0.0,
        camera=Camera.from_hfov(1.0, 640, 480),
        score=np.ones(len(phenotype)),
        phenotype=phenotype,
        rotations=rotations,
        translation=translation,
    )
