# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Our body model against the official one, on the same people in the same process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import importlib
import logging
import sys
import time
from typing import Any
import warnings

from anny_ros.cli.benchmarks.report import CannotMeasure, Report
from anny_ros.cli.benchmarks.timing import side_by_side
import numpy as np
from numpy.typing import NDArray

KEYS = (
    'skinning_over_official_n1',
    'skinning_over_official_n8',
    'skinning_over_reference_n1',
    'skinning_over_reference_n8',
    'skinning_max_error_m',
)

FloatArray = NDArray[np.floating[Any]]


def measure(report: Report, seconds: float = 4.0) -> None:
    """
    Fill in ``KEYS``: time of an official call over ours, and how far ours is off.

    Ours is ``BodyModel.vertices``, from the arrays of people to those of their full-size meshes
    (13718 vertices), for 1 and for 8 people. Official calls get tensors and give tensors, in
    float32, as their users cast them. All run in one thread, as anny-lite does, and times are that
    thread's processor time: those of a quiet machine, also on one that is not.

    * ``skinning_over_official_*``: the leanest call that the official package can make for our
      vertices: ``Anny`` with topology "anny" and without local changes, with the faster of its
      two ways to skin, "lbs" and "warp_lbs".
    * ``skinning_over_reference_*``: the call of the reference set-up of Multi-HMR 2, which makes
      its model by ``create_fullbody_model(local_changes=True,
      pose_parameterization='root_relative', remove_unattached_vertices=False)`` and leaves the
      rest to the package: 19158 vertices, among them ours, and 647 blend shapes.
    * ``skinning_max_error_m``: against the lean model as it is built, in float64.

    The official package builds and keeps what its models need, which takes minutes the first time.
    """
    try:
        reports = importlib.import_module('warp').config  # on standard output, if it is not told
        reports.quiet, reports.log_level = True, logging.WARNING
        import anny
    except ImportError:
        raise CannotMeasure(
            'needs the official body model, a development package: pip install anny==0.6.2'
        ) from None
    from anny_ros.body import BodyModel
    import torch

    torch.set_num_threads(1)
    body = BodyModel.load()
    print('making the official models (minutes, the first time) …', file=sys.stderr, flush=True)
    lean = partial(
        anny.Anny,
        rig='makehuman-blender',
        topology='anny',
        pose_parameterization='local-bone',
    )
    exact = lean(skinning_method='lbs')
    models = {name: lean(skinning_method=name).to(torch.float32) for name in ('lbs', 'warp_lbs')}
    reference = _reference_model()
    worst = 0.0
    for count in (1, 8):
        phenotype, rotations, translation = _people(count, len(body.joint_names))
        people = _detections(body, phenotype, rotations, translation)
        pose = _official_pose(exact, body, rotations, translation)
        shape = torch.as_tensor(phenotype)
        ours = partial(body.vertices, people, 'full')
        as_built = _official_call(exact, pose, shape.double())
        worst = max(worst, float(np.abs(ours() - as_built()['vertices'].numpy()).max()))
        ways = {
            **{n: _official_call(m, pose.float(), shape) for n, m in models.items()},
            'lbs_as_built_float64': as_built,
            'ours': ours,
            'ours_coarse': partial(body.vertices, people, 'coarse'),
        }
        ms = _timed(ways, seconds)
        lean_ms = min(ms[name] for name in models)
        report.results[f'skinning_over_official_n{count}'] = round(lean_ms / ms['ours'], 2)
        report.results[f'skinning_ms_n{count}'] = ms

        of_reference = _official_call(reference, pose.float(), shape)
        ms = _timed({'reference': of_reference, 'ours': ours}, seconds)
        report.results[f'skinning_over_reference_n{count}'] = round(
            ms['reference'] / ms['ours'], 2
        )
        same = of_reference()['vertices'].numpy()[:, exact.base_mesh_vertex_indices.numpy()]
        ms['difference_m'] = float(np.abs(same - ours()).max())
        report.results[f'skinning_reference_ms_n{count}'] = ms
    report.results['skinning_max_error_m'] = worst


def _reference_model() -> Any:
    """Make the model of the reference set-up, in float32."""
    from anny.models import create_fullbody_model
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        model = create_fullbody_model(
            local_changes=True,
            pose_parameterization='root_relative',
            remove_unattached_vertices=False,
        )
    return model.to(torch.float32)


def _timed(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Milliseconds of the processor for each, side by side."""
    times = side_by_side(*ways.values(), seconds=seconds, clock=time.thread_time)
    return {name: round(ms, 2) for name, ms in zip(ways, times, strict=True)}


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
