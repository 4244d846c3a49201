# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
import math

from anny_ros.errors import ModelError
from anny_ros.inference.estimator import Estimator, fallback_camera
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, CameraSource, Frame
import numpy as np
import pytest


def test_unknown_models_and_missing_weights_end_in_a_sentence(tmp_path):
    with pytest.raises(ModelError, match='neither a model name nor a file'):
        Estimator.load('anny-light')
    with pytest.raises(ModelError, match=r'set model\.checkpoint'):
        Estimator.load('', Parameters().with_values({'model.name': 'multihmr2'}))


def test_camera_of_the_picture_beats_the_parameter_beats_the_guess():
    rgb = np.zeros((480, 640, 3), np.uint8)
    given = Camera.from_hfov(0.9, 640, 480, CameraSource.CAMERA_INFO)
    with_k = Parameters().with_values({'camera.k': [600, 610, 300, 200]})
    assert fallback_camera(Frame(rgb, 0.0, given), with_k) is given
    camera = fallback_camera(Frame(rgb, 0.0), with_k)
    assert camera.source is CameraSource.PARAMETER
    np.testing.assert_array_equal(camera.K, [[600, 0, 300], [0, 610, 200], [0, 0, 1]])
    guess = fallback_camera(Frame(rgb, 0.0), Parameters().with_values({'camera.hfov': 1.0}))
    assert guess.source is CameraSource.ESTIMATED
    assert guess.hfov_stddev > 0
    assert math.isclose(guess.hfov, 1.0, rel_tol=1e-6)


def test_guessed_focal_length_does_not_depend_on_how_the_camera_is_held():
    wide = fallback_camera(Frame(np.zeros((480, 640, 3), np.uint8), 0.0), Parameters())
    tall = fallback_camera(Frame(np.zeros((640, 480, 3), np.uint8), 0.0), Parameters())
    assert wide.K[0, 0] == tall.K[0, 0]
