# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Batches of crops as the second look cuts them, spoiled and mirrored, with their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anny_ros.keypoints.hints import mirror_hints, MIRRORED_KEYPOINTS
from anny_ros.keypoints.second_look import cut_crops, SHAPES_CROWD, SHAPES_FEW
import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from training.keypoint_network.crops import Truth

# Boxes of a survey or of a tracker are off by this share of the longer side.
_BOX_ERROR = 0.06
# How often a picture is exposed for its brightest parts, and who counts as a child, metres.
_BACKLIT, _CHILD = 0.3, 1.3
_MIRRORED = list(MIRRORED_KEYPOINTS)


@dataclass(frozen=True)
class Batch:
    """
    B crops of one shape.

    Parameters
    ----------
    pictures : Tensor, (B, 3, H, W)
        -1..1.
    points : Tensor, (B, M, 17, 2), pixels of the crop
    state : Tensor, (B, M, 17)
    box : Tensor, (B, M, 4), pixels of the crop
    inside_share : Tensor, (B, M)
    reach : Tensor, (B,), pixels
        Longer side of the target's points.
    hints : Tensor, (B, NUM_HINTS)
        Two columns of ``turn``, depths, logarithm of the stature, and age's phenotype.

    """

    pictures: Tensor
    points: Tensor
    state: Tensor
    box: Tensor
    inside_share: Tensor
    reach: Tensor
    hints: Tensor


def spoiled(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change colours and light, and what cameras lose: sharpness, pixels, colours, bits."""
    picture = rgb.astype(np.float32)
    if rng.random() < 0.7:
        gain = rng.uniform(0.7, 1.3) * rng.normal(1.0, 0.06, 3)
        picture = 255.0 * np.clip(picture * gain / 255.0, 0, 1) ** np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.15:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, 2)
    elif rng.random() < 0.5:
        grey = picture.mean(2, keepdims=True)
        picture = grey + (picture - grey) * rng.uniform(0.4, 1.5)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:
        rows, columns = picture.shape[:2]
        share = rng.uniform(0.25, 0.8)
        small = (max(int(columns * share), 8), max(int(rows * share), 8))
        picture = cv2.resize(
            cv2.resize(picture, small, interpolation=cv2.INTER_AREA), (columns, rows)
        )
    if rng.random() < 0.4:
        picture = picture + rng.normal(0, rng.uniform(1, 10), picture.shape)
    result = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        encoded = cv2.imencode('.jpg', result[..., ::-1], quality)[1]
        result = np.asarray(cv2.imdecode(encoded, 1)[..., ::-1], np.uint8)
    return result


def backlit(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Leave little contrast to what is dark, as where a camera exposes for a bright sky.

    Rendered faces are bright and clear; without this, whoever stood before a bright sky was taken
    for somebody seen from behind.
    """
    light = rgb.max(axis=2).astype(np.float32)
    there = light > 0  # within the picture
    if not there.any():
        return rgb
    bend = max(float(np.quantile(light[there], rng.uniform(0.6, 0.97))), 1.0)
    dark, veil = rng.uniform(0.25, 0.7) * bend, rng.uniform(0, 50)
    wanted = np.interp(light, [0, bend, 255], [0, dark, 255])
    picture = rgb * (wanted / np.maximum(light, 1.0))[..., None]
    picture = veil + picture * (255 - veil) / 255
    return np.where(there[..., None], np.clip(picture, 0, 255), 0).astype(np.uint8)


class Crops:
    """
    Draws batches for ever; children come twice as often as they are.

    Parameters
    ----------
    jpegs : list of ndarray
        Windows, encoded.
    truth : Truth
    batch : int
        Crops of 224 x 128 pixels; fewer of larger shapes, more of smaller ones.
    seed : int

    """

    def __init__(
        self, jpegs: list[NDArray[np.uint8]], truth: Truth, batch: int, seed: int
    ) -> None:
        self._jpegs, self._truth, self._batch = jpegs, truth, batch
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        small = np.flatnonzero(self._truth.stature < _CHILD)
        rows_of_all = np.concatenate([np.arange(len(self._jpegs)), small])
        waiting: dict[tuple[int, ...], list[dict[str, NDArray[np.float32]]]] = {}
        while True:
            for row in self._rng.permutation(rows_of_all):
                sample = self.sample(int(row), self._rng)
                shape = sample['picture'].shape
                rows = waiting.setdefault(shape, [])
                rows.append(sample)
                if len(rows) >= self._batch * 224 * 128 / (shape[0] * shape[1]):
                    yield _stacked(waiting.pop(shape))

    def sample(self, row: int, rng: np.random.Generator | None) -> dict[str, NDArray[np.float32]]:
        """One crop; with None as it is, without chance."""
        truth = self._truth
        window = np.asarray(cv2.imdecode(self._jpegs[row], cv2.IMREAD_COLOR)[..., ::-1], np.uint8)
        box, shapes = truth.box[row, 0].astype(np.float64), SHAPES_FEW
        inside = truth.picture[row]
        # Of the part in the picture, as surveys often have it.
        if rng is None or rng.random() < 0.6:
            box = np.concatenate(
                [np.maximum(box[:2], inside[:2]), np.minimum(box[2:], inside[2:])]
            )
        if rng is not None:
            longer = (box[2:] - box[:2]).max()
            box = box + _BOX_ERROR * longer * rng.normal(size=4)
            middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
            half = np.maximum(half * np.exp(rng.normal(0.03, 0.08)), 4.0)
            box = np.concatenate([middle - half, middle + half])
            shapes = SHAPES_FEW if rng.random() < 0.5 else SHAPES_CROWD
        crops = cut_crops(window, box[None], shapes)[0]
        picture, scale, corner = crops.pictures[0], float(crops.scale[0]), crops.corner[0]
        points = (truth.points[row] - corner) * scale
        boxes = ((truth.box[row].reshape(-1, 2, 2) - corner) * scale).reshape(-1, 4)
        state = truth.state[row]
        columns = truth.turn[row, :, :2].T.ravel()
        size = [np.log(truth.stature[row]), truth.phenotype[row, 1]]
        hints = np.concatenate([columns, truth.depths[row], size])
        reach = (np.nanmax(points[0], 0) - np.nanmin(points[0], 0)).max()
        if rng is not None:
            if rng.random() < _BACKLIT:
                picture = backlit(picture, rng)
            picture = spoiled(picture, rng)
            if rng.random() < 0.5:
                picture = picture[:, ::-1]
                last = picture.shape[1] - 1
                points = points[:, _MIRRORED] * [-1, 1] + [last, 0]
                boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [last, 0, last, 0]
                state = state[:, _MIRRORED]
                hints = mirror_hints(torch.as_tensor(hints)[None])[0].numpy()
        return {
            'picture': np.asarray(picture),
            'points': points,
            'state': state,
            'box': boxes,
            'inside_share': truth.inside_share[row],
            'reach': reach,
            'hints': hints,
        }  # fmt: skip


def _stacked(samples: list[dict[str, NDArray[np.float32]]]) -> Batch:
    def together(name: str) -> Tensor:
        return torch.as_tensor(np.stack([s[name] for s in samples]), dtype=torch.float32)

    pictures = (together('picture').permute(0, 3, 1, 2) / 127.5 - 1.0).contiguous()
    return Batch(
        pictures,
        together('points'),
        together('state'),
        together('box'),
        together('inside_share'),
        together('reach'),
        together('hints'),
    )
