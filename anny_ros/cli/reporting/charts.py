# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The charts of the report as SVG: who was there when, where people went, how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise
import math

from anny_ros.cli.reporting.recording import Float64Array, Person, Recording
from anny_ros.render.colours import track_colour
from anny_ros.types import TrackState
import numpy as np

_WIDTH = 960
_LEFT = 76  # room for names
_ROW = 22
_PLOT = _WIDTH - _LEFT - 16
_STRENGTH = {
    TrackState.TENTATIVE: 0.45,
    TrackState.TRACKED: 1.0,
    TrackState.OCCLUDED: 0.28,
    TrackState.LOST: 0.1,
}
# Longer than this without a picture of somebody splits a bar or a path.
_BREAK = 3.0  # times the usual period


def timeline(recording: Recording, people: list[Person]) -> str:
    """Draw a row for each person: when in which state."""
    end = max(float(recording.times[-1]), 1e-3)
    period = _period(recording)
    height = _ROW * len(people) + 34
    parts = [_time_axis(end, height - 26)]
    for row, person in enumerate(people):
        y = row * _ROW + 4
        colour = css_colour(person.track_number)
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 12}" class="name">{escape(person.id)}</text>'
        )
        for first, last in _runs(person, period):
            start, stop = person.times[first], min(person.times[last] + period, end)
            state = TrackState(person.states[first])
            title = f'{escape(person.id)}: {state.name.lower()} {start:.1f} to {stop:.1f} s'
            parts.append(
                f'<rect x="{_LEFT + _PLOT * start / end:.1f}" y="{y}" rx="2" '
                f'width="{max(_PLOT * (stop - start) / end, 1.5):.1f}" height="{_ROW - 8}" '
                f'fill="{colour}" opacity="{_STRENGTH[state]}"><title>{title}</title></rect>'
            )
    return _svg(_WIDTH, height, parts, 'Timeline of identities')


def paths(recording: Recording, people: list[Person]) -> str:
    """Draw where people went, seen from above: the camera below, looking up the page."""
    size = 620
    places = [p.positions[p.seen][:, [0, 2]] for p in people]
    every = np.concatenate(places) if places else np.zeros((0, 2))
    every = every[np.isfinite(every).all(axis=1)]
    farthest = float(np.percentile(every[:, 1], 99)) * 1.1 if len(every) else 5.0
    farthest = max(farthest, 2.0)
    half = max(float(np.percentile(np.abs(every[:, 0]), 99)) * 1.15 if len(every) else 0, 1.0)
    scale = min((size - 60) / farthest, (_WIDTH - 80) / (2 * half))
    height = int(scale * farthest) + 60
    x0, y0 = _WIDTH / 2, height - 30
    parts = []
    step = _nice(farthest / 5)
    reach = math.hypot(farthest, half)
    for k in range(1, int(reach / step) + 1):
        radius = k * step * scale
        parts.append(f'<circle cx="{x0}" cy="{y0}" r="{radius:.1f}" class="grid"/>')
        if k * step <= farthest:
            parts.append(
                f'<text x="{x0 + 4}" y="{y0 - radius - 3:.1f}" class="tick">{k * step:g} m</text>'
            )
    angle = 0.5 * float(np.median(recording.hfov))
    for side in (-1, 1):
        x, y = x0 + side * math.sin(angle) * 3000, y0 - math.cos(angle) * 3000
        parts.append(f'<line x1="{x0}" y1="{y0}" x2="{x:.0f}" y2="{y:.0f}" class="view"/>')
    parts.append(
        f'<path d="M{x0 - 9} {y0 + 14} L{x0} {y0 - 4} L{x0 + 9} {y0 + 14} Z" class="camera"/>'
    )
    period = _period(recording)
    for person in people:
        parts += _path(person, period, scale, x0, y0)
    return _svg(_WIDTH, height, parts, "Bird's-eye view of everybody's path")


def distances(recording: Recording, people: list[Person]) -> str:
    """Draw how far from the camera everybody was."""
    end = max(float(recording.times[-1]), 1e-3)
    height, plot = 260, 216
    ranges = [np.linalg.norm(p.positions, axis=1)[p.seen] for p in people]
    every = np.concatenate(ranges) if ranges else np.zeros(0)
    every = every[np.isfinite(every)]
    top = max(float(np.percentile(every, 99)) * 1.15 if len(every) else 5.0, 1.0)
    parts = [_time_axis(end, plot + 8)]
    step = _nice(top / 5)
    for k in range(int(top / step) + 1):
        y = 8 + plot * (1 - k * step / top)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + _PLOT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        )
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" class="name">{k * step:g} m</text>')
    period = _period(recording)
    for person in people:
        far = np.linalg.norm(person.positions, axis=1)
        x = _LEFT + _PLOT * person.times / end
        y = 8 + plot * (1 - np.minimum(far / top, 1.0))
        parts += _polylines(person, period, x, y, 1.6)
    return _svg(_WIDTH, height, parts, 'Distance over time')


def latencies(recording: Recording) -> str:
    """Draw a histogram of the time that pictures took; empty if the file does not say."""
    took = recording.took_ms[np.isfinite(recording.took_ms)]
    if len(took) < 2:
        return ''
    top = max(float(np.percentile(took, 99.5)) * 1.05, 1.0)
    counts, edges = np.histogram(np.minimum(took, top), bins=48, range=(0, top))
    height, plot = 210, 160
    parts = []
    bar = _PLOT / len(counts)
    for k, count in enumerate(counts):
        high = plot * count / counts.max()
        title = f'{edges[k]:.0f} to {edges[k + 1]:.0f} ms: {count} pictures'
        parts.append(
            f'<rect x="{_LEFT + k * bar + 0.5:.1f}" y="{8 + plot - high:.1f}" '
            f'width="{bar - 1:.1f}" height="{high:.1f}" class="bar"><title>{title}</title></rect>'
        )
    for share, name in ((50, 'median'), (95, '95 %')):
        value = float(np.percentile(took, share))
        x = _LEFT + _PLOT * min(value / top, 1)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{8 + plot}" class="mark"/>')
        parts.append(f'<text x="{x + 4:.1f}" y="14" class="tick">{name} {value:.0f} ms</text>')
    step = _nice(top / 6)
    for k in range(int(top / step) + 1):
        x = _LEFT + _PLOT * k * step / top
        parts.append(f'<text x="{x:.1f}" y="{plot + 26}" class="mid">{k * step:g} ms</text>')
    return _svg(_WIDTH, height, parts, 'Time that a picture took')


def _path(person: Person, period: float, scale: float, x0: float, y0: float) -> list[str]:
    x = x0 + scale * person.positions[:, 0]
    y = y0 - scale * person.positions[:, 2]
    parts = _polylines(person, period, x, y, 2.2)
    good = np.flatnonzero(person.seen & np.isfinite(x) & np.isfinite(y))
    if len(good):
        first, last = good[0], good[-1]
        colour = css_colour(person.track_number)
        parts.append(f'<circle cx="{x[first]:.1f}" cy="{y[first]:.1f}" r="3" fill="{colour}"/>')
        parts.append(
            f'<circle cx="{x[last]:.1f}" cy="{y[last]:.1f}" r="5" fill="{colour}"/>'
            f'<text x="{x[last] + 8:.1f}" y="{y[last] + 4:.1f}" class="label">'
            f'{escape(person.id)}</text>'
        )
    return parts


def _polylines(
    person: Person, period: float, x: Float64Array, y: Float64Array, width: float
) -> list[str]:
    """Lines through where a person was seen, broken where they were not."""
    good = np.flatnonzero(person.seen & np.isfinite(x) & np.isfinite(y))
    pieces = np.split(good, np.flatnonzero(np.diff(person.times[good]) > _BREAK * period) + 1)
    return [
        f'<polyline points="{" ".join(f"{x[k]:.1f},{y[k]:.1f}" for k in piece)}" fill="none" '
        f'stroke="{css_colour(person.track_number)}" stroke-width="{width}" '
        f'stroke-linejoin="round"><title>{escape(person.id)}</title></polyline>'
        for piece in pieces
        if len(piece) > 1
    ]


def _runs(person: Person, period: float) -> Iterator[tuple[int, int]]:
    """First and last row of each stretch in one state."""
    cut = (np.diff(person.states.astype(int)) != 0) | (np.diff(person.times) > _BREAK * period)
    edges = [0, *(np.flatnonzero(cut) + 1), len(person.times)]
    for first, end in pairwise(edges):
        yield int(first), int(end) - 1


def _time_axis(end: float, y: float) -> str:
    step = _nice(end / 8)
    parts = []
    for k in range(int(end / step + 1e-9) + 1):
        x = _LEFT + _PLOT * k * step / end
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{y}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{y + 16}" class="mid">{k * step:g} s</text>')
    return ''.join(parts)


def _period(recording: Recording) -> float:
    gaps = np.diff(recording.times)
    return float(np.median(gaps)) if len(gaps) else 1.0 / 30


def _nice(step: float) -> float:
    """1, 2 or 5 times a power of ten, at least ``step``."""
    base = 10.0 ** math.floor(math.log10(max(step, 1e-9)))
    return next(base * factor for factor in (1, 2, 5, 10) if base * factor >= step * 0.999)


def css_colour(track_number: int) -> str:
    """Colour of a track as #rrggbb."""
    return '#' + ''.join(f'{round(255 * v):02x}' for v in track_colour(track_number))


def _svg(width: int, height: int, parts: list[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f'{"".join(parts)}</svg>'
    )
