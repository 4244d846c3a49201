# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A rerun recording: camera and pictures, everybody's mesh, skeleton and way in 3D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anny_ros.cli.writers.part_file import PartFile
from anny_ros.errors import InputError
from anny_ros.render.colours import track_colour
from anny_ros.render.lines import Trails
from anny_ros.types import Camera, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

_CAMERA = 'world/camera'
_JPEG_QUALITY = 85
_OPACITY = 140  # of 255: the skeleton is seen through the mesh
_LABEL_ABOVE_HEAD = 0.4  # metres
_FRUSTUM = 1.0  # metres from the camera to its picture


class RerunFile:
    """
    Write a ``.rrd`` file.

    Parameters
    ----------
    path : Path
        It appears when the writer is closed.
    triangles : ndarray, (F, 3), int
        Of the surfaces that will come.
    bones : ndarray, (2 B,), int
        Joints at both ends of each bone to draw.

    Raises
    ------
    InputError
        If the path cannot be written or the rerun library is not there.

    """

    def __init__(
        self,
        path: Path,
        triangles: NDArray[np.integer[Any]],
        bones: NDArray[np.integer[Any]],
    ) -> None:
        try:
            import rerun
        except ImportError:
            raise InputError(
                'a rerun recording needs the rerun library; pip install rerun-sdk'
            ) from None
        self._rerun = rerun
        self._triangles = triangles
        self._bones = bones
        self._trails = Trails()
        self._target = PartFile(path)
        self._recording = rerun.RecordingStream('anny_ros')
        self._recording.save(str(self._target.part))
        self._recording.send_blueprint(_layout())
        self._recording.log('world', rerun.ViewCoordinates.RDF, static=True)
        self._present: set[str] = set()
        self._start: float | None = None

    def scene(
        self,
        rgb: NDArray[np.uint8] | None,
        scene: Scene,
        vertices: NDArray[np.floating[Any]],
    ) -> None:
        """
        Append one picture.

        Parameters
        ----------
        rgb : ndarray, (H, W, 3), uint8, or None
            Left out if None.
        scene : Scene
        vertices : ndarray, (N, V, 3), metres
            Surfaces of ``scene.humans``.

        """
        self._start = scene.stamp if self._start is None else self._start
        self._recording.set_time('time', duration=scene.stamp - self._start)
        self._camera(scene.camera, rgb)
        shown = [row for row in range(len(scene)) if scene.states[row] != TrackState.LOST]
        self._trails.extend(scene, shown)
        for row in shown:
            self._human(scene, row, vertices[row])
        present = {scene.ids[row] for row in shown}
        for gone in self._present - present:
            clear = self._rerun.Clear(recursive=True)
            self._recording.log(f'world/humans/{gone}', clear)
        self._present = present

    def close(self) -> None:
        """Finish the file and put it in its place."""
        self._end()
        self._target.commit()

    def abort(self) -> None:
        """Throw away what was written."""
        self._end()
        self._target.discard()

    def _end(self) -> None:
        self._recording.flush()
        self._recording.disconnect()

    def _camera(self, camera: Camera, rgb: NDArray[np.uint8] | None) -> None:
        pinhole = self._rerun.Pinhole(
            image_from_camera=camera.K,
            resolution=[camera.width, camera.height],
            camera_xyz=self._rerun.ViewCoordinates.RDF,
            image_plane_distance=_FRUSTUM,
        )
        self._recording.log(_CAMERA, pinhole)
        if rgb is None:
            return
        import cv2

        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
        picture = self._rerun.EncodedImage(contents=jpeg.tobytes(), media_type='image/jpeg')
        self._recording.log(f'{_CAMERA}/picture', picture)

    def _human(self, scene: Scene, row: int, vertices: NDArray[np.floating[Any]]) -> None:
        colour = [int(255 * v) for v in track_colour(int(scene.track_numbers[row]))]
        if scene.states[row] != TrackState.TRACKED:
            colour = [v // 2 for v in colour]
        path = f'world/humans/{scene.ids[row]}'
        mesh = self._rerun.Mesh3D(
            vertex_positions=vertices,
            vertex_normals=_normals(vertices, self._triangles),
            albedo_factor=[*colour, _OPACITY],
            # Only when somebody appears: what is not logged again stays as it was.
            triangle_indices=None if scene.ids[row] in self._present else self._triangles,
        )
        self._recording.log(f'{path}/mesh', mesh)
        ends = scene.humans.joint_positions[row][self._bones].reshape(-1, 2, 3)
        self._log_lines(f'{path}/skeleton', ends, colour, 0.008)
        trail = self._trails[int(scene.track_numbers[row])]
        if len(trail) > 1:
            self._log_lines(f'{path}/trail', trail[None], colour, 0.012)
        label = f'{scene.ids[row]} {TrackState(scene.states[row]).name.lower()}'
        head = scene.humans.head_position[row] + [0.0, -_LABEL_ABOVE_HEAD, 0.0]
        name = self._rerun.Points3D([head], radii=0.01, colors=colour, labels=[label])
        self._recording.log(f'{path}/label', name)

    def _log_lines(
        self, path: str, lines: NDArray[np.floating[Any]], colour: list[int], radius: float
    ) -> None:
        """Lines (L, P, 3) in metres."""
        strips = self._rerun.LineStrips3D(lines, radii=radius, colors=colour)
        self._recording.log(path, strips)


def _layout() -> Any:
    """Make what the viewer shows at first: the space, and beside it the pictures."""
    import rerun.blueprint as views

    space = views.Spatial3DView(origin='world', name='space')
    pictures = views.Spatial2DView(
        origin=_CAMERA,
        name='camera',
        contents=['$origin/**', 'world/humans/**'],
    )
    both = views.Horizontal(space, pictures, column_shares=[1, 1])
    return views.Blueprint(both, collapse_panels=True)


def _normals(
    vertices: NDArray[np.floating[Any]], triangles: NDArray[np.integer[Any]]
) -> NDArray[np.floating[Any]]:
    """Find the unit normal of each vertex, weighted by area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    corner = triangles.T.ravel()
    summed = [np.bincount(corner, np.tile(normal[:, k], 3), len(vertices)) for k in range(3)]
    normals = np.stack(summed, axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(lengths, 1e-12))
