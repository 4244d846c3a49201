# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What every estimator looks like, and how one is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
import os
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.errors import ModelError
from anny_ros.parameters import Parameters
from anny_ros.types import Camera, CameraSource, Detections, Frame
import numpy as np

EMBEDDED = 'anny-lite'


class Estimator(ABC):
    """
    From one picture to everybody in it; keeps nothing from one picture to the next.

    Attributes
    ----------
    name : str
        Of the model.
    backend : str
        Runtime that does the work.
    body : BodyModel
    parameters : Parameters
        May be replaced between pictures; parameters that are marked dynamic take effect.
    default_threshold : float
        Lowest score of a person that the model was made for.
    camera_filter : callable or None
        ``(Camera, stamp) -> Camera``, asked where no camera is given, before anybody is placed:
        whoever has several pictures of one camera knows it better than a single one does
        (``Perception``).
    assumes_camera : bool
        Whether the model only assumes a field of view where no camera is given, instead of reading
        it from the picture.
    num_rejected : int
        How often numbers that are not finite were left out.

    """

    name: str
    backend: str
    body: BodyModel
    parameters: Parameters
    default_threshold: float
    camera_filter: Callable[[Camera, float], Camera] | None = None
    assumes_camera: bool = False
    num_rejected: int = 0

    @property
    def threshold(self) -> float:
        """Lowest score of a person: ``detection.threshold``, or the model's own."""
        wanted = self.parameters.detection.threshold
        return wanted if wanted >= 0 else self.default_threshold

    @abstractmethod
    def __call__(self, frame: Frame) -> Detections:
        """
        Find and reconstruct everybody.

        Parameters
        ----------
        frame : Frame

        Returns
        -------
        Detections
            Sorted by falling score; zero rows when nobody is seen.

        """

    @staticmethod
    def load(model: str = '', parameters: Parameters | None = None) -> Estimator:
        """
        Make an estimator.

        Parameters
        ----------
        model : str
            ``anny-lite`` or the path of a Multi-HMR 2 checkpoint; empty: as the parameters
            ``model.name`` and ``model.checkpoint`` say.
        parameters : Parameters or None
            None takes the defaults.

        Returns
        -------
        Estimator

        Raises
        ------
        ModelError
            If there is no such model or file, or its runtime is missing.

        """
        parameters = parameters or Parameters()
        if not model:
            model = parameters.model.name
            if model != EMBEDDED:
                model = parameters.model.checkpoint
        if model == EMBEDDED:
            from anny_ros.inference.lite import LiteEstimator

            return LiteEstimator(parameters)
        if not model:
            raise ModelError(
                f'{parameters.model.name} needs its weights; set model.checkpoint to your '
                'multihmr2.pt or model.name to anny-lite'
            )
        # Path.is_file raises where the name is too long or a folder may not be entered.
        if not os.path.isfile(model):  # noqa: PTH113
            raise ModelError(
                f'{model!r} is neither a model name nor a file; use anny-lite or the path of '
                'your multihmr2.pt'
            )
        from anny_ros.inference.single_shot import SingleShotEstimator

        return SingleShotEstimator.load(Path(model), parameters)


def fallback_camera(frame: Frame, parameters: Parameters) -> Camera:
    """
    Choose the best camera there is for a picture when the model cannot tell one.

    The picture's own camera wins, then the parameter ``camera.k``, then ``camera.hfov`` (across
    the longer side), whose standard deviation is taken as a fifth of it.
    """
    if frame.camera is not None:
        return frame.camera
    height, width = frame.rgb.shape[:2]
    if parameters.camera.k:
        fx, fy, cx, cy = parameters.camera.k
        given = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        return Camera(given, width, height, CameraSource.PARAMETER)
    hfov, longest = parameters.camera.hfov, max(width, height)
    across = Camera.from_hfov(hfov, longest, longest)
    K = across.K.copy()
    K[0, 2], K[1, 2] = (width - 1) / 2, (height - 1) / 2
    camera = Camera(K, width, height, CameraSource.ESTIMATED)
    return Camera(K, width, height, CameraSource.ESTIMATED, 0.2 * camera.hfov)
