# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A bag (mcap) with the topics that the node would have published for a recording."""

from __future__ import annotations

from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.errors import InputError
from anny_ros.parameters import Parameters
from anny_ros.types import Frame, Scene


class RosBag:
    """
    Write people, meshes, markers, points, cues, transforms and the body model.

    Parameters
    ----------
    path : Path
        ``.mcap``; it appears when the writer is closed.
    body : BodyModel
    parameters : Parameters

    Raises
    ------
    InputError
        If something is there already, the path cannot be written, or ROS's messages are missing.

    """

    def __init__(self, path: Path, body: BodyModel, parameters: Parameters) -> None:
        try:
            from anny_ros.cli.demonstration.bag import BagWriter
            from anny_ros.ros.offline import OfflinePublishers
        except ImportError as error:
            raise InputError(
                f'--bag needs the messages of ROS 2 ({error.name or error} is missing); source a '
                'ROS installation with this package, or leave it out'
            ) from None
        self._bag = BagWriter(path, metadata=False)
        try:
            self._bag.open()
            self._publishers = OfflinePublishers(self._bag, body, parameters)
        except BaseException:
            self._bag.abort()
            raise

    @staticmethod
    def check(path: Path) -> None:
        """InputError if a bag cannot be written there."""
        if path.suffix != '.mcap':
            raise InputError(f'--bag writes mcap: name it *.mcap, not {path.name!r}')
        if path.exists():
            raise InputError(f'{str(path)!r} is there already; delete it, or give another name')
        if not path.parent.is_dir():
            raise InputError(
                f'cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; make it'
            )

    def scene(self, frame: Frame, scene: Scene, nanoseconds: int, frame_id: str) -> None:
        """Append one picture's messages; stamp in nanoseconds and optical frame of the picture."""
        self._publishers.scene(frame, scene, nanoseconds, frame_id)

    def close(self) -> None:
        """Finish the file and put it in its place."""
        self._bag.close()

    def abort(self) -> None:
        """Throw away what was written."""
        self._bag.abort()
