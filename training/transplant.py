# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Errors that the 2D network made on rendered people, given to simulated ones.

Whoever is simulated takes all errors of one look (they belong together: a hidden arm, a swapped
pair of legs, a head seen from behind) at somebody who was seen from the same side at about the
same size, and who is about as old: a toddler's head is reported otherwise than an adult's. Poses
and shapes are then without end, and the errors are real.
"""

from __future__ import annotations

from anny_ros.body import BodyModel
from anny_ros.body.phenotype import age_value
from anny_ros.body.skeleton import Skeleton
from anny_ros.keypoints.hints import DEPTHS, TURN
from anny_ros.keypoints.reported import ReportedPoints
from anny_ros.keypoints.view import Report, rotation_to_forward
from anny_ros.types import PHENOTYPE_NAMES
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from training.observe_pictures import joined, Observed
from training.simulate import extent_of, outline, People, top_of

FloatArray = NDArray[np.float64]

_SIDES = 16  # sectors of the heading
_SIZES_PX = (60.0, 120.0, 240.0)
_YEARS = (3.0, 12.0)
_AGE = PHENOTYPE_NAMES.index('age')
_FEWEST = 12  # looks, or first the size, then the age counts no more
# A pair counts as exchanged if it is this much nearer to the other side.
_EXCHANGED = 0.5
_PAIRS = np.arange(1, 17).reshape(8, 2)
# Each error is made a little larger or smaller, so that none is learnt by heart.
_VARIED = 0.25
# Edges of the picture that are farther from the middle, in extents, might as well not be there.
_FAR = 3.0


def heading(people: People) -> FloatArray:
    """Which way chests face (N,), radians about the vertical from facing away."""
    forward = -people.rotations[:, 0, :, 1].double().numpy()
    return np.asarray(np.arctan2(forward[:, 0], forward[:, 2]))


def _middles(points: FloatArray) -> FloatArray:
    """Middles of the boxes of points (N, K, 2), as x, x, y, y (N, 4)."""
    middle = (points.min(1) + points.max(1)) / 2
    return np.repeat(middle, 2, axis=1)


def true_hints(people: People, edges: Tensor, body: BodyModel) -> tuple[FloatArray, FloatArray]:
    """Compute turns (N, 3, 3) and the other hints (N, NUM_HINTS - 6) as they really are."""
    points = people.reported
    rays = points[..., :2] / points[..., 2:]
    # Of the part that is in the picture, as crops are made.
    low = torch.maximum(rays.amin(1), edges[:, [0, 2]])
    high = torch.minimum(rays.amax(1), edges[:, [1, 3]])
    R = rotation_to_forward((low + high) / 2)
    depth = (points @ R.transpose(1, 2))[..., 2]
    mean = depth.mean(1, keepdim=True)
    extent = (high - low).amax(-1, keepdim=True)
    stature = torch.as_tensor(body.stature(people.phenotype.numpy())).log()
    others = [(depth - mean) / (extent * mean), stature[:, None], people.phenotype[:, _AGE, None]]
    turn = (R @ people.rotations[:, 0]).double().numpy()
    return turn, torch.cat(others, 1).double().numpy()


class MeasuredErrors:
    """
    Looks by view and size, ready to be given away.

    Parameters
    ----------
    looks : Observed
        Their mirror images are added.
    skeleton : Skeleton
        Of the lifted joints.
    body : BodyModel

    """

    def __init__(self, looks: Observed, skeleton: Skeleton, body: BodyModel) -> None:
        self._body = body
        looks = joined([looks, looks.mirrored()])
        people = looks.people
        posed = skeleton.pose(skeleton.rest(people.phenotype), people.rotations)
        away = (people.keypoints - posed.landmarks[:, :17]).mean(1, keepdim=True)
        points = (ReportedPoints(skeleton.joint_names)(posed) + away).double().numpy()
        report = looks.report
        true, seen = points[..., :2] / points[..., 2:], report.rays.double().numpy()
        self._order = self._exchanges(true, seen)
        extent = extent_of(true)
        expected = np.take_along_axis(true, self._order[..., None], axis=1)
        self._error = (seen - expected) / extent[:, None, None]
        self._confidences = report.confidences.double().numpy()
        # Not from the top of who was rendered, who had hair: simulated people have none.
        bare = top_of(outline(posed) + away)
        self._top_error = (report.top - bare).double().numpy() / extent
        bounds = report.edges.double().numpy() - _middles(true)
        self._edges = np.clip(bounds / extent[:, None], -_FAR, _FAR)
        turn, others = true_hints(people, report.edges, body)
        hints = report.hints.double().numpy()
        columns = hints[:, TURN].reshape(-1, 2, 3).transpose(0, 2, 1)
        self._turn_said = turn.transpose(0, 2, 1) @ columns  # in the body's true frame
        self._hint_error = hints[:, DEPTHS.start :] - others
        side, age, size = self._kind(people)
        self._rows: dict[tuple[int, int, int], NDArray[np.int64]] = {}
        for kind in np.ndindex(_SIDES, len(_YEARS) + 1, len(_SIZES_PX) + 1):
            self._rows[kind] = np.arange(len(side))
            alike = np.ones(len(side), bool)
            for classes, wanted in zip((side, age, size), kind, strict=True):
                alike &= classes == wanted
                if np.count_nonzero(alike) < _FEWEST:
                    break
                self._rows[kind] = np.flatnonzero(alike)

    @staticmethod
    def _exchanges(true: FloatArray, seen: FloatArray) -> NDArray[np.int64]:
        """Which true keypoint (N, 17) each reported one is."""
        order = np.tile(np.arange(17), (len(true), 1))
        for left, right in _PAIRS:
            pair, other = [left, right], [right, left]
            straight = np.linalg.norm(seen[:, pair] - true[:, pair], axis=-1).sum(1)
            crossed = np.linalg.norm(seen[:, pair] - true[:, other], axis=-1).sum(1)
            rows = np.flatnonzero(crossed < _EXCHANGED * straight)
            order[rows[:, None], pair] = other
        return order

    @staticmethod
    def _kind(people: People) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Classes of side, age and size (N,) that looks are chosen by."""
        side = np.floor((heading(people) / (2 * np.pi) + 0.5) * _SIDES).astype(np.int64) % _SIDES
        age = np.searchsorted(age_value(np.array(_YEARS)), people.phenotype[:, _AGE].numpy())
        return side, age, np.searchsorted(_SIZES_PX, people.size_px)

    def observe(self, people: People, rng: np.random.Generator) -> Report:
        """
        Simulate what the 2D network reports of whole people.

        Parameters
        ----------
        people : People
        rng : Generator

        Returns
        -------
        Report
            Edges of the picture are where the look's were about that person.

        """
        kinds = np.stack(self._kind(people), 1).tolist()
        looks = np.array([rng.choice(self._rows[i, j, k]) for i, j, k in kinds], np.int64)
        points = people.reported.double().numpy()
        true = points[..., :2] / points[..., 2:]
        extent = extent_of(true)
        expected = np.take_along_axis(true, self._order[looks][..., None], axis=1)
        scale = np.exp(_VARIED * rng.normal(size=(len(looks), 17, 1)))
        rays = expected + extent[:, None, None] * scale * self._error[looks]
        top = people.top.double().numpy() + extent * self._top_error[looks]
        edges = _middles(true) + extent[:, None] * self._edges[looks]
        ends = torch.as_tensor(edges, dtype=torch.float32)
        parts = (rays, self._confidences[looks], top, edges, self._hints(people, ends, looks))
        return Report(*(torch.as_tensor(part, dtype=torch.float32) for part in parts))

    def _hints(self, people: People, edges: Tensor, looks: NDArray[np.int64]) -> FloatArray:
        """Hints of people as wrong as those of looks, (N, NUM_HINTS)."""
        turn, others = true_hints(people, edges, self._body)
        # Who was said to face away although they came towards the camera, here is too.
        said = (turn @ self._turn_said[looks]).transpose(0, 2, 1).reshape(len(looks), 6)
        return np.concatenate([said, others + self._hint_error[looks]], axis=1)
