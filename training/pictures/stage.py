# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From a scene in the world to one picture with labels; pictures and videos share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.geometry.camera import project, scale_camera
from anny_ros.render.rasterise import NEAR, visible_pixels
from anny_ros.types import Camera
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from training.pictures.draw import draw_people, Drawing, PosedFigure, SUPERSAMPLE
from training.pictures.figure import Figure
from training.pictures.labels import camera_truth, KeypointState, Labels, WorldPoses
from training.pictures.light import shadow_map, ShadowMap
from training.pictures.scenery import draw_sky, Scenery
from training.pictures.surroundings import Canvas, draw_quad, triangles_of

_FAINTEST = 1e-6
_OUTLINE_SIDE = 160  # pixels


@dataclass(frozen=True)
class View:
    """
    A camera in the world.

    Parameters
    ----------
    camera : Camera
    R : ndarray, (3, 3), float64
        From the world (z up) to the optical frame.
    position : ndarray, (3,), metres

    """

    camera: Camera
    R: NDArray[np.float64]
    position: NDArray[np.float64]

    @property
    def camera_from_world(self) -> NDArray[np.float64]:
        """Homogeneous transform (4, 4) from the world to the optical frame."""
        T = np.eye(4)
        T[:3, :3] = self.R
        T[:3, 3] = -self.R @ self.position
        return T


@dataclass(frozen=True)
class Cast:
    """
    People of a scene, one row each.

    Parameters
    ----------
    identity : ndarray, (N,), int64
    figures : tuple of N Figure
    poses : WorldPoses

    """

    identity: NDArray[np.int64]
    figures: tuple[Figure, ...]
    poses: WorldPoses


@dataclass(frozen=True)
class Shot:
    """
    A rendered scene before the camera's own effects.

    Parameters
    ----------
    light : ndarray, (H, W, 3), float32
        Linear.
    depth : ndarray, (H, W), float32, metres
        Along the optical axis, of the first sample of each pixel, which is a quarter of a pixel
        left of and above the middle; inf where nothing is.
    labels : Labels

    """

    light: NDArray[np.float32]
    depth: NDArray[np.float32]
    labels: Labels


def lowest_point(figure: Figure, rotations: torch.Tensor, offsets: torch.Tensor) -> float:
    """Height in metres of a dressed person's lowest vertex over the root joint."""
    return float(figure.levels[1].pose(rotations, offsets)[0][:, 2].min())


def _pose_figures(cast: Cast, view: View) -> list[PosedFigure]:
    people = []
    focal = SUPERSAMPLE * view.camera.K[0, 0]
    for i, figure in enumerate(cast.figures):
        depth = (cast.poses.landmarks[i] - view.position) @ view.R[2]
        pixel = max(float(depth.min()), 0.3) / focal
        level = figure.level(pixel)
        vertices, normals = level.pose(cast.poses.skin_rotations[i], cast.poses.skin_offsets[i])
        vertices = (vertices + cast.poses.translation[i]).astype(np.float32)
        people.append(PosedFigure(figure, level, vertices, normals))
    return people


def _shadows(cast: Cast, scenery: Scenery) -> list[ShadowMap]:
    casters: list[tuple[Any, Any]] = []
    for i, figure in enumerate(cast.figures):
        level = figure.levels[-1]
        vertices, _ = level.pose(cast.poses.skin_rotations[i], cast.poses.skin_offsets[i])
        casters.append((vertices + cast.poses.translation[i], level.faces))
    objects = [q for q in scenery.quads if q.item >= 0]
    if objects:
        casters.append(triangles_of(objects))
    if not casters:
        return []
    return [shadow_map(light, casters) for light in scenery.lighting.lights]


def _draw_quads(canvas: Canvas, scenery: Scenery, shadows: list[ShadowMap], solid: bool) -> None:
    """Draw the things that stand about, or else floor and walls; near to far, to draw less."""
    quads = [q for q in scenery.quads if (q.item >= 0) == solid]
    distance = [np.linalg.norm(q.corners().mean(0) - canvas.position) for q in quads]
    for k in np.argsort(distance):
        quad = quads[k]
        draw_quad(canvas, quad, scenery.textures[quad.texture], scenery.lighting, shadows)


def render(body: BodyModel, cast: Cast, scenery: Scenery, view: View) -> Shot:
    """
    Render a scene.

    Parameters
    ----------
    body : BodyModel
    cast : Cast
    scenery : Scenery
    view : View

    Returns
    -------
    Shot

    """
    width, height = view.camera.width, view.camera.height
    shadows = _shadows(cast, scenery)
    # Floor, walls and sky fill the picture and have hardly an edge: one sample a pixel will do.
    canvas = Canvas(
        colour=draw_sky(scenery, view.camera, view.R),
        inverse_depth=np.zeros((height, width), np.float32),
        K=view.camera.K,
        R=view.R,
        position=view.position,
    )
    _draw_quads(canvas, scenery, shadows, solid=False)
    large = scale_camera(view.camera, SUPERSAMPLE * width, SUPERSAMPLE * height)
    size = (large.width, large.height)
    canvas = replace(
        canvas,
        colour=cv2.resize(canvas.colour, size, interpolation=cv2.INTER_NEAREST),
        inverse_depth=cv2.resize(canvas.inverse_depth, size, interpolation=cv2.INTER_LINEAR),
        K=large.K,
    )
    _draw_quads(canvas, scenery, shadows, solid=True)
    people = _pose_figures(cast, view)
    drawing = draw_people(canvas, people, scenery.lighting, shadows)
    light = cv2.resize(canvas.colour, (width, height), interpolation=cv2.INTER_AREA)
    # Depth of one of the samples of each pixel: a mean of two surfaces would be neither.
    inverse = canvas.inverse_depth[::SUPERSAMPLE, ::SUPERSAMPLE]
    with np.errstate(divide='ignore'):
        depth = np.where(inverse > _FAINTEST, 1.0 / inverse, np.inf).astype(np.float32)
    return Shot(light, depth, _labels(body, cast, people, view, drawing))


def _labels(
    body: BodyModel, cast: Cast, people: list[PosedFigure], view: View, drawing: Drawing
) -> Labels:
    truth = camera_truth(body, cast.poses, view.R, view.position)
    num = len(cast.identity)
    owner = drawing.owner.reshape(-1)
    shapes = drawing.silhouettes
    seen = np.array([np.count_nonzero(owner[s.pixel] == i) for i, s in enumerate(shapes)])
    alone = np.array([len(s.pixel) for s in shapes])
    boxes = np.zeros((num, 4), np.float32)
    inside = np.zeros(num, np.float32)
    for i, (person, shape) in enumerate(zip(people, shapes, strict=True)):
        boxes[i], inside[i] = _extent(person.level.faces, shape.vertices, view.camera)
    keypoints_2d = project(truth['keypoints_3d'], view.camera.K)
    return Labels(
        identity=cast.identity,
        keypoints_2d=keypoints_2d.astype(np.float32),
        keypoint_state=_states(truth, keypoints_2d, drawing),
        bbox=boxes,
        visible_share=(seen / np.maximum(alone, 1)).astype(np.float32).reshape(num),
        inside_share=inside,
        pixels=(seen / SUPERSAMPLE**2).astype(np.float32).reshape(num),
        **truth,
    )


def _extent(
    faces: NDArray[np.int64], vertices: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.float32], float]:
    """Box of all of a mesh in the optical frame, and the share of its outline in the picture."""
    ahead = vertices[vertices[:, 2] > NEAR]
    if not len(ahead):
        return np.full(4, np.nan, np.float32), 0.0
    uv = project(ahead, camera.K)
    low, high = uv.min(0), uv.max(0)
    box = np.concatenate([low, high]).astype(np.float32)
    size = np.array([camera.width, camera.height])
    if (low > 0).all() and (high < size - 1).all():
        return box, 1.0
    if (high < -0.5).any() or (low > size - 0.5).any():
        return box, 0.0
    # Truncated: count the pixels of all of the silhouette on a small canvas of its own.
    scale = _OUTLINE_SIDE / float((high - low).max())
    K = np.diag([scale, scale, 1.0]) @ camera.K
    K[:2, 2] -= scale * low
    side = _OUTLINE_SIDE + 1
    pixel, _, _ = visible_pixels(vertices, faces, K, side, side)
    row, column = np.divmod(pixel, side)
    back = np.stack([column, row], 1) / scale + low
    inside = ((back >= -0.5) & (back <= size - 0.5)).all(1)
    return box, float(inside.mean()) if len(inside) else 0.0


# How deep under the surface keypoints lie, metres for a stature of 1.7 m: head, trunk, limbs.
_DEEP = np.array(
    [0.05, 0.06, 0.06, 0.08, 0.08, *[0.11] * 2, *[0.07] * 4, *[0.16] * 2, *[0.09] * 4]
)


def _states(
    truth: dict[str, NDArray[Any]],
    uv: NDArray[np.float64],
    drawing: Drawing,
) -> NDArray[np.uint8]:
    """Whether each keypoint is seen: compare its depth with what is drawn at its pixel."""
    height, width = drawing.owner.shape
    at = SUPERSAMPLE * (np.nan_to_num(uv, nan=-1e6) + 0.5) - 0.5
    column, row = np.rint(np.clip(at, -1e6, 1e6)).astype(np.int64).transpose(2, 0, 1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    owner = drawing.owner[row, column]
    with np.errstate(divide='ignore'):
        depth = 1.0 / drawing.canvas.inverse_depth[row, column]
    mine = owner == np.arange(len(owner))[:, None]
    margin = _DEEP * (truth['stature'][:, None] / 1.7)
    z = truth['keypoints_3d'][..., 2]
    state = np.full(owner.shape, KeypointState.VISIBLE, np.uint8)
    state[mine & (depth < z - margin)] = KeypointState.SELF_HIDDEN
    state[~mine & (depth < z - 0.25 * margin)] = KeypointState.HIDDEN
    state[~inside | (z <= 0.05)] = KeypointState.OUTSIDE
    return state
