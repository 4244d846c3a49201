# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Render videos of several people with the truth about everybody, for trackers to be measured on.

    python -m training.pictures.sequences DATA --scenario crossing --output out/crossing.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
import sys

from anny_ros.errors import AnnyError, InputError
from anny_ros.types import Camera, CameraSource
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from training.pictures.actors import Performance
from training.pictures.casting import Casting
from training.pictures.contact_sheet import draw_labels
from training.pictures.effects import develop, expose, Sensor
from training.pictures.gait import Repertoire
from training.pictures.labels import Labels, pose_bodies, WorldPoses
from training.pictures.light import look_at
from training.pictures.materials import Materials
from training.pictures.motions import load_motions
from training.pictures.pack import SPLITS
from training.pictures.scenarios import RobotPath, SCENARIOS, Script
from training.pictures.scene import Picture, Studio
from training.pictures.scenery import sample_scenery
from training.pictures.stage import Cast, lowest_point, render, View

_REACH = 9.0  # metres to the farthest person


@dataclass(frozen=True)
class SequenceFrame:
    """
    One picture of a sequence and the truth about it.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
    stamp : float, seconds
    camera : Camera
    camera_from_world : ndarray, (4, 4), float64
        Homogeneous transform to the optical frame; the world's z is up, the floor is z = 0.
    depth : ndarray, (H, W), float32, metres
        Along the optical axis; inf where nothing is.
    labels : Labels
        Everybody, also those who are hidden or outside of the picture (``visible_share``,
        ``pixels``); ``identity`` is the same all along. ``Labels.detections`` makes
        Detections of them.

    """

    rgb: NDArray[np.uint8]
    stamp: float
    camera: Camera
    camera_from_world: NDArray[np.float64]
    depth: NDArray[np.float32]
    labels: Labels


@lru_cache(maxsize=4)
def _repertoire(studio_split: str, folder: Path, num_joints: int) -> Repertoire:
    return Repertoire.find(load_motions(folder, studio_split), num_joints)


def _sensor(rng: np.random.Generator) -> Sensor:
    """Draw an ordinary camera in fair light: what trackers are measured on is not the sensor."""
    return Sensor(
        exposure=float(rng.uniform(0.34, 0.46)),
        balance=np.exp(rng.normal(0, [0.04, 0.01, 0.05])),
        contrast=1.0,
        saturation=1.0,
        motion=(0.0, 0.0),
        defocus=float(rng.uniform(0.0, 0.5)),
        downscale=1.0,
        noise=float(rng.uniform(0.003, 0.012)),
        vignette=0.0,
        grey=False,
        quality=int(rng.integers(80, 96)),
    )


def _view(robot: RobotPath, share: float, camera: Camera) -> View:
    """Where the camera is after a share of the sequence, moving smoothly."""

    def along(points: NDArray[np.float64]) -> NDArray[np.float64]:
        place = np.clip(share, 0, 1) * (len(points) - 1)
        k = min(int(place), max(len(points) - 2, 0))
        t = place - k
        ease = t * t * (3 - 2 * t)
        return np.asarray(points[k] + ease * (points[min(k + 1, len(points) - 1)] - points[k]))

    position = np.array([*along(robot.points), robot.height])
    look = np.array([*along(robot.looks), robot.height])
    distance = float(np.linalg.norm(look[:2] - position[:2]))
    look[2] += distance * np.tan(robot.pitch)
    return View(camera, look_at(position, look), position)


def render_sequence(
    studio: Studio,
    scenario: str,
    seed: int,
    seconds: float = 10.0,
    fps: float = 10.0,
    size: tuple[int, int] = (640, 360),
    hfov: float | None = None,
    pitch: float | None = None,
) -> Iterator[SequenceFrame]:
    """
    Render a scenario.

    Parameters
    ----------
    studio : Studio
    scenario : str
        A key of ``SCENARIOS``.
    seed : int
        The same seed gives the same people, place and pictures.
    seconds, fps : float
    size : tuple of int, pixels
        Width and height.
    hfov, pitch : float, radians, or None
        Another lens, or the camera tilted another way (down is negative), than the scenario's.

    Yields
    ------
    SequenceFrame

    Raises
    ------
    InputError
        If there is no such scenario.

    """
    if scenario not in SCENARIOS:
        raise InputError(f'there is no scenario {scenario!r}; choose from {", ".join(SCENARIOS)}')
    rng = np.random.default_rng([seed, sorted(SCENARIOS).index(scenario)])
    body = studio.body
    repertoire = _repertoire(studio.pack.split, studio.pack.folder, len(body.joint_names))
    script = SCENARIOS[scenario](Casting(studio, repertoire, rng), seconds)
    if pitch is not None:
        script = replace(script, robot=replace(script.robot, pitch=pitch))
    lens = script.hfov if hfov is None else hfov
    camera = Camera.from_hfov(lens, *size, CameraSource.CAMERA_INFO)
    behind = float(script.robot.points[:, 1].min())
    scenery = sample_scenery(
        rng,
        Materials(rng, studio.backgrounds),
        np.array([0.0, behind, script.robot.height]),
        _REACH,
        script.objects,
        script.half_width,
        far_floor=len(script.robot.points) == 1,
    )
    sensor = _sensor(rng)
    figures = tuple(a.figure for a in script.actors)
    identity = np.array([a.identity for a in script.actors], np.int64)
    plays = [Performance(a) for a in script.actors]
    phenotype = np.array([f.phenotype for f in figures])
    gain = 0.0
    for k in range(round(seconds * fps)):
        stamp = k / fps
        poses = _poses(script, plays, phenotype, stamp, studio)
        view = _view(script.robot, stamp / seconds, camera)
        shot = render(body, Cast(identity, figures, poses), scenery, view)
        wanted = expose(shot.light, sensor)
        gain = wanted if k == 0 else gain + 0.1 * (wanted - gain)
        rgb = develop(shot.light, sensor, rng, gain)
        yield SequenceFrame(rgb, stamp, camera, view.camera_from_world, shot.depth, shot.labels)


def _poses(
    script: Script,
    plays: list[Performance],
    phenotype: NDArray[np.float32],
    stamp: float,
    studio: Studio,
) -> WorldPoses:
    """Everybody at one time, with the lowest point of the shoes on the floor."""
    rotations, hips = [], []
    for play in plays:
        play.advance(stamp)
        E, place = play.pose()
        rotations.append(E)
        hips.append(place)
    E = np.array(rotations)
    posed = pose_bodies(studio.body, phenotype, E, np.zeros((len(E), 3)))
    translation = np.zeros((len(E), 3))
    for i, actor in enumerate(script.actors):
        low = lowest_point(actor.figure, posed.skin_rotations[i], posed.skin_offsets[i])
        translation[i] = [*(hips[i] - posed.landmarks[i, 11:13, :2].mean(0)), -low]
    return replace(
        posed, translation=translation, landmarks=posed.landmarks + translation[:, None]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data', type=Path, help='folder of the data pack')
    parser.add_argument('--scenario', choices=sorted(SCENARIOS), default='crossing')
    parser.add_argument('--output', type=Path, default=Path('out/sequence.mp4'))
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--fps', type=float, default=10.0)
    parser.add_argument('--split', choices=SPLITS, default='heldout')
    parser.add_argument('--labels', action='store_true', help='draw boxes and keypoints')
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        studio = Studio.open(options.data, options.split)
        writer = None
        frames = render_sequence(
            studio, options.scenario, options.seed, options.seconds, options.fps
        )
        for frame in frames:
            shown = frame.rgb
            if options.labels:
                shown = draw_labels(Picture(frame.rgb, frame.camera, frame.labels))
            if writer is None:
                code = cv2.VideoWriter.fourcc(*'mp4v')
                size = (shown.shape[1], shown.shape[0])
                writer = cv2.VideoWriter(str(options.output), code, options.fps, size)
            writer.write(np.ascontiguousarray(shown[..., ::-1]))
        if writer is not None:
            writer.release()
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    print(options.output)
    return 0


if __name__ == '__main__':
    sys.exit(main())
