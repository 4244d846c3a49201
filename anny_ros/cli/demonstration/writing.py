# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From the bag of the demo to its other outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.cli.demonstration.presence import Presence
from anny_ros.cli.demonstration.received import scene_from_message
from anny_ros.cli.sources.ros_image import decode_raw
from anny_ros.cli.sources.video import VideoSource
from anny_ros.cli.writers.jsonl import JsonlWriter
from anny_ros.cli.writers.overlay_video import OverlayVideo
from anny_ros.render.lines import bone_ends
from anny_ros.types import Scene, TrackState
import numpy as np
from numpy.typing import NDArray
import torch

_HUMANS, _MESHES, _OVERLAY = '/anny/humans', '/anny/meshes', '/anny/overlay'
_RESOLUTION = 'coarse'


def write_outputs(folder: Path, clip: Path) -> Presence:
    """
    Write tracks.jsonl, overlay.mp4 and demo.rrd from demo.mcap.

    Parameters
    ----------
    folder : Path
    clip : Path
        What was played; only its frame rate is taken.

    Returns
    -------
    Presence
        Who was seen.

    """
    from tqdm import tqdm

    # Small arrays: on a busy machine threads that wait for each other take five times as long.
    torch.set_num_threads(1)
    body = BodyModel.load()
    fps = VideoSource(clip).fps
    presence = Presence()
    with ExitStack() as undo:
        tracks = JsonlWriter(folder / 'tracks.jsonl')
        overlay = OverlayVideo(folder / 'overlay.mp4', fps)
        recording = _rerun_file(folder / 'demo.rrd', body)
        writers = [w for w in (tracks, overlay, recording) if w is not None]
        for writer in writers:
            undo.callback(writer.abort)
        pictures = tqdm(_pictures(folder / 'demo.mcap'), unit=' pictures', desc='writing')
        for index, (humans, meshes, picture) in enumerate(pictures):
            scene = scene_from_message(humans, body)
            if index == 0:
                model = {'name': 'anny_ros node', 'body': body.name}
                tracks.header(scene.camera.width, scene.camera.height, fps, model)
            tracks.scene(index, scene)
            presence.add(scene)
            rgb = None if picture is None else decode_raw(picture)
            if rgb is not None:
                overlay.picture(rgb)
            if recording is not None:
                recording.scene(rgb, *_with_meshes(scene, meshes))
        undo.pop_all()
        for writer in writers:
            writer.close()
    return presence


def _pictures(path: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Messages of the same picture together: people, meshes, overlay (None if one is missing)."""
    from rosbags.highlevel import AnyReader

    topics = (_HUMANS, _MESHES, _OVERLAY)
    with AnyReader([path]) as reader:
        connections = [c for c in reader.connections if c.topic in topics]
        waiting: dict[tuple[int, int], dict[str, Any]] = {}
        for connection, _, raw in reader.messages(connections):
            message: Any = reader.deserialize(raw, connection.msgtype)
            stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
            # Everything of older pictures has arrived.
            for older in sorted(s for s in waiting if s < stamp):
                parts = waiting.pop(older)
                if _HUMANS in parts:
                    yield parts[_HUMANS], parts.get(_MESHES), parts.get(_OVERLAY)
            waiting.setdefault(stamp, {})[connection.topic] = message
        for stamp in sorted(waiting):
            parts = waiting[stamp]
            if _HUMANS in parts:
                yield parts[_HUMANS], parts.get(_MESHES), parts.get(_OVERLAY)


def _with_meshes(scene: Scene, meshes: Any) -> tuple[Scene, NDArray[np.float32]]:
    """Surfaces (N, V, 3) for the rows of a scene; who has none becomes LOST."""
    surfaces = {str(m.id): m.vertices for m in meshes.meshes} if meshes is not None else {}
    states = scene.states.copy()
    size = max((len(v) for v in surfaces.values()), default=0)
    vertices = np.zeros((len(scene), size // 3, 3), np.float32)
    for row, name in enumerate(scene.ids):
        if name in surfaces:
            vertices[row] = np.asarray(surfaces[name], np.float32).reshape(-1, 3)
        else:
            states[row] = TrackState.LOST
    return replace(scene, states=states), vertices


def _rerun_file(path: Path, body: BodyModel) -> Any:
    """Open the recording for rerun; None if that library is not there (it is optional)."""
    try:
        import rerun  # noqa: F401
    except ImportError:
        return None
    from anny_ros.cli.writers.rerun_file import RerunFile

    return RerunFile(path, body.triangles(_RESOLUTION), bone_ends(body))
