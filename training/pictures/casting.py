# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Makes the people of a scenario."""

from __future__ import annotations

from typing import Any

from anny_ros.body.phenotype import age_value
import numpy as np
from numpy.typing import NDArray
import torch

from training.pictures.actors import Actor, Wait, Walk
from training.pictures.figure import dress, Figure
from training.pictures.gait import Repertoire
from training.pictures.motions import pose_hands
from training.pictures.outfit import draw_outfit
from training.pictures.scene import Studio
from training.poses import sample_phenotypes


class Casting:
    """
    Makes actors.

    Parameters
    ----------
    studio : Studio
    repertoire : Repertoire
    rng : Generator

    """

    def __init__(self, studio: Studio, repertoire: Repertoire, rng: np.random.Generator) -> None:
        self.studio, self.repertoire, self.rng = studio, repertoire, rng
        self._count = 0

    def phenotype(self, years: tuple[float, float]) -> NDArray[np.float32]:
        """Draw somebody (6,) of an age in a range of years."""
        lowest, highest = age_value(np.array(years))
        while True:
            drawn = sample_phenotypes(self.studio.body, 24, self.rng).numpy()
            fitting = drawn[(drawn[:, 1] >= lowest) & (drawn[:, 1] <= highest)]
            if len(fitting):
                return np.asarray(fitting[0], np.float32)

    def figure(self, years: tuple[float, float] = (16, 80)) -> Figure:
        """Dress somebody of an age in a range of years."""
        return self.studio.figure(self.rng, self.phenotype(years))

    def twins(self, count: int) -> list[Figure]:
        """Dress adults of much the same build in the same clothes, with the same hair."""
        first = self.phenotype((18, 50))
        outfit = draw_outfit(self.studio.pack, first, self.rng)
        eyes = next(g for g in self.studio.pack.garments['eyes'] if 'low' in g.name)
        figures = []
        for _ in range(count):
            spread = np.array([0.0, 0.004, 0.05, 0.05, 0.06, 0.1])
            p = np.clip(first + self.rng.normal(0, 1, 6) * spread, 0, 1).astype(np.float32)
            figures.append(dress(self.studio.mesh, self.studio.fields, eyes, p, outfit))
        return figures

    def actor(
        self,
        figure: Figure,
        start: Any,
        script: list[Walk | Wait],
        heading: float | None = None,
        pace: float | None = None,
    ) -> Actor:
        """Make an actor; the natural speed of the walk times ``pace``, or one drawn at random."""
        rng, body = self.rng, self.studio.body
        walk = self.repertoire.walks[rng.integers(len(self.repertoire.walks))]
        stand = self.repertoire.stands[rng.integers(len(self.repertoire.stands))]
        with torch.inference_mode():
            rest = body.skeleton.rest(torch.as_tensor(figure.phenotype[None], dtype=torch.float64))
            unposed = torch.eye(3).double().repeat(1, len(body.joint_names), 1, 1)
            points = body.skeleton.pose(rest, unposed).landmarks[0].numpy()
        thigh, shin = (np.linalg.norm(points[a] - points[b]) for a, b in ((11, 13), (13, 15)))
        leg = float(thigh + shin)
        start = np.asarray(start, np.float64)
        if heading is None:
            steps = [s for s in script if isinstance(s, Walk)]
            way = steps[0].points[0] - start if steps else np.array([0.0, -1.0])
            heading = float(np.arctan2(way[1], way[0]))
        hands = np.tile(np.eye(3), (1, len(body.joint_names), 1, 1))
        pose_hands(hands, self.studio.pack, body.joint_names, rng, relaxed=1.0)
        self._count += 1
        return Actor(
            identity=self._count,
            figure=figure,
            leg=leg,
            walk=walk,
            stand=stand,
            start=start,
            heading=heading,
            speed=walk.travel * leg / walk.seconds * (pace or float(rng.uniform(0.85, 1.05))),
            script=tuple(script),
            phase=float(rng.random()),
            hands=hands[0],
        )
