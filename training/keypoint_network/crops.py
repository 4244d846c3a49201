# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Cut rendered people out of their pictures, with the truth about them, to train the 2D network.

    python -m training.keypoint_network.crops DATA --output out/crops --count 6000

A shard (100 pictures) is an npz with a row a person: ``jpeg`` (bytes one behind the other, ``end``
(N,) where each ends), and the fields of ``Truth``. Poses are of the clips that the lifter is
trained on. Shards that are there are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
import sys
from typing import Any

from anny_ros.body import BodyModel
from anny_ros.body.skeleton import Skeleton
from anny_ros.errors import InputError
from anny_ros.keypoints.lifter import LIFTED_JOINTS
from anny_ros.keypoints.reported import ReportedPoints
from anny_ros.keypoints.view import rotation_to_forward
import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from training.evaluation.people import sizes
from training.observe_pictures import make_shards, open_studio
from training.pictures.labels import KeypointState, Labels
from training.pictures.render import iterate, SHARD
from training.pictures.scene import Picture

# Somebody of whom less is there to see teaches nothing.
_LEAST_SHARE, _LEAST_PX = 0.2, 28.0
# A window shows this many times the longer side of a person, who is at most so large in it.
_AROUND = 1.7
_LARGEST_PX = 230.0
# The target and others in the window, at most.
MOST_PEOPLE = 6
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Truth:
    """
    What is known about N people, each with a window of a picture; M people are in each.

    Parameters
    ----------
    points : ndarray, (N, M, 17, 2), float32, pixels
        Where the 2D network should report keypoints, in the window; the person whom the window
        is for comes first. NaN where there is nobody, or behind the camera.
    state : ndarray, (N, M, 17), uint8
        ``KeypointState``.
    box : ndarray, (N, M, 4), float32, pixels
        x0, y0, x1, y1 of the whole body in the window.
    inside_share : ndarray, (N, M), float32
        Share of the silhouette inside the picture.
    picture : ndarray, (N, 4), float32, pixels
        x0, y0, x1, y1 of the picture in the window.
    turn : ndarray, (N, 3, 3), float32
        From the body's rest axes to a frame whose z axis points at the middle of the box.
    depths : ndarray, (N, 17), float32
        Depth of the points in that frame from their mean, over the metric longer side of the part
        of the box that is in the picture.
    phenotype : ndarray, (N, 6), float32
    stature : ndarray, (N,), float32, metres

    """

    points: NDArray[np.float32]
    state: NDArray[np.uint8]
    box: NDArray[np.float32]
    inside_share: NDArray[np.float32]
    picture: NDArray[np.float32]
    turn: NDArray[np.float32]
    depths: NDArray[np.float32]
    phenotype: NDArray[np.float32]
    stature: NDArray[np.float32]


class Cutter:
    """
    Cuts people out of pictures.

    Parameters
    ----------
    body : BodyModel

    """

    def __init__(self, body: BodyModel) -> None:
        self._skeleton = Skeleton(body.asset, LIFTED_JOINTS)
        self._rows = [body.joint_index(name) for name in LIFTED_JOINTS]
        self._reported = ReportedPoints(self._skeleton.joint_names)

    def points(self, labels: Labels) -> NDArray[np.float32]:
        """Where the network should report keypoints, (N, 17, 3), metres, optical frame."""
        rotations = torch.as_tensor(labels.rotations[:, self._rows])
        rest = self._skeleton.rest(torch.as_tensor(labels.phenotype))
        posed = self._skeleton.pose(rest, rotations)
        own = posed.landmarks[:, :17]
        moved = self._reported(posed) - own
        return np.asarray(labels.keypoints_3d + moved.numpy(), np.float32)

    def __call__(self, picture: Picture) -> tuple[list[NDArray[np.uint8]], list[dict[str, Any]]]:
        """Windows around everybody who can be seen, and the fields of ``Truth`` of each."""
        labels = picture.labels
        windows: list[NDArray[np.uint8]] = []
        truths: list[dict[str, Any]] = []
        if not len(labels):
            return windows, truths
        points, K = self.points(labels), picture.camera.K
        with np.errstate(divide='ignore', invalid='ignore'):
            pixels = (points @ K.T)[..., :2] / points[..., 2:]
        pixels[points[..., 2] < 0.05] = np.nan
        seen = np.minimum(labels.visible_share, labels.inside_share) >= _LEAST_SHARE
        good = seen & (sizes(labels.bbox) >= _LEAST_PX) & (points[..., 2] > 0.1).all(1)
        size = np.array([picture.camera.width, picture.camera.height], np.float64)
        for who in np.flatnonzero(good):
            # Of somebody who is cut off, what is inside.
            box = labels.bbox[who].astype(np.float64)
            box = np.concatenate([np.maximum(box[:2], -0.5), np.minimum(box[2:], size - 0.5)])
            longer = (box[2:] - box[:2]).max()
            scale = min(_LARGEST_PX / longer, 1.0)
            side = int(np.ceil(_AROUND * longer * scale))
            corner = (box[:2] + box[2:]) / 2 - _AROUND * longer / 2
            A = np.column_stack([np.eye(2) * scale, -scale * corner])
            source = picture.rgb
            if scale < 0.7:  # or fine structure would alias
                source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.45 / scale), np.uint8)
            windows.append(np.asarray(cv2.warpAffine(source, A, (side, side)), np.uint8))
            others = np.argsort(np.abs(labels.bbox - labels.bbox[who]).sum(1), kind='stable')
            others = others[:MOST_PEOPLE]
            ray = ((box[:2] + box[2:]) / 2 - K[:2, 2]) / K[[0, 1], [0, 1]]
            R = rotation_to_forward(torch.as_tensor(ray, dtype=torch.float32)[None])[0].numpy()
            depth = (points[who] @ R.T)[:, 2]
            metric = longer / K[0, 0] * depth.mean()
            truths.append(
                {
                    'points': _filled((pixels[others] - corner) * scale),
                    'state': _filled(labels.keypoint_state[others]),
                    'box': _filled(
                        (labels.bbox[others].reshape(-1, 2, 2) - corner) * scale
                    ).reshape(MOST_PEOPLE, 4),
                    'inside_share': _filled(labels.inside_share[others]),
                    'picture': np.concatenate([-0.5 - corner, size - 0.5 - corner]) * scale,
                    'turn': R @ labels.rotations[who, self._rows[0]],
                    'depths': (depth - depth.mean()) / metric,
                    'phenotype': labels.phenotype[who],
                    'stature': labels.stature[who],
                }
            )
        return windows, truths


def _filled(rows: NDArray[Any]) -> NDArray[Any]:
    """Add rows of NaN (or 0) up to ``MOST_PEOPLE``."""
    missing = np.nan if rows.dtype.kind == 'f' else KeypointState.OUTSIDE
    whole = np.full((MOST_PEOPLE, *rows.shape[1:]), missing, rows.dtype)
    whole[: len(rows)] = rows
    return whole


def write_shard(path: Path, cutter: Cutter, pictures: Any) -> int:
    """Cut everybody out of pictures into a file, which appears when it is complete."""
    jpegs, truths = [], []
    for picture in pictures:
        windows, truth = cutter(picture)
        truths += truth
        for window in windows:
            options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            _, encoded = cv2.imencode('.jpg', window[..., ::-1], options)
            jpegs.append(encoded.ravel())
    if not truths:
        raise InputError(f'nobody can be seen in the pictures for {path}; take more of them')
    kinds = {'state': np.uint8}
    rows = {
        field.name: np.stack([t[field.name] for t in truths]).astype(
            kinds.get(field.name, np.float32)
        )
        for field in fields(Truth)
    }
    part = path.with_suffix('.part')
    with part.open('wb') as file:
        ends = np.cumsum([len(jpeg) for jpeg in jpegs])
        np.savez(file, jpeg=np.concatenate(jpegs), end=ends, **rows)
    part.replace(path)
    return len(jpegs)


def read_shards(folder: Path, most: int | None = None) -> tuple[list[NDArray[np.uint8]], Truth]:
    """
    Read the encoded windows and the truth of all (or the first) shards of a folder.

    Raises
    ------
    InputError
        If there are none.

    """
    paths = sorted(folder.glob('crops_*.npz'))[:most]
    if not paths:
        raise InputError(f'{folder} holds no crops; make them by training.keypoint_network.crops')
    jpegs: list[NDArray[np.uint8]] = []
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            jpegs += np.split(arrays['jpeg'], arrays['end'][:-1])
            parts.append({f.name: arrays[f.name] for f in fields(Truth)})
    return jpegs, Truth(
        **{f.name: np.concatenate([p[f.name] for p in parts]) for f in fields(Truth)}
    )


def _make_shard(opening: tuple[Path, Path | None, Path], path: Path, seed: int, shard: int) -> int:
    studio = open_studio(*opening)
    return write_shard(path, Cutter(studio.body), iterate(studio, seed, shard, SHARD))


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    return make_shards(arguments, __doc__, _make_shard, 'crops', 6000, 11)


if __name__ == '__main__':
    sys.exit(main())
