# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
from anny_ros.body import BodyModel
from anny_ros.types import Camera, Detections
import numpy as np
import pytest


@pytest.fixture(scope='session')
def body():
    return BodyModel.load()


@pytest.fixture(scope='session')
def official():
    """Anny's own float64 models; building them the first time takes two minutes."""
    anny = pytest.importorskip('anny', reason='needs the development package anny==0.6.2')
    models = {}
    for resolution, topology in (('full', 'anny'), ('coarse', 'notoes_collapse10pc')):
        models[resolution] = anny.Anny(
            rig='makehuman-blender',
            topology=topology,
            pose_parameterization='local-bone',
            skinning_method='lbs',
        )
    return models


@pytest.fixture(scope='session')
def random_rotations():
    """Make rotations of random axes by normal angles (radians), in float64."""
    from scipy.spatial.transform import Rotation

    def make(rng, shape, scale=1.0):
        rotvec = rng.normal(scale=scale, size=(int(np.prod(shape)), 3))
        return Rotation.from_rotvec(rotvec).as_matrix().reshape(*shape, 3, 3)

    return make


@pytest.fixture(scope='session')
def detections_of(body):
    """Make rows that hold just a pose, enough for the mesh."""

    def make(phenotype, rotations, translation):
        camera = Camera.from_hfov(1.0, 640, 480)
        blank = Detections.empty(0.0, camera, len(body.joint_names))
        arrays = {
            name: np.zeros((len(phenotype), *value.shape[1:]), np.float32)
            for name, value in vars(blank).items()
            if isinstance(value, np.ndarray)
        }
        arrays.update(phenotype=phenotype, rotations=rotations, translation=translation)
        return Detections(stamp=0.0, camera=camera, **arrays)

    return make
