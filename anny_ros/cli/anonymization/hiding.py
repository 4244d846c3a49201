# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Whom to hide in each picture, knowing the pictures before and after.

A person who is found in one picture was most likely there a moment before and is there a moment
later. Where a picture lacks somebody whom its neighbours show, their places are hidden too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anny_ros.body import BodyModel
from anny_ros.cli.anonymization.scan import Found
from anny_ros.inference import assemble_detections
from anny_ros.render.anonymise import anonymise
from anny_ros.types import FloatArray, Scene, TrackState
import numpy as np
from numpy.typing import NDArray

# How far into the past and the future places are carried.
_REACH = 0.5  # seconds
# A carried box grows by this share of its size a second: people move.
_GROWTH = 0.6


@dataclass
class LeakReport:
    """
    What a reader should know before trusting the result.

    Parameters
    ----------
    pictures, with_people : int
        All pictures; those in which somebody was tracked.
    with_candidates : int
        Pictures with something that may be a person but scored too low; it is hidden.
    filled_in : int
        Pictures in which somebody is hidden only because a neighbouring picture shows them.
    dropped : int
        Pictures that could not be read; they are not in the result.

    """

    pictures: int = 0
    with_people: int = 0
    with_candidates: int = 0
    filled_in: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class ToHide:
    """A picture's people, and further boxes (K, 4), pixels, to hide without a mesh."""

    found: Found
    boxes: FloatArray


def with_neighbours(found: Iterable[Found], report: LeakReport) -> Iterator[ToHide]:
    """
    Add to each picture the places of people whom it lacks.

    Parameters
    ----------
    found : iterable of Found
        Of one stream, in the order of time; a jump back in time separates.
    report : LeakReport
        Counted into.

    Yields
    ------
    ToHide
        In the same order, one for each.

    """
    window: deque[Found] = deque()  # of which those before ``next_one`` are done
    next_one = 0
    for item in found:
        if window and item.stamp < window[-1].stamp:
            while next_one < len(window):
                yield _to_hide(window, next_one, report)
                next_one += 1
            window.clear()
            next_one = 0
        window.append(item)
        while window[next_one].stamp + _REACH < item.stamp:
            yield _to_hide(window, next_one, report)
            next_one += 1
            while window[0].stamp + _REACH < window[next_one].stamp:
                window.popleft()
                next_one -= 1
    while next_one < len(window):
        yield _to_hide(window, next_one, report)
        next_one += 1


def hide(rgb: NDArray[np.uint8], picture: ToHide, body: BodyModel) -> NDArray[np.uint8]:
    """Make the picture (H, W, 3), uint8, without anybody's looks."""
    found = picture.found
    num_people = len(found.states)
    people = assemble_detections(
        body,
        stamp=found.stamp,
        camera=found.camera,
        score=np.ones(num_people, np.float32),
        phenotype=found.phenotype.astype(np.float32),
        rotations=found.rotations.astype(np.float32),
        translation=found.translation.astype(np.float32),
        bbox=found.boxes,
    )
    scene = Scene(
        stamp=found.stamp,
        camera=found.camera,
        humans=people,
        ids=tuple(str(number) for number in found.track_numbers),
        track_numbers=found.track_numbers,
        states=found.states,
        identity_confidence=np.ones(num_people, np.float32),
        age=np.zeros(num_people),
        time_since_observed=np.zeros(num_people),
        velocity=np.zeros((num_people, 3), np.float32),
        velocity_covariance=np.zeros((num_people, 3, 3), np.float32),
    )
    return anonymise(rgb, scene, body, picture.boxes)


def _to_hide(window: deque[Found], index: int, report: LeakReport) -> ToHide:
    here = window[index]
    present = set(here.track_numbers.tolist())
    carried = [np.asarray(here.candidates, np.float32).reshape(-1, 4)]
    missing = False
    for item in window:
        away = abs(item.stamp - here.stamp)
        if item is here or away > _REACH:
            continue
        seen = item.states != TrackState.LOST
        lacking = seen & ~np.isin(item.track_numbers, list(present))
        missing |= bool(lacking.any())
        carried.append(_grown(item.boxes[lacking], away))
        carried.append(_grown(np.asarray(item.candidates).reshape(-1, 4), away))
    report.pictures += 1
    report.with_people += bool(len(present))
    report.with_candidates += bool(len(here.candidates))
    report.filled_in += missing
    return ToHide(here, np.concatenate(carried))


def _grown(boxes: FloatArray, seconds: float) -> FloatArray:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    # Wide enough for somebody who walks: at least a third of the height to either side.
    half = half + _GROWTH * seconds * half.max(axis=1, keepdims=True, initial=0.0)
    result: FloatArray = np.concatenate([middle - half, middle + half], axis=1)
    return result
