# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Single pictures: who stands where, what stands in the way, and where the robot's camera is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anny_ros.body import BodyModel
from anny_ros.types import Camera, CameraSource
import numpy as np
from numpy.typing import NDArray

from training.pictures.base_mesh import BaseMesh, DEFAULT_PATH, load_base_mesh
from training.pictures.effects import develop, expose, sample_sensor
from training.pictures.figure import dress, Figure
from training.pictures.labels import Labels, pose_bodies
from training.pictures.light import look_at
from training.pictures.materials import list_backgrounds, Materials
from training.pictures.motions import load_motions, Motions, sample_pose
from training.pictures.outfit import draw_outfit
from training.pictures.pack import DataPack, load_pack
from training.pictures.scenery import sample_scenery
from training.pictures.stage import Cast, lowest_point, render, View
from training.pictures.wardrobe import BodyFields
from training.poses import sample_phenotypes

# All of 576 patches of 14 x 14 pixels, so that they can share a batch of tokens.
SIZES = ((336, 336), (448, 252), (252, 448))
_SIZE_SHARES = (0.35, 0.5, 0.15)
_COUNTS = (0, 1, 2, 3, 4, 5, 6, 8, 11)
_COUNT_SHARES = (0.04, 0.37, 0.25, 0.15, 0.08, 0.05, 0.03, 0.02, 0.01)
_NEAREST, _FARTHEST = 0.6, 25.0


@dataclass(frozen=True)
class Studio:
    """
    Everything that rendering needs, loaded once.

    Parameters
    ----------
    body : BodyModel
    mesh : BaseMesh
    pack : DataPack
    motions : Motions
    fields : BodyFields
    backgrounds : tuple of Path
        The user's pictures; may be empty.

    """

    body: BodyModel
    mesh: BaseMesh
    pack: DataPack
    motions: Motions
    fields: BodyFields
    backgrounds: tuple[Path, ...]

    @staticmethod
    def open(
        data: Path,
        split: str = 'train',
        backgrounds: Path | None = None,
        base_mesh: Path = DEFAULT_PATH,
    ) -> Studio:
        """
        Load the data pack and the body.

        Parameters
        ----------
        data : Path
            The data pack's folder.
        split : str
            ``train`` or ``heldout``: clothes, textures, hair and clips of the one are never
            in the other.
        backgrounds : Path or None
            Folder of pictures for walls and far surroundings.
        base_mesh : Path
            File of the base mesh; made if it is missing.

        Raises
        ------
        InputError
            If something is missing.

        """
        pack = load_pack(data, split)
        return Studio(
            body=BodyModel.load(),
            mesh=load_base_mesh(base_mesh),
            pack=pack,
            motions=load_motions(data, split),
            fields=BodyFields(pack.regions),
            backgrounds=list_backgrounds(backgrounds, split),
        )

    def figure(
        self, rng: np.random.Generator, phenotype: NDArray[np.float32] | None = None
    ) -> Figure:
        """Dress somebody, of a given phenotype (6,) or of any."""
        if phenotype is None:
            phenotype = sample_phenotypes(self.body, 1, rng).numpy()[0]
        outfit = draw_outfit(self.pack, phenotype, rng)
        eyes = next(g for g in self.pack.garments['eyes'] if 'low' in g.name)
        return dress(self.mesh, self.fields, eyes, phenotype, outfit)


@dataclass(frozen=True)
class Picture:
    """
    A picture with its labels.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8
    camera : Camera
    labels : Labels

    """

    rgb: NDArray[np.uint8]
    camera: Camera
    labels: Labels


class FigurePool:
    """
    Dressed people to draw from, renewed little by little, since dressing takes time.

    Parameters
    ----------
    studio : Studio
    rng : Generator
    size : int
        How many are kept.
    renewal : float
        Expected number of new ones for each picture.

    """

    def __init__(
        self, studio: Studio, rng: np.random.Generator, size: int = 20, renewal: float = 0.4
    ) -> None:
        self._studio = studio
        self._size = size
        self._renewal = renewal
        self._next = 0
        self._people: list[tuple[int, Figure]] = []
        self._rng = rng

    def draw(self, count: int) -> list[tuple[int, Figure]]:
        """Draw different people: identity number and figure of each."""
        wanted = max(min(self._size, count + 2), count)
        new = int(self._rng.poisson(self._renewal))
        missing = max(wanted - len(self._people), 0)
        if len(self._people) < self._size:
            new = max(new, 1)
        for _ in range(max(new, missing)):
            if len(self._people) >= max(self._size, wanted):
                self._people.pop(int(self._rng.integers(len(self._people))))
            self._people.append((self._next, self._studio.figure(self._rng)))
            self._next += 1
        chosen = self._rng.choice(len(self._people), count, replace=False)
        return [self._people[i] for i in chosen]


def _sample_camera(rng: np.random.Generator) -> tuple[Camera, float]:
    """Draw a size, a field of view of 35 to 120 degrees, and a height in metres."""
    width, height = SIZES[rng.choice(len(SIZES), p=_SIZE_SHARES)]
    hfov = np.deg2rad(rng.uniform(35, 95) if rng.random() < 0.8 else rng.uniform(95, 120))
    # A third of the cameras are not quite centred.
    camera = Camera.from_hfov(hfov, width, height, CameraSource.CAMERA_INFO)
    K = camera.K.copy()
    if rng.random() < 0.33:
        K[:2, 2] += rng.normal(0, 0.015, 2) * width
        K[1, 1] *= float(np.exp(rng.normal(0, 0.01)))
    tall = rng.uniform(0.2, 1.8) if rng.random() < 0.75 else rng.uniform(1.5, 2.5)
    if rng.random() < 0.12:
        tall = rng.uniform(2.5, 5.0)
    return Camera(K, width, height), float(tall)


def _place_people(
    statures: NDArray[np.float32], camera: Camera, tall: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw places (N, 2) on the floor, metres; sizes in the picture are what is sampled."""
    places: list[NDArray[np.float64]] = []
    half = np.arctan(0.5 * camera.width / camera.K[0, 0])
    near = max(_NEAREST, 0.45 * max(tall - 1.5, 0))
    group = rng.random() < 0.4
    for i, stature in enumerate(statures):
        for _ in range(30):
            if i == 0 or not group or rng.random() < 0.3:
                size = float(np.exp(rng.uniform(np.log(32), np.log(520))))
                if rng.random() < 0.5:
                    size = rng.uniform(110, 420)
                distance = np.clip(camera.K[1, 1] * stature / size, near, _FARTHEST)
                angle = rng.uniform(-1.05, 1.05) * half * (0.7 if i == 0 else 1.0)
                place = distance * np.array([np.tan(angle), 1.0])
            else:
                angle = rng.uniform(-np.pi, np.pi)
                beside = places[rng.integers(len(places))]
                place = beside + rng.uniform(0.45, 1.3) * np.array([np.cos(angle), np.sin(angle)])
            if place[1] < near:
                continue
            if all(np.linalg.norm(place - p) > 0.42 for p in places):
                places.append(place)
                break
        else:
            places.append(np.array([rng.uniform(-8, 8), rng.uniform(6, 20)]))
    return np.array(places).reshape(-1, 2)


def _occluders(
    places: NDArray[np.float64], rng: np.random.Generator
) -> list[tuple[str, NDArray[np.float64], float]]:
    """Draw things that stand about, a third of them between the camera and somebody."""
    objects: list[tuple[str, NDArray[np.float64], float]] = []
    kinds = ('box', 'pole', 'table', 'counter', 'sign', 'shelf')
    for _ in range(int(rng.choice([0, 1, 2, 4, 7], p=[0.25, 0.25, 0.2, 0.2, 0.1]))):
        kind = str(rng.choice(kinds))
        if len(places) and rng.random() < 0.5:
            target = places[rng.integers(len(places))]
            place = target * rng.uniform(0.45, 0.9) + rng.normal(0, 0.25, 2)
        else:
            y = rng.uniform(1.0, 9.0)
            place = np.array([rng.uniform(-0.8, 0.8) * y, y])
        clear = 1.1 if kind in ('table', 'counter') else 0.6
        free = all(np.linalg.norm(place - p) > clear for p in places)
        if free and place[1] > 0.9:
            objects.append((kind, place, float(rng.uniform(0, np.pi))))
    return objects


def sample_picture(
    studio: Studio, pool: FigurePool, materials: Materials, rng: np.random.Generator
) -> Picture:
    """
    Render one picture of a scene drawn at random.

    Parameters
    ----------
    studio : Studio
    pool : FigurePool
    materials : Materials
    rng : Generator

    Returns
    -------
    Picture

    """
    camera, tall = _sample_camera(rng)
    people = pool.draw(int(rng.choice(_COUNTS, p=_COUNT_SHARES)))
    phenotype = np.array([f.phenotype for _, f in people], np.float32).reshape(-1, 6)
    statures = studio.body.stature(phenotype)
    places = _place_people(statures, camera, tall, rng)
    return photograph(studio, people, places, camera, tall, materials, rng)


def photograph(
    studio: Studio,
    people: list[tuple[int, Figure]],
    places: NDArray[np.float64],
    camera: Camera,
    tall: float,
    materials: Materials,
    rng: np.random.Generator,
) -> Picture:
    """
    Render one picture of given people at given places, in poses and surroundings drawn at random.

    Parameters
    ----------
    studio : Studio
    people : list of N (int, Figure)
        Identity number and figure of each; the camera is pitched so that the first is in view.
    places : ndarray, (N, 2), metres
        On the floor, right of and ahead of the camera.
    camera : Camera
    tall : float, metres
        Height of the camera.
    materials : Materials
    rng : Generator

    Returns
    -------
    Picture

    """
    body = studio.body
    phenotype = np.array([f.phenotype for _, f in people], np.float32).reshape(-1, 6)
    statures = body.stature(phenotype)
    sampled = [sample_pose(studio.motions, studio.pack, body.joint_names, rng) for _ in people]
    E = np.array([e for e, _ in sampled]).reshape(-1, len(body.joint_names), 3, 3)
    posed = pose_bodies(body, phenotype, E, np.zeros((len(people), 3)))
    translation = np.zeros((len(people), 3))
    objects = _occluders(places, rng)
    for i, (_, figure) in enumerate(people):
        low = lowest_point(figure, posed.skin_rotations[i], posed.skin_offsets[i])
        hips = posed.landmarks[i, 11:13].mean(0)
        lift = rng.uniform(0.05, 0.6) if rng.random() < 0.06 else 0.0
        translation[i] = [*(places[i] - hips[:2]), lift - low]
        seat = hips[2] - low - 0.075 * statures[i]
        if sampled[i][1] == 'sit' and seat > 0.2 * statures[i] and not lift:
            back = E[i, 0] @ np.array([0.0, 1.0, 0.0])
            yaw = float(np.arctan2(-back[0], back[1]))
            objects.append((f'seat:{seat:.3f}', places[i] + 0.02 * back[:2], yaw))
    poses = pose_bodies(body, phenotype, E, translation)
    position = np.array([0.0, 0.0, tall])
    view = View(camera, _orientation(poses.landmarks, position, camera, rng), position)
    reach = float(places[:, 1].max()) if len(places) else 4.0
    scenery = sample_scenery(rng, materials, position, reach, objects)
    identity = np.array([n for n, _ in people], np.int64)
    cast = Cast(identity, tuple(f for _, f in people), poses)
    shot = render(body, cast, scenery, view)
    sensor = sample_sensor(rng)
    rgb = develop(shot.light, sensor, rng, expose(shot.light, sensor))
    return Picture(rgb, camera, shot.labels)


def _orientation(
    landmarks: NDArray[np.float64],
    position: NDArray[np.float64],
    camera: Camera,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Look along +y, pitched so that the first person is in view, slightly rolled."""
    pitch = rng.normal(-0.05, 0.15)
    if len(landmarks):
        middle = landmarks[0, :17].mean(0) - position
        elevation = np.arctan2(middle[2], np.hypot(middle[0], middle[1]))
        limit = 0.6 * np.arctan(0.5 * camera.height / camera.K[1, 1])
        pitch = elevation + np.clip(pitch - elevation, -limit, limit)
    yaw = rng.normal(0, 0.05)
    ahead = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
    R = look_at(position, position + ahead)
    roll = rng.normal(0, 0.35) if rng.random() < 0.06 else rng.normal(0, 0.03)
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ R
