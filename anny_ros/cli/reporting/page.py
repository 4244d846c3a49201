# Copyright 2026 The anny_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML file that needs nothing else, neither a network nor scripts."""

from __future__ import annotations

from html import escape

from anny_ros import __version__
from anny_ros.cli.reporting import charts
from anny_ros.cli.reporting.recording import Float64Array, Person, Recording
import numpy as np

_STYLE = """
:root{--ink:#1c2330;--soft:#667085;--page:#f6f7f9;--card:#fff;--line:#e3e6ec;--bar:#3f7bd9}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#98a2b3;--page:#14171d;--card:#1d222b;
--line:#303744;--bar:#6ea1ee}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}main{max-width:1040px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0 0 2px}h2{font-size:17px;margin:0 0 10px}
p{color:var(--soft);margin:0 0 18px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;
margin-top:18px;overflow-x:auto}svg{width:100%;height:auto;display:block;background:var(--card)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
.tile b{display:block;font-size:22px}.tile span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
td i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px}
text{fill:var(--soft);font:12px system-ui,sans-serif}text.name{text-anchor:end;fill:var(--ink)}
text.mid{text-anchor:middle}text.label{fill:var(--ink);font-weight:600}
.grid{stroke:var(--line);fill:none}.view{stroke:var(--soft);stroke-dasharray:4 5;opacity:.6}
.camera{fill:var(--soft)}.bar{fill:var(--bar)}.mark{stroke:var(--ink);stroke-dasharray:3 3}
"""


def make_page(recording: Recording, name: str) -> str:
    """
    Make the report of a run.

    Parameters
    ----------
    recording : Recording
    name : str
        What the run is called.

    Returns
    -------
    str
        HTML.

    """
    people = [person for person in recording.people if person.was_tracked]
    brief = len(recording.people) - len(people)
    model = recording.model
    blocks = [
        f'<h1>{escape(name)}</h1>',
        f'<p>{escape(model.get("name", "?"))} on {escape(model.get("backend", "?"))}, anny_ros '
        f'{escape(model.get("anny_ros", __version__))}; pictures of '
        f'{recording.width}&times;{recording.height}</p>',
        _tiles(recording, people),
        _section(
            'Who was there when',
            charts.timeline(recording, people),
            'Full colour: tracked. Paler: tentative, occluded, lost.'
            + (f' {brief} more were seen too briefly to be sure.' if brief else ''),
        ),
        _section(
            'Where they went',
            charts.paths(recording, people),
            'Seen from above in metres, in the frame of the camera (below, looking up the page), '
            'which must stand still for this to be a map. A dot is where somebody was seen last.',
        ),
        _section('Distance from the camera', charts.distances(recording, people), ''),
    ]
    histogram = charts.latencies(recording)
    if histogram:
        blocks.append(
            _section('How long a picture took', histogram, 'From the picture to its people.')
        )
    blocks.append(_table(people))
    title = escape(f'{name} - people')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{title}</title><style>{_STYLE}</style></head><body><main>'
        + ''.join(blocks)
        + '</main></body></html>\n'
    )


def _tiles(recording: Recording, people: list[Person]) -> str:
    seconds = float(recording.times[-1])
    far = [np.linalg.norm(p.positions[p.seen], axis=1) for p in people]
    every = np.concatenate(far) if far else np.zeros(0)
    every = every[np.isfinite(every)]
    took = recording.took_ms[np.isfinite(recording.took_ms)]
    at_once = _most_at_once(recording, people)
    hfov = np.degrees(np.median(recording.hfov))
    tiles = [
        (f'{len(recording.times)}', f'pictures in {seconds:.1f} s'),
        (f'{len(people)}', f'people, at most {at_once} at once'),
        (f'{np.median(every):.1f} m' if len(every) else '-', 'median distance'),
        (f'{hfov:.0f}&deg;', f'field of view, {escape(recording.camera_source)}'),
    ]
    if len(took):
        tiles.append((f'{np.median(took):.0f} ms', 'median time of a picture'))
    cells = ''.join(f'<div class="tile"><b>{b}</b><span>{s}</span></div>' for b, s in tiles)
    return f'<div class="tiles">{cells}</div>'


def _most_at_once(recording: Recording, people: list[Person]) -> int:
    counts = np.zeros(len(recording.times), int)
    for person in people:
        counts[np.searchsorted(recording.times, person.times[person.seen])] += 1
    return int(counts.max(initial=0))


def _section(title: str, chart: str, note: str) -> str:
    return f'<section><h2>{title}</h2>{f"<p>{note}</p>" if note else ""}{chart}</section>'


def _table(people: list[Person]) -> str:
    head = ('who', 'from', 'to', 'seen', 'nearest', 'farthest', 'path', 'stature')
    rows = []
    for person in people:
        seen = person.seen
        far = np.linalg.norm(person.positions[seen], axis=1)
        steps = np.linalg.norm(np.diff(_smoothed(person.positions[seen]), axis=0), axis=1)
        stature = np.nanmedian(person.statures[seen]) if np.isfinite(
            person.statures[seen]).any() else np.nan  # fmt: skip
        cells = [
            f'{person.times[seen][0]:.1f} s',
            f'{person.times[seen][-1]:.1f} s',
            f'{100 * seen.mean():.0f} %',
            _metres(np.nanmin(far) if np.isfinite(far).any() else np.nan),
            _metres(np.nanmax(far) if np.isfinite(far).any() else np.nan),
            _metres(np.nansum(steps)),
            f'{stature:.2f} m' if np.isfinite(stature) else '-',
        ]
        colour = charts.css_colour(person.track_number)
        cells_html = ''.join(f'<td>{cell}</td>' for cell in cells)
        rows.append(
            f'<tr><td><i style="background:{colour}"></i>{escape(person.id)}</td>{cells_html}</tr>'
        )
    header = ''.join(f'<th>{cell}</th>' for cell in head)
    return f'<section><h2>Everybody</h2><table><tr>{header}</tr>{"".join(rows)}</table></section>'


def _smoothed(positions: Float64Array) -> Float64Array:
    """Means over about a second, so that jitter is not counted as a way walked."""
    width = min(15, len(positions))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(positions[:, k], kernel, 'valid') for k in range(3)], axis=1)


def _metres(value: float) -> str:
    return f'{value:.1f} m' if np.isfinite(value) else '-'
