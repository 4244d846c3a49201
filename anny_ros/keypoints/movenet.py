# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Everybody's 2D keypoints: a survey of the whole picture, then a second look at each person.

The survey runs the network once on the picture at a moderate size; that finds people from about
30 pixels of height there, but places their joints badly. Each person, and each region that the
caller expects somebody in, is then shown by itself at a good size, all in one batch. The second
look decides: it places joints twice as well, tells people from bollards and bushes, and says which
way they are turned and how large they are.
"""

from __future__ import annotations

from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any

from anny_ros.geometry.boxes import overlap
from anny_ros.keypoints.decode import decode_people, FloatArray, People
from anny_ros.keypoints.duplicates import distinct_people
from anny_ros.keypoints.network import GRANULE, MoveNet
from anny_ros.keypoints.second_look import look_again
import cv2
import numpy as np
from numpy.typing import NDArray

# Area of the survey's input: 480 x 384, or 576 x 320 of a wide picture. On the labelled frames of
# the street clip recall is 0.96 to 0.98 at precision 1 for 112,000 to 200,000; with fewer than
# 180,000 a man against trees in the park clip is lost in twice as many pictures.
SURVEY_PIXELS = 185_000
_MOST_ENLARGED = 2.0
# The survey's candidates; real people were never below 0.3, junk seldom above 0.15.
_CANDIDATE_HEAT = 0.12
SECOND_LOOK_HEAT = 0.05
# Least score of a candidate, and how much one overlaps with a person to be the same.
_CANDIDATE_SCORE = 0.03
_COVERED = 0.5
_MOST_CROPS = 24
# A find in a crop is the one that was looked for if it overlaps this much with the candidate.
_SAME_PERSON = 0.2
# Who is cut more than this by the crop's border is shown again.
_LEAST_INSIDE = 0.9
# Onlookers in somebody's crop who get a crop of their own: least score, and how many at most.
_NEWCOMER_SCORE = 0.15
_MOST_NEWCOMERS = 6
# A box is shown at least this wide for its height (and the other way round).
_LEAST_ASPECT = 0.3
# Confidence at which a keypoint counts in full for the person's score, and how many count.
_FULL_CONFIDENCE = 0.4
_BEST_KEYPOINTS = 9
_KEYPOINT_IN_BOX = 0.2


@dataclass(frozen=True)
class KeypointDetections:
    """
    Everybody's keypoints in one picture.

    Parameters
    ----------
    keypoints : ndarray, (N, 17, 2), float32, pixels
        COCO order; x, y in the given picture, from the centre of its first pixel; may lie outside.
    confidences : ndarray, (N, 17), float32
        0..1. Measured on real clips: above 0.6, 5 % are off by more than 8 % of the person's
        size; from 0.3 to 0.4, 31 %; below 0.1, 75 %.
    score : ndarray, (N,), float32
        0..1, highest first; 0.3 separates people from junk.
    bbox : ndarray, (N, 4), float32, pixels
        x0, y0, x1, y1 of the whole body; may reach outside of the picture.
    hints : ndarray, (N, NUM_HINTS), float32
        See ``hints``; NaN of who was not looked at again.
    candidates : ndarray, (K, 4), float32, pixels
        Boxes of what scored too low but might be a person.

    """

    keypoints: FloatArray
    confidences: FloatArray
    score: FloatArray
    bbox: FloatArray
    hints: FloatArray
    candidates: FloatArray

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: Any) -> KeypointDetections:
        """Take rows by a slice, an index array or a mask."""
        return KeypointDetections(
            self.keypoints[rows],
            self.confidences[rows],
            self.score[rows],
            self.bbox[rows],
            self.hints[rows],
            self.candidates,
        )


class KeypointDetector:
    """
    Find people and their keypoints; stateless from picture to picture.

    Parameters
    ----------
    model_path : Path, str or None
        ONNX file made by ``training.keypoint_network.train``; None takes the one in the package.
    threads : int
        CPU threads; 0 takes all cores.
    survey_pixels : int
        Area of the first pass's input; more finds smaller people and takes longer.

    Raises
    ------
    ModelError
        If the file is missing or is not this network.

    """

    def __init__(
        self,
        model_path: Path | str | None = None,
        threads: int = 0,
        survey_pixels: int = SURVEY_PIXELS,
    ) -> None:
        self._network = MoveNet(model_path, threads)
        self._survey_pixels = survey_pixels

    def __call__(
        self,
        rgb: NDArray[np.uint8],
        threshold: float = 0.3,
        *,
        zoom: bool = True,
        regions: FloatArray | None = None,
    ) -> KeypointDetections:
        """
        Find everybody in a picture.

        Parameters
        ----------
        rgb : ndarray, (H, W, 3), uint8
            Any size from 1 x 1.
        threshold : float
            Lowest score. A tracker that matches in two stages asks for less (0.1) than it shows.
        zoom : bool
            Take the second look.
        regions : ndarray, (K, 4), pixels, or None
            Boxes x0, y0, x1, y1 where somebody is expected, for instance a tracker's predictions;
            looked at even where the survey saw nobody.

        Returns
        -------
        KeypointDetections
            Ordered by falling score; zero rows if nobody is there.

        """
        if rgb.shape[:2] == (1, 1):  # which OpenCV 4.5 (Humble) cannot resize
            rgb = np.pad(rgb, ((0, 1), (0, 1), (0, 0)))
        people = self._survey(rgb)
        surveyed = people.box
        if zoom:
            people, score = self._second_look(rgb, people, regions)
        else:
            score = person_scores(people)
        good = score >= threshold
        doubtful = np.concatenate([surveyed, people.box[~good & (score >= _CANDIDATE_SCORE)]])
        people, score = people[good], score[good]
        kept = distinct_people(score, people.keypoints, people.confidences, people.box)
        covered = (overlap(doubtful, people.box[kept]) > _COVERED).any(axis=1)
        return KeypointDetections(
            people.keypoints[kept],
            people.confidences[kept],
            score[kept],
            people.box[kept],
            people.hints[kept],
            doubtful[~covered],
        )

    def _survey(self, rgb: NDArray[np.uint8]) -> People:
        """People in the whole picture, in its pixels."""
        height, width = rgb.shape[:2]
        rows, columns = survey_size(height, width, self._survey_pixels)
        scale = min(columns / width, rows / height, _MOST_ENLARGED)
        small_height = min(max(round(height * scale), 1), rows)
        small_width = min(max(round(width * scale), 1), columns)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.zeros((1, rows, columns, 3), np.uint8)
        canvas[0, :small_height, :small_width] = cv2.resize(
            rgb, (small_width, small_height), interpolation=how
        )
        people = decode_people(self._network(canvas), _CANDIDATE_HEAT)
        # Pixel centres: x' + 1/2 = (x + 1/2) * factor.
        factor = np.array([width / small_width, height / small_height])
        return people.mapped(factor, 0.5 * factor - 0.5)

    def _second_look(
        self, rgb: NDArray[np.uint8], people: People, regions: FloatArray | None
    ) -> tuple[People, FloatArray]:
        """Replace people by what crops around them show, and add who appears there."""
        people = people[np.argsort(-people.centre_heat, kind='stable')]
        boxes = _reach(people)
        if regions is not None and len(regions):
            regions = np.asarray(regions, np.float32).reshape(-1, 4)
            unseen = ~(overlap(regions, people.box) > _SAME_PERSON).any(axis=1)
            boxes = np.concatenate([regions[unseen], boxes])
        found, found_score, others = self._judge(rgb, boxes[:_MOST_CROPS])
        late = people[max(_MOST_CROPS - (len(boxes) - len(people)), 0) :]  # as surveyed
        sure = People.concatenate([found, late])
        sure_score = np.concatenate([found_score, person_scores(late)])
        # Who shows up beside somebody else, or is larger than thought, gets a crop too.
        new = _unknown(others, sure, sure_score)[:_MOST_NEWCOMERS]
        if len(new):
            found, found_score, _ = self._judge(rgb, _widened(others.box[new]))
            sure = People.concatenate([sure, found])
            sure_score = np.concatenate([sure_score, found_score])
        return sure, sure_score

    def _judge(
        self, rgb: NDArray[np.uint8], boxes: FloatArray
    ) -> tuple[People, FloatArray, People]:
        """
        Show the person in each box enlarged.

        Returns
        -------
        found : People
            The one whom each crop was made for, if there is one.
        score : ndarray, (N,)
        others : People
            Everybody else in the crops, and those of ``found`` who are cut by their crop.

        """
        again, inside = look_again(self._network, rgb, boxes, SECOND_LOOK_HEAT)
        target, score = judge_crops(again, inside, boxes)
        other = (~target | (inside < _LEAST_INSIDE)) & (score > _NEWCOMER_SCORE)
        return again[target], score[target], again[other]


def survey_size(height: int, width: int, pixels: int) -> tuple[int, int]:
    """
    Size of the network's input for a picture: multiples of 32, area about ``pixels`` at most.

    Parameters
    ----------
    height, width : int, pixels
        Of the picture.
    pixels : int

    Returns
    -------
    rows, columns : int
        The size that shows the picture largest; never more than twice enlarged.

    """
    best, best_scale = (GRANULE, GRANULE), 0.0
    most = max(pixels // GRANULE, GRANULE)
    for columns in range(GRANULE, most + 1, GRANULE):
        rows = max(math.ceil(columns * height / width / GRANULE) * GRANULE, GRANULE)
        for tried in (rows - GRANULE, rows):
            if tried < GRANULE or tried * columns > max(pixels, GRANULE**2):
                continue
            scale = min(columns / width, tried / height, _MOST_ENLARGED)
            if scale > best_scale + 1e-9:
                best, best_scale = (tried, columns), scale
    return best


def person_scores(people: People) -> FloatArray:
    """Score (N,) in 0..1: centre heat, times how good the better half of the keypoints is."""
    best = np.sort(people.confidences, axis=1)[:, -_BEST_KEYPOINTS:]
    clear = np.minimum(best.mean(axis=1) / _FULL_CONFIDENCE, 1.0)
    return np.asarray(people.centre_heat * clear, dtype=np.float32)


def _reach(people: People) -> FloatArray:
    """Boxes (N, 4) that hold both the network's box and the keypoints that are seen."""
    seen = (people.confidences > _KEYPOINT_IN_BOX)[..., None]
    low = np.where(seen, people.keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, people.keypoints, -np.inf).max(axis=1, initial=-np.inf)
    return np.concatenate(
        [np.minimum(low, people.box[:, :2]), np.maximum(high, people.box[:, 2:])], axis=1
    )


def _widened(boxes: FloatArray) -> FloatArray:
    """Boxes (N, 4) made wide enough to hold the rest of a person of whom an edge was seen."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = boxes[:, 2:] - boxes[:, :2]
    half = np.maximum(size, _LEAST_ASPECT * size.max(axis=1, keepdims=True)) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _unknown(others: People, known: People, known_score: FloatArray) -> NDArray[np.intp]:
    """Rows of ``others`` who are none of the known people, each person once, best first."""
    both = People.concatenate([known, others])
    score = np.concatenate([known_score + 1.0, person_scores(others)])
    kept = distinct_people(score, both.keypoints, both.confidences, both.box)
    return kept[kept >= len(known)] - len(known)


def judge_crops(
    people: People, inside: FloatArray, boxes: FloatArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """
    Tell for whom each crop was made, and score everybody in it.

    Parameters
    ----------
    people : People
        N finds, ``picture`` being a row of ``boxes``.
    inside : ndarray, (N,)
        Share of each one's box that lies in its crop.
    boxes : ndarray, (K, 4), pixels

    Returns
    -------
    target : ndarray, (N,), bool
        The best overlap with each box.
    score : ndarray, (N,), float32

    """
    return _targets(people, boxes), np.asarray(person_scores(people) * inside, np.float32)


def _targets(people: People, boxes: FloatArray) -> NDArray[np.bool_]:
    is_target = np.full(len(people), False)
    if len(people) == 0:
        return is_target
    shared = overlap(people.box, boxes)[np.arange(len(people)), people.picture]
    # Of equal overlap the warmer one; an onlooker beside the target overlaps less.
    worth = shared * people.centre_heat
    for picture in np.unique(people.picture):
        rows = np.flatnonzero((people.picture == picture) & (shared > _SAME_PERSON))
        if len(rows):
            is_target[rows[np.argmax(worth[rows])]] = True
    return is_target
