# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""MoveNet MultiPose Lightning, fine-tuned, on ONNX Runtime: pictures in, heads out."""

from __future__ import annotations

from pathlib import Path

from anny_ros.errors import ModelError
from anny_ros.keypoints.decode import Heads
import numpy as np
from numpy.typing import NDArray
import onnxruntime

DEFAULT_MODEL = Path(__file__).parent.parent / 'assets' / 'keypoint_network.onnx'
# Sides of a picture must be multiples of this.
GRANULE = 32
# The weights were trained on x * _SCALE - 1; the factor is 1 / 127.5 rounded to 16 bits.
_SCALE = np.float32(0.007843017578125)
_HEADS = (
    'centre_heat',
    'box_size',
    'centre_offset',
    'regressed',
    'keypoint_heat',
    'keypoint_offset',
    'hints',
)


class MoveNet:
    """
    The 2D network.

    Parameters
    ----------
    model_path : Path or None
        ONNX file; None takes the one in the package.
    threads : int
        CPU threads; 0 takes all cores.

    Raises
    ------
    ModelError
        If the file is missing or is not this network.

    """

    def __init__(self, model_path: Path | str | None = None, threads: int = 0) -> None:
        path = Path(model_path or DEFAULT_MODEL)
        if not path.is_file():
            raise ModelError(f'there is no keypoint model at {path}; reinstall the package')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning threads steal the cores of the other nodes of a robot.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:
            raise ModelError(
                f'{path} cannot be loaded as an ONNX model; reinstall the package'
            ) from error
        if tuple(output.name for output in self._session.get_outputs()) != _HEADS:
            raise ModelError(
                f'{path} is not the keypoint network of this package; reinstall the package'
            )

    def __call__(self, pictures: NDArray[np.uint8]) -> Heads:
        """
        Run a batch.

        Parameters
        ----------
        pictures : ndarray, (B, H, W, 3), uint8
            RGB; H and W multiples of 32.

        Returns
        -------
        Heads

        """
        planes = np.empty((len(pictures), 3, *pictures.shape[1:3]), np.float32)
        np.multiply(pictures.transpose(0, 3, 1, 2), _SCALE, out=planes)
        planes -= np.float32(1.0)
        return Heads(*self._session.run(list(_HEADS), {'pictures': planes}))
