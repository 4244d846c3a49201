# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""
Measure ``anny-ros anonymize`` on a bag made of the real clips: what is left of the faces.

Writes a bag with the clips as two cameras and with topics that must not change, anonymises it,
compares the other topics byte for byte, and counts the faces that MediaPipe finds before and
after. Each picture is looked at many times (as a whole, and in enlarged tiles, by two models);
what at least two, or three, looks find at one place is a face.

Prints a table and writes ``anonymized.json`` and ``anonymized.png`` (finds green before, red
after) into the output's folder.

    python -m training.evaluate_anonymized DATA_DIR --output out/evaluation
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path
import shutil
import sys
import tempfile
from typing import Any

from anny_ros.cli.main import main as anny_ros
from anny_ros.cli.sources.bag import open_bag
from anny_ros.errors import AnnyError
from anny_ros.geometry.boxes import overlap
import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluate_clips import read_frames
from training.evaluation.mediapipe_pose import call, environment

FloatArray = NDArray[np.floating[Any]]

RATES = {'park': 30.0, 'street': 10.0}  # pictures a second
# Finds at one place that make a face: the fewer, the more false ones, which do not go away.
LOOKS = (2, 3)
_SAME_FACE = 0.25  # IoU of two finds of one face: the models frame faces differently
_JPEG_QUALITY = 95
_RUNNER = Path(__file__).parent / 'evaluation' / 'face_runner.py'
_ROWS_SHOWN, _SHOWN_WIDTH = 4, 640


@dataclass(frozen=True)
class Faces:
    """Faces of one clip in the pictures looked at, and how many of these hold one."""

    pictures: int
    before: int
    after: int
    pictures_before: int
    pictures_after: int


def groups(boxes: FloatArray, least_looks: int) -> FloatArray:
    """
    Group the finds of one picture.

    Parameters
    ----------
    boxes : ndarray, (N, 4), pixels
        One face found by many looks is many finds.
    least_looks : int
        Finds that overlap at one place to be a face.

    Returns
    -------
    ndarray, (G, 4), pixels
        Mean box of each group: greedily, the find that most others overlap first.

    """
    faces = []
    left = np.asarray(boxes, np.float64).reshape(-1, 4)
    while len(left):
        near = overlap(left, left) >= _SAME_FACE
        members = near[near.sum(axis=1).argmax()]
        if members.sum() < least_looks:
            break
        faces.append(left[members].mean(axis=0))
        left = left[~members]
    return np.array(faces).reshape(-1, 4)


def count(before: list[FloatArray], after: list[FloatArray]) -> Faces:
    """Count faces (G, 4) of the same pictures before and after."""
    return Faces(
        pictures=len(before),
        before=sum(map(len, before)),
        after=sum(map(len, after)),
        pictures_before=sum(len(faces) > 0 for faces in before),
        pictures_after=sum(len(faces) > 0 for faces in after),
    )


def write_bag(path: Path, clips: dict[str, Path]) -> None:
    """Write the clips as cameras (JPEG), each with an IMU and random bytes beside it."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import get_typestore, Stores

    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types
    random = np.random.default_rng(0)
    kinds = {
        'image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
        'imu': 'sensor_msgs/msg/Imu',
        'bytes': 'std_msgs/msg/UInt8MultiArray',
    }
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for clip, video in clips.items():
            topics = {
                name: writer.add_connection(f'/{clip}/{name}', kind, typestore=store)
                for name, kind in kinds.items()
            }
            for index, rgb in read_frames(video, None):
                nanoseconds = 1_000_000_000 + round(1e9 * index / RATES[clip])
                stamp = types['builtin_interfaces/msg/Time'](*divmod(nanoseconds, 1_000_000_000))
                header = types['std_msgs/msg/Header'](stamp, clip)
                quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
                jpeg = cv2.imencode('.jpg', rgb[..., ::-1], quality)[1].reshape(-1)
                vectors = (
                    types['geometry_msgs/msg/Vector3'](*random.normal(size=3)) for _ in 'ab'
                )
                angular, linear = vectors
                turn = types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)
                zeros = np.zeros(9)
                layout = types['std_msgs/msg/MultiArrayLayout']([], 0)
                for name, message in {
                    'image_raw/compressed': types[kinds['image_raw/compressed']](
                        header, 'jpeg', np.asarray(jpeg, np.uint8)
                    ),
                    'imu': types[kinds['imu']](header, turn, zeros, angular, zeros, linear, zeros),
                    'bytes': types[kinds['bytes']](
                        layout, random.integers(0, 256, 200).astype(np.uint8)
                    ),
                }.items():
                    raw = store.serialize_cdr(message, kinds[name])
                    writer.write(topics[name], nanoseconds, raw)


def others_digest(bag: Path) -> tuple[int, str]:
    """Count and SHA-256 of all messages without pictures: topic, type, time, bytes, in order."""
    digest = hashlib.sha256()
    number = 0
    with closing(open_bag(bag)) as reader:
        for connection, time, raw in reader.messages():
            if 'image' not in connection.topic:
                number += 1
                digest.update(f'{connection.topic} {connection.msgtype} {time} '.encode())
                digest.update(raw)
    return number, digest.hexdigest()


def save_pictures(bag: Path, clip: str, every: int, folder: Path) -> list[Path]:
    """Write every so manieth picture of a camera as it is in the bag; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with closing(open_bag(bag)) as reader:
        chosen = [c for c in reader.connections if c.topic == f'/{clip}/image_raw/compressed']
        for index, (connection, _, raw) in enumerate(reader.messages(chosen)):
            if index % every == 0:
                message = reader.deserialize(raw, connection.msgtype)
                paths.append(folder / f'{index:05d}.jpg')
                paths[-1].write_bytes(message.data.tobytes())
    return paths


def find_faces(python: Path, paths: list[Path], results: Path) -> list[FloatArray]:
    """Look for faces: finds (N, 4) in each picture, many of one face."""
    command = [str(python), '-I', str(_RUNNER), *map(str, paths), str(results)]
    call(command, 'MediaPipe did not get through')
    with np.load(results, allow_pickle=False) as found:
        return [found['box'][found['picture'] == k] for k in range(len(paths))]


def sheet(rows: list[tuple[Path, FloatArray, Path, FloatArray]]) -> NDArray[np.uint8]:
    """Pictures with their faces before (left) and after (right), a row each, BGR."""
    drawn = []
    for before, faces, after, left in rows:
        pair = []
        for path, boxes, colour in ((before, faces, (60, 220, 60)), (after, left, (0, 0, 255))):
            bgr = cv2.imread(str(path))
            for box in boxes:
                x0, y0, x1, y1 = (round(float(v)) for v in box)
                cv2.rectangle(bgr, (x0 - 4, y0 - 4), (x1 + 4, y1 + 4), colour, 3)
            height = round(bgr.shape[0] * _SHOWN_WIDTH / bgr.shape[1])
            pair.append(cv2.resize(bgr, (_SHOWN_WIDTH, height), interpolation=cv2.INTER_AREA))
        drawn.append(np.hstack(pair))
    return np.asarray(np.vstack(drawn), np.uint8)


def _measure(data: Path, output: Path, every: int, work: Path) -> dict[str, Any]:
    python = environment(output / 'mediapipe')
    clips = {name: data / 'clips' / f'{name}.mp4' for name in RATES}
    original, anonymous = work / 'original', work / 'anonymous.mcap'
    if not anonymous.exists():
        write_bag(original, clips)
        if anny_ros(
            ['anonymize', str(original), str(anonymous), '--report', str(work / 'r.json')]
        ):
            raise SystemExit(1)
    before, after = others_digest(original), others_digest(anonymous)
    results: dict[str, Any] = {
        'other_messages': before[0],
        'others_identical': before == after,
        'anonymize': json.loads((work / 'r.json').read_text()),
    }
    rows = []
    for clip in clips:
        pictures, finds = [], []
        for bag, name in ((original, 'before'), (anonymous, 'after')):
            print(f'looking for faces in {clip}, {name} …', file=sys.stderr, flush=True)
            pictures.append(save_pictures(bag, clip, every, work / clip / name))
            finds.append(find_faces(python, pictures[-1], work / f'{clip}-{name}.npz'))
        results[clip] = {}
        for looks in reversed(LOOKS):
            faces = [[groups(boxes, looks) for boxes in half] for half in finds]
            results[clip][f'{looks}_looks'] = asdict(count(*faces))
        rows += list(_worst(*zip(pictures, faces, strict=True)))
    cv2.imwrite(str(output / 'anonymized.png'), sheet(rows))
    return results


def _worst(
    before: tuple[list[Path], list[FloatArray]], after: tuple[list[Path], list[FloatArray]]
) -> Iterator[tuple[Path, FloatArray, Path, FloatArray]]:
    """Rows of the sheet: pictures where most faces are left, then those that had most."""
    order = sorted(
        range(len(before[0])), key=lambda k: (len(after[1][k]), len(before[1][k])), reverse=True
    )
    for k in order[:_ROWS_SHOWN]:
        yield before[0][k], before[1][k], after[0][k], after[1][k]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--output', type=Path, default=Path('out/evaluation'))
    parser.add_argument('--every', type=int, default=3, help='look at every so manieth picture')
    parser.add_argument(
        '--keep', type=Path, help='folder for bags and pictures; bags that are there are taken'
    )
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    work = arguments.keep or Path(tempfile.mkdtemp(prefix='anonymized-'))
    work.mkdir(parents=True, exist_ok=True)
    try:
        results = _measure(arguments.data, arguments.output, arguments.every, work)
    except AnnyError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if arguments.keep is None:
            shutil.rmtree(work, ignore_errors=True)
    (arguments.output / 'anonymized.json').write_text(json.dumps(results, indent=2) + '\n')
    print('| clip | looks | pictures | faces before | faces after | fewer |')
    print('|---|---|---|---|---|---|')
    for clip in RATES:
        for looks in LOOKS:
            row = Faces(**results[clip][f'{looks}_looks'])
            fewer = f'{1 - row.after / row.before:.1%}' if row.before else 'none found before'
            print(f'| {clip} | {looks} | {row.pictures} | {row.before} | {row.after} | {fewer} |')
    same = 'the same' if results['others_identical'] else 'NOT THE SAME'
    print(f'{results["other_messages"]} messages of other topics: {same}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
