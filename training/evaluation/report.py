# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The readable table of the figures, and which files make the model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from anny_ros.inference.estimator import EMBEDDED
from anny_ros.inference.lite import lifter_path

from training.evaluation.clips import FOUND, RATES
from training.evaluation.rendered import GROUPS

Figures = dict[str, Any]

# Heading, key, factor, decimals.
_COLUMNS = (
    ('people', 'people', 1, 0),
    ('recall %', 'recall', 100, 1),
    ('PA-MPJPE mm', 'pa_mpjpe_mm', 1, 1),
    ('MPJPE mm', 'mpjpe_mm', 1, 1),
    ('facing med. deg', 'heading_median_deg', 1, 1),
    ('within 45 %', 'heading_within_45', 100, 1),
    ('within 30 %', 'heading_within_30', 100, 1),
    ('distance med. %', 'distance_median_error', 100, 1),
    ('dist. bias %', 'distance_bias', 100, 1),
    ('stature med. %', 'stature_median_error', 100, 1),
)
_BESIDE_COLUMNS = (
    *_COLUMNS[:1], *_COLUMNS[2:3],
    ('offsets removed', 'pa_mpjpe_offsets_removed_mm', 1, 1),
    *_COLUMNS[3:9],
)  # fmt: skip
_STEADINESS = (
    ('people', 'tracks', 1, 0),
    ('pictures', 'pictures', 1, 0),
    ('bones vary %', 'bone_length_variation', 100, 1),
    ('joint jitter mm', 'joint_jitter_median_mm', 1, 1),
    ('95th perc. mm', 'joint_jitter_p95_mm', 1, 1),
    ('distance jitter %', 'distance_jitter_median', 100, 2),
    ('95th perc. %', 'distance_jitter_p95', 100, 2),
)
_BESIDE_GROUPS = (
    'all', 'toddler', 'child', 'teen', 'adult', 'old', '80_to_150_px', '150_to_400_px',
    'above_400_px', 'visible_above_90', 'visible_70_to_90',
)  # fmt: skip


def model_files(model: str) -> dict[str, str]:
    """SHA-256 of each file that makes a model."""
    if model == EMBEDDED:
        folder = lifter_path().parent
        paths = sorted([*folder.glob('*.safetensors'), *folder.glob('*.onnx')])
    else:
        paths = [Path(model)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _cell(value: float | None, factor: float, decimals: int) -> str:
    return '-' if value is None else f'{factor * value:.{decimals}f}'


def _grid(rows: list[list[str]]) -> list[str]:
    """Align columns; the first to the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        '  '.join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _people(title: str, found: Figures, prefix: str, groups: tuple[str, ...], columns: Any) -> Any:
    rows = [[title, *(heading for heading, *_ in columns)]]
    for group in groups:
        values = [_cell(found[f'{prefix}.{group}.{key}'], f, d) for _, key, f, d in columns]
        rows.append([group.replace('_', ' '), *values])
    return ['', *_grid(rows)]


def table(document: dict[str, Any]) -> str:
    """Lines for people; ``document`` is what goes into the JSON file."""
    found: Figures = document['results']
    machine = document['machine']
    lines = [
        f'{document["model"]["name"]} on {machine["cpu"]}, {machine["cores"]} cores',
        ', '.join(f'{name} {version}' for name, version in document['versions'].items()),
        *_people('rendered people, camera known', found, 'rendered.model', GROUPS, _COLUMNS),
        '',
        'precision {}; camera not known: distance off by {}, bias {} (median)'.format(
            *(
                _cell(found[f'rendered.{key}'], 100, 1) + ' %'
                for key in (
                    'model.precision',
                    'model_camera_not_known.all.distance_median_error',
                    'model_camera_not_known.all.distance_bias',
                )
            )
        ),
    ]
    for where, title in (('whole', 'whole picture'), ('boxes', 'in our boxes')):
        key = f'rendered.mediapipe_{where}'
        recall, alone = (found[f'{key}.{group}.recall'] for group in ('all', 'alone'))
        lines += [
            '',
            f'MediaPipe, {title}: recall {_cell(recall, 100, 1)} %, of people who are alone in '
            f'the picture {_cell(alone, 100, 1)} %, precision '
            f'{_cell(found[f"{key}.precision"], 100, 1)} %; people whom both found:',
        ]
        for who in ('model', 'mediapipe'):
            prefix = f'beside_mediapipe_{where}.{who}'
            lines += _people(who, found, prefix, _BESIDE_GROUPS, _BESIDE_COLUMNS)
    lines += ['', *_clips(found)]
    reasons = sorted(set(document['reasons'].values()))
    lines += ['', *(f'-: {reason}' for reason in reasons)]
    return '\n'.join(lines)


def _clips(found: Figures) -> list[str]:
    """Lines on the real clips."""
    before = 'clips.model_without_tracking'
    lines = ['real clips']
    for who, prefix in (
        ('model without tracking', f'{before}.street'),
        ('model, who is TRACKED', 'clips.model.street'),
        ('MediaPipe, whole picture', 'clips.mediapipe_whole.street'),
        ('MediaPipe, in our boxes', 'clips.mediapipe_boxes.street'),
    ):
        recall, precision = (_cell(found[f'{prefix}.{key}'], 1, 3) for key in FOUND)
        lines.append(f'street: recall {recall}, precision {precision}: {who}')
    for stem in (Path(name).stem for name in RATES):
        model, whole, boxes = (
            _cell(found[key], 100, 1)
            for key in (
                f'{before}.{stem}.reprojection_median',
                f'clips.mediapipe_whole.{stem}.off_own_points_median',
                f'clips.mediapipe_boxes.{stem}.off_own_points_median',
            )
        )
        lines.append(
            f'{stem}: 3D joints off the 2D ones, median, % of the height: model {model}, '
            f'MediaPipe {whole}, in our boxes {boxes}'
        )
    rows = [['', *(heading for heading, *_ in _STEADINESS)]]
    for stem in (Path(name).stem for name in RATES):
        prefixes = {f'{stem}: model': f'clips.model.{stem}'}
        for where, title in (('whole', 'whole picture'), ('boxes', 'in our boxes')):
            prefix = f'clips.beside_mediapipe_{where}.{stem}'
            prefixes[f'{stem}: MediaPipe, {title}'] = f'{prefix}.mediapipe'
            prefixes[f'{stem}: model on those'] = f'{prefix}.model'
            rows += _steady(found, prefixes)
            prefixes = {}
    return [*lines, '', *_grid(rows)]


def _steady(found: Figures, prefixes: dict[str, str]) -> list[list[str]]:
    return [
        [title, *(_cell(found[f'{prefix}.{key}'], f, d) for _, key, f, d in _STEADINESS)]
        for title, prefix in prefixes.items()
    ]
